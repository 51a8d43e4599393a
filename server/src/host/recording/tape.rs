//! What a running room notes for its recording, and how that is taken out: a key at the start, then a block for each
//! tick. Runs inside the room; does nothing while nobody records.

use serde::{Deserialize, Serialize};
use tickwire_shared::{ClientId, Protocol};

use super::block::{self, Block, Header, TickBlock, digest};
use super::looks::Looks;
use super::states::{States, hash_of};
use crate::host::room::Room;
use crate::host::saved;
use crate::simulation::{Game, Inputs};

/// A hash of everything is noted this often.
const EXACT_EVERY_SECONDS: u64 = 2;

/// What the game was asked to do. A name, an input or a command is all that is kept of a client.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "")]
pub(in crate::host) enum Call<P: Protocol> {
    Join {
        tick: u64,
        client: ClientId,
        name: String,
    },
    Leave {
        tick: u64,
        client: ClientId,
    },
    Away {
        tick: u64,
        client: ClientId,
        away: bool,
    },
    Step {
        tick: u64,
        /// Clients that are no longer there.
        gone: Vec<ClientId>,
        /// Inputs that are others than in the step before.
        changed: Vec<(ClientId, P::Input)>,
        commands: Vec<(ClientId, P::Command)>,
    },
}

/// What was noted since it was last taken.
pub(in crate::host) struct Tape<P: Protocol> {
    calls: Vec<Call<P>>,
    held: Vec<(ClientId, P::Input)>,
    pub(in crate::host) looks: Looks,
    states: States,
    /// Whether the end was taken.
    is_over: bool,
}

impl<P: Protocol> Call<P> {
    fn step(&self) -> Option<u64> {
        if let Self::Step { tick, .. } = self { Some(*tick) } else { None }
    }
}

impl<P: Protocol> Tape<P> {
    pub(in crate::host) fn note(&mut self, call: Call<P>) {
        self.calls.push(call);
    }

    pub(in crate::host) fn note_step(&mut self, tick: u64, inputs: &Inputs<P>) {
        let (gone, changed) = differences(&self.held, &inputs.held);
        self.held.clone_from(&inputs.held);
        self.calls.push(Call::Step { tick, gone, changed, commands: inputs.commands.clone() });
    }
}

/// Both are in the order of the ids.
fn differences<I: Clone + PartialEq>(
    old: &[(ClientId, I)],
    new: &[(ClientId, I)],
) -> (Vec<ClientId>, Vec<(ClientId, I)>) {
    let (mut gone, mut changed) = (Vec::new(), Vec::new());
    let mut old = old.iter().peekable();
    for (client, input) in new {
        while let Some((left, _)) = old.next_if(|(other, _)| other < client) {
            gone.push(*left);
        }
        match old.next_if(|(other, _)| other == client) {
            Some((_, before)) if before == input => {}
            _ => changed.push((*client, input.clone())),
        }
    }
    gone.extend(old.map(|(left, _)| *left));
    (gone, changed)
}

impl<G: Game> Room<G> {
    /// What a file of a recording begins with, before the first [`Self::begin_recording`].
    pub fn write_recording_header(&self, out: &mut Vec<u8>) {
        let header = Header {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            game: G::Protocol::NAME.to_owned(),
            schema: self.schema_hash,
            room: self.config.name.clone(),
            seed: self.config.seed,
            tick_hz: self.config.tick_hz,
            looks_back: self.hindsight.ticks() > 0,
        };
        block::write_header(&header, out);
    }

    /// Begins to record between two ticks, or goes on in another file or behind a gap: the whole room is put into `out`,
    /// and what [`Self::poll_recording`] gives goes behind it. `missed_ticks` is how many went by unrecorded before.
    pub fn begin_recording(&mut self, missed_ticks: u64, out: &mut Vec<u8>) {
        let room = self.save();
        // Entities to come are then known by the same keys here and in a replay.
        if let Ok(saved) = saved::read::<G>(&room, self.schema_hash) {
            self.world.adopt_free_slots(saved.world);
        }
        let held = self.tape.take().map(|tape| tape.held).unwrap_or_default();
        let plan = self.capture.plan().clone();
        self.tape = Some(Box::new(Tape {
            calls: Vec::new(),
            held: held.clone(),
            looks: Looks { bytes: Vec::new(), columns: plan.stride },
            states: States::of(plan, &self.world),
            is_over: self.ended,
        }));
        block::write::<G::Protocol>(&Block::Key { missed_ticks, room, held }, out);
    }

    /// Appends what was noted since the last time, if anything was: to be called after each tick, and after the room's end.
    pub fn poll_recording(&mut self, out: &mut Vec<u8>) {
        let Some(tape) = &mut self.tape else { return };
        if tape.is_over || tape.calls.is_empty() {
            return;
        }
        tape.is_over = self.ended;
        let exact_every_ticks = EXACT_EVERY_SECONDS * u64::from(self.config.tick_hz);
        let (hash, states) = tape.states.note(&self.world);
        let exact = self.tick.is_multiple_of(exact_every_ticks) && !self.ended;
        let exact = exact.then(|| digest(&saved::exact(&self.game, &self.world)));
        let block = TickBlock {
            tick: tape.calls.iter().rev().find_map(Call::step).unwrap_or(self.tick),
            at_micros: self.ticked_at.0,
            calls: std::mem::take(&mut tape.calls),
            looks: std::mem::take(&mut tape.looks.bytes),
            panicked: self.ended && self.counters.panics > 0,
            hash,
            exact,
            states,
        };
        block::write(&Block::Tick(block), out);
    }

    /// Ends it.
    pub fn end_recording(&mut self) {
        self.tape = None;
    }

    /// A hash of every entity's quantized state: equal runs have equal hashes at every tick.
    #[must_use]
    pub fn state_hash(&self) -> u64 {
        hash_of(self.capture.plan(), &self.world)
    }
}

impl<G: Game> Room<G> {
    /// Notes what the game is about to be asked.
    pub(in crate::host) fn note(&mut self, call: impl FnOnce(u64) -> Call<G::Protocol>) {
        if let Some(tape) = &mut self.tape
            && !self.ended
        {
            tape.note(call(self.tick));
        }
    }
}
