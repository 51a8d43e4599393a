//! A server that is given too little CPU: what it gives up, in which order, what its players notice, and that it takes all of it
//! back. The process is stopped four fifths of the time, which is what a crowded machine does to it.
#![cfg(unix)]

use std::net::SocketAddr;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use glam::Vec2;
use tickwire_shared::arena::ArenaInput;
use tokio::time::{Instant, timeout};

use crate::command_line::tickwire;
use crate::http::get;
use crate::player::{Player, hello};
use crate::process::Process;
use crate::raw::{BINARY, DATA, Raw, frame};

const STEPS: [&str; 5] = ["no-catch-up", "slow-far", "half-rate", "refuse-joins", "dilate-time"];
/// Of a tick of 33 ms only every third begins in time, with these.
const STOPPED: Duration = Duration::from_millis(80);
const RUNS: Duration = Duration::from_millis(20);
/// Until a step is taken, or taken back; calm has to last for five seconds, or ten where the machine is busy.
const STEP_PATIENCE: Duration = Duration::from_secs(60);

/// A process that hardly ever runs.
struct Starved {
    ends: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Starved {
    fn begin(process: u32) -> Self {
        let ends = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&ends);
        let signal = move |name: &str| {
            let status = Command::new("kill").args([name, &process.to_string()]).status();
            assert!(status.expect("kill").success());
        };
        let thread = std::thread::spawn(move || {
            while !told.load(Ordering::SeqCst) {
                signal("-STOP");
                std::thread::sleep(STOPPED);
                signal("-CONT");
                std::thread::sleep(RUNS);
            }
        });
        Self { ends, thread: Some(thread) }
    }
}

impl Drop for Starved {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::SeqCst);
        // It has nothing to say.
        let _ = self.thread.take().map(std::thread::JoinHandle::join);
    }
}

/// Plays until told otherwise, with another direction as often as it may; gives itself back.
fn plays_on(mut player: Player, ends: Arc<AtomicBool>) -> tokio::task::JoinHandle<Player> {
    tokio::spawn(async move {
        let mut turns = 0_u16;
        while !ends.load(Ordering::SeqCst) {
            turns = turns.wrapping_add(1);
            let direction = Vec2::from_angle(f32::from(turns));
            let now = player.now();
            player.session.set_input(ArenaInput::new(direction, 0.0, false), now);
            // Until something comes, or it is time for the next direction.
            if let Ok(received) = timeout(Duration::from_millis(20), player.raw.frame()).await {
                player.take(received.expect("a frame").expect("a frame before the end")).await;
            } else {
                player.transmit().await;
            }
        }
        player
    })
}

/// A metric, by its name and labels.
async fn metric(admin: SocketAddr, name: &str) -> u64 {
    let text = get(admin, "/metrics").await.1;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {name}"))
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < STEP_PATIENCE, "never: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn rooms_at(admin: SocketAddr, step: &str) -> u64 {
    metric(admin, &format!("tickwire_overloaded_rooms{{step=\"{step}\"}}")).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_starved_server_gives_things_up_in_order_and_takes_them_back() {
    let process = tokio::task::spawn_blocking(|| {
        Process::start(tickwire().env("TICKWIRE_OVERLOAD__LAST_STEP", "dilate-time"))
    });
    let process = process.await.expect("started");
    let address: SocketAddr = process.address.parse().expect("an address");
    let admin: SocketAddr = process.admin().parse().expect("an address");
    let player = Player::join(address, "ann", "").await;
    let ends = Arc::new(AtomicBool::new(false));
    let playing = plays_on(player, Arc::clone(&ends));

    let starved = Starved::begin(process.id());
    until("newcomers are refused", async || {
        rooms_at(admin, "refuse-joins").await + rooms_at(admin, "dilate-time").await == 1
    })
    .await;
    let mut newcomer = Raw::open(address, BINARY).await;
    newcomer.send(&frame(DATA, &hello("bob", ""))).await;
    let ending = newcomer.ending().await;
    let (code, reason) = ending.sole();
    assert!(code == 4003 && reason.contains("retry_after_ms=2000"), "{code} {reason}");
    until("time goes slower", async || rooms_at(admin, "dilate-time").await == 1).await;
    drop(starved);

    until("all is as it was", async || {
        let mut rooms = 0;
        for step in STEPS {
            rooms += rooms_at(admin, step).await;
        }
        rooms == 0
    })
    .await;
    for step in STEPS {
        for way in ["up", "down"] {
            let name = format!("tickwire_overload_steps_total{{step=\"{step}\",way=\"{way}\"}}");
            assert!(metric(admin, &name).await >= 1, "{name}");
        }
    }
    assert!(metric(admin, "tickwire_tick_skipped_total").await > 0);
    assert!(metric(admin, "tickwire_joins_refused_total").await >= 1);

    // No input went missing without a count, and the player saw the same world all the time.
    ends.store(true, Ordering::SeqCst);
    let player = playing.await.expect("it plays");
    assert!(player.inputs > 200, "{} inputs", player.inputs);
    let mut counted = 0;
    until("all inputs are counted", async || {
        counted = 0;
        for outcome in ["on_time", "late", "early", "double"] {
            counted += metric(admin, &format!("tickwire_inputs_total{{outcome=\"{outcome}\"}}")).await;
        }
        for reason in ["frames_per_s", "bytes_per_s", "inbox_full"] {
            let name = format!("tickwire_dropped_messages_total{{reason=\"{reason}\"}}");
            counted += metric(admin, &name).await;
        }
        counted == player.inputs
    })
    .await;
    let stats = player.session.stats();
    assert!(stats.mismatches == 0 && stats.checksums > 3, "{stats:?}");
    let first_times: Vec<_> = {
        let lines = tokio::task::spawn_blocking(move || process.into_lines()).await.expect("lines");
        let of = |step: &&str| {
            let words = format!("step=\"{step}\"");
            lines.iter().position(|line| line.contains(&words) && line.contains("gives something up"))
        };
        STEPS
            .iter()
            .map(|step| of(step).unwrap_or_else(|| panic!("no line for {step}: {lines:#?}")))
            .collect()
    };
    assert!(first_times.is_sorted(), "{first_times:?}");
}
