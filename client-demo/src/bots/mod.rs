//! The swarm: many real sessions in one process, driven by seeded input, and what they measured.
//!
//! Modules in the order of a run: the swarm lets bots in one after the other, each bot plays its session in its style and
//! keeps a tally, what all of them see is shown while it happens, the tallies become a report, and the report is held against
//! expectations. What the swarm itself takes is in the report too.

mod swarm;

mod board;

mod bot;

mod style;

mod tally;

mod live;

mod figures;

mod rig;

mod report;

mod table;

mod expectations;

pub use expectations::Expectations;
pub use report::{Bandwidth, Distribution, Median, Report, Spread, Tail};
pub use rig::Rig;
pub use style::Style;
pub use swarm::{BotsConfig, BotsError, CLIENTS_MAX, Progress, run};
