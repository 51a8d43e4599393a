//! How often and how much clients are told.

use serde::{Deserialize, Serialize};
use tickwire_shared::wire::cadence::{Cadences, TIERS};

use super::{ConfigError, refuse, units, within};

/// The section `[replication]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Replication {
    /// Ticks from one update of an entity to the next: for what is near or not short of bandwidth, for what is
    /// farther, and for what is farthest. Frames go out every so many ticks as the first says.
    pub cadence_ticks: [u8; TIERS],
    /// What a client is sent per second at most, unless it asks for something else.
    #[serde(with = "units::bytes")]
    pub budget_bytes_per_s: usize,
    /// What a client may ask for.
    #[serde(with = "units::bytes")]
    pub budget_bytes_per_s_max: usize,
    /// Threads that help to pack the frames of rooms with 1,000 clients or more; 0 is one for each core.
    pub packing_threads: usize,
}

impl Default for Replication {
    fn default() -> Self {
        Self {
            cadence_ticks: [1, 3, 6],
            budget_bytes_per_s: 64 << 10,
            budget_bytes_per_s_max: 256 << 10,
            packing_threads: 0,
        }
    }
}

impl Replication {
    /// The cadences.
    ///
    /// # Errors
    /// When they are none.
    pub fn cadences(&self) -> Result<Cadences, ConfigError> {
        Cadences::try_from(self.cadence_ticks).map_err(|error| {
            refuse("replication.cadence_ticks", format!("{:?}", self.cadence_ticks), &error.to_string())
        })
    }

    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        self.cadences()?;
        within("replication.budget_bytes_per_s_max", self.budget_bytes_per_s_max, 1024, 1 << 30)?;
        let most = self.budget_bytes_per_s_max;
        within("replication.packing_threads", self.packing_threads, 0, 256)?;
        within("replication.budget_bytes_per_s", self.budget_bytes_per_s, 1024, most)
    }
}
