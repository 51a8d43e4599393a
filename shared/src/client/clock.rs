//! Which tick an input is for: the server's tick as far as the client knows it, plus a lead that makes inputs
//! arrive a little before their step.
//!
//! The estimate goes by the frames that came with the least delay lately; the lead is steered by the margin that
//! the server reports for this client's inputs.

use crate::tick::{Micros, Tick};
use crate::wire::frame::InputAck;

/// How early an input should be there, in eighths of a tick.
const MARGIN_WANTED_EIGHTHS: i64 = 8;
/// Frames older than this no longer vouch for the least delay.
const MEMORY_MICROS: u64 = 5_000_000;
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
    anchored_at: Micros,
    lead_micros: i64,
}

impl Clock {
    /// From Welcome's tick rate and tick, received `now`.
    #[must_use]
    pub fn new(tick_hz: u16, tick: Tick, now: Micros) -> Self {
        let tick_micros = 1_000_000 / u64::from(tick_hz.max(1));
        Self { tick_micros, anchor: (tick, now), anchored_at: now, lead_micros: 2 * tick_micros as i64 }
    }

    /// Length of a tick.
    #[must_use]
    pub fn tick_micros(&self) -> u64 {
        self.tick_micros
    }

    /// A frame of `tick` arrived.
    pub fn frame(&mut self, tick: Tick, now: Micros) {
        let (anchor_tick, anchor_time) = self.anchor;
        let ticks = i64::from(tick.since(anchor_tick));
        let expected = anchor_time.0 as i64 + ticks * self.tick_micros as i64;
        if (now.0 as i64) <= expected || now.since(self.anchored_at) > MEMORY_MICROS {
            self.anchor = (tick, now);
            self.anchored_at = now;
        }
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
