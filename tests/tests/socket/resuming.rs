//! Connections that are cut, taken over or lost with the server, and the sessions that go on over others.

use std::net::SocketAddr;
use std::time::Duration;

use tickwire_demo::bots::{self, BotsConfig};
use tickwire_demo::comeback::Comeback;
use tickwire_demo::probe::{self, Afterwards, ProbeConfig};
use tickwire_demo::time;
use tickwire_demo::transport::{Connection, Ending, Event, connect};
use tickwire_server::arena::{ArenaConfig, ArenaDialect, ArenaGame};
use tickwire_server::driver;
use tickwire_shared::arena::Arena;
use tickwire_shared::client::{Happening, Session, State};
use tickwire_shared::wire::codec;
use tickwire_shared::wire::message::{ClientMessage, Hello, ResumeToken};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use crate::player::{ArenaSession, Player, hello, identity};
use crate::raw::{BINARY, CLOSE, DATA, JSON, PONG, Raw, TEXT, frame};
use crate::server::{config, metric, start, until};

type ArenaHello = ClientMessage<tickwire_shared::arena::ArenaInput, tickwire_shared::arena::Command>;

/// The same session over another connection, as far as Hello.
async fn again(address: SocketAddr, player: Player) -> Player {
    let Player { raw, session, .. } = player;
    drop(raw);
    over_another(address, session).await
}

async fn over_another(address: SocketAddr, mut session: ArenaSession) -> Player {
    assert!(session.resume(), "there was a Welcome");
    let mut player = Player::over(Raw::open(address, BINARY).await, "nobody", "never asked").await;
    // The connection's own Hello is a stranger's; this one is not used.
    player.raw = Raw::open(address, BINARY).await;
    player.session = session;
    player.transmit().await;
    player
}

fn frames(session: &ArenaSession) -> u64 {
    session.stats().frames
}

/// Plays until so many frames have come, and at least one input has gone.
async fn play(player: &mut Player, count: u64) {
    let goal = frames(&player.session) + count;
    player.until("more frames", move |session| frames(session) >= goal).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_player_keeps_its_avatar() {
    let server = start(config()).await;
    let address = server.public_addr();
    let mut player = Player::join(address, "cut", "").await;
    play(&mut player, 10).await;
    let (avatar, client) = (player.session.avatar(), player.session.welcome().map(|welcome| welcome.client));
    for round in 1..=3 {
        let mut next = again(address, player).await;
        let before = frames(&next.session);
        next.until("frames again", |session| frames(session) > before + 5).await;
        assert_eq!(next.session.avatar(), avatar);
        assert_eq!(next.session.welcome().map(|welcome| welcome.client), client);
        until("counted", || metric(&server, "tickwire_absences_total{step=\"resumed\"}") == round).await;
        player = next;
    }
    assert_eq!(metric(&server, "tickwire_absences_total{step=\"resumed_anew\"}"), 0);
    assert_eq!(player.session.stats().mismatches, 0);
    assert_eq!(metric(&server, "tickwire_state_mismatches_total"), 0);
    assert_eq!(metric(&server, "tickwire_clients"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_newest_connection_wins() {
    let server = start(config()).await;
    let address = server.public_addr();
    let mut old = Player::join(address, "one", "").await;
    play(&mut old, 5).await;
    let avatar = old.session.avatar();
    // Another connection with the same token, while the first one lives: a phone that changed its network, or a thief.
    let hello = stolen_hello(&old.session);
    let mut thief = Raw::open(address, BINARY).await;
    thief.send(&frame(DATA, &hello)).await;
    let (code, reason) = {
        let ending = old.raw.ending().await;
        let (code, reason) = ending.sole();
        (code, reason.to_owned())
    };
    assert!(code == 4006 && reason.contains("newer connection"), "{code} {reason}");
    let welcome = thief.frame_of(DATA).await;
    let mut session = ArenaSession::new(identity("thief", "")).expect("a session");
    assert!(
        session.handle_message(&welcome.payload, time::now()).is_err(),
        "nobody else's session accepts this"
    );
    assert_eq!(metric(&server, "tickwire_clients"), 1);
    // Who was replaced is told not to come back; if it does, its token was the one before, which is still good.
    let mut back = over_another(address, old.session).await;
    let before = frames(&back.session);
    back.until("frames again", |session| frames(session) > before + 3).await;
    assert_eq!(back.session.avatar(), avatar);
    assert_eq!(thief.ending().await.sole().0, 4006);
    // It has spoken under its newest token: what the thief has is worth nothing now.
    let mut late = Raw::open(address, BINARY).await;
    late.send(&frame(DATA, &hello)).await;
    let ending = late.ending().await;
    assert!(ending.sole().0 == 4002 && ending.sole().1.contains("resume token"), "{ending:?}");
}

/// The Hello that would take a session over.
fn stolen_hello(session: &ArenaSession) -> Vec<u8> {
    let welcome = session.welcome().expect("welcomed");
    resuming_hello(welcome.resume, session.replica().expect("welcomed").tick().0)
}

fn resuming_hello(token: ResumeToken, applied: u32) -> Vec<u8> {
    let ArenaHello::Hello(plain) = codec::decode(&hello("thief", "")).expect("a message") else {
        panic!("no Hello")
    };
    let resume = tickwire_shared::wire::message::Resume { token, applied: tickwire_shared::Tick(applied) };
    codec::encode(&ArenaHello::Hello(Hello { resume: Some(resume), ..plain }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forged_tokens_take_nobodys_session() {
    let server = start(config()).await;
    let address = server.public_addr();
    let mut player = Player::join(address, "one", "").await;
    play(&mut player, 5).await;
    let token = player.session.welcome().expect("welcomed").resume;
    for byte in 0..16 {
        let mut forged = token;
        forged.0[byte] ^= 0x40;
        let mut raw = Raw::open(address, BINARY).await;
        raw.send(&frame(DATA, &resuming_hello(forged, 1))).await;
        if byte < 8 {
            // Nobody's name: a session of its own.
            raw.frame_of(DATA).await;
            raw.send(&frame(CLOSE, &1000_u16.to_be_bytes())).await;
        } else {
            assert_eq!(raw.ending().await.sole().0, 4002);
        }
        play(&mut player, 1).await;
    }
    assert_eq!(metric(&server, "tickwire_absences_total{step=\"resumed\"}"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_the_grace_time_somebody_else() {
    let mut config = config();
    config.session_grace = Duration::from_millis(300);
    let server = start(config).await;
    let address = server.public_addr();
    let mut player = Player::join(address, "late", "").await;
    play(&mut player, 10).await;
    let avatar = player.session.avatar();
    let Player { raw, session, .. } = player;
    drop(raw);
    until("it is away", || metric(&server, "tickwire_absences_total{step=\"held\"}") == 1).await;
    until("and given up", || metric(&server, "tickwire_absences_total{step=\"given_up\"}") == 1).await;
    let mut player = over_another(address, session).await;
    let before = frames(&player.session);
    player.until("frames again", |session| frames(session) > before).await;
    assert!(!player.session.welcome().expect("welcomed").resumed);
    assert_ne!(player.session.avatar(), avatar);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_says_goodbye_is_not_held_and_neither_is_who_misbehaves() {
    let server = start(config()).await;
    let address = server.public_addr();
    let goodbyes: [Vec<u8>; 4] = [
        frame(CLOSE, &1000_u16.to_be_bytes()),
        frame(CLOSE, &1001_u16.to_be_bytes()),
        frame(CLOSE, b""),
        // Not a message of ours.
        frame(DATA, &[0xFF; 20]),
    ];
    for goodbye in goodbyes {
        let mut player = Player::join(address, "bye", "").await;
        play(&mut player, 3).await;
        player.raw.send(&goodbye).await;
        player.raw.ending().await;
        until("it has left", || metric(&server, "tickwire_clients") == 0).await;
        assert_eq!(metric(&server, "tickwire_away_clients"), 0);
    }
    let mut json = Raw::open(address, JSON).await;
    json.send(&frame(TEXT, br#"{"hello":{"name":"json"}}"#)).await;
    json.frame_of(TEXT).await;
    json.frame_of(TEXT).await;
    drop(json);
    until("a JSON session has left", || metric(&server, "tickwire_clients") == 0).await;
    assert_eq!(metric(&server, "tickwire_away_clients"), 0);
    assert_eq!(metric(&server, "tickwire_absences_total{step=\"held\"}"), 0);
    // Any other end is an accident.
    let mut player = Player::join(address, "cut", "").await;
    play(&mut player, 3).await;
    player.raw.send(&frame(CLOSE, &4999_u16.to_be_bytes())).await;
    player.raw.ending().await;
    until("it is away", || metric(&server, "tickwire_away_clients") == 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_end_that_comes_with_the_last_words_is_heard() {
    let server = start(config()).await;
    let mut player = Player::join(server.public_addr(), "cut", "").await;
    play(&mut player, 3).await;
    let begun = tokio::time::Instant::now();
    // Both arrive before the server looks again, and nothing that it sends is refused: only the end itself tells.
    player.raw.send(&frame(PONG, b"words")).await;
    player.raw.stream_mut().shutdown().await.expect("half of it");
    until("it is away", || metric(&server, "tickwire_away_clients") == 1).await;
    // Long before its silence would have been noticed.
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bots_come_back_from_every_cut() {
    let server = start(config()).await;
    let report = bots::run(BotsConfig {
        endpoint: server.public_addr().to_string().parse().expect("an endpoint"),
        clients: 8,
        duration: Duration::from_secs(5),
        cut_every: Some(Duration::from_secs(2)),
        ..BotsConfig::default()
    })
    .await
    .expect("a report");
    assert!(report.connections_cut >= 8 && report.sessions_resumed >= 8, "{report}");
    assert_eq!(
        (report.sessions_begun_anew, report.state_mismatches, report.ended_early()),
        (0, 0, 0),
        "{report}"
    );
    assert!(report.checksums_verified > 0, "{report}");
    assert_eq!(metric(&server, "tickwire_state_mismatches_total"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_probe_says_whether_sessions_are_held() {
    for (grace, held) in [(15, true), (0, false)] {
        let mut config = config();
        config.session_grace = Duration::from_secs(grace);
        let server = start(config).await;
        let look = ProbeConfig {
            endpoint: server.public_addr().to_string().parse().expect("an endpoint"),
            room: String::new(),
            token: None,
            duration: Duration::from_millis(700),
            afterwards: Afterwards::ComeBack,
        };
        match probe::run(&look).await {
            Ok(finding) => assert!(held && finding.to_string().contains("the same avatar"), "{finding}"),
            Err(error) => assert!(!held && error.to_string().contains("session_grace"), "{error}"),
        }
    }
}

/// Plays until it has been welcomed a second time; says how long after `down` it came.
async fn survivor(address: SocketAddr, number: u64) -> u64 {
    let endpoint: tickwire_demo::endpoint::Endpoint = address.to_string().parse().expect("an endpoint");
    let mut session = Session::<Arena>::new(identity(&format!("survivor {number}"), "")).expect("a session");
    let mut comeback = Comeback::new(endpoint.clone(), None, number);
    // Who comes for the first time has no reason to come at the same moment as all others.
    tokio::time::sleep(Duration::from_millis(4 * number)).await;
    let mut connection = connect(&endpoint, None).await.expect("a server");
    let mut lost_at = None;
    loop {
        if let Some(ending) = turn(&mut session, &mut connection, &mut comeback).await {
            lost_at.get_or_insert_with(time::now);
            connection = comeback.again(&ending).await.expect("a restart is no reason to stay away");
            assert!(session.resume());
        } else if let (Some(lost_at), State::Live) = (lost_at, session.state(time::now())) {
            assert!(
                !session.welcome().expect("welcomed").resumed,
                "a server that was restarted knows nobody"
            );
            return time::now().since(lost_at);
        }
    }
}

async fn turn(
    session: &mut Session<Arena>,
    connection: &mut Connection,
    comeback: &mut Comeback,
) -> Option<Ending> {
    while let Some(bytes) = session.poll_transmit(time::now()) {
        connection.send(bytes).await;
    }
    match timeout(Duration::from_millis(50), connection.next()).await {
        Ok(Event::Message { bytes, at }) => session.handle_message(&bytes, at).expect("a message of ours"),
        Ok(Event::Ended(ending)) => return Some(ending),
        Err(_) => {}
    }
    while let Some(happening) = session.poll_happening() {
        if matches!(happening, Happening::Welcomed | Happening::Resumed) {
            comeback.welcomed();
        }
    }
    None
}

/// Forty by default, a thousand in the slow layer, who see no more than their neighbours and are told five times a second.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_come_back_after_a_restart_one_after_the_other() {
    let slow = std::env::var_os("TICKWIRE_SLOW").is_some();
    let survivors_count: u64 = if slow { 1_000 } else { 40 };
    let mut config = config();
    config.retry_after = Duration::from_millis(if slow { 3_000 } else { 1_000 });
    (config.tick_hz, config.room_capacity) = (5, 1_100);
    let make_game = |_: &str, seed| {
        let wide = ArenaConfig {
            size_m: 2_000,
            view_radius_m: 30.0,
            seed,
            bots: 0,
            drones: 0,
            ..ArenaConfig::default()
        };
        ArenaGame::new(wide)
    };
    let begin = |config| driver::start(make_game, ArenaDialect, config);
    let server = begin(config.clone()).await.expect("a server");
    let address = server.public_addr();
    let survivors: Vec<_> =
        (0..survivors_count).map(|number| tokio::spawn(survivor(address, number))).collect();
    let joined = tokio::time::Instant::now();
    while metric(&server, "tickwire_clients") < survivors_count {
        assert!(joined.elapsed() < Duration::from_secs(60), "not all play");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    server.shutdown().await;
    config.listen = address;
    let retry_after = config.retry_after.as_micros() as u64;
    let server = begin(config).await.expect("a server");
    let mut waited = Vec::new();
    for survivor in survivors {
        waited.push(timeout(Duration::from_secs(90), survivor).await.expect("in time").expect("no panic"));
    }
    waited.sort_unstable();
    let at = |share: usize| waited[(waited.len() - 1) * share / 100] / 1000;
    let within = |micros: u64| {
        let crowd = |begin: &u64| waited.iter().filter(|at| (*begin..*begin + micros).contains(at)).count();
        waited.iter().map(crowd).max().unwrap_or(0) * 100 / waited.len()
    };
    let accepted = metric(&server, "tickwire_connections_total");
    eprintln!(
        "{survivors_count} back after {}, {}, {} ms (first, median, last), at most {} % within a tenth of {} ms, by {accepted} connections",
        at(0),
        at(50),
        at(100),
        within(retry_after / 10),
        retry_after / 1000
    );
    assert!(waited[0] >= retry_after, "nobody comes before it was told to");
    // They are spread over as long again: a tenth of it has a tenth of them, and on a busy machine some more.
    assert!(within(retry_after / 10) <= if slow { 25 } else { 50 }, "{} % at once", within(retry_after / 10));
    assert!(accepted <= survivors_count * 3 / 2, "{accepted} connections for {survivors_count} clients");
    assert_eq!(metric(&server, "tickwire_absences_total{step=\"resumed\"}"), 0);
}
