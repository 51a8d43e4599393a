//! A program's own say in who may play, and what it is told of those who ask.

use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tickwire_server::arena::{ArenaConfig, ArenaDialect, ArenaGame};
use tickwire_server::auth::{Applicant, Authenticator, Decision, Denial, Pass};
use tickwire_server::config::Config;
use tickwire_server::driver::{self, Hooks, Running};

use crate::player::{Player, Witness, hello};
use crate::raw::{BINARY, DATA, Raw, frame};
use crate::server::config;

/// Does what the name says, and keeps a list of who came.
#[derive(Default)]
pub(crate) struct Guard {
    pub(crate) seen: Mutex<Vec<(String, IpAddr)>>,
}

impl Guard {
    /// From where this name came.
    pub(crate) fn address_of(&self, name: &str) -> String {
        let seen = self.seen.lock().expect("not poisoned");
        let found = seen.iter().find(|(seen, _)| seen == name).map(|(_, address)| address.to_string());
        found.unwrap_or_else(|| panic!("{name} never came: {seen:?}"))
    }
}

impl Authenticator for Guard {
    fn authenticate<'a>(&'a self, applicant: Applicant<'a>) -> Decision<'a> {
        Box::pin(async move {
            self.seen.lock().expect("not poisoned").push((applicant.name.to_owned(), applicant.address));
            match applicant.name {
                "slow" => tokio::time::sleep(Duration::from_millis(700)).await,
                "endless" => std::future::pending().await,
                "broken" => panic!("as asked for"),
                "banned" => return Err(Denial::NotForYou("banned until Friday".to_owned())),
                _ => {}
            }
            let room = (applicant.room == "lobby").then(|| "arena-1".to_owned());
            Ok(Pass { identity: applicant.name.to_owned(), room, ..Pass::default() })
        })
    }
}

pub(crate) async fn start_guarded(config: Config) -> (Running, Arc<Guard>) {
    let guard = Arc::new(Guard::default());
    let hooks =
        Hooks { authenticator: Some(Arc::clone(&guard) as Arc<dyn Authenticator>), ..Hooks::default() };
    let make_game =
        |_: &str, seed| ArenaGame::new(ArenaConfig { size_m: 100, seed, ..ArenaConfig::default() });
    let server = driver::start_with(make_game, ArenaDialect, config, hooks).await.expect("a server");
    (server, guard)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_decides_in_its_own_time_and_no_room_waits() {
    let mut config = config();
    config.auth.deadline = Duration::from_millis(1500);
    let (server, _guard) = start_guarded(config).await;
    let address = server.public_addr();
    let witness = Witness::join(address).await;
    let slow = Player::join(address, "slow", "lobby").await;
    assert_eq!(slow.session.welcome().expect("welcome").room, "arena-1");
    for (name, code, words) in
        [("banned", 4002, "banned until Friday"), ("endless", 4003, "try again"), ("broken", 1011, "")]
    {
        let mut raw = Raw::open(address, BINARY).await;
        raw.send(&frame(DATA, &hello(name, ""))).await;
        let ending = raw.ending().await;
        let (closed, reason) = ending.sole();
        assert!(closed == code && reason.contains(words), "{name}: {closed} {reason}");
    }
    witness.assert_undisturbed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_who_leave_before_the_answer_never_come_in() {
    let (server, _guard) = start_guarded(config()).await;
    let address = server.public_addr();
    let _witness = Witness::join(address).await;
    for _ in 0..20 {
        let mut raw = Raw::open(address, BINARY).await;
        raw.send(&frame(DATA, &hello("slow", ""))).await;
    }
    tokio::time::sleep(Duration::from_millis(1500)).await;
    crate::server::until("only the witness is there", || {
        crate::server::metric(&server, "tickwire_clients") == 1
    })
    .await;
}

#[tokio::test]
async fn a_hook_that_is_not_there_begins_nothing() {
    let mut config = config();
    config.auth.mode = tickwire_server::config::AuthMode::Hook;
    let make_game = |_: &str, seed| ArenaGame::new(ArenaConfig { seed, ..ArenaConfig::default() });
    let refused = driver::start(make_game, ArenaDialect, config).await.map(|_| ()).expect_err("no hook");
    assert!(refused.to_string().contains("auth.mode = hook"), "{refused}");
}
