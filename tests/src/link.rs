//! One direction of a TCP connection in virtual time: delay, jitter, a rate, stalls that end in a burst, a cut.
//! Nothing is lost and nothing overtakes: above TCP there is no such thing.

use std::collections::VecDeque;

use tickwire_shared::Micros;

use crate::seeds::Dice;

/// How a link behaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// From one end to the other.
    pub delay_micros: u64,
    /// Up to this much more, anew for each message.
    pub jitter_micros: u64,
    /// Bytes per second; 0 is unlimited.
    pub rate: u64,
    /// Every so often nothing arrives for a while, then everything at once: (length, period).
    pub stall_micros: Option<(u64, u64)>,
}

/// One direction.
#[derive(Clone, Debug)]
pub struct Link {
    profile: Profile,
    dice: Dice,
    in_flight: VecDeque<(Micros, Vec<u8>)>,
    busy_until: Micros,
    last_arrival: Micros,
    cut: bool,
}

impl Link {
    /// An empty one.
    #[must_use]
    pub fn new(profile: Profile, seed: u64) -> Self {
        Self {
            profile,
            dice: Dice::new(seed),
            in_flight: VecDeque::new(),
            busy_until: Micros(0),
            last_arrival: Micros(0),
            cut: false,
        }
    }

    /// Another connection over the same link: nothing is in flight.
    #[must_use]
    pub fn anew(&self) -> Self {
        let Self { profile, dice, .. } = self;
        Self { dice: dice.clone(), ..Self::new(*profile, 0) }
    }

    /// Changes how the link behaves from now on.
    pub fn set_profile(&mut self, profile: Profile) {
        self.profile = profile;
    }

    /// A message leaves.
    pub fn send(&mut self, bytes: Vec<u8>, now: Micros) {
        if self.cut {
            return;
        }
        let start = now.max(self.busy_until);
        let transfer = (bytes.len() as u64 * 1_000_000).checked_div(self.profile.rate).unwrap_or(0);
        self.busy_until = start.plus(transfer);
        let jitter = u64::from(self.dice.below(self.profile.jitter_micros as u32 + 1));
        let mut arrival = self.busy_until.plus(self.profile.delay_micros + jitter);
        if let Some((length, period)) = self.profile.stall_micros {
            let into = arrival.0 % period;
            if into < length {
                arrival = arrival.plus(length - into);
            }
        }
        self.last_arrival = self.last_arrival.max(arrival);
        self.in_flight.push_back((self.last_arrival, bytes));
    }

    /// The next message that has arrived by `now`, with the time at which it did.
    pub fn receive(&mut self, now: Micros) -> Option<(Micros, Vec<u8>)> {
        if self.in_flight.front()?.0 > now {
            return None;
        }
        self.in_flight.pop_front()
    }

    /// Bytes that have not begun to leave: what a socket's send buffer would hold.
    #[must_use]
    pub fn backlog_micros(&self, now: Micros) -> u64 {
        self.busy_until.since(now)
    }

    /// Messages that have left and not arrived.
    #[must_use]
    pub fn in_flight_messages(&self) -> usize {
        self.in_flight.len()
    }

    /// Nothing passes any more, and nobody is told.
    pub fn cut(&mut self) {
        self.cut = true;
        self.in_flight.clear();
    }
}
