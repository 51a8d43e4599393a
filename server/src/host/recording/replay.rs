//! Runs a recording again, on its game alone, and compares every tick with what was recorded. Knows no file and no room.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tickwire_shared::schema::{Plan, Schema};
use tickwire_shared::{ClientId, Protocol, Tick};

use super::block::{self, Block, Header, Reader, RecordingError, TickBlock, digest};
use super::difference::{Difference, Divergence, compare};
use super::looks::Remembered;
use super::states::States;
use super::tape::Call;
use crate::host::saved::{self, Saved};
use crate::simulation::{Game, Inputs, Stage, World};

/// How a replay went.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Of the file.
    pub header: Header,
    /// Ticks that were run and equal to what was recorded.
    pub ticks: u64,
    /// The last of these.
    pub last_tick: u64,
    /// Ticks that the recording lacks, because whoever wrote it could not keep up.
    pub missed_ticks: u64,
    /// The end of the file is missing.
    pub is_cut: bool,
    /// The recording ends with a panic of the game, and so does the replay.
    pub panicked: bool,
    /// The first tick that differs.
    pub divergence: Option<Divergence>,
}

/// Runs the recording in `file`, up to tick `to`; `progress` is called after each tick.
///
/// # Errors
/// [`RecordingError`] when it is none of this game, or when it is damaged before its end.
pub fn replay<G: Game>(
    file: &[u8],
    to: Option<u64>,
    mut progress: impl FnMut(u64, &World<G::Protocol>),
) -> Result<Outcome, RecordingError> {
    let (header, mut reader) = Reader::open(file)?;
    let schema = G::Protocol::schema();
    if (header.game.as_str(), header.schema) != (G::Protocol::NAME, schema.hash()) {
        let (own, own_schema) = (G::Protocol::NAME.to_owned(), schema.hash());
        return Err(RecordingError::Schema { game: header.game, schema: header.schema, own, own_schema });
    }
    let mut outcome = Outcome {
        ticks: 0,
        last_tick: 0,
        missed_ticks: 0,
        is_cut: false,
        panicked: false,
        divergence: None,
        header,
    };
    let mut player: Option<Player<G>> = None;
    loop {
        let at = reader.at();
        match reader.next()? {
            None => break,
            Some(Block::Key { missed_ticks, room, held }) => {
                outcome.missed_ticks += missed_ticks;
                player = Some(Player::new(&outcome.header, &schema, &room, held)?);
            }
            Some(Block::Tick(block)) => {
                let player = player.as_mut().ok_or(RecordingError::Damaged(at))?;
                if to.is_some_and(|to| block.tick > to) {
                    break;
                }
                outcome.divergence = player.run(&schema, &block).ok_or(RecordingError::Damaged(at))?;
                if outcome.divergence.is_some() {
                    break;
                }
                (outcome.ticks, outcome.last_tick) = (outcome.ticks + 1, block.tick);
                outcome.panicked = block.panicked;
                progress(block.tick, &player.world);
            }
        }
    }
    outcome.is_cut = reader.is_cut;
    if outcome.ticks == 0 && outcome.divergence.is_none() && player.is_none() {
        return Err(RecordingError::Empty);
    }
    Ok(outcome)
}

/// The game as it goes on.
struct Player<G: Game> {
    game: G,
    world: World<G::Protocol>,
    held: Vec<(ClientId, <G::Protocol as Protocol>::Input)>,
    plan: Plan,
    /// What was recorded.
    recorded: States,
    tick_seconds: f32,
    looks_back: bool,
    /// The last tick at which the exact hash was equal.
    exact_at: u64,
}

impl<G: Game> Player<G> {
    fn new(
        header: &Header,
        schema: &Schema,
        room: &[u8],
        held: Vec<(ClientId, <G::Protocol as Protocol>::Input)>,
    ) -> Result<Self, RecordingError> {
        let Saved { tick, game, world, .. } = saved::read::<G>(room, header.schema)?;
        let plan = Plan::new(schema);
        Ok(Self {
            game,
            held,
            recorded: States::of(plan.clone(), &world),
            plan,
            world,
            tick_seconds: 1.0 / f32::from(header.tick_hz.max(1)),
            looks_back: header.looks_back,
            exact_at: tick.saturating_sub(1),
        })
    }

    /// One tick, and how it differs. `None` when the block cannot be what was recorded.
    fn run(&mut self, schema: &Schema, block: &TickBlock<G::Protocol>) -> Option<Option<Divergence>> {
        self.recorded.follow(&block.states)?;
        if self.recorded.hash() != block.hash {
            return None;
        }
        let mut looks = Remembered { bytes: &block.looks, columns: self.plan.stride };
        let mut panicked = false;
        for call in &block.calls {
            if !self.call(call, &mut looks) {
                panicked = true;
                break;
            }
        }
        let diverges = |differences| Some(Some(Divergence::new(block.tick, differences)));
        let replayed = States::of(self.plan.clone(), &self.world);
        if replayed.hash() != block.hash {
            return diverges(compare(schema, &self.plan, &self.recorded, &replayed));
        }
        if panicked && !block.panicked {
            return diverges(vec![Difference::Panicked]);
        }
        if let Some(exact) = block.exact {
            if exact != digest(&saved::exact(&self.game, &self.world)) {
                return diverges(vec![Difference::Hidden { after: self.exact_at }]);
            }
            self.exact_at = block.tick;
        }
        Some(None)
    }

    /// Whether the game survives it.
    fn call(&mut self, call: &Call<G::Protocol>, looks: &mut Remembered<'_>) -> bool {
        let Self { game, world, held, tick_seconds, looks_back, .. } = self;
        let mut events = Vec::new();
        let tick = match call {
            Call::Join { tick, .. } | Call::Leave { tick, .. } | Call::Away { tick, .. } => *tick,
            Call::Step { tick, .. } => *tick,
        };
        let stage = Stage::new(Tick(tick as u32), *tick_seconds, world, &mut events);
        let mut stage = stage.with_past(looks_back.then_some(looks as _));
        let done = catch_unwind(AssertUnwindSafe(|| match call {
            Call::Join { client, name, .. } => drop(game.join(&mut stage, *client, name)),
            Call::Leave { client, .. } => game.leave(&mut stage, *client),
            Call::Away { client, away, .. } => game.away(&mut stage, *client, *away),
            Call::Step { gone, changed, commands, .. } => {
                held.retain(|(client, _)| !gone.contains(client));
                for (client, input) in changed {
                    match held.binary_search_by_key(client, |(id, _)| *id) {
                        Ok(place) => held[place].1 = input.clone(),
                        Err(place) => held.insert(place, (*client, input.clone())),
                    }
                }
                game.step(&mut stage, &Inputs { held: held.clone(), commands: commands.clone() });
            }
        }));
        if done.is_ok() && matches!(call, Call::Step { .. }) {
            self.world.settle();
        }
        done.is_ok()
    }
}

/// The same recording with other inputs than were given, to see that a replay notices.
///
/// # Errors
/// As [`replay`].
#[doc(hidden)]
pub fn with_other_inputs<P: Protocol>(
    file: &[u8],
    mut change: impl FnMut(u64, ClientId, &mut P::Input),
) -> Result<Vec<u8>, RecordingError> {
    let (header, mut reader) = Reader::open(file)?;
    let mut out = Vec::new();
    block::write_header(&header, &mut out);
    while let Some(mut read) = reader.next::<P>()? {
        if let Block::Tick(tick) = &mut read {
            for call in &mut tick.calls {
                if let Call::Step { tick, changed, .. } = call {
                    changed.iter_mut().for_each(|(client, input)| change(*tick, *client, input));
                }
            }
        }
        block::write(&read, &mut out);
    }
    Ok(out)
}
