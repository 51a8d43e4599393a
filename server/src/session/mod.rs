//! One client's life on the server, without any socket: who may come in, what it may send, which input is for
//! which tick, and how much it has not acknowledged.

pub mod admission;

mod budget;

mod input_buffer;

mod ack_window;

pub use ack_window::{AckOutcome, AckWindow};
pub use budget::Budget;
pub use input_buffer::{InputBuffer, Outcome, Stamped};
