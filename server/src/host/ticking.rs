//! One tick: a step of the game and the capture of what came of it, and then what clients are told of it, some after some, so that
//! the first of a large room need not wait until all frames are packed, nor the room beside it.

use tickwire_shared::{Micros, Tick};

use super::crew::{Alone, Crew};
use super::room::Room;
use crate::simulation::{Game, Inputs};

impl<G: Game> Room<G> {
    /// One step, and a frame for every client that is due one and can take it.
    pub fn tick(&mut self, now: Micros) {
        self.tick_with(now, &Alone);
    }

    /// The same, with a crew that packs the frames of a large room.
    pub fn tick_with(&mut self, now: Micros, crew: &dyn Crew) {
        self.step(now);
        self.tell_the_rest(now, crew);
    }

    /// One step of the game. What clients are told of it is [`Self::tell`]'s; [`Self::handle`] and the next step have the rest told first.
    pub fn step(&mut self, now: Micros) {
        self.tell_the_rest(now, &Alone);
        if self.ended {
            return;
        }
        self.ticked_at = now;
        // Before the step: what the capture shows is then all that happened in this tick.
        self.close_the_lost(now);
        let inputs = self.take_inputs();
        self.counters.commands += inputs.commands.len() as u64;
        if let Some(tape) = &mut self.tape {
            tape.note_step(self.tick, &inputs);
        }
        let stepped = self.with_game(|game, stage| game.step(stage, &inputs));
        self.inputs = inputs;
        if stepped.is_none() {
            return;
        }
        self.retable();
        if self.is_watched() {
            self.capture.capture(&mut self.world, self.tick);
            self.counters.updates_coded_bits += self.capture.updates().coded_bits() as u64;
            self.capture.hand_over_weights(&mut self.counters.kind_bits);
        } else {
            self.pass_unwatched();
        }
        self.counters.ticks += 1;
        self.begin_telling();
        self.tick += 1;
    }

    /// Packs the frames of the clients whose turn it is, of those that are due one and can take it. Says whether there are more.
    pub fn tell(&mut self, now: Micros, crew: &dyn Crew) -> bool {
        if self.is_telling() {
            self.pack_some(now, crew);
        }
        self.is_telling()
    }

    /// Whether clients wait for what the last step brought.
    #[must_use]
    pub fn is_telling(&self) -> bool {
        !self.look.is_told()
    }

    /// Nothing may change until all are told of the same.
    pub(super) fn tell_the_rest(&mut self, now: Micros, crew: &dyn Crew) {
        while self.tell(now, crew) {}
    }

    fn take_inputs(&mut self) -> Inputs<G::Protocol> {
        let (tick, silent_ticks_max) = (Tick(self.tick as u32), u32::from(self.config.tick_hz));
        let mut inputs = std::mem::take(&mut self.inputs);
        inputs.held.clear();
        inputs.commands.clear();
        self.hindsight.views.clear();
        for (id, client) in self.clients.iter_mut() {
            let (input, silent) = client.inputs.take(tick, silent_ticks_max);
            self.counters.inputs.missing += u64::from(silent && client.away_since.is_none());
            inputs.held.push((*id, input));
            self.hindsight.views.extend(client.inputs.view(tick).map(|view| (*id, view)));
            inputs.commands.extend(client.commands.drain(..).map(|command| (*id, command)));
        }
        inputs
    }
}
