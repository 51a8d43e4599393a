//! What the driver counts, besides what each room counts of itself. Every drop and every close has a name.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use tickwire_shared::CloseCode;

use super::visitors::TooMany;

/// A number that only grows.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    pub(super) fn total(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Why a message was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Drop {
    /// Beyond the frames per second.
    Frames,
    /// Beyond the bytes per second.
    Bytes,
    /// Beyond the pings per second.
    Pings,
    /// Beyond the commands per second.
    Commands,
    /// The inbox of its connection was full.
    InboxFull,
    /// A JSON client reads too slowly for its events.
    JsonEvent,
}

impl Drop {
    pub(super) const ALL: [Self; 6] =
        [Self::Frames, Self::Bytes, Self::Pings, Self::Commands, Self::InboxFull, Self::JsonEvent];

    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Frames => "frames_per_s",
            Self::Bytes => "bytes_per_s",
            Self::Pings => "pings_per_s",
            Self::Commands => "commands_per_s",
            Self::InboxFull => "inbox_full",
            Self::JsonEvent => "json_event",
        }
    }
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Ended {
    /// With one of our codes, sent by us or by the peer.
    Code(CloseCode),
    /// With another code of the peer's, or none in its close frame.
    Other,
    /// Without a close frame.
    Cut,
    /// It took no bytes for too long, so that not even a close frame went out.
    Stalled,
}

impl Ended {
    pub(super) fn label(self) -> String {
        match self {
            Self::Code(code) => code.number().to_string(),
            Self::Other => "other".to_owned(),
            Self::Cut => "cut".to_owned(),
            Self::Stalled => "stalled".to_owned(),
        }
    }
}

/// Totals since the server started.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) accepted: Count,
    pub(super) accept_errors: Count,
    /// Connections that never got as far as HTTP.
    pub(super) arrivals_lost: Count,
    pub(super) upgrades_refused: Count,
    pub(super) sessions: Count,
    pub(super) received_bytes: Count,
    pub(super) received_frames: Count,
    pub(super) sent_bytes: Count,
    turned_away: [Count; TooMany::ALL.len()],
    drops: [Count; Drop::ALL.len()],
    ends: Mutex<BTreeMap<Ended, u64>>,
}

impl Tally {
    /// A frame came, of so many bytes on the wire.
    pub(super) fn received(&self, wire_bytes: usize) {
        self.received_frames.add(1);
        self.received_bytes.add(wire_bytes as u64);
    }

    pub(super) fn turned_away(&self, why: TooMany) {
        self.turned_away[why as usize].add(1);
    }

    pub(super) fn those_turned_away(&self, why: TooMany) -> u64 {
        self.turned_away[why as usize].total()
    }

    pub(super) fn dropped(&self, why: Drop) {
        self.drops[why as usize].add(1);
    }

    pub(super) fn drops(&self, why: Drop) -> u64 {
        self.drops[why as usize].total()
    }

    pub(super) fn ended(&self, how: Ended) {
        *self.ends.lock().unwrap_or_else(PoisonError::into_inner).entry(how).or_default() += 1;
    }

    pub(super) fn ends(&self) -> BTreeMap<Ended, u64> {
        self.ends.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
