//! Rooms that have more to do than time, as their clients see it: time that goes slower, far entities that are told of less
//! often, newcomers that are sent away.

use tickwire_server::arena::{ArenaConfig, ArenaGame};
use tickwire_server::host::{Relief, Room, RoomConfig};
use tickwire_shared::arena::ArenaInput;
use tickwire_shared::client::State;
use tickwire_shared::wire::message::Percent;
use tickwire_shared::{ClientId, Close, CloseCode, Micros, Tick};
use tickwire_tests::chaos::ChaosGame;
use tickwire_tests::link::Profile;
use tickwire_tests::seeds::{Dice, for_seeds, seed_count};
use tickwire_tests::sim::Sim;

const HZ: u16 = 30;

fn at(percent: u8) -> Relief {
    Relief { pace: Percent::try_from(percent).expect("a percentage"), ..Relief::default() }
}

fn arena(seed: u64) -> Sim<ArenaGame> {
    let config = ArenaConfig { seed, drones: 30, ..ArenaConfig::default() };
    let room = RoomConfig { seed, ..RoomConfig::default() };
    Sim::with_room(Room::new(ArenaGame::new(config), room).expect("a schema"), HZ, seed)
}

/// What a player notices.
#[derive(Default)]
struct Noticed {
    /// When it looked last, and what it was shown, in 256ths of a tick.
    last: Option<(Micros, i64)>,
    /// How fast the shown time went, against how fast the room's did: the least and the most.
    least: f64,
    most: f64,
    /// Ticks from the newest frame to those that its inputs were for, at most.
    ahead: u32,
}

/// Somebody who keeps changing direction, and looks.
fn play(sim: &mut Sim<ArenaGame>, id: ClientId, (ticks, percent): (u32, u8), dice: &mut Dice) -> Noticed {
    let mut noticed = Noticed { least: f64::MAX, ..Noticed::default() };
    for tick in 0..ticks {
        if tick % 4 == 0 {
            let angle = dice.between(0.0, std::f32::consts::TAU);
            let now = sim.now;
            sim.client(id).session.set_input(ArenaInput::new(glam::Vec2::from_angle(angle), 0.0, false), now);
        }
        sim.step();
        let now = sim.now;
        let session = &mut sim.client(id).session;
        noticed.ahead = noticed.ahead.max(session.figures(now).ticks_ahead);
        let Some(view) = session.view(now) else { continue };
        let shown = view.tick().since(Tick(0));
        if tick % 6 != 0 {
            continue;
        }
        if let Some((at, before)) = noticed.last {
            let room_ticks = now.since(at) as f64 * f64::from(HZ) * f64::from(percent) / 1e8;
            let share = (shown - before) as f64 / 256.0 / room_ticks;
            noticed.least = noticed.least.min(share);
            noticed.most = noticed.most.max(share);
        }
        noticed.last = Some((now, shown));
    }
    noticed
}

#[test]
fn when_time_goes_slower_nobody_is_late_and_nothing_jumps() {
    for_seeds(seed_count(8, 200), |seed| {
        let mut sim = arena(seed);
        let profile = Profile { delay_micros: 40_000, jitter_micros: 3_000, ..Profile::default() };
        let id = sim.join("slow motion", profile);
        let mut dice = Dice::new(seed);
        play(&mut sim, id, (150, 100), &mut dice);
        let lateness =
            |sim: &Sim<ArenaGame>| (sim.room.counters().inputs.late, sim.room.counters().inputs.early);
        let before = lateness(&sim);
        let usual = play(&mut sim, id, (60, 100), &mut dice);
        // Down as far as it goes, a step of the ladder at a time, and up again.
        for percent in [90, 80, 70, 60, 50, 60, 70, 80, 90, 100] {
            sim.relieve(at(percent));
            let noticed = play(&mut sim, id, (45, percent), &mut dice);
            assert!(
                noticed.least > 0.65 && noticed.most < 1.35,
                "at {percent} % the shown time went at {:.2} to {:.2} of the room's",
                noticed.least,
                noticed.most
            );
            assert!(
                noticed.ahead <= usual.ahead + 2,
                "{} ticks ahead, usually {}",
                noticed.ahead,
                usual.ahead
            );
        }
        assert_eq!(lateness(&sim), before, "inputs that were late, and early");
        let stats = sim.client(id).session.stats();
        assert!(stats.checksums > 2 && stats.mismatches == 0);
    });
}

#[test]
fn who_comes_later_or_comes_back_knows_how_fast_time_goes() {
    let mut sim = arena(3);
    let away = sim.join("away", Profile::default());
    sim.run(30);
    sim.lose(away);
    sim.relieve(at(50));
    sim.run(30);
    let later = sim.join("later", Profile::default());
    assert!(sim.come_back(away));
    sim.run(30);
    let tick_micros =
        |sim: &mut Sim<ArenaGame>, id| sim.client(id).session.clock().map(|clock| clock.tick_micros());
    assert_eq!([later, away].map(|id| tick_micros(&mut sim, id)), [Some(66_666); 2]);
    sim.lose(away);
    sim.relieve(at(100));
    assert!(sim.come_back(away));
    sim.run(30);
    assert_eq!([later, away].map(|id| tick_micros(&mut sim, id)), [Some(33_333); 2]);
}

#[test]
fn newcomers_are_sent_away_and_who_comes_back_is_not() {
    let mut sim = arena(4);
    let member = sim.join("member", Profile::default());
    sim.run(30);
    sim.lose(member);
    sim.relieve(Relief { joins_retry_after_ms: Some(700), ..Relief::default() });
    let newcomer = sim.join("newcomer", Profile::default());
    assert!(sim.come_back(member));
    sim.run(30);
    let close = sim.client(newcomer).closed.clone().expect("a close");
    assert_eq!((close.code, Close::retry_after_ms(&close.reason)), (CloseCode::Full, Some(700)));
    let now = sim.now;
    assert_eq!(sim.client(member).session.state(now), State::Live);
    let counters = sim.room.counters();
    assert_eq!((counters.joins_refused, counters.resumes, counters.welcomes), (1, 1, 1));
    sim.relieve(Relief::default());
    let second = sim.join("second try", Profile::default());
    sim.run(10);
    let now = sim.now;
    assert_eq!(sim.client(second).session.state(now), State::Live);
}

#[test]
fn what_is_far_takes_less_and_is_still_told_rightly() {
    for_seeds(seed_count(4, 50), |seed| {
        // The same world twice.
        let mut rooms = [(); 2].map(|()| Sim::new(ChaosGame::new(seed, 60, 60.0), HZ, seed));
        let ids = rooms.each_mut().map(|sim| sim.join("looks on", Profile::default()));
        let mut told = |relief: Relief| {
            rooms[1].relieve(relief);
            rooms.each_mut().map(|sim| {
                sim.run(60);
                let before = sim.room.counters().updates_spliced;
                sim.run(300);
                sim.room.counters().updates_spliced - before
            })
        };
        let [usual, same] = told(Relief::default());
        assert_eq!(same, usual);
        let [usual, relieved] = told(Relief { slows_far: true, ..Relief::default() });
        assert!(relieved * 10 < usual * 8, "{relieved} updates in place of {usual}");
        let [usual, again] = told(Relief::default());
        assert!(again.abs_diff(usual) * 50 < usual, "{again} updates afterwards, {usual} without");
        for (mut sim, id) in rooms.into_iter().zip(ids) {
            assert_eq!(sim.client(id).session.stats().mismatches, 0);
        }
    });
}
