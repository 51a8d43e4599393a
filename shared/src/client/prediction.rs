//! The own avatar ahead of the server: the newest state that was told, and the inputs that it does not know of yet, run
//! through the game's own step. Runs when somebody looks; frames only say where to start from.
//!
//! A state that comes out as told costs nothing. Where it does not, the rest is run anew from what was told, and the
//! difference is blended out of the view, so that corrections are exact and not seen to jump. One look runs each tick
//! twice at the most, however much arrived since the last one, and no more than `TICKS_MAX` ticks: who draws slowly
//! draws less often, and never falls behind for it.

use std::collections::VecDeque;

use super::between::{self, Columns};
use crate::limits::COLUMNS_MAX;
use crate::protocol::Protocol;
use crate::schema::{KindPlan, Replicate, View};
use crate::tick::{Micros, Tick};

/// The step of the own avatar, as the server runs it. Made from a session's setup by [`Protocol::predictor`].
///
/// What comes out must be what the server tells: a step that ends by rounding to the quanta of the private state is
/// right to the last bit. Fields that it leaves alone stay as they were told.
pub trait Predictor<P: Protocol>: Send + Sync {
    /// One tick.
    fn step(&self, own: &P::Private, input: &P::Input) -> P::Private;

    /// Whether what was told is no correction but another place: a respawn, a teleport. It is shown at once.
    fn is_jump(&self, predicted: &P::Private, told: &P::Private) -> bool {
        let _ = (predicted, told);
        false
    }
}

/// Ticks that are run ahead of the newest told state at the most; beyond, the avatar waits.
pub(super) const TICKS_MAX: usize = 64;
/// How long a correction takes to leave the view.
pub const BLEND_MICROS: u64 = 150_000;
/// Whoever has not looked for so long sees the right place at once.
const LOOKED_AWAY_MICROS: u64 = 500_000;
/// Inputs on their way that are kept.
const INPUTS_MAX: usize = 64;

/// What one client's prediction holds.
pub(super) struct Prediction<P: Protocol> {
    predictor: Box<dyn Predictor<P>>,
    /// The state that the course starts from, and its tick.
    base: Option<(Tick, P::Private)>,
    /// The newest input that the base knows of.
    held: P::Input,
    /// Inputs that left and are not known to have been used, oldest first.
    sent: VecDeque<Sent<P::Input>>,
    /// The ticks after the base whose inputs are settled.
    course: VecDeque<P::Private>,
    anew: Option<Anew<P>>,
    offset: Columns,
    offset_at: Option<Micros>,
    shown_at: Micros,
    /// Whether what is told is followed at all.
    pub(super) reconciles: bool,
    pub(super) account: Corrections,
}

/// The course is to be run again from a state that differed, or with an input that was used later than thought.
struct Anew<P: Protocol> {
    tick: Tick,
    own: P::Private,
    jump: bool,
}

struct Sent<I> {
    seq: u16,
    tick: Tick,
    input: I,
}

/// What became of predictions.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Corrections {
    /// Told states that were compared with predicted ones.
    pub compared: u64,
    /// Those that differed.
    pub differed: u64,
    /// How far off the last one was, in the game's unit; 0 while predictions are right.
    pub newest: f32,
    /// The largest one, but for jumps.
    pub largest: f32,
    /// Respawns and teleports.
    pub jumps: u64,
}

impl<P: Protocol> Prediction<P> {
    pub(super) fn new(predictor: Box<dyn Predictor<P>>) -> Self {
        Self {
            predictor,
            base: None,
            held: P::Input::default(),
            sent: VecDeque::new(),
            course: VecDeque::new(),
            anew: None,
            offset: [0.0; COLUMNS_MAX],
            offset_at: None,
            shown_at: Micros::default(),
            reconciles: true,
            account: Corrections::default(),
        }
    }

    /// An input left.
    pub(super) fn sent(&mut self, seq: u16, tick: Tick, input: P::Input) {
        if self.sent.len() >= INPUTS_MAX {
            self.use_oldest();
        }
        // It counts from its tick on, which may have been run already if the clock was set back.
        if let Some((base, _)) = &self.base {
            let settled = usize::try_from(tick.since(*base).saturating_sub(1)).unwrap_or(0);
            self.course.truncate(settled);
        }
        self.sent.push_back(Sent { seq, tick, input });
    }

    fn use_oldest(&mut self) {
        if let Some(sent) = self.sent.pop_front() {
            self.held = sent.input;
        }
    }

    /// The connection is gone: what was on its way may never have arrived.
    pub(super) fn lose_connection(&mut self) {
        self.sent.clear();
    }

    /// The server told its state of `tick`, in which the input `seq` was the newest.
    pub(super) fn told(&mut self, kind: &KindPlan, tick: Tick, own: P::Private, seq: Option<u16>) {
        let mut late = false;
        while let Some(first) = self.sent.front()
            && seq.is_some_and(|seq| seq.wrapping_sub(first.seq) as i16 >= 0)
        {
            self.use_oldest();
        }
        // Those that should have been used by now and were not will be used late.
        late |= self.sent.front().is_some_and(|first| first.tick.since(tick) <= 0);
        if !self.reconciles && self.base.is_some() {
            return self.believe_until(tick);
        }
        let predicted = self.base.as_ref().and_then(|(base, state)| match tick.since(*base) {
            0 => Some(state),
            ticks => self.course.get(usize::try_from(ticks.checked_sub(1)?).ok()?),
        });
        let Some(predicted) = predicted else {
            self.anew = Some(Anew { tick, own, jump: self.base.is_none() });
            return;
        };
        let [was, is] = [predicted, &own].map(columns);
        self.account.compared += 1;
        self.account.newest = 0.0;
        if was == is {
            let ahead =
                usize::try_from(tick.since(self.base.as_ref().map_or(tick, |base| base.0))).unwrap_or(0);
            self.course.drain(..ahead.min(self.course.len()));
            self.base = Some((tick, own));
            self.anew = None;
            if late {
                self.course.clear();
            }
            return;
        }
        self.account.differed += 1;
        let jump = self.predictor.is_jump(predicted, &own);
        if jump {
            self.account.jumps += 1;
        } else {
            self.account.newest = between::distance(kind, &between::told(&was), &between::told(&is));
            self.account.largest = self.account.largest.max(self.account.newest);
        }
        let jump = jump || self.anew.as_ref().is_some_and(|anew| anew.jump);
        self.anew = Some(Anew { tick, own, jump });
    }

    /// What was predicted counts as what is.
    fn believe_until(&mut self, tick: Tick) {
        let Some((base, _)) = &self.base else { return };
        let ahead = usize::try_from(tick.since(*base)).unwrap_or(0).min(self.course.len());
        if ahead > 0 {
            let base = base.plus(ahead as u32);
            self.base = self.course.drain(..ahead).next_back().map(|own| (base, own));
        }
    }

    /// The own state to show while `tick` is `share` of the way over. `input` is what the hands do if that has not left
    /// yet.
    pub(super) fn show(
        &mut self,
        kind: &KindPlan,
        (tick, share): (Tick, f64),
        input: Option<&P::Input>,
        now: Micros,
    ) -> Option<Columns> {
        let looked_away = now.since(std::mem::replace(&mut self.shown_at, now)) > LOOKED_AWAY_MICROS;
        if let Some(Anew { tick: base, own, jump }) = self.anew.take() {
            let shown = self.state_at(kind, (tick, share), input);
            let shown = shown.map(|state| self.eased(kind, state, now));
            self.base = Some((base, own));
            self.course.clear();
            let right = self.state_at(kind, (tick, share), input)?;
            (self.offset, self.offset_at) = match shown {
                Some(shown) if !jump && !looked_away => {
                    (between::offset(kind, View::Owner, &shown, &right), Some(now))
                }
                _ => ([0.0; COLUMNS_MAX], None),
            };
        }
        let state = self.state_at(kind, (tick, share), input)?;
        Some(self.eased(kind, state, now))
    }

    fn state_at(
        &mut self,
        kind: &KindPlan,
        (tick, share): (Tick, f64),
        input: Option<&P::Input>,
    ) -> Option<Columns> {
        let (base, first) = self.base.as_ref()?;
        let ahead = tick.since(*base);
        if ahead <= 0 {
            return Some(between::told(&columns(first)));
        }
        let share = if ahead as usize > TICKS_MAX { 1.0 } else { share };
        let ahead = (ahead as usize).min(TICKS_MAX);
        while self.course.len() + 1 < ahead {
            let next = base.plus(self.course.len() as u32 + 1);
            let own = self.course.back().unwrap_or(first);
            let own = self.predictor.step(own, self.input_at(next));
            self.course.push_back(own);
        }
        let before = if ahead == 1 { first } else { &self.course[ahead - 2] };
        let input = input.unwrap_or_else(|| self.input_at(base.plus(ahead as u32)));
        let after = self.predictor.step(before, input);
        Some(between::between(kind, View::Owner, &columns(before), &columns(&after), share))
    }

    fn input_at(&self, tick: Tick) -> &P::Input {
        let used = self.sent.iter().rev().find(|sent| sent.tick.since(tick) <= 0);
        used.map_or(&self.held, |sent| &sent.input)
    }

    fn eased(&self, kind: &KindPlan, mut state: Columns, now: Micros) -> Columns {
        let weight = self.offset_weight(now);
        if weight > 0.0 {
            between::ease(kind, View::Owner, &self.offset, weight, &mut state);
        }
        state
    }

    /// 1 at a correction, 0 when it has left the view; level at the end.
    fn offset_weight(&self, now: Micros) -> f64 {
        let left = |at: Micros| 1.0 - (now.since(at) as f64 / BLEND_MICROS as f64).min(1.0);
        self.offset_at.map_or(0.0, |at| left(at) * left(at))
    }

    /// How far off the right place the view is for the sake of smoothness, in the game's unit.
    pub(super) fn blended(&self, kind: &KindPlan, now: Micros) -> f32 {
        let nothing = [0.0; COLUMNS_MAX];
        between::distance(kind, &self.offset, &nothing) * self.offset_weight(now) as f32
    }
}

fn columns<R: Replicate>(own: &R) -> [i32; COLUMNS_MAX] {
    let mut columns = [0; COLUMNS_MAX];
    own.capture(&mut columns);
    columns
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arena::{Arena, ArenaInput, ArenaSetup, Own};
    use crate::schema::Plan;

    #[test]
    fn ticks_that_are_half_of_all_ticks_away_are_no_trouble() {
        let kind = Plan::new(&Arena::schema()).private;
        let setup = ArenaSetup { seed: 1, size_m: 50 };
        let mut prediction = Prediction::<Arena>::new(Arena::predictor(&setup, 30).expect("one"));
        let far = Tick(1 << 31);
        for (seq, tick) in [(1, Tick(0)), (2, far), (3, Tick(0)), (4, far.plus(1))] {
            prediction.told(&kind, tick, Own::default(), None);
            prediction.sent(seq, tick.plus(1 << 31), ArenaInput::default());
            prediction.sent(seq, tick, ArenaInput::default());
            assert!(prediction.show(&kind, (tick.plus(3), 0.5), None, Micros(0)).is_some());
        }
    }
}
