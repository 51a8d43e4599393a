//! What a room holds that sleeps, beyond its game's own state: next to nothing, also when it had players before. On a real server,
//! since much of a room is in the shell. A test binary of its own: its allocator counts all threads together.

use std::time::Duration;

use tickwire_demo::bots::{self, BotsConfig};
use tickwire_server::arena::{ArenaConfig, ArenaDialect, ArenaGame};
use tickwire_server::config::Config;
use tickwire_server::driver::{self, Running};
use tickwire_server::simulation::{Game, Stage, World};
use tickwire_shared::Tick;
use tickwire_shared::arena::Arena;
use tickwire_tests::counting::{Counting, OfProcess};

#[global_allocator]
static MEMORY: Counting<OfProcess> = Counting::new();

const BYTES_MAX: u64 = 64 * 1024;
const ROOMS: usize = 100;
const CLIENTS: usize = 2 * ROOMS;
const SEED: u64 = 3;

fn game(seed: u64) -> ArenaGame {
    ArenaGame::new(ArenaConfig { size_m: 100, seed, bots: 0, drones: 20, ..ArenaConfig::default() })
}

fn config() -> Config {
    let mut config = Config {
        rooms_max: 10 * ROOMS,
        room_suspend_after: Duration::from_millis(300),
        room_empty_after: Duration::from_secs(3600),
        session_grace: Duration::ZERO,
        ..Config::default()
    };
    config.listen.set_port(0);
    config.admin_listen.set_port(0);
    config
}

/// What the game has without a room, and the entities that it made.
fn bytes_of_game() -> u64 {
    let held = || MEMORY.held_bytes();
    let before = held();
    let mut empty = World::<Arena>::new(SEED);
    let world_alone = held() - before;
    let mut game = game(SEED);
    game.begin(&mut Stage::new(Tick(1), 1.0 / 30.0, &mut empty, &mut Vec::new()));
    held() - before - world_alone + size_of_val(&game) as u64
}

/// So many rooms in which the same number of clients plays for a while, all of which sleep afterwards.
async fn play_in(server: &Running, room: &str, rooms: usize) {
    let sleeping = sleeping(server);
    let report = bots::run(BotsConfig {
        endpoint: server.public_addr().to_string().parse().expect("an endpoint"),
        clients: CLIENTS,
        rooms,
        room: room.to_owned(),
        ramp_per_second: 400.0,
        duration: Duration::from_secs(2),
        ..BotsConfig::default()
    });
    let report = report.await.expect("a report");
    assert_eq!((report.clients_connected, report.ended_early()), (CLIENTS, 0), "{report}");
    for _ in 0..400 {
        if self::sleeping(server) >= sleeping + rooms as u64 && figure(server, "tickwire_clients") == 0 {
            // Tasks of connections end a moment after they were counted.
            return tokio::time::sleep(Duration::from_millis(300)).await;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("not all of them sleep: {} after {sleeping}", self::sleeping(server));
}

fn sleeping(server: &Running) -> u64 {
    figure(server, "tickwire_sleeping_rooms")
}

fn figure(server: &Running, name: &str) -> u64 {
    let text = server.metrics();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).expect(name);
    line.parse().expect("a number")
}

// One test: it counts all that is held meanwhile.
#[test]
fn a_room_that_sleeps_is_its_game_and_little_more() {
    let own = bytes_of_game();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let make = |_: &str, seed| game(seed);
        let server = driver::start(make, ArenaDialect, config()).await.expect("a server");
        // What connections, lists and the runtime grow to is there before it is counted.
        play_in(&server, "before", 10).await;
        let before = MEMORY.held_bytes();
        play_in(&server, "room", ROOMS).await;
        let each = (MEMORY.held_bytes() - before) / ROOMS as u64;
        eprintln!("a sleeping room holds {each} bytes, of which its game {own}");
        assert!(each > own, "it was not counted: {each} bytes, of which the game {own}");
        assert!(each - own < BYTES_MAX, "{} bytes beyond its game's {own}", each - own);
        server.shutdown().await;
    });
}
