//! One client's inputs by tick. An input is held until the next one, so one that comes late is still wanted:
//! without it the client's hands would stay where they were.

use std::collections::VecDeque;

use tickwire_shared::limits::INPUT_LEAD_TICKS_MAX;
use tickwire_shared::wire::frame::InputAck;
use tickwire_shared::{Micros, Tick, ViewTick};

/// An input as it came.
#[derive(Clone, Debug, PartialEq)]
pub struct Stamped<I> {
    /// The client's count.
    pub seq: u16,
    /// The tick that it is for.
    pub tick: Tick,
    /// What its player was shown, if it aims.
    pub view: Option<ViewTick>,
    /// The input.
    pub input: I,
}

/// What became of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It waits for its tick.
    OnTime,
    /// Its tick is over; it waits for the next one.
    Late,
    /// Stamped beyond the bound; it waits for the last tick within.
    Early,
    /// There was one for this tick that said something new; it took its place.
    Double,
}

/// Inputs that wait for their tick, and the one held now.
#[derive(Clone, Debug)]
pub struct InputBuffer<I> {
    /// By rising tick, at most one each, all of them within the lead bound.
    waiting: VecDeque<Waiting<I>>,
    held: I,
    /// Of the held one.
    aim: Option<Aim>,
    /// What to tell the client in its next frame.
    ack: Option<Taken>,
    /// Whether an input that changed something was taken since the last frame.
    changed: bool,
    silent_ticks: u32,
}

/// What a client was shown.
#[derive(Clone, Copy, Debug)]
struct Aim {
    view: ViewTick,
    /// The tick that the client meant the input for.
    meant: Tick,
    /// The tick at which it was taken.
    taken: Tick,
}

#[derive(Clone, Debug)]
struct Waiting<I> {
    tick: Tick,
    seq: u16,
    view: Option<ViewTick>,
    /// The tick that it was stamped with.
    meant: Tick,
    input: I,
    /// Whether it differs from those before it that it does not replace.
    changed: bool,
    arrived: Micros,
    margin_eighths: i8,
}

#[derive(Clone, Copy, Debug)]
struct Taken {
    seq: u16,
    arrived: Micros,
    margin_eighths: i8,
}

impl<I: Clone + Default + PartialEq> Default for InputBuffer<I> {
    fn default() -> Self {
        Self {
            waiting: VecDeque::new(),
            held: I::default(),
            aim: None,
            ack: None,
            changed: false,
            silent_ticks: 0,
        }
    }
}

impl<I: Clone + Default + PartialEq> InputBuffer<I> {
    /// An input arrived at `now`, when `next` is the tick to be simulated next, `until_next_eighths` eighths of
    /// a tick from now.
    pub fn push(&mut self, stamped: Stamped<I>, next: Tick, until_next_eighths: i32, now: Micros) -> Outcome {
        let Stamped { seq, tick, view, input } = stamped;
        self.silent_ticks = 0;
        let ahead = tick.since(next);
        let margin = ahead.saturating_mul(8).saturating_add(until_next_eighths);
        let margin_eighths = margin.clamp(i32::from(i8::MIN), i32::from(i8::MAX)) as i8;
        let mut outcome = match ahead {
            ..0 => Outcome::Late,
            0..=INPUT_LEAD_TICKS_MAX => Outcome::OnTime,
            _ => Outcome::Early,
        };
        // Never before one that came earlier: the client's order is what counts.
        let earliest = self.waiting.back().map_or(0, |last| last.tick.since(next));
        let place = next.plus(ahead.clamp(0, INPUT_LEAD_TICKS_MAX).max(earliest) as u32);
        let changed = input != *self.waiting.back().map_or(&self.held, |last| &last.input);
        let waiting =
            Waiting { tick: place, seq, view, meant: tick, input, changed, arrived: now, margin_eighths };
        match self.waiting.back_mut() {
            Some(last) if last.tick == place => {
                // One that only repeats another is no loss, and no gain.
                if outcome == Outcome::OnTime && last.changed && changed {
                    outcome = Outcome::Double;
                }
                *last = Waiting { changed: changed || last.changed, ..waiting };
            }
            _ => self.waiting.push_back(waiting),
        }
        outcome
    }

    /// Any other sign of life.
    pub fn touch(&mut self) {
        self.silent_ticks = 0;
    }

    /// The input for `tick`. After `silent_ticks_max` ticks without a word the hands are off; `true` says so.
    pub fn take(&mut self, tick: Tick, silent_ticks_max: u32) -> (I, bool) {
        while let Some(first) = self.waiting.front()
            && first.tick.since(tick) <= 0
        {
            let Some(first) = self.waiting.pop_front() else { break };
            self.changed |= first.input != self.held;
            self.held = first.input;
            self.aim = first.view.map(|view| Aim { view, meant: first.meant, taken: tick });
            self.ack =
                Some(Taken { seq: first.seq, arrived: first.arrived, margin_eighths: first.margin_eighths });
        }
        self.silent_ticks = self.silent_ticks.saturating_add(1);
        let silent = self.silent_ticks > silent_ticks_max;
        if silent {
            self.held = I::default();
            self.aim = None;
        }
        (self.held.clone(), silent)
    }

    /// What the client was shown when its player decided on the input that is held at `tick`, if that input aims. While
    /// it is held, what is shown goes on with time.
    #[must_use]
    pub fn view(&self, tick: Tick) -> Option<ViewTick> {
        let Aim { view, meant, taken } = self.aim?;
        // One that came too late is what was wanted all the same; for later ticks, what counts is when it was wanted.
        let ticks = if tick == taken { 0 } else { tick.since(meant).max(0) };
        Some(ViewTick { tick: view.tick.plus(ticks as u32), ..view })
    }

    /// Whether an input that changed something took part in a step since the last frame.
    #[must_use]
    pub fn is_ack_due(&self) -> bool {
        self.changed
    }

    /// The acknowledgement for a frame packed `now`, if there is news since the last one.
    #[must_use]
    pub fn peek_ack(&self, now: Micros) -> Option<InputAck> {
        let taken = self.ack?;
        let held = now.since(taken.arrived) / 100;
        Some(InputAck {
            seq: taken.seq,
            held_100us: u16::try_from(held).unwrap_or(u16::MAX),
            margin_eighths: taken.margin_eighths,
        })
    }

    /// The acknowledgement is on its way.
    pub fn clear_ack(&mut self) {
        self.ack = None;
        self.changed = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seq: u16, tick: u32, input: u8) -> Stamped<u8> {
        Stamped { seq, tick: Tick(tick), view: None, input }
    }

    fn push(buffer: &mut InputBuffer<u8>, stamped: Stamped<u8>, next: u32) -> Outcome {
        buffer.push(stamped, Tick(next), 4, Micros(0))
    }

    #[test]
    fn held_until_the_next() {
        let mut buffer = InputBuffer::default();
        assert_eq!(push(&mut buffer, at(1, 11, 5), 10), Outcome::OnTime);
        assert_eq!(push(&mut buffer, at(2, 13, 6), 10), Outcome::OnTime);
        let taken: Vec<u8> = (10..15).map(|tick| buffer.take(Tick(tick), 30).0).collect();
        assert_eq!(taken, [0, 5, 5, 6, 6]);
        let ack = buffer.peek_ack(Micros(1_000));
        assert_eq!(ack, Some(InputAck { seq: 2, held_100us: 10, margin_eighths: 28 }));
        buffer.clear_ack();
        assert_eq!(buffer.peek_ack(Micros(1_000)), None);
    }

    #[test]
    fn late_is_used_next_and_double_replaces() {
        let mut buffer = InputBuffer::default();
        assert_eq!(push(&mut buffer, at(1, 4, 5), 10), Outcome::Late);
        assert_eq!(push(&mut buffer, at(2, 10, 6), 10), Outcome::Double);
        assert_eq!(buffer.take(Tick(10), 30), (6, false));
    }

    #[test]
    fn what_repeats_gives_way() {
        let mut buffer = InputBuffer::default();
        let outcomes = [(1, 5), (2, 5), (3, 6), (4, 6), (5, 7)]
            .map(|(seq, input)| push(&mut buffer, at(seq, 10 + u32::from(seq > 1), input), 10));
        let (on_time, double) = (Outcome::OnTime, Outcome::Double);
        assert_eq!(outcomes, [on_time, on_time, on_time, on_time, double]);
        assert_eq!((buffer.take(Tick(10), 30).0, buffer.take(Tick(11), 30).0), (5, 7));
    }

    #[test]
    fn far_future_is_bounded_in_time_and_memory() {
        let mut buffer = InputBuffer::default();
        for seq in 0..1000 {
            push(&mut buffer, at(seq, 10 + u32::from(seq) * 1000, 1), 10);
        }
        assert!(buffer.waiting.len() <= INPUT_LEAD_TICKS_MAX as usize + 1);
        assert_eq!(push(&mut buffer, at(2000, 10 + (1 << 30), 1), 10), Outcome::Early);
    }

    #[test]
    fn silence_takes_the_hands_off() {
        let mut buffer = InputBuffer::default();
        push(&mut buffer, at(1, 0, 5), 0);
        let taken: Vec<_> = (0..5).map(|tick| buffer.take(Tick(tick), 3)).collect();
        assert_eq!(taken, [(5, false), (5, false), (5, false), (0, true), (0, true)]);
    }

    #[test]
    fn views_go_on_while_the_input_is_held() {
        let mut buffer = InputBuffer::default();
        let seen = |tick| Some(ViewTick { tick: Tick(tick), fraction: 9 });
        push(&mut buffer, Stamped { view: seen(4), ..at(1, 10, 5) }, 10);
        let views = |buffer: &mut InputBuffer<u8>, ticks: std::ops::Range<u32>| -> Vec<_> {
            ticks.map(|tick| (buffer.take(Tick(tick), 30), buffer.view(Tick(tick))).1).collect()
        };
        assert_eq!(views(&mut buffer, 10..13), [seen(4), seen(5), seen(6)]);
        // Three ticks late: used for what was seen then, and afterwards as if it had been in time.
        push(&mut buffer, Stamped { view: seen(7), ..at(2, 13, 6) }, 16);
        assert_eq!(views(&mut buffer, 16..18), [seen(7), seen(11)]);
        push(&mut buffer, at(3, 18, 7), 18);
        assert_eq!(views(&mut buffer, 18..19), [None]);
    }

    #[test]
    fn ticks_wrap() {
        let mut buffer = InputBuffer::default();
        push(&mut buffer, at(1, 1, 7), u32::MAX);
        assert_eq!(buffer.take(Tick(u32::MAX), 9).0, 0);
        assert_eq!(buffer.take(Tick(0), 9).0, 0);
        assert_eq!(buffer.take(Tick(1), 9).0, 7);
    }
}
