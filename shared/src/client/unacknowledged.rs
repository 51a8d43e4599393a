//! What the server has not been told to have arrived, and when to tell it. Every message costs the server a read, so while
//! nothing queues on the way an acknowledgement waits for an input that is due anyway; as soon as frames come late or
//! large, the server steers by acknowledgements and is to have them in time. Runs with each frame and each message sent.

use crate::limits::INPUT_REFRESH_MICROS;
use crate::tick::Micros;

/// A frame that came so much later than the quickest may have queued on the way.
const LATE_MICROS: i64 = 20_000;
/// For so long after one, and at the begin, acknowledgements do not wait.
const UNEASY_MICROS: u64 = 2_000_000;
/// The quickest frame is forgotten by so much in each second: a queue that stands does not look like a longer way for a
/// minute, and clocks may run apart.
const FORGET_MICROS_PER_S: u64 = 2_000;
/// Frames beyond those that Welcome names that an acknowledgement may wait for.
const CALM_FRAMES: u8 = 2;
/// So few frames since the last message mean that nothing goes on; and if they are as small and as rare as this, however
/// late they come.
const IDLE_FRAMES: u8 = 1;
const IDLE_BYTES: usize = 32;
const IDLE_MICROS: u64 = 300_000;
/// With more bytes than this it does not wait.
const CALM_BYTES: usize = 2048;

/// The frames since the last acknowledgement.
#[derive(Clone, Debug)]
pub(super) struct Unacknowledged {
    frames: u8,
    bytes: usize,
    /// Offset of the quickest frame, and when that was last brought up to date.
    quickest: Option<(i64, Micros)>,
    /// When the last frame came, and how long after the one before.
    came: (Micros, u64),
    uneasy_until: Micros,
}

impl Unacknowledged {
    /// A session begins.
    pub(super) fn new(now: Micros) -> Self {
        Self { frames: 0, bytes: 0, quickest: None, came: (now, 0), uneasy_until: now.plus(UNEASY_MICROS) }
    }

    /// A frame came `offset` after its tick, by whatever clock.
    pub(super) fn frame(&mut self, offset: i64, bytes: usize, now: Micros) {
        self.frames = self.frames.saturating_add(1);
        self.bytes += bytes;
        self.came = (now, now.since(self.came.0));
        let quickest = self.quickest.map_or(offset, |(quickest, at)| {
            offset.min(quickest + (now.since(at) * FORGET_MICROS_PER_S / 1_000_000) as i64)
        });
        self.quickest = Some((quickest, now));
        if offset - quickest > LATE_MICROS {
            self.uneasy_until = now.plus(UNEASY_MICROS);
        }
    }

    /// Whether there is anything to tell.
    pub(super) fn any(&self) -> bool {
        self.frames > 0
    }

    /// Whether an acknowledgement may wait a little.
    fn is_calm(&self, now: Micros) -> bool {
        now >= self.uneasy_until && self.bytes < CALM_BYTES
    }

    /// Whether it is time for one, where Welcome says that it is so after `frames` at the latest.
    pub(super) fn is_due(&self, frames: u8, now: Micros) -> bool {
        let patience = if self.is_calm(now) { CALM_FRAMES } else { 0 };
        self.frames >= frames.saturating_add(patience)
    }

    /// After how long an input is repeated, and what waits goes with it.
    pub(super) fn refresh_after(&self, frames: u8, now: Micros) -> u64 {
        let rare = self.bytes <= IDLE_BYTES && self.came.1 >= IDLE_MICROS;
        match self.is_calm(now) {
            true if self.is_due(frames, now) => INPUT_REFRESH_MICROS / 2,
            // Nothing goes on: heartbeats come, of which each one is acknowledged before the one after the next.
            calm if self.frames <= IDLE_FRAMES && (calm || rare) => 2 * INPUT_REFRESH_MICROS,
            _ => INPUT_REFRESH_MICROS,
        }
    }

    /// The server is told, or there is nobody to tell.
    pub(super) fn clear(&mut self) {
        (self.frames, self.bytes) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK_MICROS: u64 = 33_333;

    /// Frames of so many bytes that come so late, until an acknowledgement is due: how many?
    fn frames_until_due(late: impl Fn(u64) -> i64, bytes: usize) -> u32 {
        let mut unacknowledged = Unacknowledged::new(Micros(0));
        let mut frames = 0;
        for tick in 0..300 {
            let now = Micros(tick * TICK_MICROS);
            if unacknowledged.is_due(4, now) {
                unacknowledged.clear();
                frames = 0;
            }
            unacknowledged.frame(5_000 + late(tick), bytes, now);
            frames += 1;
        }
        while !unacknowledged.is_due(4, Micros(300 * TICK_MICROS)) {
            unacknowledged.frame(5_000, bytes, Micros(300 * TICK_MICROS));
            frames += 1;
        }
        frames
    }

    #[test]
    fn a_quiet_link_waits() {
        assert_eq!(frames_until_due(|tick| (tick % 7) as i64 * 2_000, 100), 6);
    }

    #[test]
    fn where_nothing_goes_on_little_is_said() {
        let mut unacknowledged = Unacknowledged::new(Micros(0));
        let now = Micros(500_000);
        unacknowledged.frame(0, 10, now);
        assert_eq!(unacknowledged.refresh_after(4, now), 2 * INPUT_REFRESH_MICROS, "a heartbeat");
        unacknowledged.frame(0, 10, now.plus(33_333));
        assert_eq!(unacknowledged.refresh_after(4, now), INPUT_REFRESH_MICROS);
        unacknowledged.clear();
        unacknowledged.frame(0, 10, now.plus(66_666));
        assert_eq!(unacknowledged.refresh_after(4, now), INPUT_REFRESH_MICROS, "one of many");
        unacknowledged.clear();
        unacknowledged.frame(0, 500, now.plus(500_000));
        assert_eq!(unacknowledged.refresh_after(4, now), INPUT_REFRESH_MICROS, "one that may have queued");
    }

    #[test]
    fn late_and_large_frames_do_not() {
        assert_eq!(frames_until_due(|tick| if tick == 280 { 30_000 } else { 0 }, 100), 4);
        assert_eq!(frames_until_due(|_| 0, 600), 4);
    }

    #[test]
    fn a_queue_that_stands_is_not_taken_for_the_way() {
        assert_eq!(frames_until_due(|tick| if tick < 30 { 0 } else { 60_000 }, 100), 4);
    }
}
