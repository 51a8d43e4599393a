//! Which tick an input is for: the server's tick as far as the client knows it, plus a lead that makes inputs
//! arrive a little before their step.
//!
//! The estimate goes by the frames that came with the least delay lately; the lead is steered by the margin that
//! the server reports for this client's inputs.

use crate::tick::{Micros, Tick};
use crate::wire::frame::InputAck;

/// How early an input should be there, in eighths of a tick.
const MARGIN_WANTED_EIGHTHS: i64 = 8;
/// The least delay is that of a while this long; the while before it is forgotten, so that a clock that ran ahead
/// of a server that had stopped is right again after two of them.
const WHILE_MICROS: u64 = 1_000_000;
/// Most of the way to the wanted margin that one report moves the lead: a quarter.
const STEER_DIVISOR: i64 = 4;
/// The lead never grows past this.
const LEAD_MICROS_MAX: i64 = 1_000_000;

/// Estimates the server's tick from the frames that arrive.
#[derive(Clone, Debug)]
pub struct Clock {
    tick_micros: u64,
    /// A tick and the time at which a frame of that tick could arrive at the earliest.
    anchor: (Tick, Micros),
    /// The frame with the least delay of this while, and when the while began.
    quickest: Option<(Tick, Micros)>,
    while_began: Micros,
    lead_micros: i64,
}

impl Clock {
    /// From Welcome's tick rate and tick, received `now`.
    #[must_use]
    pub fn new(tick_hz: u16, tick: Tick, now: Micros) -> Self {
        let tick_micros = 1_000_000 / u64::from(tick_hz.max(1));
        let lead_micros = 2 * tick_micros as i64;
        Self { tick_micros, anchor: (tick, now), quickest: None, while_began: now, lead_micros }
    }

    /// Length of a tick.
    #[must_use]
    pub fn tick_micros(&self) -> u64 {
        self.tick_micros
    }

    /// A frame of `tick` arrived.
    pub fn frame(&mut self, tick: Tick, now: Micros) {
        if self.delay((tick, now), self.anchor) <= 0 {
            self.anchor = (tick, now);
        }
        if self.quickest.is_none_or(|quickest| self.delay((tick, now), quickest) <= 0) {
            self.quickest = Some((tick, now));
        }
        if now.since(self.while_began) > WHILE_MICROS {
            self.while_began = now;
            self.anchor = self.quickest.take().unwrap_or(self.anchor);
        }
    }

    /// How much longer a frame that arrives `now` took than the quickest of late, in microseconds.
    pub(super) fn lateness(&self, tick: Tick, now: Micros) -> u64 {
        u64::try_from(self.delay((tick, now), self.anchor)).unwrap_or(0)
    }

    /// How much longer a frame took than another one, in microseconds.
    fn delay(&self, frame: (Tick, Micros), than: (Tick, Micros)) -> i64 {
        let ticks = i64::from(frame.0.since(than.0));
        frame.1.0 as i64 - than.1.0 as i64 - ticks * self.tick_micros as i64
    }

    /// The server reported how early an input was.
    pub fn margin(&mut self, ack: &InputAck) {
        let wanted = MARGIN_WANTED_EIGHTHS - i64::from(ack.margin_eighths);
        self.lead_micros += wanted * self.tick_micros as i64 / (8 * STEER_DIVISOR);
        self.lead_micros = self.lead_micros.clamp(0, LEAD_MICROS_MAX);
    }

    /// The tick of the newest frame that can have arrived by `now`, and how far into it we are in microseconds.
    #[must_use]
    pub fn server_tick(&self, now: Micros) -> (Tick, u64) {
        let (tick, time) = self.anchor;
        let passed = now.since(time);
        (tick.plus((passed / self.tick_micros) as u32), passed % self.tick_micros)
    }

    /// The tick that an input leaving `now` should be for.
    #[must_use]
    pub fn input_tick(&self, now: Micros) -> Tick {
        self.server_tick(now.plus(self.lead_micros as u64)).0.plus(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK_MICROS: u64 = 50_000;

    fn at(tick: u32, late_micros: u64) -> (Tick, Micros) {
        (Tick(tick), Micros(u64::from(tick) * TICK_MICROS + late_micros))
    }

    fn fed(late_micros: impl Fn(u32) -> u64, ticks: u32) -> Clock {
        let mut clock = Clock::new(20, Tick(0), Micros(0));
        for tick in 1..ticks {
            let (tick, time) = at(tick, late_micros(tick));
            clock.frame(tick, time);
        }
        clock
    }

    #[test]
    fn jitter_does_not_move_it() {
        let clock =
            fed(|tick| if tick % 7 == 0 { 10_000 } else { 10_000 + u64::from(tick % 5) * 9_000 }, 400);
        assert_eq!(clock.server_tick(at(400, 10_000).1), (Tick(400), 0));
    }

    #[test]
    fn a_server_that_had_stopped_is_met_again() {
        let stop = |tick| if tick < 100 { 0 } else { 4_000_000 };
        let clock = fed(stop, 100 + 2 * 20 + 2);
        assert_eq!(clock.server_tick(at(200, 4_000_000).1), (Tick(200), 0));
    }
}
