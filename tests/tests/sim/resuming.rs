//! Connections are cut at any moment, and sessions go on: same entity, same roster, nothing lost but what was on its way.

use std::collections::BTreeMap;
use std::sync::Mutex;

use tickwire_server::arena::{ArenaConfig, ArenaGame};
use tickwire_server::host::{Event, Output, Room, RoomConfig};
use tickwire_shared::arena::{Arena, ArenaEntity, ArenaInput, flags};
use tickwire_shared::client::{Happening, Identity, State};
use tickwire_shared::wire::cadence::Cadences;
use tickwire_shared::wire::message::{ClientMessage, Hello, Resume, ResumeToken, Welcome, decode_server};
use tickwire_shared::{ClientId, CloseCode, Micros, Tick};
use tickwire_tests::chaos::{Chaos, ChaosGame};
use tickwire_tests::link::{Profile, Stall};
use tickwire_tests::seeds::{Dice, for_seeds, seed_count};
use tickwire_tests::sim::{Sim, hello};

const FAR: Profile = Profile {
    delay_micros: 260_000,
    jitter_micros: 30_000,
    rate_bits: None,
    stall: Some(Stall { length_micros: 900_000, period_micros: 3_000_000 }),
};
const NARROW: Profile =
    Profile { delay_micros: 20_000, jitter_micros: 0, rate_bits: Some(48_000), stall: None };

fn chaos(seed: u64, grace_micros: u64) -> Sim<ChaosGame> {
    let mut game = ChaosGame::new(seed, 45, [0.0, 30.0, 60.0][(seed % 3) as usize]);
    game.veil = u32::from(seed.is_multiple_of(2));
    game.detail = [0.0, 15.0, 40.0][(seed / 3 % 3) as usize];
    let periods = [[1, 3, 6], [1, 3, 6], [2, 4, 12], [1, 1, 2]][(seed % 4) as usize];
    let cadences = Cadences::try_from(periods).expect("sensible periods");
    let config = RoomConfig { seed, cadences, grace_micros, ..RoomConfig::default() };
    Sim::with_room(Room::new(game, config).expect("a schema"), 30, seed)
}

/// What happened over all seeds.
#[derive(Default)]
struct Done {
    cuts: u64,
    lost: BTreeMap<u32, u64>,
    anew: u64,
    resumes: u64,
    fresh: u64,
    compared: u64,
    checksums: u64,
}

#[test]
fn sessions_go_on_wherever_they_are_cut() {
    let done = Mutex::new(Done::default());
    let count = seed_count(60, 3_000);
    for_seeds(count, |seed| {
        let mut dice = Dice::new(seed ^ 0xC07);
        let mut sim = chaos(seed, 15_000_000);
        for (profile, budget) in [(Profile::default(), 0), (FAR, 0), (FAR, 3000), (NARROW, 1500)] {
            sim.join_with(Identity { budget_bytes_per_s: budget, ..Identity::default() }, profile);
        }
        // A stall right at the beginning is over by then, and everybody has spoken: only who has is held.
        sim.run(75);
        let mut away: BTreeMap<ClientId, u32> = BTreeMap::new();
        let mut cuts = Vec::new();
        for _ in 0..450 {
            let ids: Vec<_> = sim.clients.keys().copied().filter(|id| !away.contains_key(id)).collect();
            match dice.below(20) {
                0 if !ids.is_empty() => {
                    let id = ids[dice.below(ids.len() as u32) as usize];
                    cuts.push(frames_on_the_way(&mut sim, id));
                    if dice.one_in(3) {
                        sim.cut(id)
                    } else {
                        sim.lose(id)
                    };
                    // Mostly at once, sometimes after more than the ring of past states holds.
                    let pause = if dice.one_in(3) { dice.below(90) } else { dice.below(6) };
                    away.insert(id, pause);
                }
                1..8 if !ids.is_empty() => {
                    let (id, now) = (ids[dice.below(ids.len() as u32) as usize], sim.now);
                    sim.client(id).session.set_input(dice.word() as u8, now);
                }
                _ => {}
            }
            for (id, pause) in std::mem::take(&mut away) {
                if pause > 0 {
                    away.insert(id, pause - 1);
                } else {
                    sim.come_back(id);
                }
            }
            sim.step();
        }
        away.into_keys().for_each(|id| {
            sim.come_back(id);
        });
        let now = sim.now;
        for client in sim.clients.values_mut() {
            client.down.set_profile(Profile::default(), now);
            client.up.set_profile(Profile::default(), now);
        }
        sim.run(200);
        assert_eq!(sim.clients.len(), 4, "nobody became another");
        sim.assert_in_step();
        assert!(sim.replaced.is_empty());
        let mut done = done.lock().expect("no other test panicked with it");
        for (id, client) in &sim.clients {
            let now = sim.now;
            assert_eq!((client.closed.as_ref(), client.session.state(now)), (None, State::Live), "{id:?}");
            let behind = sim.room.status().tick.since(client.session.replica().expect("welcomed").tick());
            assert!(behind <= 20, "{id:?} is {behind} ticks behind on a free link");
            done.fresh += u64::from(welcomes(&client.happenings) > 1);
            done.checksums += client.session.stats().checksums;
        }
        done.cuts += cuts.len() as u64;
        cuts.into_iter().for_each(|lost| *done.lost.entry(lost).or_default() += 1);
        done.anew += sim.room.counters().resumes_anew;
        done.resumes += sim.room.counters().resumes;
        done.compared += sim.oracle.compared;
    });
    let done = done.into_inner().expect("no panic");
    eprintln!(
        "{count} seeds: {} cuts, {} resumes of which {} anew, {} slots and {} checksums compared; frames lost: {:?}",
        done.cuts, done.resumes, done.anew, done.compared, done.checksums, done.lost
    );
    assert_eq!(done.fresh, 0, "the grace time was never over");
    if std::env::var("TICKWIRE_SEED").is_err() {
        assert!(done.resumes > 4 * count);
        assert!((0..=12).all(|lost| done.lost.contains_key(&lost)), "{:?}", done.lost);
        assert!(done.lost.keys().any(|lost| *lost >= 14), "hardly a full window was lost: {:?}", done.lost);
        assert!(done.anew * 20 < done.resumes, "{} of {} were told everything anew", done.anew, done.resumes);
    }
}

fn welcomes(happenings: &[Happening<Chaos>]) -> usize {
    happenings.iter().filter(|happening| matches!(happening, Happening::Welcomed)).count()
}

/// Frames that the room handed out and the client has not applied.
fn frames_on_the_way(sim: &mut Sim<ChaosGame>, id: ClientId) -> u32 {
    sim.client(id).down.in_flight_messages() as u32
}

fn arena(grace_micros: u64) -> Sim<ArenaGame> {
    let game =
        ArenaGame::new(ArenaConfig { bots: 3, drones: 60, seed: 5, size_m: 60, ..ArenaConfig::default() });
    let config = RoomConfig { seed: 5, grace_micros, capacity: 3, ..RoomConfig::default() };
    Sim::with_room(Room::new(game, config).expect("a schema"), 30, 5)
}

/// Whether `watcher` sees an avatar of this name, and whether that is away.
fn sees_away(sim: &mut Sim<ArenaGame>, watcher: ClientId, name: &str) -> Option<bool> {
    sim.client(watcher).session.entities().find_map(|(slot, entity)| match entity {
        ArenaEntity::Player(player) if slot.spawn.name == name => Some(player.flags & flags::AWAY != 0),
        _ => None,
    })
}

#[test]
fn the_same_avatar_score_and_inputs_after_a_cut() {
    let mut sim = arena(15_000_000);
    let (ann, ben) = (sim.join("ann", Profile::default()), sim.join("ben", Profile::default()));
    for step in 0..600_u16 {
        let now = sim.now;
        let angle = f32::from(step) * 0.05;
        let input = ArenaInput::new(glam::Vec2::from_angle(angle), 3.0 * angle, true);
        sim.client(ann).session.set_input(input, now);
        sim.step();
    }
    let before = sim.client(ann).session.private().expect("frames");
    let (avatar, frames) = (sim.client(ann).session.avatar(), sim.client(ann).frames);
    assert!(avatar.is_some() && before.score != 0, "{before:?}: nothing to lose");
    assert_eq!(sees_away(&mut sim, ben, "ann"), Some(false));
    sim.lose(ann);
    sim.run(60);
    assert_eq!((sim.room.status().clients, sim.room.status().away_clients), (1, 1));
    assert_eq!(sees_away(&mut sim, ben, "ann"), Some(true), "its avatar stays, and is away");
    assert!(sim.come_back(ann));
    let now = sim.now;
    assert_eq!(sim.client(ann).session.state(now), State::Resuming);
    sim.run(3);
    let client = sim.client(ann);
    assert_eq!(
        (client.session.avatar(), client.frames),
        (avatar, frames + 2),
        "one frame for the gap, and one more"
    );
    assert_eq!(client.session.private().expect("frames").score, before.score);
    let seen = client.session.stats().frames;
    assert!(client.happenings.iter().any(|happening| matches!(happening, Happening::Resumed)));
    assert_eq!(sees_away(&mut sim, ben, "ann"), Some(false));
    // The input that was held goes on although it never changed, and its count goes on too.
    sim.run(30);
    let moved = sim.client(ann).session.private().expect("frames").position;
    assert_ne!(moved, before.position);
    assert!(sim.client(ann).session.stats().frames > seen + 20);
    assert_eq!(sim.room.counters().resumes_anew, 0);
    sim.assert_in_step();
}

#[test]
fn coming_back_takes_a_fraction_of_a_join() {
    let game = ArenaGame::new(ArenaConfig { bots: 40, drones: 160, seed: 5, ..ArenaConfig::default() });
    let mut sim = Sim::new(game, 30, 5);
    let received = |sim: &mut Sim<ArenaGame>, id| sim.client(id).session.stats().received_bytes;
    let far = Profile { delay_micros: 100_000, ..Profile::default() };
    let id = sim.join("ann", far);
    sim.run(40);
    let joining = received(&mut sim, id);
    sim.run(300);
    let lost = sim.client(id).down.in_flight_messages();
    sim.lose(id);
    sim.run(10);
    sim.come_back(id);
    let (before, frames) = (received(&mut sim, id), sim.client(id).frames);
    while sim.client(id).frames == frames {
        sim.step();
    }
    let resuming = received(&mut sim, id) - before;
    eprintln!("joining took {joining} bytes, coming back after {lost} lost frames {resuming}");
    assert!(
        lost >= 3 && resuming * 4 < joining,
        "{resuming} bytes against {joining} after {lost} lost frames"
    );
    sim.run(90);
    assert_eq!(sim.room.counters().resumes_anew, 0);
    sim.assert_in_step();
}

#[test]
fn who_is_away_takes_no_part() {
    let mut sim = arena(15_000_000);
    let (ann, ben) = (sim.join("ann", Profile::default()), sim.join("ben", Profile::default()));
    let now = sim.now;
    sim.client(ann).session.set_input(ArenaInput::new(glam::Vec2::X, 0.0, true), now);
    sim.run(30);
    sim.lose(ann);
    // Its last input is held for a second.
    sim.run(40);
    let place = |sim: &mut Sim<ArenaGame>| {
        sim.client(ben).session.entities().find_map(|(slot, entity)| match entity {
            ArenaEntity::Player(player) if slot.spawn.name == "ann" => Some(player.position),
            _ => None,
        })
    };
    let stopped = place(&mut sim);
    sim.run(100);
    assert!(stopped.is_some());
    assert_eq!(place(&mut sim), stopped);
}

#[test]
fn after_the_grace_time_a_session_begins_anew() {
    let mut sim = arena(2_000_000);
    let (ann, ben) = (sim.join("ann", Profile::default()), sim.join("ben", Profile::default()));
    sim.run(60);
    let avatar = sim.client(ann).session.avatar();
    sim.lose(ann);
    sim.run(59);
    assert_eq!(sees_away(&mut sim, ben, "ann"), Some(true));
    sim.run(4);
    assert_eq!(sees_away(&mut sim, ben, "ann"), None, "its avatar is gone");
    assert_eq!(sim.room.counters().grace_over, 1);
    assert!(sim.come_back(ann), "the client cannot know");
    sim.run(30);
    assert!(!sim.clients.contains_key(&ann), "it is another session");
    let again = *sim.clients.keys().max().expect("two clients");
    let client = sim.client(again);
    assert!(client.session.avatar().is_some() && client.session.avatar() != avatar);
    let welcomes = client.happenings.iter().filter(|it| matches!(it, Happening::Welcomed)).count();
    assert_eq!(welcomes, 2);
    assert_eq!(sees_away(&mut sim, ben, "ann"), Some(false));
    sim.assert_in_step();
}

#[test]
fn a_goodbye_is_one_and_no_grace_is_none() {
    let mut sim = arena(15_000_000);
    let (ann, ben) = (sim.join("ann", Profile::default()), sim.join("ben", Profile::default()));
    sim.run(30);
    let client = sim.clients.remove(&ann).expect("joined");
    sim.room.handle(Event::Leave { client: ann }, sim.now);
    sim.clients.insert(ann, client);
    sim.run(2);
    assert_eq!((sees_away(&mut sim, ben, "ann"), sim.room.status().away_clients), (None, 0));
    let mut none = arena(0);
    let ann = none.join("ann", Profile::default());
    none.run(30);
    none.lose(ann);
    assert_eq!((none.room.status().away_clients, none.room.status().clients), (0, 0));
}

#[test]
fn a_silent_client_may_come_back_too() {
    let mut sim = arena(15_000_000);
    let ann = sim.join("ann", Profile::default());
    sim.run(60);
    sim.cut(ann);
    sim.run(30 * 11);
    assert_eq!(sim.client(ann).closed.as_ref().map(|close| close.code), Some(CloseCode::Deadline));
    assert_eq!(sim.room.status().away_clients, 1);
    sim.come_back(ann);
    sim.run(30);
    assert_eq!((sim.room.counters().resumes, sim.room.status().clients), (1, 1));
    assert!(sim.clients.contains_key(&ann));
    sim.assert_in_step();
}

#[test]
fn newcomers_go_before_those_who_are_away() {
    let mut sim = arena(15_000_000);
    let ids = ["ann", "ben", "cid"].map(|name| sim.join(name, Profile::default()));
    sim.run(30);
    let full = sim.join("dan", Profile::default());
    sim.run(5);
    assert_eq!(sim.client(full).closed.as_ref().map(|close| close.code), Some(CloseCode::Full));
    sim.lose(ids[1]);
    sim.run(5);
    sim.lose(ids[2]);
    sim.join("eve", Profile::default());
    sim.run(10);
    assert_eq!((sim.room.status().clients, sim.room.status().away_clients), (2, 1));
    assert!(sim.come_back(ids[2]));
    sim.run(10);
    assert!(sim.clients.contains_key(&ids[2]), "who was away for longer had to go");
}

/// A room and connections to it, spoken to message by message.
struct Desk {
    room: Room<ArenaGame>,
    connections: u32,
    now: Micros,
}

/// How a Hello was answered.
#[derive(Debug)]
struct Answer {
    welcome: Option<Box<Welcome>>,
    /// Who was closed, and how, on the way.
    closed: Vec<(ClientId, CloseCode, String)>,
}

impl Desk {
    fn new() -> Self {
        Self { room: arena(15_000_000).room, connections: 0, now: Micros(1_000_000) }
    }

    fn greet(&mut self, resume: Option<Resume>) -> Answer {
        self.connections += 1;
        let hello = Hello { resume, ..hello::<Arena>("one") };
        let mut token = [self.connections as u8; 16];
        token[0] = 77;
        let event = Event::Join {
            client: ClientId(self.connections),
            hello,
            resume: ResumeToken(token),
            subject: None,
        };
        self.room.handle(event, self.now);
        self.tick()
    }

    fn resume(&mut self, token: ResumeToken) -> Answer {
        self.greet(Some(Resume { token, applied: Tick(0) }))
    }

    fn say(&mut self, client: ClientId) {
        let (tick, input) = (self.room.status().tick, ArenaInput::default());
        let message = ClientMessage::Input { seq: 1, tick, ack: None, input };
        self.room.handle(Event::Message { client, message }, self.now);
    }

    fn tick(&mut self) -> Answer {
        self.now = self.now.plus(33_333);
        self.room.tick(self.now);
        let mut answer = Answer { welcome: None, closed: Vec::new() };
        while let Some(output) = self.room.poll_output() {
            match output {
                Output::Send { bytes, .. } => {
                    if let Ok(tickwire_shared::wire::message::ServerMessage::Welcome(welcome)) =
                        decode_server(bytes)
                    {
                        answer.welcome = Some(welcome);
                    }
                }
                Output::Close { client, close } => answer.closed.push((client, close.code, close.reason)),
                Output::Resumed { .. } => {}
            }
        }
        answer
    }
}

impl Answer {
    fn resumed(self) -> ResumeToken {
        let welcome = self.welcome.expect("a Welcome");
        assert!(welcome.resumed, "{welcome:?}");
        welcome.resume
    }
}

#[test]
fn tokens_of_each_generation() {
    let mut desk = Desk::new();
    let first = desk.greet(None).welcome.expect("a Welcome");
    let (session, first) = (first.client, first.resume);
    desk.say(session);
    // The newest token takes a session that is still connected.
    let answer = desk.resume(first);
    assert_eq!(answer.closed[0].0, session);
    assert_eq!(answer.closed[0].1, CloseCode::Replaced);
    let second = answer.resumed();
    assert_eq!(second.0[..8], first.0[..8], "it names the same session");
    assert_ne!(second.0[8..], first.0[8..]);
    // Its Welcome may have been lost: the one before is good until something was said under the new one.
    let third = desk.resume(first).resumed();
    desk.say(session);
    for old in [first, second] {
        let answer = desk.resume(old);
        assert!(answer.welcome.is_none());
        let [(_, code, reason)] = answer.closed.as_slice() else { panic!("{answer:?}") };
        assert_eq!(*code, CloseCode::NotAllowed);
        assert!(reason.contains("resume token"), "{reason}");
    }
    assert_eq!(desk.room.status().clients, 1, "the session was not disturbed");
    let fourth = desk.resume(third).resumed();
    desk.say(session);
    assert_eq!(desk.resume(third).closed[0].1, CloseCode::NotAllowed);
    desk.room.handle(Event::Leave { client: session }, desk.now);
    let fresh = desk.resume(fourth).welcome.expect("a Welcome");
    assert!(!fresh.resumed && fresh.client != session, "nobody's token any more");
}

#[test]
fn forged_tokens_get_nothing() {
    let mut desk = Desk::new();
    let welcome = desk.greet(None).welcome.expect("a Welcome");
    desk.say(welcome.client);
    for byte in 0..16 {
        let mut forged = welcome.resume;
        forged.0[byte] ^= 1;
        let answer = desk.resume(forged);
        match answer.welcome {
            // The half that names the session: a name of nobody's.
            Some(welcome) => {
                assert!(byte < 8 && !welcome.resumed);
                desk.room.handle(Event::Leave { client: welcome.client }, desk.now);
            }
            None => assert!(byte >= 8 && answer.closed[0].1 == CloseCode::NotAllowed, "{byte}: {answer:?}"),
        }
    }
    desk.resume(welcome.resume).resumed();
}

#[test]
fn a_session_whose_client_never_spoke_is_not_held() {
    let mut desk = Desk::new();
    let welcome = desk.greet(None).welcome.expect("a Welcome");
    desk.room.handle(Event::Lost { client: welcome.client }, desk.now);
    assert_eq!((desk.room.status().clients, desk.room.status().away_clients), (0, 0));
}

#[test]
fn a_lie_about_what_was_applied_hurts_the_liar_only() {
    for_seeds(seed_count(20, 400), |seed| {
        let mut dice = Dice::new(seed);
        let mut sim = chaos(seed, 15_000_000);
        let (honest, liar) = (sim.join("honest", FAR), sim.join("liar", FAR));
        sim.run(60);
        let token = sim.client(liar).session.welcome().expect("welcomed").resume;
        sim.clients.remove(&liar);
        let newest = sim.room.packed(liar).expect("a session").stream().expect("frames");
        let mut token = token;
        for number in 0..40_u32 {
            let applied = match dice.below(4) {
                0 => Tick(dice.word()),
                _ => Tick(newest as u32).plus(number).minus(dice.below(30)),
            };
            let hello = Hello { resume: Some(Resume { token, applied }), ..hello::<Chaos>("liar") };
            let (client, resume) = (ClientId(1000 + number), ResumeToken([number as u8; 16]));
            sim.room.handle(Event::Join { client, hello, resume, subject: None }, sim.now);
            token.0[8..].fill(number as u8);
            let message = ClientMessage::Input { seq: 1, tick: Tick(9), ack: None, input: 0 };
            sim.room.handle(Event::Message { client: liar, message }, sim.now);
            sim.run(dice.below(8));
        }
        assert_eq!(sim.room.counters().resumes, 40);
        assert_eq!(sim.room.status().clients, 2);
        assert!(sim.client(honest).closed.is_none());
        sim.run(60);
        // Whatever the server believes, it tells everything anew to who asks.
        sim.room.handle(
            Event::Message { client: liar, message: ClientMessage::Resync { tick: Tick(0) } },
            sim.now,
        );
        sim.run(30);
        sim.assert_in_step_but_for_resyncs(1);
    });
}
