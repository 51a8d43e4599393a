//! One client's life on the server, without any socket: who may come in, what it may send, which input is for
//! which tick, and how much it has not acknowledged.

pub mod admission;

mod budget;

mod input_buffer;

mod ack_window;

mod pace;

mod allowance;

mod tenure;

pub use ack_window::{AckOutcome, AckWindow, Verdict};
pub use allowance::{Allowance, BUDGET_BYTES_MIN};
pub use budget::Budget;
pub use input_buffer::{InputBuffer, Outcome, Stamped};
pub use pace::Pace;
pub use tenure::{Claim, Key, Tenures};
