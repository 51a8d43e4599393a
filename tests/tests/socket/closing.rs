//! How connections end: one close frame, the peer's code echoed, no reset, everybody told when the server goes.

use std::time::Duration;

use glam::Vec3;
use serde::{Deserialize, Serialize};
use tickwire_server::arena::{ArenaConfig, ArenaDialect, ArenaGame};
use tickwire_server::driver;
use tickwire_server::simulation::{Game, Inputs, Interest, Refusal, Stage, Viewpoint, World};
use tickwire_shared::arena::{Arena, ArenaSetup, Command, Own};
use tickwire_shared::{ClientId, KindId, Protocol};

use crate::player::{Player, Witness, hello};
use crate::raw::{BINARY, CLOSE, DATA, JSON, Raw, TEXT, frame};
use crate::server::{config, metric, start, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_peers_close_is_echoed_once_and_ends_everything() {
    let server = start(config()).await;
    let address = server.public_addr();
    let witness = Witness::join(address).await;
    for code in [1000_u16, 1001, 3000, 4999] {
        let mut raw = Raw::open(address, BINARY).await;
        raw.send(&frame(DATA, &hello("bye", ""))).await;
        raw.frame_of(DATA).await;
        raw.send(&frame(CLOSE, &[&code.to_be_bytes()[..], b"so long"].concat())).await;
        // Whatever comes after a close is not looked at.
        raw.send(&[frame(DATA, b"more"), vec![0xFF; 500]].concat()).await;
        assert_eq!(raw.ending().await.sole().0, code);
    }
    let mut raw = Raw::open(address, BINARY).await;
    raw.send(&frame(CLOSE, b"")).await;
    assert_eq!(raw.ending().await.sole().0, 1005, "no code for no code");
    until("all but the witness have left", || metric(&server, "tickwire_clients") == 1).await;
    witness.assert_undisturbed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_close_arrives_although_input_is_unread() {
    let server = start(config()).await;
    for _ in 0..20 {
        let mut raw = Raw::open(server.public_addr(), BINARY).await;
        // Far more than the server has read when it closes.
        raw.send(&[frame(3, b"violation"), vec![0; 300_000]].concat()).await;
        let ending = raw.ending().await;
        assert_eq!(ending.sole().0, 1002);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_is_noticed() {
    let server = start(config()).await;
    let player = Player::join(server.public_addr(), "cut", "").await;
    until("the player is counted", || metric(&server, "tickwire_clients") == 1).await;
    drop(player);
    until("the player has left", || metric(&server, "tickwire_clients") == 0).await;
    until("and is counted as cut", || server.metrics().contains("closes_total{code=\"cut\"} 1")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shutdown_tells_everybody() {
    let server = start(config()).await;
    let address = server.public_addr();
    let mut binary = Player::join(address, "binary", "").await;
    let mut json = Raw::open(address, JSON).await;
    json.send(&frame(TEXT, br#"{"hello":{"name":"json"}}"#)).await;
    json.frame_of(TEXT).await;
    let mut stranger = Raw::open(address, BINARY).await;
    let shutdown = tokio::spawn(server.shutdown());
    for raw in [&mut binary.raw, &mut json, &mut stranger] {
        let ending = raw.ending().await;
        let (code, reason) = ending.sole();
        assert!(code == 1001 && reason.contains("retry_after_ms=2000"), "{code} {reason}");
    }
    drop((binary, json, stranger));
    tokio::time::timeout(Duration::from_secs(3), shutdown).await.expect("in time").expect("no panic");
    assert!(tokio::net::TcpStream::connect(address).await.is_err(), "the port is closed");
}

/// An arena that panics on a word.
#[derive(Serialize, Deserialize)]
struct Fragile(ArenaGame);

impl Game for Fragile {
    type Protocol = Arena;

    fn setup(&self) -> ArenaSetup {
        self.0.setup()
    }

    fn begin(&mut self, stage: &mut Stage<'_, Arena>) {
        self.0.begin(stage);
    }

    fn join(&mut self, stage: &mut Stage<'_, Arena>, client: ClientId, name: &str) -> Result<(), Refusal> {
        self.0.join(stage, client, name)
    }

    fn leave(&mut self, stage: &mut Stage<'_, Arena>, client: ClientId) {
        self.0.leave(stage, client);
    }

    fn step(&mut self, stage: &mut Stage<'_, Arena>, inputs: &Inputs<Arena>) {
        let boom = |(_, Command::Chat(text)): &(ClientId, Command)| text == "boom";
        assert!(!inputs.commands.iter().any(boom), "the word was said");
        self.0.step(stage, inputs);
    }

    fn viewpoint(&self, world: &World<Arena>, client: ClientId) -> Viewpoint {
        let viewpoint = self.0.viewpoint(world, client);
        assert_ne!(viewpoint.position, Vec3::MAX);
        viewpoint
    }

    fn private(&self, world: &World<Arena>, client: ClientId) -> <Arena as Protocol>::Private {
        let own: Own = self.0.private(world, client);
        own
    }

    fn interest(&self, kind: KindId) -> Interest {
        self.0.interest(kind)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_game_that_panics_ends_its_room_only() {
    let make_game = |_: &str, seed| Fragile(ArenaGame::new(ArenaConfig { seed, ..ArenaConfig::default() }));
    let server = driver::start(make_game, ArenaDialect, config()).await.expect("a server");
    let address = server.public_addr();
    let witness = Witness::join(address).await;
    let mut victim = Player::join(address, "victim", "fragile").await;
    let mut culprit = Player::join(address, "culprit", "fragile").await;
    assert!(culprit.session.send_command(Command::Chat("boom".to_owned())));
    culprit.transmit().await;
    for player in [&mut victim, &mut culprit] {
        assert_eq!(player.raw.ending().await.sole().0, 1011);
    }
    witness.assert_undisturbed().await;
    until("counted", || metric(&server, "tickwire_game_panics_total") == 1).await;
    let _again = Player::join(address, "again", "fragile").await;
}
