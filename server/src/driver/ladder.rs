//! What a room does when it has more to do than time: one step after the other is given up, the least missed first, and taken
//! back when there is time again. Asked after each tick; knows what ticks took and how late they began, no clock and no room.
//!
//! It looks at whole seconds. Two strained ones in a row lead a step up, so that a stall of the machine leads nowhere; several
//! calm ones lead a step down, and more of them each time that going down proves to have been too early.

use tickwire_shared::Micros;
use tickwire_shared::wire::message::Percent;

use super::pacer::Started;
use crate::config::{OverloadSection, OverloadStep as Step};
use crate::host::Relief;

/// What is looked at together: so long, and so many ticks at least.
const WINDOW_MICROS: u64 = 1_000_000;
const WINDOW_TICKS_MIN: u64 = 8;
/// A window is strained when this share of its ticks began later than half a tick or was given up, or when so much of its
/// time was taken by ticks.
const STRAINED_LATE_PERCENT: u64 = 20;
const STRAINED_BUSY_PERCENT: u64 = 95;
/// It is calm below both of these. In between nothing changes.
const CALM_LATE_PERCENT: u64 = 5;
const CALM_BUSY_PERCENT: u64 = 70;
const STRAINED_WINDOWS: u32 = 2;
/// Calm windows before a step down: at first, and at most when that was too early before.
const CALM_WINDOWS: u32 = 5;
const CALM_WINDOWS_MAX: u32 = 80;
/// A step up so soon after one down shows that it was too early; after so long without one, patience is as it was at first.
const TOO_EARLY_WINDOWS: u32 = 10;
const FORGIVEN_WINDOWS: u32 = 120;
/// How much slower or faster time goes with a window.
const PACE_PERCENT: u8 = 10;

/// One room's.
#[derive(Clone, Debug)]
pub(super) struct Ladder {
    limits: OverloadSection,
    retry_after_ms: u32,
    step: Step,
    pace: Percent,
    window: Window,
    strained: u32,
    calm: u32,
    /// Calm windows before the next step down.
    patience: u32,
    since_down: u32,
    since_up: u32,
}

/// What is being looked at.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    began: Option<Micros>,
    ticks: u64,
    late: u64,
    busy_micros: u64,
}

/// What a window was like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    Strained,
    Calm,
    Between,
}

impl Ladder {
    pub(super) fn new(limits: OverloadSection, retry_after_ms: u32) -> Self {
        Self {
            limits,
            retry_after_ms,
            step: Step::None,
            pace: Percent::FULL,
            window: Window::default(),
            strained: 0,
            calm: 0,
            patience: CALM_WINDOWS,
            since_down: u32::MAX,
            since_up: 0,
        }
    }

    pub(super) fn step(&self) -> Step {
        self.step
    }

    pub(super) fn pace(&self) -> Percent {
        self.pace
    }

    /// Whether late ticks are made up for.
    pub(super) fn catches_up(&self) -> bool {
        self.step < Step::NoCatchUp
    }

    /// Whether frames go out two at a time.
    pub(super) fn halves_rate(&self) -> bool {
        self.step >= Step::HalfRate
    }

    /// What the room itself does less of.
    pub(super) fn relief(&self) -> Relief {
        Relief {
            slows_far: self.step >= Step::SlowFar,
            joins_retry_after_ms: self.step.refuses_joins().then_some(self.retry_after_ms),
            pace: self.pace,
        }
    }

    /// No ticks were made for a while, for good reasons.
    pub(super) fn pauses(&mut self) {
        self.window = Window::default();
    }

    /// A tick that `started` like this took `busy_micros`, of `tick_micros` until the next one, and is over `now`. Says whether
    /// anything is to be done differently from now on.
    pub(super) fn ticked(
        &mut self,
        started: Started,
        busy_micros: u64,
        tick_micros: u64,
        now: Micros,
    ) -> bool {
        let began = *self.window.began.get_or_insert(Micros(now.0.saturating_sub(busy_micros)));
        self.window.ticks += 1 + started.skipped;
        self.window.late += u64::from(started.late_micros > tick_micros / 2) + started.skipped;
        self.window.busy_micros += busy_micros;
        let passed = now.since(began);
        if passed < WINDOW_MICROS || self.window.ticks < WINDOW_TICKS_MIN {
            return false;
        }
        let window = std::mem::replace(&mut self.window, Window { began: Some(now), ..Window::default() });
        let mood = window.mood(passed);
        let before = (self.step, self.pace);
        self.look(mood);
        (self.step, self.pace) != before
    }

    fn look(&mut self, mood: Mood) {
        self.strained = if mood == Mood::Strained { self.strained + 1 } else { 0 };
        self.calm = if mood == Mood::Calm { self.calm + 1 } else { 0 };
        self.since_down = self.since_down.saturating_add(1);
        self.since_up = self.since_up.saturating_add(1);
        if self.since_up >= FORGIVEN_WINDOWS {
            self.patience = CALM_WINDOWS;
        }
        if self.strained >= STRAINED_WINDOWS && self.go_up() {
            if self.since_down <= TOO_EARLY_WINDOWS {
                self.patience = (self.patience * 2).min(CALM_WINDOWS_MAX);
            }
            (self.strained, self.since_up, self.since_down) = (0, 0, u32::MAX);
        } else if self.calm >= self.patience && self.go_down() {
            (self.calm, self.since_down) = (0, 0);
        }
    }

    /// Says whether there was anywhere to go.
    fn go_up(&mut self) -> bool {
        let slower = self.pace.get().saturating_sub(PACE_PERCENT).max(self.limits.slowest().get());
        match self.step.above().filter(|step| *step <= self.limits.last_step) {
            Some(step) => self.step = step,
            None if self.step == Step::DilateTime && slower < self.pace.get() => {}
            None => return false,
        }
        if self.step == Step::DilateTime {
            self.pace = Percent::try_from(slower).unwrap_or(self.pace);
        }
        true
    }

    fn go_down(&mut self) -> bool {
        let faster = self.pace.get().saturating_add(PACE_PERCENT);
        self.pace = Percent::try_from(faster).unwrap_or(Percent::FULL);
        let Some(step) = self.step.below() else { return false };
        if self.pace == Percent::FULL {
            self.step = step;
        }
        true
    }
}

impl Window {
    fn mood(&self, passed: u64) -> Mood {
        let late_percent = self.late * 100 / self.ticks.max(1);
        let busy_percent = self.busy_micros * 100 / passed.max(1);
        if late_percent >= STRAINED_LATE_PERCENT || busy_percent >= STRAINED_BUSY_PERCENT {
            Mood::Strained
        } else if late_percent < CALM_LATE_PERCENT && busy_percent <= CALM_BUSY_PERCENT {
            Mood::Calm
        } else {
            Mood::Between
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::pacer::Pacer;
    use super::*;

    const HZ: u16 = 30;

    fn limits(last_step: Step) -> OverloadSection {
        OverloadSection { last_step, slowest_percent: 50 }
    }

    /// A room in virtual time. What a tick takes follows from the step, as it does in a real one.
    struct Run {
        ladder: Ladder,
        pacer: Pacer,
        now: Micros,
        /// Which steps there were, and when they began, in seconds.
        steps: Vec<(Step, u8, u64)>,
        skipped: u64,
        ticks: u64,
    }

    impl Run {
        fn new(last_step: Step) -> Self {
            let (ladder, pacer) = (Ladder::new(limits(last_step), 2000), Pacer::new(Micros(0), HZ));
            Self { ladder, pacer, now: Micros(0), steps: Vec::new(), skipped: 0, ticks: 0 }
        }

        fn until(&mut self, second: u64, cost_micros: impl Fn(Step, Micros) -> u64) {
            while self.now.0 < second * 1_000_000 {
                self.now = self.now.max(self.pacer.deadline());
                let started = self.pacer.begin(self.now);
                let busy = cost_micros(self.ladder.step(), self.now);
                self.now = self.now.plus(busy);
                self.ticks += 1;
                self.skipped += started.skipped;
                if self.ladder.ticked(started, busy, self.pacer.tick_micros(), self.now) {
                    self.pacer.catch_up(self.ladder.catches_up());
                    self.pacer.go_at(self.ladder.pace());
                    let step = (self.ladder.step(), self.ladder.pace().get(), self.now.0 / 1_000_000);
                    self.steps.push(step);
                }
            }
        }

        fn names(&self) -> Vec<Step> {
            self.steps.iter().map(|(step, ..)| *step).collect()
        }
    }

    #[test]
    fn what_has_time_gives_nothing_up() {
        let mut run = Run::new(Step::DilateTime);
        // Half busy, and a stall of half a second every 20 s.
        run.until(600, |_, now| if now.0 % 20_000_000 < 33_000 { 500_000 } else { 16_000 });
        assert_eq!(run.steps, []);
    }

    #[test]
    fn it_goes_up_in_order_and_stays_where_it_is_enough() {
        let mut run = Run::new(Step::RefuseJoins);
        let cost = |step: Step, _| if step >= Step::HalfRate { 30_000 } else { 40_000 };
        run.until(300, cost);
        assert_eq!(run.names(), [Step::NoCatchUp, Step::SlowFar, Step::HalfRate]);
        let seconds: Vec<_> = run.steps.iter().map(|(.., second)| *second).collect();
        assert!(seconds[0] <= 3 && seconds[2] <= 8, "{seconds:?}");
        run.until(400, |_, _| 5_000);
        assert_eq!(run.ladder.step(), Step::None);
        let down: Vec<_> = run.steps[3..].iter().map(|(.., second)| *second - 300).collect();
        assert!(
            down.len() == 3 && down[0] >= 4 && down[2] <= 20,
            "a step at a time, and not at once: {down:?}"
        );
    }

    #[test]
    fn it_goes_no_further_than_it_may() {
        for last in Step::ALL {
            let mut run = Run::new(last);
            run.until(120, |_, _| 200_000);
            assert_eq!(run.ladder.step(), last);
            assert_eq!(run.ladder.pace().get(), if last == Step::DilateTime { 50 } else { 100 });
            assert!(last == Step::None || run.skipped > run.ticks, "what was given up is counted");
        }
    }

    #[test]
    fn one_that_is_too_much_below_and_little_above_hardly_ever_changes() {
        let mut run = Run::new(Step::RefuseJoins);
        // Half the rate takes so little that one could think that the whole would do.
        let cost = |step: Step, _| if step >= Step::HalfRate { 20_000 } else { 36_000 };
        run.until(1800, cost);
        let late: Vec<_> = run.steps.iter().filter(|(.., second)| *second > 900).collect();
        assert!(late.len() <= 24, "in a quarter of an hour: {late:?}");
    }

    #[test]
    fn time_goes_only_as_slowly_as_it_must() {
        let mut run = Run::new(Step::DilateTime);
        run.until(120, |_, _| 43_000);
        let (step, pace, _) = run.steps.last().copied().expect("steps");
        assert_eq!((step, run.ladder.step()), (Step::DilateTime, Step::DilateTime));
        assert!((70..=80).contains(&pace), "{pace} % for ticks that take 129 %");
        let (ticks, skipped) = (run.ticks, run.skipped);
        run.until(150, |_, _| 43_000);
        let rate = (run.ticks - ticks) as f64 / 30.0;
        assert!((20.0..24.0).contains(&rate) && run.skipped == skipped, "evenly: {rate} ticks a second");
        run.until(300, |_, _| 5_000);
        assert_eq!((run.ladder.step(), run.ladder.pace()), (Step::None, Percent::FULL));
    }

    #[test]
    fn a_pause_is_no_strain() {
        let mut ladder = Ladder::new(limits(Step::DilateTime), 2000);
        let late = Started { late_micros: 5_000_000, skipped: 100 };
        for window in 0..40 {
            ladder.pauses();
            assert!(!ladder.ticked(late, 1_000, 33_333, Micros(window * 900_000)));
        }
        assert_eq!(ladder.step(), Step::None);
    }
}
