//! The nets under the codec hold: mistakes of every class are made on purpose, between the room and the session, and
//! each is noticed within ten seconds. First of all by what every client has, which refuses what cannot be read and
//! compares checksums; and by what only tests have, the oracle and the comparison of twins.

use std::collections::BTreeMap;
use std::sync::Mutex;

use tickwire_server::host::{Event, Output, Room, RoomConfig};
use tickwire_shared::client::Session;
use tickwire_shared::wire::cadence::Cadences;
use tickwire_shared::wire::codec;
use tickwire_shared::wire::message::{ClientMessage, ResumeToken, TAG_FRAME, TAG_WELCOME, Welcome};
use tickwire_shared::{ClientId, Micros};
use tickwire_tests::chaos::{Chaos, ChaosGame, Leak};
use tickwire_tests::oracle::Oracle;
use tickwire_tests::seeds::{for_seeds, seed_count};
use tickwire_tests::sim::hello;

use super::secrecy::messages;

const TICK_HZ: u64 = 30;
/// A mistake is made from this tick on, as soon as there is a frame for it.
const WARM_UP_TICKS: u64 = 45;
/// It is noticed within so many ticks.
const NOTICED_TICKS: u64 = 10 * TICK_HZ;

/// Flags of a frame.
const EDITS: u8 = 16;
const STREAM: u8 = 32;
const RESYNC: u8 = 64;

/// What goes wrong on the way to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mistake {
    /// None.
    Nothing,
    /// A frame is lost.
    Lost,
    /// Welcome says other periods.
    Periods([u8; 3]),
    /// The frame of another client comes in the place of its own, once.
    Foreign,
    /// In the place of a frame with edits, the one before comes again.
    Again,
}

/// Who noticed, and how many ticks later.
#[derive(Debug, Default)]
struct Noticed {
    by_client: Option<(&'static str, u64)>,
    by_oracle: Option<u64>,
    /// Whether something could not be read, which ends the session.
    refused: bool,
    /// Whether the client was in step again in the end, without a new session.
    recovered: bool,
}

/// A room with two clients; the first one is played tricks on.
struct Line {
    room: Room<ChaosGame>,
    session: Session<Chaos>,
    oracle: Oracle,
    mistake: Mistake,
    made_at: Option<u64>,
    last: Vec<u8>,
    noticed: Noticed,
}

const VICTIM: ClientId = ClientId(1);
const OTHER: ClientId = ClientId(2);

impl Line {
    fn new(seed: u64, mistake: Mistake) -> Self {
        let config = RoomConfig { seed, tick_hz: TICK_HZ as u16, ..RoomConfig::default() };
        // Two clients see different things, and at all cadences. Where there is little to read, a wrong client often
        // can go on reading.
        let few = if matches!(mistake, Mistake::Periods(_)) { 20 } else { 2 };
        let mut game = if seed.is_multiple_of(2) {
            ChaosGame::new(seed, 40, 70.0)
        } else {
            ChaosGame::new(seed, few, 0.0)
        };
        game.detail = 15.0;
        let mut room = Room::new(game, config).expect("a schema");
        for client in [VICTIM, OTHER] {
            let join = Event::Join {
                client,
                hello: hello::<Chaos>("player"),
                resume: ResumeToken([0; 16]),
                subject: None,
            };
            room.handle(join, Micros(0));
        }
        let mut session = Session::new(Default::default()).expect("a schema");
        // Hello: the room has it already.
        session.poll_transmit(Micros(0)).expect("Hello comes first");
        Self {
            room,
            session,
            oracle: Oracle::default(),
            mistake,
            made_at: None,
            last: Vec::new(),
            noticed: Noticed::default(),
        }
    }

    /// Whether the client goes on.
    fn step(&mut self, tick: u64) -> bool {
        let now = Micros(tick * 1_000_000 / TICK_HZ);
        let room_tick = self.room.status().tick;
        self.room.tick(now);
        self.oracle.note(&self.room, [VICTIM].into_iter(), room_tick);
        let (mut own, mut foreign) = (Vec::new(), Vec::new());
        while let Some(output) = self.room.poll_output() {
            let Output::Send { client, bytes } = output else { panic!("{output:?}") };
            if client == VICTIM { own.push(bytes.to_vec()) } else { foreign.push(bytes.to_vec()) }
        }
        for bytes in own {
            if let Some(bytes) = self.meddle(tick, bytes, foreign.last())
                && !self.take(tick, &bytes, now)
            {
                return false;
            }
        }
        while let Some(bytes) = self.session.poll_transmit(now) {
            let message = codec::decode::<ClientMessage<u8, u32>>(&bytes).expect("own message");
            self.room.handle(Event::Message { client: VICTIM, message }, now);
        }
        let replica = self.session.replica().expect("welcomed");
        let ack = ClientMessage::Ack(tickwire_shared::wire::message::Ack { applied: room_tick, held_ms: 0 });
        self.room.handle(Event::Message { client: OTHER, message: ack }, now);
        let wrong = self.oracle.compare::<Chaos>(VICTIM, replica).is_err();
        // Where no frame was due, the replica is of a tick before, which the oracle knows too.
        if let (Some(made), true) = (self.made_at, wrong) {
            self.noticed.by_oracle.get_or_insert(tick - made);
        }
        assert!(self.made_at.is_some() || !wrong, "wrong before anything was done");
        self.noticed.recovered = !wrong;
        true
    }

    /// What arrives in the place of `bytes`.
    fn meddle(&mut self, tick: u64, bytes: Vec<u8>, foreign: Option<&Vec<u8>>) -> Option<Vec<u8>> {
        let last = std::mem::replace(&mut self.last, bytes.clone());
        if self.made_at.is_some() {
            return Some(bytes);
        }
        let ripe = tick >= WARM_UP_TICKS && bytes[0] == TAG_FRAME;
        let arrives = match self.mistake {
            Mistake::Periods(periods) if bytes[0] == TAG_WELCOME => {
                let mut welcome: Welcome = codec::decode(&bytes[1..]).expect("a Welcome");
                welcome.cadences = Cadences::try_from(periods).expect("sensible periods");
                Some([vec![TAG_WELCOME], codec::encode(&welcome)].concat())
            }
            Mistake::Lost if ripe && bytes[1] & (STREAM | RESYNC) != 0 => None,
            Mistake::Foreign if ripe => match foreign {
                Some(foreign) if foreign[1] & EDITS != 0 && foreign[4..] != bytes[4..] => {
                    Some(foreign.clone())
                }
                _ => return Some(bytes),
            },
            Mistake::Again if ripe && bytes[1] & EDITS != 0 => Some(last),
            _ => return Some(bytes),
        };
        self.made_at = Some(tick);
        arrives
    }

    /// The client reads a message, if it can.
    fn take(&mut self, tick: u64, bytes: &[u8], now: Micros) -> bool {
        let before = self.session.stats().mismatches;
        let read = self.session.handle_message(bytes, now);
        while self.session.poll_happening().is_some() {}
        self.noticed.refused = read.is_err();
        let by = match read {
            Err(_) => "refused",
            Ok(()) if self.session.stats().mismatches > before => "checksum",
            Ok(()) => return true,
        };
        let made = self.made_at.expect("refused before anything was done");
        self.noticed.by_client.get_or_insert((by, tick - made));
        !self.noticed.refused
    }
}

/// How the mistake was noticed.
fn make(seed: u64, mistake: Mistake) -> Noticed {
    let mut line = Line::new(seed, mistake);
    let mut tick = 1;
    while line.made_at.is_none_or(|made| tick <= made + NOTICED_TICKS) && tick < 20 * TICK_HZ {
        if !line.step(tick) {
            break;
        }
        tick += 1;
    }
    if mistake != Mistake::Nothing {
        assert!(line.made_at.is_some(), "there was no occasion for it");
    } else {
        assert!(line.session.stats().checksums > 4, "checksums were compared");
    }
    line.noticed
}

/// Makes a mistake with many seeds, and says how it was noticed.
fn is_noticed(mistake: Mistake) {
    let all = Mutex::new((BTreeMap::<_, Vec<u64>>::new(), 0_usize));
    let count = seed_count(60, 3_000);
    for_seeds(count, |seed| {
        let noticed = make(seed, mistake);
        let (by, ticks) = match (noticed.by_client, noticed.by_oracle) {
            (Some(by_client), _) => by_client,
            // Whoever was shown wrongly left before a checksum was due: nothing was left to be noticed.
            (None, Some(ticks)) if noticed.recovered => ("oracle only", ticks),
            // Nothing was shown wrongly at any tick: only an event differed, or nobody was told of at that period.
            (None, None) if noticed.recovered => ("no effect", 0),
            _ => panic!("{mistake:?} was not noticed: {noticed:?}"),
        };
        assert!(ticks <= NOTICED_TICKS, "{mistake:?} was noticed after {ticks} ticks");
        // Whoever could read it all has asked for everything anew, and has it.
        assert!(noticed.refused || noticed.recovered, "{mistake:?}: {noticed:?}");
        let mut all = all.lock().expect("no panic with it");
        all.0.entry(by).or_default().push(ticks);
        all.1 += usize::from(noticed.by_oracle.is_some());
    });
    let (noticed, by_oracle) = all.into_inner().expect("no panic with it");
    let total: usize = noticed.values().map(Vec::len).sum();
    for (by, mut ticks) in noticed {
        ticks.sort_unstable();
        let (half, most) = (ticks[ticks.len() / 2], ticks[ticks.len() - 1]);
        println!("{mistake:?}: {by} {} times, after {half} ticks (p50), {most} at most", ticks.len());
        let rare = match by {
            "oracle only" => 5,
            "no effect" => 50,
            _ => 1,
        };
        assert!(ticks.len() * rare <= total || total == 1, "`{by}` is not rare: {} of {total}", ticks.len());
    }
    println!("{mistake:?}: the oracle saw {by_oracle} of {total} too");
}

#[test]
fn without_a_mistake_nobody_notices_any() {
    for_seeds(seed_count(10, 300), |seed| {
        let noticed = make(seed, Mistake::Nothing);
        assert!(noticed.by_client.is_none() && noticed.by_oracle.is_none(), "{noticed:?}");
    });
}

#[test]
fn a_step_of_history_that_is_skipped() {
    is_noticed(Mistake::Lost);
}

#[test]
fn another_phase_than_the_servers() {
    is_noticed(Mistake::Periods([1, 3, 12]));
    is_noticed(Mistake::Periods([1, 2, 6]));
}

#[test]
fn another_roster_than_the_servers() {
    is_noticed(Mistake::Foreign);
    is_noticed(Mistake::Again);
}

#[test]
fn a_hidden_field_that_shows() {
    for leak in [Leak::Value, Leak::Moment] {
        let noticed = Mutex::new(Vec::new());
        for_seeds(seed_count(60, 1_000), |seed| {
            let (one, other) = (messages(seed, 0, leak), messages(seed, 17, leak));
            let differs = one.onlooker.iter().zip(&other.onlooker).find(|(one, other)| one != other);
            let Some(((tick, _), _)) = differs else { panic!("{leak:?} was not noticed") };
            noticed.lock().expect("no panic with it").push(*tick);
        });
        let mut noticed = noticed.into_inner().expect("no panic with it");
        noticed.sort_unstable();
        let (half, most) = (noticed[noticed.len() / 2], noticed[noticed.len() - 1]);
        println!("{leak:?}: twins differ after {half} ticks (p50), {most} at most");
        assert!(most <= NOTICED_TICKS);
    }
}
