//! One room: its game, its world, its clients. See the parent module for the way in and out.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tickwire_shared::limits::{ACK_EVERY_FRAMES, SETUP_BYTES_MAX};
use tickwire_shared::schema::{Plan, Schema};
use tickwire_shared::wire::cadence::Cadences;
use tickwire_shared::wire::codec;
use tickwire_shared::wire::message::{Ack, ClientMessage, Hello, ResumeToken, Welcome, encode_welcome};
use tickwire_shared::{ClientId, Close, CloseCode, Micros, Protocol, Tick};

use super::client::Client;
use super::clients::Clients;
use super::counters::Counters;
use super::crew::Alone;
use super::event::{ClientStatus, Event, Output, Status};
use super::outputs::{Outputs, Sends};
use super::recording::{Call, Overheard, Tape};
use super::relief::Relief;
use super::resuming::Newcomer;
use super::retabling::Retabling;
use super::rewinding::{self, GameError, Hindsight};
use super::saved::{self, RestoreError, Saved, Saving};
use super::telling::{Look, Shard};
use crate::session::{BUDGET_BYTES_MIN, Key, Stamped, Tenures, admission};
use crate::simulation::{Game, Inputs, Recipients, Stage, World};
use crate::snapshot::{Capture, Neighbours, Packed};

/// How a room runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomConfig {
    /// Its name, told in Welcome.
    pub name: String,
    /// Ticks per second, 1 to 240.
    pub tick_hz: u16,
    /// Most clients at once.
    pub capacity: usize,
    /// Key of the network ids.
    pub seed: u64,
    /// How often entities are told of, by tier.
    pub cadences: Cadences,
    /// Bytes per second that a client is sent at most, unless it asks for something else.
    pub budget_bytes_per_s: u32,
    /// What it may ask for.
    pub budget_bytes_per_s_max: u32,
    /// How long a client that lost its connection may take to come back, at most 30 s; 0 lets nobody.
    pub grace_micros: u64,
    /// How far back shots are judged by what their shooters were shown, at most 500 ms; 0 judges all by the present.
    pub rewind_micros: u64,
}

impl Default for RoomConfig {
    fn default() -> Self {
        Self {
            name: "main".to_owned(),
            tick_hz: 30,
            capacity: 1000,
            seed: 1,
            cadences: Cadences::default(),
            budget_bytes_per_s: 64 * 1024,
            budget_bytes_per_s_max: 256 * 1024,
            grace_micros: 15_000_000,
            rewind_micros: 250_000,
        }
    }
}

/// A room. All times are the caller's clock.
pub struct Room<G: Game> {
    pub(super) config: RoomConfig,
    pub(super) schema: Schema,
    pub(super) schema_hash: u128,
    pub(super) game: G,
    pub(super) world: World<G::Protocol>,
    /// By id: every loop over clients has the same order.
    pub(super) clients: Clients<G::Protocol>,
    pub(super) tenures: Tenures,
    pub(super) capture: Capture,
    pub(super) neighbours: Neighbours,
    pub(super) shards: Vec<Shard>,
    pub(super) look: Look<G::Protocol>,
    pub(super) retabling: Option<Retabling>,
    pub(super) inputs: Inputs<G::Protocol>,
    pub(super) hindsight: Hindsight,
    /// The number of the next step.
    pub(super) tick: u64,
    pub(super) ticked_at: Micros,
    pub(super) events: Vec<(Recipients, <G::Protocol as Protocol>::Event)>,
    pub(super) outputs: Outputs,
    pub(super) counters: Counters,
    pub(super) relief: Relief,
    /// While somebody records.
    pub(super) tape: Option<Box<Tape<G::Protocol>>>,
    pub(super) ended: bool,
}

impl<G: Game> Room<G> {
    /// A new room.
    ///
    /// # Errors
    /// [`GameError`] when the game does not make sense.
    pub fn new(game: G, config: RoomConfig) -> Result<Self, GameError> {
        let world = World::new(config.seed);
        let mut room = Self::assemble(game, world, 1, config)?;
        room.with_game(|game, stage| game.begin(stage));
        Ok(room)
    }

    /// A room from what [`Self::save`] wrote. Its clients are gone; the game is told so.
    ///
    /// # Errors
    /// [`RestoreError`] when the blob is not a room of this game.
    pub fn restore(blob: &[u8], config: RoomConfig) -> Result<Self, RestoreError> {
        let Saved { tick, game, world, clients } = saved::read(blob, G::Protocol::schema().hash())?;
        let mut room = Self::assemble(game, world, tick, config)?;
        for client in clients {
            room.with_game(|game, stage| game.leave(stage, client));
        }
        Ok(room)
    }

    fn assemble(
        game: G,
        world: World<G::Protocol>,
        tick: u64,
        config: RoomConfig,
    ) -> Result<Self, GameError> {
        rewinding::check_game(&game)?;
        let schema = G::Protocol::schema();
        let hindsight = Hindsight::new(&game, &config);
        let rewind_ticks = hindsight.ticks();
        Ok(Self {
            schema_hash: schema.hash(),
            capture: Capture::new(Plan::new(&schema), G::Protocol::tables(), config.cadences, rewind_ticks),
            hindsight,
            schema,
            config,
            game,
            world,
            clients: Clients::default(),
            tenures: Tenures::default(),
            neighbours: Neighbours::default(),
            shards: vec![Shard::default()],
            look: Look::default(),
            retabling: None,
            inputs: Inputs::default(),
            tick,
            ticked_at: Micros::default(),
            events: Vec::new(),
            outputs: Outputs::default(),
            counters: Counters::default(),
            relief: Relief::default(),
            tape: None,
            ended: false,
        })
    }

    /// The room as a blob, between two ticks.
    #[must_use]
    pub fn save(&self) -> Vec<u8> {
        let saving = Saving {
            tick: self.tick,
            game: &self.game,
            world: &self.world,
            clients: self.clients.keys().copied().collect(),
        };
        saved::write(&saving, self.schema_hash)
    }

    /// Something happened at `now`.
    pub fn handle(&mut self, event: Event<G::Protocol>, now: Micros) {
        self.tell_the_rest(now, &Alone);
        if self.ended {
            if let Event::Join { client, .. } = event {
                self.outputs.close(client, CloseCode::RoomClosed.into());
            }
            return;
        }
        match event {
            Event::Join { client, hello, resume, subject } => {
                self.handle_join(client, &hello, Key { resume, subject }, now);
            }
            Event::Message { client, message } => self.handle_message(client, message, now),
            Event::Writable { client, writable } => {
                if let Some(client) = self.clients.get_mut(&client) {
                    client.writable = writable && client.away_since.is_none();
                }
            }
            Event::Leave { client } => self.remove(client),
            Event::Lost { client } => self.lose(client, now),
            Event::Kick { client, close } => self.close(client, close),
            Event::Relieve(relief) => self.relieve(relief),
            Event::Draining(draining) => self.announce_end(&draining),
            Event::End { close } => self.end(&close),
        }
    }

    fn handle_join(&mut self, client: ClientId, hello: &Hello, key: Key, now: Micros) {
        if self.clients.contains_key(&client) {
            return self.close(client, Close::because(CloseCode::BadMessage, "a second Hello"));
        }
        let name = match admission::admit(hello, &self.schema, self.schema_hash) {
            Ok(name) => name,
            Err(close) => return self.turn_away(client, close),
        };
        if matches!(self.welcome_back(client, hello, &key, now), Newcomer::Settled) {
            return;
        }
        if let Some(close) = self.relief.refusal() {
            self.counters.joins_refused += 1;
            return self.turn_away(client, close);
        }
        if !self.has_room() {
            return self.turn_away(client, Close::because(CloseCode::Full, "the room is full"));
        }
        self.note(|tick| Call::Join { tick, client, name: name.clone() });
        match self.with_game(|game, stage| game.join(stage, client, &name)) {
            None => self.outputs.close(client, CloseCode::Internal.into()),
            Some(Err(refusal)) => self.turn_away(client, Close::because(CloseCode::Full, &refusal.0)),
            Some(Ok(())) => {
                let resume = key.resume;
                self.tenures.enter(client, key);
                self.welcome(client, hello, resume, now);
            }
        }
    }

    /// A connection that does not become a session.
    pub(super) fn turn_away(&mut self, connection: ClientId, close: Close) {
        *self.counters.closes.entry(close.code).or_default() += 1;
        self.outputs.close(connection, close);
    }

    /// To a client that is new, or one that came back.
    pub(super) fn welcome(&mut self, client: ClientId, hello: &Hello, resume: ResumeToken, now: Micros) {
        let looked = self.with_game(|game, stage| {
            let setup = codec::encode(&game.setup());
            // Inside, where a panic is the game's: a Welcome without it would be a lie.
            assert!(setup.len() <= SETUP_BYTES_MAX, "the setup has over {SETUP_BYTES_MAX} bytes");
            (setup, game.viewpoint(stage.world, client))
        });
        let Some((setup, viewpoint)) = looked else {
            return self.outputs.close(client, CloseCode::Internal.into());
        };
        let avatar = crate::simulation::avatar_id(&viewpoint, &self.world);
        let stride = self.capture.plan().stride;
        let budget = match hello.budget {
            0 => self.config.budget_bytes_per_s,
            wanted => wanted.clamp(BUDGET_BYTES_MIN, self.config.budget_bytes_per_s_max),
        };
        let resumed = self.clients.contains_key(&client);
        if !resumed {
            self.counters.welcomes += 1;
            self.clients.insert(
                client,
                Client::new(Packed::new(stride, avatar, self.hindsight.ticks()), budget, self.tick, now),
            );
        }
        let Some(known) = self.clients.get_mut(&client) else { return };
        known.packed.told_avatar(avatar);
        known.welcomed(&hello.name, now);
        let welcome = Welcome {
            client,
            avatar,
            tick_hz: self.config.tick_hz,
            tick: Tick(self.tick as u32),
            resume,
            tables: (hello.tables != self.capture.tables().version())
                .then(|| self.capture.tables().to_bytes()),
            ack_every: ACK_EVERY_FRAMES,
            cadences: self.config.cadences,
            budget: known.pace.granted_bytes_per_s(),
            resumed,
            room: self.config.name.clone(),
            setup,
        };
        self.send(client, &encode_welcome(&welcome));
        self.tell_pace(client);
    }

    fn handle_message(
        &mut self,
        id: ClientId,
        message: ClientMessage<<G::Protocol as Protocol>::Input, <G::Protocol as Protocol>::Command>,
        now: Micros,
    ) {
        let Some(client) = self.clients.get_mut(&id).filter(|client| client.away_since.is_none()) else {
            return;
        };
        if client.heard(now) {
            self.tenures.confirm(id);
        }
        match message {
            ClientMessage::Hello(_) => {
                self.close(id, Close::because(CloseCode::BadMessage, "a second Hello"));
            }
            ClientMessage::Input { seq, tick, ack, input } => {
                self.handle_input(id, ack, Stamped { seq, tick, view: None, input }, now);
            }
            ClientMessage::Aimed { seq, tick, ack, view, input } => {
                self.handle_input(id, ack, Stamped { seq, tick, view: Some(view.view(tick)), input }, now);
            }
            ClientMessage::Command(command) => client.handle_command(command, &mut self.counters),
            ClientMessage::Ack(ack) => client.handle_ack(&ack, self.config.tick_hz, now, &mut self.counters),
            ClientMessage::Resync { .. } => {
                self.counters.state_mismatches += 1;
                client.handle_resync(self.tick, self.config.tick_hz);
            }
        }
    }

    fn handle_input(
        &mut self,
        id: ClientId,
        ack: Option<Ack>,
        stamped: Stamped<<G::Protocol as Protocol>::Input>,
        now: Micros,
    ) {
        if !G::Protocol::is_possible(&stamped.input) {
            self.counters.inputs.impossible += 1;
            return self.close(id, Close::because(CloseCode::BadMessage, "impossible input"));
        }
        let (next, until_next) = (Tick(self.tick as u32), self.until_next_eighths(now));
        let Some(client) = self.clients.get_mut(&id) else { return };
        if let Some(ack) = ack {
            client.handle_ack(&ack, self.config.tick_hz, now, &mut self.counters);
        }
        client.handle_input(stamped, next, until_next, now, &mut self.counters);
    }

    /// Eighths of a tick until the next step is expected.
    fn until_next_eighths(&self, now: Micros) -> i32 {
        let ticks_per_100_s = u64::from(self.config.tick_hz) * u64::from(self.relief.pace.get());
        let passed = now.since(self.ticked_at) * ticks_per_100_s * 8 / 100_000_000;
        8 - passed.min(8) as i32
    }

    pub(super) fn send(&mut self, client: ClientId, bytes: &[u8]) {
        self.counters.sent_bytes += bytes.len() as u64;
        self.outputs.send(client, bytes);
    }

    pub(super) fn close(&mut self, client: ClientId, close: Close) {
        if self.clients.contains_key(&client) {
            *self.counters.closes.entry(close.code).or_default() += 1;
            self.outputs.close(client, close);
            self.remove(client);
        }
    }

    pub(super) fn remove(&mut self, client: ClientId) {
        self.tenures.leave(client);
        if let Some(mut gone) = self.clients.remove(&client) {
            self.shards[0].packer.forget(&mut gone.packed, &mut self.capture);
            self.note(|tick| Call::Leave { tick, client });
            self.with_game(|game, stage| game.leave(stage, client));
        }
    }

    /// Calls into the game. A panic there ends this room and gives `None`.
    pub(super) fn with_game<T>(
        &mut self,
        call: impl FnOnce(&mut G, &mut Stage<'_, G::Protocol>) -> T,
    ) -> Option<T> {
        if self.ended {
            return None;
        }
        let seconds = 1.0 / f32::from(self.config.tick_hz);
        let Self { game, world, clients, capture, events, counters, hindsight, tick, tape, .. } = self;
        let past = hindsight.look_back(*tick, clients, capture, &mut counters.rewinds);
        let mut past = past.map(|past| Overheard { past, looks: tape.as_mut().map(|tape| &mut tape.looks) });
        let stage = Stage::new(Tick(*tick as u32), seconds, world, events);
        let mut stage = stage.with_past(past.as_mut().map(|past| past as _));
        match catch_unwind(AssertUnwindSafe(|| call(game, &mut stage))) {
            Ok(value) => Some(value),
            Err(_) => {
                self.end_by_panic();
                None
            }
        }
    }

    pub(super) fn end_by_panic(&mut self) {
        self.counters.panics += 1;
        self.end(&CloseCode::Internal.into());
    }

    /// What the room wants done, in order, until there is none.
    pub fn poll_output(&mut self) -> Option<Output<'_>> {
        self.outputs.pop()
    }

    /// Those of the outputs that come next which are messages that may be sent side by side; there may be none.
    pub fn poll_sends(&mut self) -> Sends<'_> {
        self.outputs.pop_sends()
    }

    /// What was counted.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The room at a glance.
    #[must_use]
    pub fn status(&self) -> Status {
        let present = || self.clients.values().filter(|client| client.away_since.is_none());
        Status {
            clients: present().count(),
            away_clients: self.clients.len() - present().count(),
            paused_clients: present().filter(|client| client.paused_since.is_some()).count(),
            entities: self.world.len(),
            tick: Tick(self.tick as u32),
            ended: self.ended,
        }
    }

    /// How one client fares.
    #[must_use]
    pub fn client(&self, client: ClientId) -> Option<ClientStatus> {
        self.clients.get(&client).map(|client| client.status(self.config.tick_hz))
    }

    /// The rules, for tests and tools that look inside.
    #[must_use]
    pub fn game(&self) -> &G {
        &self.game
    }

    /// The entities, for tests and tools that look inside.
    #[must_use]
    pub fn world(&self) -> &World<G::Protocol> {
        &self.world
    }

    /// The last captured state of the world: the truth that clients are compared with. Of ticks that nobody is told of and nobody
    /// records, none is captured.
    #[must_use]
    pub fn capture(&self) -> &Capture {
        &self.capture
    }

    /// What a client was last handed.
    #[must_use]
    pub fn packed(&self, client: ClientId) -> Option<&Packed> {
        self.clients.get(&client).map(|client| &client.packed)
    }
}
