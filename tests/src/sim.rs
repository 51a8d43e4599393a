//! A room and its clients in virtual time. Nothing here reads a clock: a second takes as long as it takes to
//! compute it.

use std::collections::BTreeMap;

use tickwire_server::host::{Event, Output, Relief, Room, RoomConfig};
use tickwire_server::simulation::Game;
use tickwire_shared::client::{Happening, Identity, Session};
use tickwire_shared::limits::PROTOCOL_VERSION;
use tickwire_shared::wire::codec;
use tickwire_shared::wire::message::{ClientMessage, Hello, ResumeToken};
use tickwire_shared::{ClientId, Close, Micros, Protocol, Tick};

use crate::link::{Direction, Link, Profile};
use crate::oracle::Oracle;
use crate::seeds::Dice;

/// Messages are moved this many times per tick.
const STEPS_PER_TICK: u64 = 4;

/// One client: its session, its links, and whether its program runs.
pub struct SimClient<P: Protocol> {
    /// The session.
    pub session: Session<P>,
    /// Server to client.
    pub down: Link,
    /// Client to server.
    pub up: Link,
    /// The number that its connection has while Hello is on its way, where that is not the session's.
    pending: Option<ClientId>,
    /// How the server ended it.
    pub closed: Option<Close>,
    /// While true the client's program does nothing: it reads no message and sends none.
    pub stalled: bool,
    /// How long it takes to read one message; 0 is no time.
    pub micros_per_message: u64,
    busy_until: Micros,
    /// What happened, the frames left out.
    pub happenings: Vec<Happening<P>>,
    /// Ages, in microseconds, of the frames at the time when they were applied.
    pub ages: Vec<u64>,
    /// Frames applied.
    pub frames: u64,
}

/// A room, its clients and the oracle.
pub struct Sim<G: Game> {
    /// The room under test.
    pub room: Room<G>,
    /// Virtual time.
    pub now: Micros,
    /// By the id that the room knows.
    pub clients: BTreeMap<ClientId, SimClient<G::Protocol>>,
    /// Compares every replica with the truth.
    pub oracle: Oracle,
    /// When each tick was made.
    made: BTreeMap<u32, Micros>,
    tick_hz: u64,
    tick_micros: u64,
    /// From the tick after the next one on.
    next_tick_micros: u64,
    next_client: u32,
    tokens: Dice,
    seed: u64,
    /// What the room noted, where a test has it record.
    pub recording: Vec<u8>,
    /// Clients whose sessions others took over.
    pub replaced: Vec<SimClient<G::Protocol>>,
}

impl<G: Game> Sim<G> {
    /// A new room for `game`, everything seeded.
    ///
    /// # Panics
    /// When the game's schema does not make sense.
    pub fn new(game: G, tick_hz: u16, seed: u64) -> Self {
        let config =
            RoomConfig { name: "test".to_owned(), tick_hz, capacity: 1000, seed, ..RoomConfig::default() };
        Self::with_room(Room::new(game, config).expect("a schema that makes sense"), tick_hz, seed)
    }

    /// Around a room that exists already.
    pub fn with_room(room: Room<G>, tick_hz: u16, seed: u64) -> Self {
        Self {
            room,
            now: Micros(1_000_000),
            clients: BTreeMap::new(),
            oracle: Oracle::default(),
            made: BTreeMap::new(),
            tick_hz: u64::from(tick_hz),
            tick_micros: 1_000_000 / u64::from(tick_hz),
            next_tick_micros: 1_000_000 / u64::from(tick_hz),
            next_client: 1,
            tokens: Dice::new(seed ^ 0x7EC0),
            seed,
            recording: Vec::new(),
            replaced: Vec::new(),
        }
    }

    /// A client connects over a link that behaves like `profile` in both directions.
    ///
    /// # Panics
    /// When the game's schema does not make sense.
    pub fn join(&mut self, name: &str, profile: Profile) -> ClientId {
        self.join_with(Identity { name: name.to_owned(), ..Identity::default() }, profile)
    }

    /// The same, for a client that asks for something of its own.
    ///
    /// # Panics
    /// When the game's schema does not make sense.
    pub fn join_with(&mut self, identity: Identity, profile: Profile) -> ClientId {
        let id = ClientId(self.next_client);
        self.next_client += 1;
        let client = SimClient {
            session: Session::new(identity).expect("a schema that makes sense"),
            down: Link::new(profile, self.seed ^ u64::from(id.0) << 32, Direction::Inwards, self.now),
            up: Link::new(profile, self.seed ^ u64::from(id.0) << 32, Direction::Outwards, self.now),
            pending: None,
            closed: None,
            stalled: false,
            micros_per_message: 0,
            busy_until: Micros(0),
            happenings: Vec::new(),
            ages: Vec::new(),
            frames: 0,
        };
        self.clients.insert(id, client);
        id
    }

    /// A client's connection ends.
    pub fn leave(&mut self, id: ClientId) {
        self.clients.remove(&id);
        self.room.handle(Event::Leave { client: id }, self.now);
    }

    /// A client's connection is cut. The server notices nothing yet.
    pub fn cut(&mut self, id: ClientId) {
        let client = self.client(id);
        client.up.cut();
        client.down.cut();
    }

    /// The same, and the server notices at once.
    pub fn lose(&mut self, id: ClientId) {
        self.cut(id);
        let pending = self.client(id).pending;
        self.room.handle(Event::Lost { client: pending.unwrap_or(id) }, self.now);
    }

    /// A client opens another connection. Says whether it asks for its earlier session.
    pub fn come_back(&mut self, id: ClientId) -> bool {
        let connection = ClientId(self.next_client);
        self.next_client += 1;
        let now = self.now;
        let client = self.client(id);
        (client.up, client.down) = (client.up.anew(now), client.down.anew(now));
        (client.pending, client.closed) = (Some(connection), None);
        client.session.resume()
    }

    /// The room is told to do less, and its ticks come at that pace.
    pub fn relieve(&mut self, relief: Relief) {
        self.next_tick_micros = 100_000_000 / (self.tick_hz * u64::from(relief.pace.get()));
        self.room.handle(Event::Relieve(relief), self.now);
    }

    /// A client.
    ///
    /// # Panics
    /// When there is none.
    pub fn client(&mut self, id: ClientId) -> &mut SimClient<G::Protocol> {
        self.clients.get_mut(&id).expect("a client of this simulation")
    }

    /// Runs `ticks` ticks.
    pub fn run(&mut self, ticks: u32) {
        (0..ticks).for_each(|_| self.step());
    }

    /// One tick: messages move, the room steps, frames leave, and the oracle looks at everything.
    pub fn step(&mut self) {
        self.step_with(|_| {});
    }

    /// The same; `draw` is called a few times in between, as a client's program would draw.
    pub fn step_with(&mut self, mut draw: impl FnMut(&mut Self)) {
        for _ in 0..STEPS_PER_TICK {
            self.now = self.now.plus(self.tick_micros / STEPS_PER_TICK);
            draw(self);
            self.move_messages();
        }
        self.tick_micros = self.next_tick_micros;
        let tick = self.room.status().tick;
        self.room.tick(self.now);
        self.room.poll_recording(&mut self.recording);
        if self.room.status().ended {
            return self.poll_outputs();
        }
        self.made.insert(tick.0, self.now);
        self.oracle.note(&self.room, self.clients.keys().copied(), tick);
        let present: Vec<_> = self.clients.keys().copied().collect();
        let sent = self.poll_outputs_noting();
        for id in present.into_iter().filter(|id| !sent.contains(id)) {
            self.oracle.check_quiet(&self.room, id, tick);
        }
    }

    fn move_messages(&mut self) {
        let Self { room, clients, oracle, now, made, tokens, .. } = self;
        for (id, client) in clients.iter_mut() {
            if client.closed.is_some() {
                continue;
            }
            if client.stalled {
                client.busy_until = *now;
            } else {
                while client.busy_until <= *now
                    && let Some((at, bytes)) = client.down.receive(*now)
                {
                    let read_at = at.max(client.busy_until);
                    client.busy_until = read_at.plus(client.micros_per_message);
                    client.session.handle_message(&bytes, read_at).expect("the server sends valid messages");
                    note_happenings(*id, client, oracle, made, *now);
                }
                while let Some(bytes) = client.session.poll_transmit(*now) {
                    client.up.send(bytes, *now);
                }
            }
            while let Some((_, bytes)) = client.up.receive(*now) {
                let event = match codec::decode(&bytes).expect("clients send valid messages") {
                    ClientMessage::Hello(hello) => {
                        let mut token = [0; 16];
                        token.fill_with(|| tokens.word() as u8);
                        let client = client.pending.unwrap_or(*id);
                        Event::Join { client, hello, resume: ResumeToken(token), subject: None }
                    }
                    message => Event::Message { client: *id, message },
                };
                room.handle(event, *now);
            }
        }
        self.poll_outputs();
    }

    fn poll_outputs(&mut self) {
        self.poll_outputs_noting();
    }

    fn poll_outputs_noting(&mut self) -> Vec<ClientId> {
        let mut sent = Vec::new();
        loop {
            // An output is lent; what is done about it needs the rest of the simulation.
            let (to, bytes, close, resumed) = match self.room.poll_output() {
                None => return sent,
                Some(Output::Send { client, bytes }) => (client, Some(bytes.to_vec()), None, None),
                Some(Output::Close { client, close }) => (client, None, Some(close), None),
                Some(Output::Resumed { client, connection }) => (client, None, None, Some(connection)),
            };
            self.arrive(to, resumed.unwrap_or(to));
            let now = self.now;
            // What is for a connection that the client has given up reaches nobody.
            let client = self.clients.get_mut(&to).filter(|client| client.pending.is_none());
            if bytes.is_some() {
                sent.push(to);
            }
            let Some(client) = client else { continue };
            if let Some(bytes) = bytes {
                client.down.send(bytes, now);
            }
            if close.is_some() {
                client.closed = close;
            }
        }
    }

    /// The server knows the session of whoever said Hello on `connection` by `id`.
    fn arrive(&mut self, id: ClientId, connection: ClientId) {
        let found = self.clients.iter().find(|(_, client)| client.pending == Some(connection));
        let Some(known_as) = found.map(|(known_as, _)| *known_as) else { return };
        let Some(mut client) = self.clients.remove(&known_as) else { return };
        client.pending = None;
        self.replaced.extend(self.clients.insert(id, client));
    }

    /// The room's next tick.
    #[must_use]
    pub fn tick(&self) -> Tick {
        self.room.status().tick
    }

    /// Asserts that no client ever saw a wrong checksum, and that checksums were compared at all.
    ///
    /// # Panics
    /// When one did.
    pub fn assert_in_step(&self) {
        for (id, client) in &self.clients {
            assert_eq!(client.session.stats().mismatches, 0, "{id:?} saw a wrong checksum");
        }
        assert_eq!(self.room.counters().state_mismatches, 0);
    }

    /// The same, where the test itself asked for everything anew so many times.
    ///
    /// # Panics
    /// When one did.
    pub fn assert_in_step_but_for_resyncs(&self, asked: u64) {
        let wrong: u64 = self.clients.values().map(|client| client.session.stats().mismatches).sum();
        assert_eq!((wrong, self.room.counters().state_mismatches), (0, asked));
    }
}

fn note_happenings<P: Protocol>(
    id: ClientId,
    client: &mut SimClient<P>,
    oracle: &mut Oracle,
    made: &BTreeMap<u32, Micros>,
    now: Micros,
) {
    while let Some(happening) = client.session.poll_happening() {
        if let Happening::Frame(summary) = happening {
            client.frames += 1;
            client.ages.extend(made.get(&summary.tick.0).map(|at| now.since(*at)));
            if let Some(replica) = client.session.replica() {
                oracle.check::<P>(id, replica);
            }
        } else {
            client.happenings.push(happening);
        }
    }
}

/// The Hello of a client that fits, without a session around it.
#[must_use]
pub fn hello<P: Protocol>(name: &str) -> Hello {
    let schema = P::schema();
    Hello {
        protocol: PROTOCOL_VERSION,
        schema: schema.hash(),
        parts: schema.part_hashes(),
        name: name.to_owned(),
        room: String::new(),
        token: None,
        resume: None,
        tables: P::tables().version(),
        budget: 0,
    }
}
