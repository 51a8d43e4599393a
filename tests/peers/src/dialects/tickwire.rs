//! Tickwire: the whole client of the `shared` crate, which decodes and acknowledges every frame.

use peers_scene::{Input, Seen};
use tickwire_shared::Micros;
use tickwire_shared::client::{Identity, Session};
use tickwire_shared::wire::cadence::Tier;

use super::{Dialect, Out, Seat};
use crate::game::{self, Body, Entity, Own, Peers};
use crate::socket::Kind;
use crate::truth::View;

/// One client.
pub struct Tickwire {
    session: Session<Peers>,
    avatar: usize,
    view: View,
}

impl Tickwire {
    /// A client that has not said Hello.
    ///
    /// # Panics
    /// When the game's schema is none.
    #[must_use]
    pub fn new(seat: Seat) -> Self {
        let identity = Identity { name: seat.player.to_string(), ..Identity::default() };
        let session = Session::new(identity).expect("a schema");
        Self { session, avatar: seat.avatar(), view: seat.view() }
    }
}

impl Dialect for Tickwire {
    fn greet(&mut self, out: &mut Out, now: Micros) {
        self.poll(out, now);
    }

    fn handle(&mut self, message: &[u8], out: &mut Out, now: Micros) -> Result<bool, String> {
        let frames = self.session.stats().frames;
        self.session.handle_message(message, now).map_err(|error| error.to_string())?;
        while self.session.poll_happening().is_some() {}
        if self.session.stats().mismatches > 0 {
            return Err("a replica differed".to_owned());
        }
        self.poll(out, now);
        Ok(self.session.stats().frames > frames)
    }

    fn input(&mut self, input: Input, out: &mut Out, now: Micros) {
        let Input { walk, aim, fire } = input;
        self.session.set_input(game::Input { walk, aim, fire }, now);
        self.poll(out, now);
    }

    fn poll(&mut self, out: &mut Out, now: Micros) {
        while let Some(bytes) = self.session.poll_transmit(now) {
            out.push((Kind::Binary, bytes));
        }
    }

    fn own(&self) -> Option<Seen> {
        let Own { position, heading, hp, state } = self.session.private()?;
        Some(game::seen(position, heading, hp, state))
    }

    fn view(&mut self) -> Option<&View> {
        let own = self.own()?;
        self.view.tick = self.session.replica()?.tick().0;
        self.view.entities.fill(None);
        self.view.entities[self.avatar] = Some(own);
        for (slot, Entity::Body(Body { position, heading, hp, state })) in self.session.entities() {
            let entity = usize::from(slot.spawn);
            self.view.entities[entity] = Some(game::seen(position, heading, hp, state));
            // Where the server believes that more would queue up, it tells of the farthest less often, and says so.
            self.view.waiting[entity] = slot.parked.is_some() || slot.tier != Tier::FAST;
        }
        Some(&self.view)
    }

    fn early_ms(&self) -> Option<f64> {
        let clock = self.session.clock()?;
        clock.margin_ticks().map(|ticks| f64::from(ticks) * clock.tick_micros() as f64 / 1000.0)
    }
}
