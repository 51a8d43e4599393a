//! The shell: sockets, tasks, threads and the clock. Everything asynchronous is in this folder, and nothing in
//! it knows a rule of any game.
//!
//! The modules stand in the order in which a connection passes through them.

mod server;

mod drain;

mod hub;

mod options;

mod doorkeeper;

mod visitors;

mod accept;

mod arrival;

mod page;

mod proxied;

mod tls;

mod validity;

mod refresh;

mod reload;

mod logging;

#[cfg(feature = "otlp")]
mod spans;

mod http;

mod operator;

mod inspector;

mod foreign;

mod peer;

mod upgrade;

mod connection;

mod socket;

#[doc(hidden)]
pub mod echo;

#[doc(hidden)]
pub mod fuzzing;

#[doc(hidden)]
pub mod sending;

mod meter;

mod watchdog;

mod standing;

mod entrance;

pub mod json;

mod lending;

mod link;

mod wanted;

mod rooms;

mod board;

mod questions;

mod hold;

mod worker;

mod cores;

mod agenda;

mod balance;

mod sweep;

mod seats;

mod tenant;

mod trimming;

mod ladder;

mod pacer;

mod recorder;

mod state_dir;

mod own_file;

mod crew;

mod timing;

mod totals;

mod tally;

mod metrics;

mod clock;

pub use logging::Logging;
pub use options::SocketOptions;
pub use reload::Reload;
pub use server::{Hooks, RunError, Running, check_files, run, run_with, start, start_with};
