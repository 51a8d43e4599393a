//! A room without clients keeps what its game needs and nothing else. What is told of the world begins anew with the next
//! client, as it does in a room that was saved and restored.

use super::rewinding::Hindsight;
use super::room::Room;
use super::telling::{Look, Shard};
use crate::simulation::Game;
use crate::snapshot::Neighbours;

impl<G: Game> Room<G> {
    /// Between two ticks: forgets what clients were told of the past. With clients, those that may come back counted, it
    /// does nothing.
    pub fn rest(&mut self) {
        if self.clients.len() > 0 {
            return;
        }
        self.hindsight = Hindsight::new(&self.game, &self.config);
        self.capture = self.capture.anew(self.hindsight.ticks());
        self.neighbours = Neighbours::default();
        self.shards = vec![Shard::default()];
        self.look = Look::default();
    }

    /// Whether anybody will be told of a tick.
    pub(super) fn is_watched(&self) -> bool {
        self.clients.len() > 0 || self.tape.is_some()
    }

    /// In place of the capture of a tick of which nobody will be told: most rooms that sleep have never been more than that.
    pub(super) fn pass_unwatched(&mut self) {
        self.world.settle();
        if self.capture.tick() > 0 {
            self.rest();
        }
    }
}
