//! The flight recorder: whether rooms are written down while they run, and where.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{ConfigError, units, within};

/// The section `[recording]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RecordingSection {
    /// Folder in which each room has its files; without one nothing is recorded. What players do and write is in them.
    pub dir: Option<PathBuf>,
    /// Bytes that one room's two files may have together.
    #[serde(with = "units::bytes")]
    pub room_bytes_max: usize,
    /// Bytes that the folder may have before files that no room writes are deleted, the oldest first.
    #[serde(with = "units::bytes")]
    pub dir_bytes_max: usize,
}

impl Default for RecordingSection {
    fn default() -> Self {
        Self { dir: None, room_bytes_max: 64 << 20, dir_bytes_max: 1024 << 20 }
    }
}

impl RecordingSection {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        within("recording.room_bytes_max", self.room_bytes_max, 64 << 10, 256 << 20)?;
        within("recording.dir_bytes_max", self.dir_bytes_max, 1 << 20, 1 << 40)
    }
}
