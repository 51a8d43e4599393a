//! One client's session, from Hello on: bytes in, bytes out, the world in between.
//!
//! The embedder moves bytes: what [`Session::poll_transmit`] gives goes out as one binary message each, what
//! comes in goes to [`Session::handle_message`] with the time at which it arrived. When the connection is gone it opens
//! another one, [`Reconnect`](super::Reconnect) says when, and calls [`Session::resume`]: the session goes on from what it
//! holds if the server still has it, and begins anew if not.

use std::collections::VecDeque;
use std::sync::Arc;

use super::account::{Happening, Identity, SessionError, State, Stats};
use super::clock::Clock;
use super::figures::Meter;
use super::live::Live;
use super::replica::{Replica, Slot};
use super::view::Smoothing;
use crate::id::NetId;
use crate::limits::{ANY_ROOM, COMMANDS_PENDING_MAX, PROTOCOL_VERSION};
use crate::protocol::Protocol;
use crate::schema::{Plan, Replicate, ReplicateKinds, Schema};
use crate::tick::{Micros, ViewTick};
use crate::wire::codec::{self, CodecError};
use crate::wire::message::{self, ClientMessage, Draining, Hello, NewTables, Resume, ServerMessage, Welcome};
use crate::wire::tables::{Tables, TablesError};

/// A session. All times are the embedder's own clock.
pub struct Session<P: Protocol> {
    plan: Plan,
    /// What the game ships with.
    tables: Arc<Tables>,
    hello: Hello,
    phase: Phase,
    heard_at: Micros,
    /// When Hello left.
    greeted_at: Micros,
    /// What the server said over the connection at hand of going away.
    draining: Option<Draining>,
    outgoing: VecDeque<Vec<u8>>,
    happenings: VecDeque<Happening<P>>,
    pub(super) live: Option<Live<P>>,
    pub(super) input: P::Input,
    input_set: Option<Micros>,
    /// The moment that is shown, where the embedder says so.
    pub(super) shown: Option<ViewTick>,
    pub(super) smoothing: Smoothing,
    pub(super) stats: Stats,
    pub(super) meter: Meter,
    reads: Reads,
}

/// What is read of frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reads {
    Everything,
    Heads,
}

/// How far the connection at hand is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    /// Hello is to be sent.
    Opened,
    /// Hello is sent. Nothing else is before Welcome: it would tell the server that Welcome had arrived.
    Greeted,
    /// Welcome has arrived.
    Welcomed,
    /// There will be no other connection.
    Over(String),
}

/// Happenings that wait for whoever asks; of more, the oldest are forgotten, and counted.
const HAPPENINGS_MAX: usize = 4096;
/// Three heartbeats.
const STALL_MICROS: u64 = 1_500_000;

impl<P: Protocol> Session<P> {
    /// A session that will say Hello first.
    ///
    /// # Errors
    /// [`SessionError::Schema`] when the game's schema does not make sense.
    pub fn new(identity: Identity) -> Result<Self, SessionError> {
        Self::with_schema(&P::schema(), P::tables(), identity)
    }

    /// As [`Self::new`], with a schema and tables that are not those of the types:
    /// [`untyped`](crate::untyped) has types for every schema.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_schema(
        schema: &Schema,
        tables: Arc<Tables>,
        identity: Identity,
    ) -> Result<Self, SessionError> {
        schema.check()?;
        let hello = Hello {
            protocol: PROTOCOL_VERSION,
            schema: schema.hash(),
            parts: schema.part_hashes(),
            name: identity.name,
            room: identity.room,
            token: identity.token,
            resume: None,
            tables: tables.version(),
            budget: identity.budget_bytes_per_s,
        };
        Ok(Self {
            plan: Plan::new(schema),
            tables,
            hello,
            phase: Phase::Opened,
            heard_at: Micros::default(),
            greeted_at: Micros::default(),
            draining: None,
            outgoing: VecDeque::new(),
            happenings: VecDeque::new(),
            live: None,
            input: P::Input::default(),
            input_set: None,
            shown: None,
            smoothing: Smoothing::default(),
            stats: Stats::default(),
            meter: Meter::default(),
            reads: Reads::Everything,
        })
    }

    /// From now on only the heads of frames are read: when they are of and what they say of inputs, which is all that is needed
    /// to answer. For load: such a session costs little, sees no world, and compares no checksum.
    pub fn skim(&mut self) {
        self.reads = Reads::Heads;
    }

    /// There is another connection: Hello goes first again. Says whether it asks to go on with an earlier session.
    pub fn resume(&mut self) -> bool {
        (self.phase, self.draining) = (Phase::Opened, None);
        let Some(live) = &mut self.live else { return false };
        live.lose_connection();
        self.hello.resume = Some(Resume { token: live.welcome.resume, applied: live.resume_at });
        self.hello.tables = live.replica.tables().version();
        true
    }

    /// There will be no other connection, for this reason.
    pub fn give_up(&mut self, why: String) {
        self.phase = Phase::Over(why);
    }

    /// How it is doing.
    #[must_use]
    pub fn state(&self, now: Micros) -> State {
        match (&self.phase, &self.live) {
            (Phase::Over(why), _) => State::Refused(why.clone()),
            (Phase::Opened | Phase::Greeted, None) => State::Connecting,
            (Phase::Opened | Phase::Greeted, Some(_)) => State::Resuming,
            (Phase::Welcomed, _) if self.silence_micros(now) > STALL_MICROS => State::Stalled,
            (Phase::Welcomed, _) => State::Live,
        }
    }

    /// What the server has said of going away, if it has since this connection began.
    #[must_use]
    pub fn draining(&self) -> Option<Draining> {
        self.draining
    }

    /// For how long nothing has come.
    #[must_use]
    pub fn silence_micros(&self, now: Micros) -> u64 {
        now.since(self.heard_at)
    }

    /// A message arrived at `now`.
    ///
    /// # Errors
    /// [`SessionError`]; nothing of the message was applied and the session is over.
    pub fn handle_message(&mut self, bytes: &[u8], now: Micros) -> Result<(), SessionError> {
        self.stats.received_bytes += bytes.len() as u64;
        self.heard_at = now;
        self.meter.note(&self.stats, now);
        match message::decode_server(bytes)? {
            ServerMessage::Welcome(welcome) => self.handle_welcome(*welcome, now),
            ServerMessage::Frame(frame) => self.handle_frame(frame, now),
            ServerMessage::Tables(NewTables { from, file }) => {
                let live = self.live.as_mut().ok_or(SessionError::Unexpected("tables before Welcome"))?;
                live.replica.announce_tables(from, Arc::new(Tables::from_bytes(&file)?));
                Ok(())
            }
            ServerMessage::Draining(draining) => {
                if self.phase != Phase::Welcomed {
                    return Err(SessionError::Unexpected("a farewell before Welcome"));
                }
                self.draining = Some(draining);
                self.tell(Happening::Draining(draining));
                Ok(())
            }
            ServerMessage::TimeDilation(dilation) => {
                let live = self.live.as_mut().filter(|_| self.phase == Phase::Welcomed);
                live.ok_or(SessionError::Unexpected("a pace of time before Welcome"))?.clock.dilate(dilation);
                Ok(())
            }
        }
    }

    fn handle_welcome(&mut self, welcome: Welcome, now: Micros) -> Result<(), SessionError> {
        if !matches!(self.phase, Phase::Opened | Phase::Greeted) {
            return Err(SessionError::Unexpected("a second Welcome"));
        }
        let setup = codec::decode(&welcome.setup)?;
        if welcome.resumed {
            let live =
                self.live.as_mut().ok_or(SessionError::Unexpected("a Welcome to an earlier session"))?;
            live.replica.welcome_back(welcome.avatar);
            (live.setup, live.welcome, self.phase) = (setup, welcome, Phase::Welcomed);
            self.happenings.push_back(Happening::Resumed);
            return Ok(());
        }
        let known = Arc::clone(self.live.as_ref().map_or(&self.tables, |live| live.replica.tables()));
        self.shown = None;
        let Welcome { tick_hz, tick, cadences, avatar, .. } = welcome;
        let replica = Replica::new(self.plan.clone(), tables_of(&welcome, known)?, cadences, tick, avatar);
        let clock = Clock::new(tick_hz, cadences.frame_ticks(), tick, self.greeted_at, now);
        if self.hello.room == ANY_ROOM {
            // Whoever comes back wants the room that it was given.
            self.hello.room.clone_from(&welcome.room);
        }
        self.live = Some(Live::new(welcome, setup, replica, clock, now));
        self.phase = Phase::Welcomed;
        self.happenings.push_back(Happening::Welcomed);
        Ok(())
    }

    fn handle_frame(&mut self, frame: &[u8], now: Micros) -> Result<(), SessionError> {
        let live = match (&self.phase, &mut self.live) {
            (Phase::Welcomed, Some(live)) => live,
            _ => return Err(SessionError::Unexpected("a frame before Welcome")),
        };
        if self.reads == Reads::Heads {
            let (summary, has_checksum) = live.replica.skim(frame)?;
            self.stats.resyncs += u64::from(summary.resync && self.stats.frames > 0);
            self.stats.checksums_skipped += u64::from(has_checksum);
            self.stats.frames += 1;
            live.handle_frame((&summary, frame.len()), now, &mut self.happenings);
            self.happenings.push_back(Happening::Frame(summary));
            self.forget_the_oldest();
            return Ok(());
        }
        let staged = live.replica.stage(frame)?;
        let events = staged
            .events
            .iter()
            .map(|(tick, bytes)| Ok(Happening::Game(*tick, codec::decode(bytes)?)))
            .collect::<Result<Vec<_>, CodecError>>()?;
        live.seq_used = staged.ack().map(|ack| ack.seq).or(live.seq_used);
        let summary = live.commit(staged);
        self.stats.updates += summary.changed as u64;
        self.stats.update_bits += summary.slot_bits as u64;
        // The first frame of a session brings everything; only later ones catch up.
        self.stats.resyncs += u64::from(summary.resync && self.stats.frames > 0);
        self.stats.frames += 1;
        live.present(&events);
        self.happenings.extend(events);
        live.handle_frame((&summary, frame.len()), now, &mut self.happenings);
        self.happenings.push_back(Happening::Frame(summary));
        match summary.checksum {
            Some(true) => self.stats.checksums += 1,
            Some(false) => {
                self.stats.mismatches += 1;
                self.happenings.push_back(Happening::Mismatch);
                // To ask once is enough, however often it is seen before the question leaves.
                if self.outgoing.len() < COMMANDS_PENDING_MAX {
                    let ask = ClientMessage::<P::Input, P::Command>::Resync { tick: summary.tick };
                    self.outgoing.push_back(codec::encode(&ask));
                }
            }
            None => {}
        }
        self.forget_the_oldest();
        Ok(())
    }

    fn tell(&mut self, happening: Happening<P>) {
        self.happenings.push_back(happening);
        self.forget_the_oldest();
    }

    fn forget_the_oldest(&mut self) {
        let forgotten = self.happenings.len().saturating_sub(HAPPENINGS_MAX);
        self.happenings.drain(..forgotten);
        self.stats.happenings_forgotten += forgotten as u64;
    }

    /// The next message to send at `now`, if one is due. To be called until it gives none.
    pub fn poll_transmit(&mut self, now: Micros) -> Option<Vec<u8>> {
        let bytes = match self.phase {
            Phase::Opened => {
                (self.phase, self.greeted_at) = (Phase::Greeted, now);
                codec::encode(&ClientMessage::<P::Input, P::Command>::Hello(self.hello.clone()))
            }
            Phase::Greeted | Phase::Over(_) => return None,
            Phase::Welcomed => match self.outgoing.pop_front() {
                Some(bytes) => bytes,
                None => {
                    let live = self.live.as_mut()?;
                    live.poll_input(&self.input, self.shown, &mut self.input_set, now)?
                }
            },
        };
        self.stats.sent_bytes += bytes.len() as u64;
        Some(bytes)
    }

    /// What happened, in order, until there is none.
    pub fn poll_happening(&mut self) -> Option<Happening<P>> {
        self.happenings.pop_front()
    }

    /// The moment that is shown from now on, to be said before [`Self::set_input`]: inputs that
    /// [aim](Protocol::aims) are judged by it. For an embedder that shows the newest states as they are, which needs not say
    /// so, it is the last frame's tick; [`Self::view`] says so itself.
    pub fn set_shown(&mut self, view: ViewTick) {
        self.shown = Some(view);
    }

    /// From now on this is what the player wants; sent when it differs from before.
    pub fn set_input(&mut self, input: P::Input, now: Micros) {
        if self.input != input {
            self.input = input;
            let sent = self.live.as_ref().is_some_and(|live| live.sent == self.input);
            // Back to what the server has already: there is nothing to wait for.
            self.input_set = if sent { None } else { self.input_set.or(Some(now)) };
        }
    }

    /// Whether the input has changed and has not left yet: there is one for each tick at the most.
    #[must_use]
    pub fn is_input_waiting(&self) -> bool {
        self.live.as_ref().is_some_and(|live| live.sent != self.input)
    }

    /// Sends a command. Says `false`, and sends nothing, when too many are waiting to leave.
    #[must_use]
    pub fn send_command(&mut self, command: P::Command) -> bool {
        if self.outgoing.len() >= COMMANDS_PENDING_MAX {
            return false;
        }
        self.outgoing.push_back(codec::encode(&ClientMessage::<P::Input, P::Command>::Command(command)));
        true
    }

    /// What Welcome said.
    #[must_use]
    pub fn welcome(&self) -> Option<&Welcome> {
        self.live.as_ref().map(|live| &live.welcome)
    }

    /// The game's setup from Welcome.
    #[must_use]
    pub fn setup(&self) -> Option<&P::Setup> {
        self.live.as_ref().map(|live| &live.setup)
    }

    /// The world as far as this client sees it.
    #[must_use]
    pub fn replica(&self) -> Option<&Replica<P::Spawn>> {
        self.live.as_ref().map(|live| &live.replica)
    }

    /// All entities in view but the own avatar, with the newest state.
    pub fn entities(&self) -> impl Iterator<Item = (&Slot<P::Spawn>, P::Entity)> {
        self.replica().into_iter().flat_map(|replica| {
            replica.slots().iter().enumerate().filter_map(|(index, slot)| {
                Some((slot, P::Entity::restore(slot.kind, replica.state(index))?))
            })
        })
    }

    /// The own private state.
    #[must_use]
    pub fn private(&self) -> Option<P::Private> {
        self.replica().map(|replica| P::Private::restore(replica.private()))
    }

    /// The entity that this client plays.
    #[must_use]
    pub fn avatar(&self) -> Option<NetId> {
        self.replica().and_then(Replica::avatar)
    }

    /// The clock, after Welcome.
    #[must_use]
    pub fn clock(&self) -> Option<&Clock> {
        self.live.as_ref().map(|live| &live.clock)
    }

    /// Smoothed round trip, the time at the server not counted.
    #[must_use]
    pub fn rtt_micros(&self) -> Option<u64> {
        self.live.as_ref().and_then(|live| live.rtt_micros)
    }

    /// Counts since the session began.
    #[must_use]
    pub fn stats(&self) -> &Stats {
        &self.stats
    }
}

/// The tables of this session: those that Hello named, unless Welcome brought others.
fn tables_of(welcome: &Welcome, known: Arc<Tables>) -> Result<Arc<Tables>, TablesError> {
    match &welcome.tables {
        None => Ok(known),
        Some(file) => Ok(Arc::new(Tables::from_bytes(file)?)),
    }
}
