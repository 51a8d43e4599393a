//! One direction of a connection in virtual time: the client's own model of a link, and that it can be cut.

pub use tickwire_shared::client::link::{Direction, LinkProfile as Profile, Stall};

use tickwire_shared::Micros;
use tickwire_shared::client::link::LinkConditioner;

/// One direction.
#[derive(Clone, Debug)]
pub struct Link {
    wire: LinkConditioner<Vec<u8>>,
    cut: bool,
}

impl Link {
    /// An empty one. Both directions of a connection take the same seed.
    #[must_use]
    pub fn new(profile: Profile, seed: u64, direction: Direction, now: Micros) -> Self {
        Self { wire: LinkConditioner::new(profile, seed, direction, now), cut: false }
    }

    /// Another connection over the same link: nothing is in flight.
    #[must_use]
    pub fn anew(&self, now: Micros) -> Self {
        Self { wire: self.wire.anew(now), cut: false }
    }

    /// Changes how the link behaves from now on.
    pub fn set_profile(&mut self, profile: Profile, now: Micros) {
        self.wire.set_profile(profile, now);
    }

    /// A message leaves.
    pub fn send(&mut self, bytes: Vec<u8>, now: Micros) {
        if !self.cut {
            let length = bytes.len();
            self.wire.push(bytes, length, now);
        }
    }

    /// The next message that has arrived by `now`, with the time at which it did.
    pub fn receive(&mut self, now: Micros) -> Option<(Micros, Vec<u8>)> {
        let due = self.wire.due()?;
        Some((due, self.wire.poll(now)?))
    }

    /// Bytes that have not begun to leave: what a socket's send buffer would hold.
    #[must_use]
    pub fn backlog_micros(&self, now: Micros) -> u64 {
        self.wire.backlog_micros(now)
    }

    /// Messages that have left and not arrived.
    #[must_use]
    pub fn in_flight_messages(&self) -> usize {
        self.wire.len()
    }

    /// Nothing passes any more, and nobody is told.
    pub fn cut(&mut self) {
        self.cut = true;
        self.wire = self.wire.anew(Micros(0));
    }
}
