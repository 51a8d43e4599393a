//! How a session is doing, in numbers: for a panel, a test or a log. Runs with every message; decides nothing.

use super::account::{State, Stats};
use super::prediction::Corrections;
use crate::tick::Micros;
use crate::wire::cadence::TIERS;

/// Rates are those of the last stretch of this length.
const STRETCH_MICROS: u64 = 1_000_000;

/// Numbers of a session.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// How it is doing, in one word.
    pub state: State,
    /// Smoothed round trip, the time at the server not counted.
    pub rtt_micros: Option<u64>,
    /// By how much frames come later than the quickest ones, on average.
    pub jitter_micros: u64,
    /// How early the newest input that the server told of was there, in ticks; negative is late.
    pub margin_ticks: Option<f32>,
    /// How many ticks the own avatar is shown ahead of what was told.
    pub ticks_ahead: u32,
    /// How long after they could be known states are shown, by the tier of what they are of.
    pub delay_micros: [u64; TIERS],
    /// What became of predictions.
    pub corrections: Corrections,
    /// How far off its right place the own avatar is shown for the moment, in the game's unit.
    pub correction_shown: f32,
    /// Payload from the server.
    pub received_bytes_per_s: f64,
    /// Payload to the server.
    pub sent_bytes_per_s: f64,
    /// Frames applied.
    pub snapshots_per_s: f64,
    /// Bits of all updates by the changed ones.
    pub bits_per_update: f64,
    /// Entities in view, the own avatar not counted.
    pub visible: usize,
    /// Those of them that are told of at each tier.
    pub visible_by_tier: [usize; TIERS],
    /// Those of them that are told nothing of for the moment.
    pub parked: usize,
    /// Counts since the session began.
    pub stats: Stats,
}

/// Rates over the last stretch.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rates {
    pub(super) received: f64,
    pub(super) sent: f64,
    pub(super) frames: f64,
    pub(super) bits_per_update: f64,
}

/// Takes rates of counts.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Meter {
    since: Option<(Micros, Stats)>,
    rates: Rates,
}

impl Meter {
    /// The counts at `now`.
    pub(super) fn note(&mut self, stats: &Stats, now: Micros) {
        let (since, before) = *self.since.get_or_insert((now, *stats));
        let micros = now.since(since);
        if micros < STRETCH_MICROS {
            return;
        }
        let per_s = |count: u64| count as f64 * 1e6 / micros as f64;
        let updates = stats.updates - before.updates;
        self.rates = Rates {
            received: per_s(stats.received_bytes - before.received_bytes),
            sent: per_s(stats.sent_bytes - before.sent_bytes),
            frames: per_s(stats.frames - before.frames),
            bits_per_update: (stats.update_bits - before.update_bits) as f64 / updates.max(1) as f64,
        };
        self.since = Some((now, *stats));
    }

    pub(super) fn rates(&self) -> Rates {
        self.rates
    }
}
