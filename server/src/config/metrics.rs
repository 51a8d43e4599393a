//! What is counted for the operator beyond the sums over all rooms.

use serde::{Deserialize, Serialize};

use super::{ConfigError, within};

/// The section `[metrics]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MetricsSection {
    /// Rooms in each list of the busiest: what a scrape tells of single rooms is bounded by it.
    pub top_rooms: usize,
}

impl Default for MetricsSection {
    fn default() -> Self {
        Self { top_rooms: 10 }
    }
}

impl MetricsSection {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        within("metrics.top_rooms", self.top_rooms, 0, 1000)
    }
}
