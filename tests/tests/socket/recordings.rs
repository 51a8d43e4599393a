//! Recordings as files: what a server leaves behind is within its bounds, whole after the server's end, and `replay` runs
//! it again.

use std::path::Path;
use std::time::Duration;

use tickwire_server::arena::{ArenaConfig, ArenaDialect, ArenaGame};
use tickwire_server::config::{Config, RecordingSection};
use tickwire_server::driver;
use tickwire_server::host::recording::{replay, with_other_inputs};
use tickwire_shared::arena::{Arena, ArenaInput};
use tickwire_tests::link::Profile;
use tickwire_tests::sim::Sim;

use crate::command_line::tickwire;
use crate::folder::Folder;
use crate::server::{config, metric, start, until};

async fn serve(recording: RecordingSection) -> driver::Running {
    let make_game = |_: &str, seed| {
        ArenaGame::new(ArenaConfig { size_m: 100, seed, bots: 4, drones: 30, ..ArenaConfig::default() })
    };
    // Awake without anybody in it.
    let room_suspend_after = Duration::from_secs(600);
    let config = Config { recording, tick_hz: 120, room_suspend_after, ..config() };
    driver::start(make_game, ArenaDialect, config).await.expect("a server")
}

fn ticks_of(path: &Path) -> u64 {
    let file = std::fs::read(path).expect("readable");
    let outcome = replay::<ArenaGame>(&file, None, |_, _| ()).expect("a recording");
    assert_eq!(outcome.divergence, None, "{}", path.display());
    assert!(!outcome.is_cut, "{} was cut", path.display());
    outcome.ticks
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_are_bounded_and_whole_after_the_end() {
    const BYTES_MAX: usize = 128 << 10;
    let folder = Folder::new("bounded");
    let section = RecordingSection {
        dir: Some(folder.path().to_owned()),
        room_bytes_max: BYTES_MAX,
        ..Default::default()
    };
    let server = serve(section).await;
    until("the file was followed by another", || {
        assert!(folder.bytes() <= BYTES_MAX as u64, "{} bytes", folder.bytes());
        folder.files().len() == 2
    })
    .await;
    let first = std::fs::metadata(folder.path().join("main.1.twrec")).and_then(|file| file.modified()).ok();
    until("the older one was replaced", || {
        assert!(folder.bytes() <= BYTES_MAX as u64, "{} bytes", folder.bytes());
        let older =
            std::fs::metadata(folder.path().join("main.1.twrec")).and_then(|file| file.modified()).ok();
        older.is_some() && older != first
    })
    .await;
    server.shutdown().await;
    let [older, newer] = folder.files().try_into().expect("two files");
    assert!(folder.bytes() <= BYTES_MAX as u64);
    assert!(ticks_of(&older) > 10);
    ticks_of(&newer);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sleeping_room_is_recorded_to_its_last_tick() {
    let folder = Folder::new("asleep");
    let recording = RecordingSection { dir: Some(folder.path().to_owned()), ..Default::default() };
    let room_suspend_after = Duration::from_millis(300);
    let server = start(Config { recording, room_suspend_after, ..config() }).await;
    until("it sleeps", || metric(&server, "tickwire_sleeping_rooms") == 1).await;
    let ticks = metric(&server, "tickwire_ticks_total");
    let path = folder.path().join("main.twrec");
    let recorded = || {
        let file = std::fs::read(&path).ok()?;
        replay::<ArenaGame>(&file, None, |_, _| ()).ok().map(|outcome| outcome.ticks)
    };
    until("all that was played is in the file", || recorded() == Some(ticks)).await;
    server.shutdown().await;
    ticks_of(&path);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_says_how_it_went() {
    let folder = Folder::new("command");
    let server = serve(RecordingSection { dir: Some(folder.path().to_owned()), ..Default::default() }).await;
    let path = folder.path().join("main.twrec");
    until("something was recorded", || std::fs::metadata(&path).is_ok_and(|file| file.len() > 50_000)).await;
    server.shutdown().await;
    let run = |path: &Path| {
        let output = tickwire().arg("replay").arg(path).args(["--to", "60"]).output().expect("it ran");
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&said).into_owned())
    };
    let (code, said) = run(&path);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("60 ticks are equal, the last is tick 60"), "{said}");
    let other = folder.path().join("other");
    std::fs::write(&other, b"something else").expect("writable");
    assert_eq!(run(&other).0, Some(2));
    assert_eq!(run(&folder.path().join("missing")).0, Some(2));
    std::fs::write(&other, with_another_input()).expect("writable");
    let (code, said) = run(&other);
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("tick 40 is the first that differs") && said.contains("aim was recorded as"),
        "{said}"
    );
}

/// A recording of a player in virtual time, one of whose inputs was changed afterwards.
fn with_another_input() -> Vec<u8> {
    let mut sim = Sim::new(ArenaGame::new(ArenaConfig { bots: 0, ..ArenaConfig::default() }), 30, 1);
    sim.room.write_recording_header(&mut sim.recording);
    sim.room.begin_recording(0, &mut sim.recording);
    let ann = sim.join("ann", Profile::default());
    for tick in 0..60_u16 {
        let (aim, now) = (tick * 500, sim.now);
        sim.client(ann).session.set_input(ArenaInput { aim, ..ArenaInput::default() }, now);
        sim.step();
    }
    let change = |tick, _, input: &mut ArenaInput| input.aim ^= if tick == 40 { 0x8000 } else { 0 };
    with_other_inputs::<Arena>(&sim.recording, change).expect("a recording")
}
