//! Whole frames of rooms, at every cadence, with small budgets and pauses: the plain client of the harness reads each of
//! them, writes the same bits again, and holds what the real one holds.

use std::collections::BTreeMap;

use tickwire_server::host::{Event, Output, Room, RoomConfig};
use tickwire_shared::arena::Arena;
use tickwire_shared::client::{Identity, Replica, Session};
use tickwire_shared::wire::cadence::Cadences;
use tickwire_shared::wire::codec;
use tickwire_shared::wire::message::{ClientMessage, NewTables, ResumeToken, TAG_FRAME, TAG_TABLES};
use tickwire_shared::wire::tables::Tables;
use tickwire_shared::{ClientId, Micros, Protocol};
use tickwire_tests::chaos::{Chaos, ChaosGame};
use tickwire_tests::reference::{self, Brought, Codes, Frame, Gap, Slot, Told};
use tickwire_tests::seeds::{Dice, for_seeds, seed_count};

use super::reference::{plain_state, plain_window};

const PERIODS: [[u8; 3]; 3] = [[1, 3, 6], [2, 4, 12], [1, 1, 2]];

/// How often each thing was compared.
#[derive(Debug, Default)]
struct Compared(BTreeMap<String, u64>);

impl Compared {
    fn add(&mut self, what: impl Into<String>, times: usize) {
        *self.0.entry(what.into()).or_default() += times as u64;
    }

    fn brought(&mut self, by: &str, brought: &Brought) {
        match brought {
            Brought::Record(_) => self.add(format!("{by}: full record"), 1),
            Brought::Gap(gap, _) => {
                self.add(format!("{by}: gap of {}", gap.states), 1);
                let seamless = if gap.is_seamless() { "seamless" } else { "extrapolated" };
                self.add(format!("{by}: {seamless} gap"), 1);
                self.add("gap into the past", usize::from(gap.ahead < 0));
                self.add("gap between tiers of one period", usize::from(is_sideways(by, gap)));
            }
        }
    }

    /// A frame, for a client that held `before`.
    fn frame(&mut self, before: &[Slot], frame: &Frame) {
        self.add("frame", 1);
        self.add("input ack", usize::from(frame.ack.is_some()));
        self.add("avatar", usize::from(frame.avatar.is_some()));
        self.add("private", usize::from(frame.private.is_some()));
        self.add("checksum", usize::from(frame.checksum.is_some()));
        self.add("event", frame.events.as_ref().map_or(0, Vec::len));
        match &frame.slots {
            Told::Nothing => self.add("no slots", 1),
            Told::Reset => self.add("reset", 1),
            Told::Stream(nexts) => {
                self.add("stream: update", nexts.iter().flatten().count());
                self.add("stream: still", nexts.iter().filter(|next| next.is_none()).count());
            }
            Told::Resync(told) => {
                self.add("resync: as it was", told.iter().filter(|told| told.is_none()).count());
                told.iter().flatten().for_each(|brought| self.brought("resync", brought));
            }
        }
        let Some(edits) = &frame.edits else { return };
        let mut slots: Vec<_> = before.iter().collect();
        for index in &edits.leaves {
            slots.swap_remove(*index);
        }
        self.add("leave", edits.leaves.len());
        for moved in &edits.moves {
            let was_parked = slots[moved.index].parked.is_some();
            match &moved.to {
                None => self.add("move: park", 1),
                Some((tier, brought)) => {
                    let by = if was_parked { "unpark" } else { "move" };
                    self.add(format!("{by}: to tier {tier}"), 1);
                    self.brought(by, brought);
                }
            }
        }
        edits.enters.iter().for_each(|enter| self.add(format!("enter: tier {}", enter.tier), 1));
    }
}

fn is_sideways(by: &str, gap: &Gap) -> bool {
    by == "move" && gap.from == gap.to
}

/// A client, and the same in plain.
struct Pair {
    id: ClientId,
    session: Session<Chaos>,
    plain: Option<reference::Client>,
    /// The tick until which its socket is full.
    full_until: u64,
}

impl Pair {
    fn join(room: &mut Room<ChaosGame>, id: u32, budget_bytes_per_s: u32) -> Self {
        let identity = Identity { budget_bytes_per_s, ..Identity::default() };
        let mut session = Session::<Chaos>::new(identity).expect("a schema");
        let hello = session.poll_transmit(Micros(0)).expect("Hello comes first");
        let Ok(ClientMessage::<u8, u32>::Hello(hello)) = codec::decode(&hello) else { panic!("no Hello") };
        let id = ClientId(id);
        room.handle(
            Event::Join { client: id, hello, resume: ResumeToken([0; 16]), subject: None },
            Micros(0),
        );
        Self { id, session, plain: None, full_until: 0 }
    }

    fn take(&mut self, bytes: &[u8], periods: [u8; 3], now: Micros, compared: &mut Compared) {
        self.session.handle_message(bytes, now).expect("own message");
        let Some(plain) = &mut self.plain else {
            let welcome = self.session.welcome().expect("Welcome comes first");
            let codes = Codes::new(&Chaos::tables().to_bytes());
            let cadences = reference::Cadences(periods.map(i64::from));
            let (tick, avatar) = (i64::from(welcome.tick.0), welcome.avatar.map(|id| i64::from(id.0)));
            self.plain = Some(reference::Client::new(Chaos::schema(), codes, cadences, tick, avatar));
            return;
        };
        if bytes[0] == TAG_TABLES {
            let tables: NewTables = codec::decode(&bytes[1..]).expect("other tables");
            plain.announced(i64::from(tables.from.0), Codes::new(&tables.file));
            compared.add("other tables", 1);
            return;
        }
        assert_eq!(bytes[0], TAG_FRAME);
        let before = plain.slots.clone();
        let at = plain.tick;
        let frame = plain.take(bytes).unwrap_or_else(|error| {
            panic!("{error:?}: a frame for {:?} after {at}, flags {}", self.id, bytes[1])
        });
        compared.frame(&before, &frame);
        compare(plain, self.session.replica().expect("welcomed"));
    }
}

fn compare(plain: &reference::Client, replica: &Replica<u16>) {
    assert_eq!(plain.tick, i64::from(replica.tick().0));
    assert_eq!(plain.avatar, replica.avatar().map(|id| i64::from(id.0)));
    assert_eq!(plain.slots.len(), replica.slots().len());
    for (index, (fast, plain)) in replica.slots().iter().zip(&plain.slots).enumerate() {
        assert_eq!((i64::from(fast.id.0), fast.view), (plain.id, plain.view));
        assert_eq!((fast.tier.index(), fast.parked.map(|at| i64::from(at.0))), (plain.tier, plain.parked));
        assert_eq!(plain_window(replica.window(index), plain.seen.columns), plain.window, "{plain:?}");
    }
    assert_eq!(plain_state(replica.private()), plain.private[0]);
}

/// A room with three clients, one of them with much less bandwidth than it could use.
fn play(seed: u64, compared: &mut Compared) {
    let mut dice = Dice::new(seed);
    let periods = PERIODS[(seed % 3) as usize];
    let cadences = Cadences::try_from(periods).expect("sensible periods");
    let config = RoomConfig { seed, cadences, ..RoomConfig::default() };
    let mut game = ChaosGame::new(seed, 40, [0.0, 60.0][(seed / 3 % 2) as usize]);
    game.detail = 15.0;
    let mut room = Room::new(game, config).expect("a schema");
    let mut pairs = [(1, 0), (2, 1500), (3, 5000)].map(|(id, budget)| Pair::join(&mut room, id, budget));
    for tick in 1..500_u64 {
        let now = Micros(tick * 33_333);
        for pair in &mut pairs {
            if tick > pair.full_until + 10 && dice.one_in(40) {
                // Short ones are gaps of a few states, and what is beyond the ring is told in full.
                let longest = [3, 12, 40, 90][dice.below(4) as usize];
                pair.full_until = tick + 1 + u64::from(dice.below(longest));
            }
            let writable = tick >= pair.full_until;
            room.handle(Event::Writable { client: pair.id, writable }, now);
            if dice.one_in(5) {
                pair.session.set_input(dice.word() as u8, now);
            }
            if dice.one_in(400) {
                let message = ClientMessage::Resync { tick: room.status().tick };
                room.handle(Event::Message { client: pair.id, message }, now);
            }
        }
        if tick == 200 {
            room.switch_tables(if seed.is_multiple_of(2) { Arena::tables() } else { Tables::generic() });
        }
        room.tick(now);
        while let Some(output) = room.poll_output() {
            let Output::Send { client, bytes } = output else { panic!("{output:?}") };
            let pair = pairs.iter_mut().find(|pair| pair.id == client).expect("one of them");
            pair.take(bytes, periods, now, compared);
        }
        for pair in &mut pairs {
            while let Some(bytes) = pair.session.poll_transmit(now) {
                let message = codec::decode::<ClientMessage<u8, u32>>(&bytes).expect("own message");
                room.handle(Event::Message { client: pair.id, message }, now);
            }
        }
    }
}

/// What must have happened so often, with the default number of seeds.
const EXPECTED: [(&str, u64); 34] = [
    ("other tables", 20),
    ("stream: update", 20_000),
    ("stream: still", 2_000),
    ("input ack", 500),
    ("avatar", 2),
    ("private", 500),
    ("event", 200),
    ("checksum", 50),
    ("reset", 20),
    ("leave", 500),
    ("enter: tier 0", 50),
    ("enter: tier 1", 50),
    ("enter: tier 2", 50),
    ("move: to tier 0", 50),
    ("move: to tier 1", 50),
    ("move: to tier 2", 50),
    ("move: park", 50),
    ("move: extrapolated gap", 50),
    ("move: full record", 5),
    ("unpark: to tier 2", 50),
    ("unpark: gap of 1", 5),
    ("unpark: full record", 5),
    ("unpark: seamless gap", 50),
    ("unpark: extrapolated gap", 50),
    ("gap into the past", 20),
    ("gap between tiers of one period", 20),
    ("resync: as it was", 50),
    ("resync: gap of 1", 50),
    ("resync: gap of 2", 50),
    ("resync: gap of 3", 50),
    ("resync: gap of 4", 50),
    ("resync: seamless gap", 50),
    ("resync: extrapolated gap", 50),
    ("resync: full record", 50),
];

#[test]
fn whole_frames_of_rooms() {
    let compared = std::sync::Mutex::new(Compared::default());
    for_seeds(seed_count(9, 600), |seed| {
        let mut here = Compared::default();
        play(seed, &mut here);
        let mut compared = compared.lock().expect("no panic with it");
        here.0.into_iter().for_each(|(what, times)| compared.add(what, times as usize));
    });
    let compared = compared.into_inner().expect("no panic with it");
    println!("{compared:#?}");
    if std::env::var_os("TICKWIRE_SEED").is_some() {
        return;
    }
    for (what, least) in EXPECTED {
        let times = compared.0.get(what).copied().unwrap_or(0);
        assert!(times >= least, "`{what}` was compared {times} times only");
    }
}
