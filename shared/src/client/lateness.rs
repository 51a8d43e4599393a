//! How late frames come, compared with the quickest ones: what the interpolation delay has to bridge. Runs once per
//! frame; knows neither clock nor entity.

/// Frames that are remembered.
const FRAMES: usize = 128;
/// The delay is planned so that this share of the frames comes in time, in percent.
const IN_TIME_PERCENT: usize = 97;
/// A frame that is later than this was held up by a stall. No delay would be long enough, so it is not planned for.
const STALL_MICROS: u64 = 300_000;
/// What is planned for at the most.
const PLANNED_MICROS_MAX: u64 = 250_000;
/// On top of what was seen.
const SPARE_MICROS: u64 = 2_000;

/// The lateness of the last frames.
#[derive(Clone, Debug)]
pub(super) struct Lateness {
    micros: [u32; FRAMES],
    count: usize,
    next: usize,
    planned_micros: u64,
    mean_micros: u64,
    /// Since a stall, no frame has been in time: those that come are the rest of what was held up.
    held_up: bool,
}

impl Default for Lateness {
    fn default() -> Self {
        let (count, next) = (0, 0);
        Self { micros: [0; FRAMES], count, next, planned_micros: 0, mean_micros: 0, held_up: false }
    }
}

impl Lateness {
    /// A frame came so much later than the quickest ones.
    pub(super) fn note(&mut self, micros: u64) {
        if micros > STALL_MICROS {
            self.held_up = true;
            return;
        }
        if self.held_up && micros > self.planned_micros {
            return;
        }
        self.held_up = false;
        self.micros[self.next] = micros as u32;
        self.next = (self.next + 1) % FRAMES;
        self.count = (self.count + 1).min(FRAMES);
        self.mean_micros = (self.mean_micros * 15 + micros) / 16;
        let mut sorted = self.micros;
        let sorted = &mut sorted[..self.count];
        let rank = (self.count * IN_TIME_PERCENT / 100).min(self.count - 1);
        let (_, planned, _) = sorted.select_nth_unstable(rank);
        self.planned_micros = (u64::from(*planned) + SPARE_MICROS).min(PLANNED_MICROS_MAX);
    }

    /// How late a frame may be and still be in time.
    pub(super) fn planned_micros(&self) -> u64 {
        self.planned_micros
    }

    pub(super) fn mean_micros(&self) -> u64 {
        self.mean_micros
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(micros: impl IntoIterator<Item = u64>) -> Lateness {
        let mut lateness = Lateness::default();
        micros.into_iter().for_each(|micros| lateness.note(micros));
        lateness
    }

    #[test]
    fn it_plans_for_all_but_the_latest_few() {
        let planned = noted((0..1000).map(|at| at * 37 % 100 * 400)).planned_micros();
        assert!((37_000..42_000).contains(&planned), "{planned}");
    }

    #[test]
    fn it_grows_at_once_and_shrinks_when_all_is_forgotten() {
        let mut lateness = noted([0; 500]);
        (0..5).for_each(|_| lateness.note(50_000));
        assert_eq!(lateness.planned_micros(), 50_000 + SPARE_MICROS);
        (0..100).for_each(|_| lateness.note(0));
        assert_eq!(lateness.planned_micros(), 50_000 + SPARE_MICROS);
        (0..30).for_each(|_| lateness.note(0));
        assert_eq!(lateness.planned_micros(), SPARE_MICROS);
    }

    #[test]
    fn a_stall_and_what_follows_it_are_not_planned_for() {
        let mut lateness = noted([1_000; 500]);
        (0..60).for_each(|behind| lateness.note(2_000_000 - behind * 33_333));
        lateness.note(900);
        assert_eq!(lateness.planned_micros(), 1_000 + SPARE_MICROS);
        (0..10).for_each(|_| lateness.note(40_000));
        assert_eq!(lateness.planned_micros(), 40_000 + SPARE_MICROS);
    }
}
