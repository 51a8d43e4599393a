//! The swarm: many real sessions in one process, driven by seeded input, and what they measured.
//!
//! Modules in the order of a run: the swarm lets bots in one after the other, each bot plays its session and
//! keeps a tally, the tallies become a report, and the report is held against expectations.

mod swarm;

mod board;

mod bot;

mod wanderer;

mod tally;

mod figures;

mod report;

mod expectations;

pub use expectations::Expectations;
pub use report::{Bandwidth, Median, Report, Spread, Tail};
pub use swarm::{BotsConfig, BotsError, CLIENTS_MAX, Progress, run};
