//! How many frames may be on their way to a client unacknowledged.
//!
//! The kernel buffers whatever it is given, so a slow link or a stalled client program would read old states
//! for seconds. A closed window means: pack nothing, so that what is packed next is new.

use std::collections::VecDeque;

use tickwire_shared::limits::{ACK_EVERY_FRAMES, WINDOW_FRAMES_MAX, WINDOW_FRAMES_MIN};
use tickwire_shared::wire::message::Ack;
use tickwire_shared::{Micros, Tick};

/// The least round trip is forgotten after this long, so that a link that became slower is noticed.
const RTT_MEMORY_MICROS: u64 = 30_000_000;
/// When even the quickest of a while's acknowledgements took this much longer than the least round trip, frames
/// queue on the way. One slow acknowledgement says nothing: that is jitter.
const QUEUE_MICROS: u64 = 50_000;
/// Or, where round trips differ by themselves, so many times as much as they do and a little more.
const JITTERS: u64 = 3;
const JITTER_SLACK_MICROS: u64 = 20_000;
/// What differs by so much more than twice of what is usual counts for no more: a stall is no jitter.
const OUTLIER_MICROS: u64 = 10_000;
/// Up to so much, they do not; between the two it cannot be told.
const CALM_QUEUE_MICROS: u64 = 30_000;
/// Length of such a while.
const WHILE_MICROS: u64 = 200_000;
/// Jitter that the window bears without closing.
const JITTER_MICROS: u64 = 100_000;
/// So much of what a client is sent may be on its way beyond a round trip.
const QUEUE_BYTES_MICROS: u64 = 350_000;
/// However slow the link, so many bytes may be on their way.
const IN_FLIGHT_BYTES_MIN: usize = 1500;

/// When fewer than this share of the frames arrive, only so many are sent as arrive in a round trip and a moment more.
const READ_PERCENT: u64 = 65;
const READ_MICROS: u64 = 100_000;
/// What queues becomes less when less may be on its way. Where it has not after this long, by more than chance, the way has
/// become longer and nothing queued.
const DOUBT_MICROS: u64 = 2_500_000;
/// By this share fewer frames may be on their way then, or the next while like it begins with that.
const DOUBT_SHARE: (usize, usize) = (2, 3);
/// Without queueing, there is one more this often.
const CALM_MICROS: u64 = 1_000_000;
/// However slow the program, so many may be in flight.
const WINDOW_FRAMES_FLOOR: usize = 2;

/// The frames that one client has not acknowledged.
#[derive(Clone, Debug)]
pub struct AckWindow {
    in_flight: VecDeque<InFlight>,
    in_flight_bytes: usize,
    /// Most frames in flight while fewer arrive than are made, and when that last changed.
    frames_max: usize,
    steered_at: Micros,
    /// The least round trip of this half minute and of the one before, and when this one began.
    rtt_min: Option<u64>,
    rtt_before: Option<u64>,
    rtt_since: Micros,
    /// By how much one round trip differs from the one before, on average, in microseconds.
    jitter: u64,
    rtt_last: Option<u64>,
    /// What was seen in this while.
    seen: Option<Seen>,
    verdict: Option<Verdict>,
    /// Since when frames queue, as it seems.
    doubt: Option<Doubt>,
}

/// Frames have seemed to queue for a while.
#[derive(Clone, Copy, Debug)]
struct Doubt {
    since: Micros,
    /// How many were allowed on their way then.
    frames_max: usize,
    /// The longest that the quickest acknowledgement of a while has taken.
    worst: u64,
}

#[derive(Clone, Copy, Debug)]
struct InFlight {
    tick: Tick,
    sent: Micros,
    bytes: usize,
}

/// What acknowledgements tell in a while.
#[derive(Clone, Copy, Debug)]
struct Seen {
    since: Micros,
    /// The least round trip.
    quickest: u64,
    /// Frames that arrived.
    frames: u64,
    /// Bytes that arrived.
    bytes: u64,
}

/// What a while of acknowledgements says of the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Frames queue on the way.
    Queues {
        /// What arrives all the same, in bytes per second.
        arriving_bytes_per_s: u64,
        /// For how long they do, at least.
        queue_micros: u64,
    },
    /// They do not.
    Calm,
    /// They do not, although they seemed to: the way has become longer.
    Longer,
}

/// What an acknowledgement was worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AckOutcome {
    /// It named a frame in flight.
    Fresh,
    /// It named an older one; frames are acknowledged only once.
    Stale,
    /// It named a frame that was never sent.
    False,
}

impl Default for AckWindow {
    fn default() -> Self {
        Self {
            in_flight: VecDeque::with_capacity(WINDOW_FRAMES_MAX),
            rtt_min: None,
            rtt_before: None,
            rtt_since: Micros(0),
            in_flight_bytes: 0,
            frames_max: WINDOW_FRAMES_MAX,
            steered_at: Micros(0),
            jitter: 0,
            rtt_last: None,
            seen: None,
            verdict: None,
            doubt: None,
        }
    }
}

impl AckWindow {
    /// Whether another frame may be packed, at `frames_per_s` and `bytes_per_s`.
    #[must_use]
    pub fn is_open(&self, frames_per_s: u16, bytes_per_s: u32) -> bool {
        self.in_flight.len() < self.size(frames_per_s) && self.in_flight_bytes <= self.bytes_max(bytes_per_s)
    }

    /// How many bytes may be in flight: what the client is sent in a round trip and while it collects acknowledgements.
    fn bytes_max(&self, bytes_per_s: u32) -> usize {
        let micros = self.rtt_micros().unwrap_or(0) + QUEUE_BYTES_MICROS;
        ((u64::from(bytes_per_s) * micros / 1_000_000) as usize).max(IN_FLIGHT_BYTES_MIN)
    }

    /// How many frames may be in flight: as many as a round trip takes, and those that the client collects
    /// before it acknowledges; fewer while it cannot read as many as are made.
    #[must_use]
    pub fn size(&self, frames_per_s: u16) -> usize {
        self.size_for_all(frames_per_s).min(self.frames_max)
    }

    fn size_for_all(&self, frames_per_s: u16) -> usize {
        let round_trip = self.rtt_micros().map_or(0, |micros| {
            let frames = ((micros + JITTER_MICROS) * u64::from(frames_per_s)).div_ceil(1_000_000);
            usize::try_from(frames).unwrap_or(usize::MAX)
        });
        round_trip
            .saturating_add(usize::from(ACK_EVERY_FRAMES) + 1)
            .clamp(WINDOW_FRAMES_MIN, WINDOW_FRAMES_MAX)
    }

    /// A frame was handed out.
    pub fn sent(&mut self, tick: Tick, bytes: usize, now: Micros) {
        debug_assert!(self.in_flight.len() < WINDOW_FRAMES_MAX);
        self.in_flight.push_back(InFlight { tick, sent: now, bytes });
        self.in_flight_bytes += bytes;
    }

    /// What the last while said of the link, once.
    pub fn take_verdict(&mut self) -> Option<Verdict> {
        self.verdict.take()
    }

    /// The client says which frame it applied last. `newest` is the tick of the last frame handed out.
    pub fn acknowledged(
        &mut self,
        ack: &Ack,
        newest: Option<Tick>,
        frames_per_s: u16,
        now: Micros,
    ) -> AckOutcome {
        if newest.is_none_or(|newest| ack.applied.since(newest) > 0) {
            return AckOutcome::False;
        }
        let Some(place) = self.in_flight.iter().position(|frame| frame.tick == ack.applied) else {
            return AckOutcome::Stale;
        };
        let InFlight { sent, .. } = self.in_flight[place];
        let sample = now.since(sent).saturating_sub(u64::from(ack.held_ms) * 1000);
        self.round_trip(sample, now);
        let bytes: usize = self.in_flight.drain(..=place).map(|frame| frame.bytes).sum();
        self.in_flight_bytes -= bytes;
        self.judge(sample, (place as u64 + 1, bytes as u64), frames_per_s, now);
        AckOutcome::Fresh
    }

    /// A round trip was measured.
    pub fn round_trip(&mut self, micros: u64, now: Micros) {
        if now.since(self.rtt_since) >= RTT_MEMORY_MICROS {
            (self.rtt_before, self.rtt_since) = (self.rtt_min.take(), now);
        }
        if let Some(last) = self.rtt_last.replace(micros) {
            let apart = micros.abs_diff(last).min(2 * self.jitter + OUTLIER_MICROS);
            self.jitter = (self.jitter * 15 + apart) / 16;
        }
        self.rtt_min = Some(self.rtt_min.map_or(micros, |least| least.min(micros)));
    }

    /// Once in a while: whether frames queue on the way, and if so, what arrives all the same.
    fn judge(&mut self, sample_micros: u64, (frames, bytes): (u64, u64), frames_per_s: u16, now: Micros) {
        let mut seen =
            self.seen.take().unwrap_or(Seen { since: now, quickest: u64::MAX, frames: 0, bytes: 0 });
        let least = self.rtt_micros().unwrap_or(sample_micros);
        let passed = now.since(seen.since);
        seen.quickest = seen.quickest.min(sample_micros);
        // What the first one brought had arrived before.
        seen.frames += if passed == 0 { 0 } else { frames };
        seen.bytes += if passed == 0 { 0 } else { bytes };
        // What is in flight was sent before the last change; it cannot tell yet what that did.
        if passed < WHILE_MICROS.max(least) {
            self.seen = Some(seen);
            return;
        }
        if seen.quickest > least + QUEUE_MICROS.max(JITTER_SLACK_MICROS + JITTERS * self.jitter) {
            if self.is_a_longer_way(seen.quickest, frames_per_s, now) {
                return;
            }
            self.verdict = Some(Verdict::Queues {
                arriving_bytes_per_s: seen.bytes * 1_000_000 / passed,
                queue_micros: seen.quickest - least,
            });
            // A program that reads too few frames is not helped by smaller ones.
            let (arrived, made) = (seen.frames * 1_000_000, u64::from(frames_per_s) * passed);
            if arrived * 100 < made * READ_PERCENT {
                let frames = (arrived * (least + READ_MICROS)).div_ceil(passed * 1_000_000) as usize + 1;
                self.frames_max = frames.clamp(WINDOW_FRAMES_FLOOR, self.frames_max);
                self.steered_at = now;
            }
            return;
        }
        self.doubt = None;
        if seen.quickest <= least + CALM_QUEUE_MICROS {
            self.verdict = Some(Verdict::Calm);
            if now.since(self.steered_at) >= CALM_MICROS {
                self.frames_max = (self.frames_max + 1).min(WINDOW_FRAMES_MAX);
                self.steered_at = now;
            }
        }
    }

    /// Frames seem to queue. Whether that has been so for long, less is on the way, and it takes as long as before: a longer
    /// round trip is believed then. Only the number of frames on their way tells; a program that reads slowly
    /// makes each of them wait, however small.
    fn is_a_longer_way(&mut self, quickest: u64, frames_per_s: u16, now: Micros) -> bool {
        let frames_max = self.size(frames_per_s);
        let mut doubt = self.doubt.unwrap_or(Doubt { since: now, frames_max, worst: quickest });
        doubt.worst = doubt.worst.max(quickest);
        self.doubt = Some(doubt);
        if now.since(doubt.since) < DOUBT_MICROS {
            return false;
        }
        self.doubt = None;
        let fewer = (doubt.frames_max * DOUBT_SHARE.0 / DOUBT_SHARE.1).max(WINDOW_FRAMES_FLOOR);
        if frames_max > fewer || frames_max == doubt.frames_max {
            self.doubt = Some(Doubt { since: now, frames_max, worst: quickest });
            (self.frames_max, self.steered_at) = (fewer.min(self.frames_max), now);
            return false;
        }
        if quickest + JITTER_SLACK_MICROS + JITTERS * self.jitter < doubt.worst {
            return false;
        }
        (self.rtt_min, self.rtt_before, self.rtt_since) = (Some(quickest), None, now);
        self.frames_max = WINDOW_FRAMES_MAX;
        self.verdict = Some(Verdict::Longer);
        true
    }

    /// The least round trip lately.
    #[must_use]
    pub fn rtt_micros(&self) -> Option<u64> {
        self.rtt_min.into_iter().chain(self.rtt_before).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1000;

    #[test]
    fn closes_and_opens() {
        let mut window = AckWindow::default();
        for tick in 0..WINDOW_FRAMES_MIN as u32 {
            assert!(window.is_open(30, 64_000));
            window.sent(Tick(tick), 100, Micros(u64::from(tick) * 33 * MS));
        }
        assert!(!window.is_open(30, 64_000));
        let ack = Ack { applied: Tick(3), held_ms: 20 };
        assert_eq!(window.acknowledged(&ack, Some(Tick(5)), 30, Micros(219 * MS)), AckOutcome::Fresh);
        assert_eq!(window.rtt_micros(), Some(100 * MS));
        assert!(window.is_open(30, 64_000));
        // 100 ms and as much jitter at 30 frames/s are 6 frames in flight.
        assert_eq!(window.size(30), 6 + usize::from(ACK_EVERY_FRAMES) + 1);
    }

    #[test]
    fn lies_are_told_apart() {
        let mut window = AckWindow::default();
        let ack = |tick| Ack { applied: Tick(tick), held_ms: 0 };
        assert_eq!(window.acknowledged(&ack(5), None, 30, Micros(0)), AckOutcome::False);
        window.sent(Tick(7), 100, Micros(0));
        assert_eq!(window.acknowledged(&ack(8), Some(Tick(7)), 30, Micros(0)), AckOutcome::False);
        assert_eq!(window.acknowledged(&ack(6), Some(Tick(7)), 30, Micros(0)), AckOutcome::Stale);
        assert_eq!(window.acknowledged(&ack(7), Some(Tick(7)), 30, Micros(0)), AckOutcome::Fresh);
        assert_eq!(window.acknowledged(&ack(7), Some(Tick(7)), 30, Micros(0)), AckOutcome::Stale);
    }

    #[test]
    fn a_held_time_that_is_too_long_does_not_underflow() {
        let mut window = AckWindow::default();
        window.sent(Tick(1), 100, Micros(0));
        let ack = Ack { applied: Tick(1), held_ms: u16::MAX };
        assert_eq!(window.acknowledged(&ack, Some(Tick(1)), 30, Micros(5)), AckOutcome::Fresh);
        assert_eq!(window.rtt_micros(), Some(0));
    }
}
