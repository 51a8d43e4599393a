//! How a room ends when somebody outside wants it: its clients are told before, and closed then. Runs once in a room's life;
//! knows neither why, nor whether the room is saved.

use tickwire_shared::Close;
use tickwire_shared::wire::message::{Draining, encode_draining};

use super::room::Room;
use crate::session::Tenures;
use crate::simulation::Game;

impl<G: Game> Room<G> {
    /// Tells everybody that the server goes away.
    pub(super) fn announce_end(&mut self, draining: &Draining) {
        let message = encode_draining(draining);
        let Self { clients, outputs, counters, .. } = self;
        for (id, _) in clients.iter().filter(|(_, client)| client.away_since.is_none()) {
            outputs.send(*id, &message);
            counters.sent_bytes += message.len() as u64;
        }
    }

    /// Closes everybody. There is no tick any more.
    pub(super) fn end(&mut self, close: &Close) {
        self.ended = true;
        self.tenures = Tenures::default();
        let present = self.clients.iter().filter(|(_, client)| client.away_since.is_none());
        let present: Vec<_> = present.map(|(id, _)| *id).collect();
        self.clients = Default::default();
        for client in present {
            *self.counters.closes.entry(close.code).or_default() += 1;
            self.outputs.close(client, close.clone());
        }
    }
}
