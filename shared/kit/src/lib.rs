//! A session of any game, by its schema, with what callers from other languages ask of it: what the clients for C and JavaScript
//! stand on. Runs inside their calls. Knows no language, no pointer, no socket and no clock.

mod kit;

mod rows;

pub use kit::{Kit, Options, Shown};
