//! Where one entity was lately, and where it is shown at a moment between: its last states with their ticks. States are
//! added when frames arrive and asked for when somebody looks. Knows neither clock nor roster.

use super::between::{self, Columns};
use crate::limits::HISTORY;
use crate::schema::{FieldClass, KindPlan, View};
use crate::tick::Tick;
use crate::wire::residual::Window;

/// States that are kept: half a second at 30 Hz of what is told of at every tick.
pub(super) const SAMPLES: usize = 16;
/// Beyond the newest state it goes on for so many of its cadences as it went, then it stays.
const EXTRAPOLATED_PERIODS: i64 = 1;
/// And for no longer than this, in 256ths of a tick.
const EXTRAPOLATED_PARTS_MAX: i64 = 3 * 256;
/// How long it takes until a guess that was wrong has left the view, in 256ths of a tick.
const EASE_PARTS: i64 = 4 * 256;

/// How sure a shown state is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// It lies between two states that were told, or is one.
    Interpolated,
    /// The next state is late: it goes on as it went.
    Extrapolated,
    /// The next state is so late that it stays where it is.
    Held,
}

/// The last states of one entity.
#[derive(Clone, Debug)]
pub(super) struct Track {
    stride: usize,
    /// Oldest first, as a ring that begins at `first`.
    ticks: [Tick; SAMPLES],
    columns: Box<[i32]>,
    /// One bit per place: nothing lies between this state and the one before.
    cuts: u16,
    first: usize,
    count: usize,
    /// What it was shown off its right place when a guess turned out wrong, and when.
    offset: Option<([f64; 3], i64)>,
}

const _: () = assert!(SAMPLES == u16::BITS as usize);

impl Track {
    pub(super) fn new(stride: usize) -> Self {
        let columns = vec![0; stride * SAMPLES].into();
        Self { stride, ticks: [Tick(0); SAMPLES], columns, cuts: 0, first: 0, count: 0, offset: None }
    }

    fn place(&self, index: usize) -> usize {
        (self.first + index) % SAMPLES
    }

    fn tick(&self, index: usize) -> Tick {
        self.ticks[self.place(index)]
    }

    fn state(&self, index: usize) -> &[i32] {
        &self.columns[self.place(index) * self.stride..][..self.stride]
    }

    fn is_cut(&self, index: usize) -> bool {
        self.cuts >> self.place(index) & 1 == 1
    }

    pub(super) fn newest_tick(&self) -> Option<Tick> {
        self.count.checked_sub(1).map(|newest| self.tick(newest))
    }

    /// Adds a state; one that is not later than the newest is known already.
    pub(super) fn push(&mut self, tick: Tick, state: &[i32], cut: bool) {
        if self.newest_tick().is_some_and(|newest| tick.since(newest) <= 0) {
            return;
        }
        if self.count == SAMPLES {
            self.first = (self.first + 1) % SAMPLES;
        } else {
            self.count += 1;
        }
        let place = self.place(self.count - 1);
        self.ticks[place] = tick;
        self.columns[place * self.stride..][..state.len()].copy_from_slice(state);
        self.cuts = self.cuts & !(1 << place) | u16::from(cut) << place;
    }

    /// Adds what a window holds that is new: its newest state is of `newest`, the others are a `period` apart.
    pub(super) fn follow(&mut self, window: Window<'_>, (newest, period): (Tick, u32), cut: bool) {
        let known = self.newest_tick();
        if known.is_some_and(|known| newest.since(known) <= 0) {
            return;
        }
        if cut {
            return self.push(newest, window.state(0), true);
        }
        for age in (0..HISTORY).rev() {
            self.push(newest.minus(age as u32 * period), window.state(age), false);
        }
    }

    /// The state to show at `parts` 256ths of a tick after `base`. `period` is its cadence.
    pub(super) fn at(
        &self,
        kind: &KindPlan,
        view: View,
        (base, parts): (Tick, i64),
        period: u32,
    ) -> (Columns, Freshness) {
        let of = |index: usize| i64::from(self.tick(index).since(base)) * 256;
        let Some(reached) = (0..self.count).rev().find(|index| of(*index) <= parts) else {
            return (between::told(self.state(0)), Freshness::Interpolated);
        };
        let (mut state, freshness) = if reached + 1 < self.count {
            let share = (parts - of(reached)) as f64 / (of(reached + 1) - of(reached)) as f64;
            // Nothing lies between what was before a cut and what is behind it.
            let share = if self.is_cut(reached + 1) { 0.0 } else { share };
            let (from, to) = (self.state(reached), self.state(reached + 1));
            (between::between(kind, view, from, to, share), Freshness::Interpolated)
        } else {
            self.beyond(kind, view, parts - of(reached), period)
        };
        if let Some((offset, began)) = &self.offset
            && let Some(field) = kind.position
        {
            let left = 1.0 - ((parts - began) as f64 / EASE_PARTS as f64).clamp(0.0, 1.0);
            let columns = &mut state[field.first..field.first + field.columns];
            columns.iter_mut().zip(offset).for_each(|(column, offset)| *column += offset * left * left);
        }
        (state, freshness)
    }

    /// Past the newest state.
    fn beyond(&self, kind: &KindPlan, view: View, parts: i64, period: u32) -> (Columns, Freshness) {
        let newest = self.count - 1;
        let state = self.state(newest);
        if parts == 0 || newest == 0 || self.is_cut(newest) {
            return (between::told(state), Freshness::Interpolated);
        }
        let before = self.state(newest - 1);
        let rests = kind.seen(view).all(|field| {
            let moves = matches!(field.class, FieldClass::Position { .. } | FieldClass::Angle { .. });
            !moves || field.of(state) == field.of(before)
        });
        if rests {
            return (between::told(state), Freshness::Interpolated);
        }
        let way = i64::from(self.tick(newest).since(self.tick(newest - 1))) * 256;
        let most = (EXTRAPOLATED_PERIODS * i64::from(period) * 256).min(EXTRAPOLATED_PARTS_MAX);
        let gone = parts.min(most);
        let shown = between::between(kind, view, before, state, 1.0 + gone as f64 / way as f64);
        (shown, if parts > most { Freshness::Held } else { Freshness::Extrapolated })
    }

    /// It was shown like that at a moment of which more is known now: what it was off leaves the view bit by bit.
    pub(super) fn ease_from(
        &mut self,
        kind: &KindPlan,
        shown: &Columns,
        (view, period): (View, u32),
        (base, parts): (Tick, i64),
    ) {
        self.offset = None;
        let Some(field) = kind.position else { return };
        let (right, _) = self.at(kind, view, (base, parts), period);
        let mut offset = [0.0; 3];
        for axis in 0..field.columns {
            offset[axis] = shown[field.first + axis] - right[field.first + axis];
        }
        self.offset = offset.iter().any(|axis| *axis != 0.0).then_some((offset, parts));
    }

    /// Forgets an offset, for what was put elsewhere.
    pub(super) fn forget_offset(&mut self) {
        self.offset = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arena::Arena;
    use crate::protocol::Protocol;
    use crate::schema::Plan;

    const BASE: Tick = Tick(100);

    fn plan() -> Plan {
        Plan::new(&Arena::schema())
    }

    /// A drone that goes along the x axis, told of every `period` ticks.
    fn walking(period: u32, samples: u32) -> Track {
        let mut track = Track::new(plan().stride);
        for sample in 0..samples {
            let tick = sample * period;
            track.push(BASE.plus(tick), &[tick as i32 * 10, 0, 0, 50], false);
        }
        track
    }

    fn x(track: &Track, ticks: f64, period: u32) -> (f64, Freshness) {
        let (columns, freshness) =
            track.at(&plan().kinds[1], View::Public, (BASE, (ticks * 256.0) as i64), period);
        (columns[0], freshness)
    }

    #[test]
    fn between_two_states_however_far_apart() {
        for period in [1, 3, 6] {
            let track = walking(period, 10);
            let last = f64::from(9 * period);
            for step in 0..50 {
                let ticks = last * f64::from(step) / 50.0;
                let (place, freshness) = x(&track, ticks, period);
                assert!((place - ticks * 10.0).abs() < 0.1, "{place} after {ticks} ticks");
                assert_eq!(freshness, Freshness::Interpolated);
            }
        }
    }

    #[test]
    fn it_goes_on_a_bit_and_then_stays() {
        let track = walking(1, 10);
        assert_eq!(x(&track, 9.5, 1), (95.0, Freshness::Extrapolated));
        assert_eq!(x(&track, 10.0, 1), (100.0, Freshness::Extrapolated));
        assert_eq!(x(&track, 50.0, 1), (100.0, Freshness::Held));
        let track = walking(6, 3);
        assert_eq!(x(&track, 500.0, 6), (150.0, Freshness::Held), "no more than three ticks");
        let mut resting = walking(1, 10);
        resting.push(BASE.plus(10), &[90, 0, 0, 50], false);
        assert_eq!(x(&resting, 500.0, 1), (90.0, Freshness::Interpolated));
    }

    #[test]
    fn nothing_lies_between_a_cut_and_what_was_before() {
        let mut track = walking(3, 4);
        track.push(BASE.plus(12), &[5000, 0, 0, 50], true);
        assert_eq!(x(&track, 11.99, 3).0, 90.0);
        assert_eq!(x(&track, 12.0, 3).0, 5000.0);
        assert_eq!(x(&track, 13.0, 3).0, 5000.0, "and it does not go on as it was thrown");
    }

    #[test]
    fn only_the_newest_states_are_kept() {
        let track = walking(1, 1000);
        assert_eq!(track.count, SAMPLES);
        assert_eq!(x(&track, 998.5, 1).0, 9985.0);
        assert_eq!(x(&track, 3.0, 1).0, f64::from(1000 - SAMPLES as u32) * 10.0, "the oldest one");
    }

    #[test]
    fn a_wrong_guess_leaves_the_view_bit_by_bit() {
        let kinds = plan().kinds;
        let mut track = walking(1, 10);
        let at = (BASE, (9.5 * 256.0) as i64);
        let shown = track.at(&kinds[1], View::Public, at, 1).0;
        track.push(BASE.plus(10), &[90, 40, 0, 50], false);
        track.ease_from(&kinds[1], &shown, (View::Public, 1), at);
        let after = track.at(&kinds[1], View::Public, at, 1).0;
        assert_eq!((after[0], after[1]), (shown[0], shown[1]));
        track.push(BASE.plus(11), &[90, 40, 0, 50], false);
        track.push(BASE.plus(20), &[90, 40, 0, 50], false);
        let mut last = f64::MAX;
        for step in 0..40 {
            let off = (x(&track, 11.0 + f64::from(step) / 8.0, 1).0 - 90.0).abs();
            assert!(off <= last, "it goes back and forth");
            last = off;
        }
        assert_eq!(last, 0.0);
    }
}
