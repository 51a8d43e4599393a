//! The harness: a room and its clients in virtual time, joined by links that behave like TCP, and an oracle that
//! knows what every client must hold.

pub mod link;

pub mod oracle;

pub mod sim;

pub mod chaos;

pub mod fuzzing;

pub mod scene;

pub mod recordings;

pub mod crowd;

pub use tickwire_server::counting;

pub mod reference;

pub mod seeds;
