//! The flight recorder: what was recorded runs again to the last bit, and what does not is named.

use std::hash::{DefaultHasher, Hash, Hasher};

use tickwire_server::arena::{ArenaConfig, ArenaGame};
use tickwire_server::host::recording::{Difference, Outcome, RecordingError, replay, with_other_inputs};
use tickwire_server::host::{Event, Room, RoomConfig};
use tickwire_server::simulation::{Game, World};
use tickwire_shared::arena::{Arena, ArenaInput, Command};
use tickwire_shared::wire::message::{AccessToken, Hello, Resume, ResumeToken};
use tickwire_shared::{ClientId, Micros, Tick};
use tickwire_tests::chaos::{Chaos, ChaosGame, LOOKS_BACK};
use tickwire_tests::link::Profile;
use tickwire_tests::oracle::Oracle;
use tickwire_tests::seeds::{Dice, for_seeds, seed_count};
use tickwire_tests::sim::{Sim, hello};

/// Everything there is to know of a world, the naive way: as text.
fn whole<G: Game>(world: &World<G::Protocol>) -> u64 {
    let mut hasher = DefaultHasher::new();
    world.iter().for_each(|entity| format!("{entity:?}").hash(&mut hasher));
    hasher.finish()
}

fn begin<G: Game>(sim: &mut Sim<G>) {
    sim.recording.clear();
    sim.room.write_recording_header(&mut sim.recording);
    sim.room.begin_recording(0, &mut sim.recording);
}

/// Players come, go, are cut off and come back.
fn churn<G: Game>(sim: &mut Sim<G>, dice: &mut Dice) {
    let ids: Vec<_> = sim.clients.keys().copied().collect();
    let one = (!ids.is_empty()).then(|| ids[dice.below(ids.len() as u32) as usize]);
    match (dice.below(40), one) {
        (0 | 1, _) if ids.len() < 8 => {
            let delay_micros = u64::from(dice.below(80)) * 1000;
            sim.join(&format!("player {}", dice.below(100)), Profile { delay_micros, ..Profile::default() });
        }
        (2, Some(id)) => sim.leave(id),
        (3 | 4, Some(id)) => {
            sim.lose(id);
            sim.come_back(id);
        }
        _ => {}
    }
}

/// Plays so many ticks and says what the world was after each.
fn play<G: Game>(
    sim: &mut Sim<G>,
    ticks: u32,
    dice: &mut Dice,
    act: impl Fn(&mut Sim<G>, ClientId, &mut Dice),
) -> Vec<u64> {
    let mut worlds = Vec::new();
    for _ in 0..ticks {
        churn(sim, dice);
        for id in sim.clients.keys().copied().collect::<Vec<_>>() {
            if dice.one_in(3) {
                act(sim, id, dice);
            }
        }
        sim.step();
        worlds.push(whole::<G>(sim.room.world()));
    }
    worlds
}

fn act_in_arena(sim: &mut Sim<ArenaGame>, id: ClientId, dice: &mut Dice) {
    let now = sim.now;
    let session = &mut sim.client(id).session;
    let axis = |dice: &mut Dice| (dice.below(255) as i32 - 127) as i8;
    let walk = [axis(dice), axis(dice)];
    session.set_input(ArenaInput { walk, aim: dice.word() as u16, fire: dice.one_in(2) }, now);
    if dice.one_in(30) {
        let _ = session.send_command(Command::Chat(format!("word {}", dice.word())));
    }
}

fn act_in_chaos(sim: &mut Sim<ChaosGame>, id: ClientId, dice: &mut Dice) {
    let now = sim.now;
    let session = &mut sim.client(id).session;
    session.set_input(dice.below(16) as u8 | if dice.one_in(4) { LOOKS_BACK } else { 0 }, now);
    if dice.one_in(10) {
        let _ = session.send_command(dice.word());
    }
}

/// The recording, and that it runs again as the world was.
fn run_again<G: Game>(file: &[u8], worlds: &[u64]) -> Outcome {
    let mut again = Vec::new();
    let outcome = replay::<G>(file, None, |_, world| again.push(whole::<G>(world))).expect("a recording");
    assert_eq!(outcome.divergence, None);
    assert_eq!(again, worlds);
    assert_eq!(outcome.ticks, worlds.len() as u64);
    outcome
}

#[test]
fn arenas_run_again_to_the_last_bit() {
    for_seeds(seed_count(20, 200), |seed| {
        let mut dice = Dice::new(seed);
        let config = ArenaConfig { size_m: 50, seed, bots: 3, drones: 10, ..ArenaConfig::default() };
        let mut sim = Sim::new(ArenaGame::new(config), 30, seed);
        begin(&mut sim);
        let first = play(&mut sim, 250, &mut dice, act_in_arena);
        run_again::<ArenaGame>(&sim.recording, &first);
        let (shots, resumes) = (sim.room.counters().rewinds, sim.room.counters().resumes);
        // A file that begins in the middle stands alone.
        begin(&mut sim);
        let second = play(&mut sim, 150, &mut dice, act_in_arena);
        run_again::<ArenaGame>(&sim.recording, &second);
        assert!(shots.within > 0 && resumes > 0, "{shots:?}, {resumes} resumes: nothing was tried");
    });
}

#[test]
fn rests_do_not_show_in_a_recording() {
    for_seeds(seed_count(10, 100), |seed| {
        let mut dice = Dice::new(seed);
        let config = ArenaConfig { size_m: 50, seed, bots: 3, drones: 10, ..ArenaConfig::default() };
        let mut sim = Sim::new(ArenaGame::new(config), 30, seed);
        begin(&mut sim);
        let mut worlds = Vec::new();
        for _ in 0..3 {
            worlds.extend(play(&mut sim, 90, &mut dice, act_in_arena));
            let now = sim.now;
            sim.clients.keys().for_each(|client| sim.room.handle(Event::Leave { client: *client }, now));
            sim.clients.clear();
            while sim.room.poll_output().is_some() {}
            sim.room.rest();
            sim.oracle = Oracle::default();
            sim.now = sim.now.plus(60_000_000);
        }
        run_again::<ArenaGame>(&sim.recording, &worlds);
    });
}

#[test]
fn chaos_runs_again_to_the_last_bit() {
    for_seeds(seed_count(20, 200), |seed| {
        let mut dice = Dice::new(seed);
        let mut sim = Sim::new(ChaosGame::new(seed, 30, 40.0), 30, seed);
        play(&mut sim, 40, &mut dice, act_in_chaos);
        for _ in 0..3 {
            begin(&mut sim);
            let worlds = play(&mut sim, 120, &mut dice, act_in_chaos);
            run_again::<ChaosGame>(&sim.recording, &worlds);
        }
    });
}

/// A quiet arena with two players, recorded for so many ticks.
fn two_players(ticks: u32) -> (Sim<ArenaGame>, [ClientId; 2]) {
    let config = ArenaConfig { size_m: 50, bots: 0, drones: 3, pickups: 0, ..ArenaConfig::default() };
    let mut sim = Sim::new(ArenaGame::new(config), 30, 5);
    begin(&mut sim);
    let ids = [sim.join("ann", Profile::default()), sim.join("bob", Profile::default())];
    for tick in 0..ticks {
        for id in ids {
            let now = sim.now;
            let aim = (tick * 100 + id.0) as u16;
            sim.client(id).session.set_input(ArenaInput { walk: [100, 0], aim, fire: false }, now);
        }
        sim.step();
    }
    (sim, ids)
}

#[test]
fn another_input_is_noticed_at_its_tick_and_named() {
    const AT: u64 = 50;
    let (sim, [_, bob]) = two_players(90);
    let changed = with_other_inputs::<Arena>(&sim.recording, |tick, client, input| {
        if (tick, client) == (AT, bob) {
            input.aim ^= 0x8000;
        }
    });
    let outcome = replay::<ArenaGame>(&changed.expect("a recording"), None, |_, _| ()).expect("a recording");
    let divergence = outcome.divergence.expect("it differs");
    let avatar = sim.room.game().viewpoint(sim.room.world(), bob).avatar.expect("an avatar");
    let avatar = sim.room.world().get(avatar).expect("alive").id;
    assert_eq!((divergence.tick, outcome.ticks), (AT, AT - 1));
    let [Difference::Field { entity, kind, field, recorded, replayed }] = divergence.differences.as_slice()
    else {
        panic!("{:?}", divergence.differences)
    };
    assert_eq!((*entity, kind.as_str(), field.as_str()), (avatar, "Player", "aim"));
    assert_ne!(recorded, replayed);
    let words = divergence.differences[0].to_string();
    assert!(words.contains(recorded) && words.contains(replayed) && words.contains("aim"), "{words}");
    // Up to the tick before, nothing is wrong.
    let before = replay::<ArenaGame>(&sim.recording, Some(AT - 1), |_, _| ()).expect("a recording");
    assert_eq!((before.ticks, before.last_tick, before.divergence), (AT - 1, AT - 1, None));
}

#[test]
fn a_gap_is_counted_and_bridged() {
    let (mut sim, _) = two_players(30);
    let mut file = std::mem::take(&mut sim.recording);
    sim.room.end_recording();
    sim.run(10);
    assert!(sim.recording.is_empty(), "nobody records");
    sim.room.begin_recording(10, &mut sim.recording);
    sim.run(20);
    file.extend_from_slice(&sim.recording);
    let outcome = replay::<ArenaGame>(&file, None, |_, _| ()).expect("a recording");
    assert_eq!((outcome.ticks, outcome.missed_ticks, outcome.divergence), (50, 10, None));
}

#[test]
fn a_panic_is_the_last_that_is_recorded_and_comes_again() {
    let mut game = ChaosGame::new(1, 10, 0.0);
    game.panic_at = Some(40);
    let mut sim = Sim::new(game, 30, 1);
    begin(&mut sim);
    sim.join("ann", Profile::default());
    sim.run(60);
    assert!(sim.room.status().ended);
    let outcome = replay::<ChaosGame>(&sim.recording, None, |_, _| ()).expect("a recording");
    assert_eq!((outcome.last_tick, outcome.ticks, outcome.panicked), (40, 40, true));
    assert_eq!(outcome.divergence, None);
}

#[test]
fn a_file_may_end_anywhere() {
    let mut sim = Sim::new(ChaosGame::new(3, 6, 0.0), 30, 3);
    begin(&mut sim);
    sim.join("ann", Profile::default());
    play(&mut sim, 25, &mut Dice::new(3), act_in_chaos);
    let file = &sim.recording;
    let mut ticks = 0;
    for end in 0..=file.len() {
        match replay::<ChaosGame>(&file[..end], None, |_, _| ()) {
            Ok(outcome) => {
                assert_eq!(outcome.divergence, None, "cut at {end}");
                assert!(outcome.ticks >= ticks && outcome.ticks <= ticks + 1, "cut at {end}");
                ticks = outcome.ticks;
            }
            Err(error) => {
                assert!(matches!(error, RecordingError::Empty) && ticks == 0, "cut at {end}: {error}")
            }
        }
    }
    assert_eq!(ticks, 25);
    // Nor does a changed byte do harm; none goes unnoticed but in a length, which cuts.
    for at in 0..file.len() {
        let mut damaged = file.clone();
        damaged[at] ^= 0x41;
        if let Ok(outcome) = replay::<ChaosGame>(&damaged, None, |_, _| ()) {
            assert!(outcome.is_cut && outcome.ticks < 25, "byte {at}");
        }
    }
    let (foreign, _) = two_players(1);
    let error = replay::<ChaosGame>(&foreign.recording, None, |_, _| ()).expect_err("another game");
    assert!(matches!(error, RecordingError::Schema { .. }), "{error}");
}

#[test]
fn no_secret_is_in_it() {
    let config = RoomConfig { capacity: 5, ..RoomConfig::default() };
    let mut room = Room::new(ChaosGame::new(1, 5, 0.0), config).expect("a schema");
    let mut file = Vec::new();
    room.write_recording_header(&mut file);
    room.begin_recording(0, &mut file);
    let join = |client, resume: &[u8; 16], back: Option<&[u8; 16]>| Event::Join {
        client: ClientId(client),
        hello: Hello {
            token: Some(AccessToken::from("eyJhbGciOi.a-token".to_owned())),
            resume: back.map(|token| Resume { token: ResumeToken(*token), applied: Tick(0) }),
            ..hello::<Chaos>("ann the player")
        },
        resume: ResumeToken(*resume),
        subject: Some("account-4711".to_owned()),
    };
    room.handle(join(1, b"secret-number-01", None), Micros(0));
    for tick in 0..20 {
        if tick == 5 {
            room.handle(join(2, b"secret-number-02", Some(b"secret-number-01")), Micros(tick * 33_333));
        }
        room.tick(Micros(tick * 33_333));
        while room.poll_output().is_some() {}
        room.poll_recording(&mut file);
        if tick == 10 {
            room.begin_recording(0, &mut file);
        }
    }
    let holds = |word: &[u8]| file.windows(word.len()).any(|part| part == word);
    assert!(holds(b"ann the player"), "the search finds what is there");
    assert_eq!(room.counters().resumes, 1);
    for secret in [b"eyJhbGci".as_slice(), b"secret-", b"account-"] {
        assert!(!holds(secret), "{}", String::from_utf8_lossy(secret));
    }
}
