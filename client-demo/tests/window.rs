//! The native window as a person has it: under Xvfb, against the real server, with real keys. A second player sees it join
//! and move; pixels are only asked whether there is a picture and whether it moves, after a control in which it must not.
//!
//! Runs with `TICKWIRE_WINDOW=1`; leaves `window.png` in the folder that it names, for a person to look at.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use glam::Vec2;
use tickwire_demo::time::now;
use tickwire_demo::transport::{Connection, Event, connect};
use tickwire_shared::arena::{Arena, ArenaEntity};
use tickwire_shared::client::{Identity, Session};

const PLAYER: &str = "windowed";
const PATIENCE_MICROS: u64 = 90_000_000;
/// The arena's part of the picture: left of the panel, right of the scores.
const ARENA: [std::ops::Range<usize>; 2] = [220..840, 20..660];

#[test]
fn a_window_opens_joins_and_moves() {
    if std::env::var_os("TICKWIRE_WINDOW").is_none() {
        println!("skipped: TICKWIRE_WINDOW=1 runs it (apt-get install xvfb xdotool imagemagick)");
        return;
    }
    let mut server = server();
    let authority = authority(&mut server);
    let (mut screen, display) = display();
    let demo = Running::start(
        Command::new(env!("CARGO_BIN_EXE_tickwire-demo"))
            .args(["play", &format!("ws://{authority}/ws"), "--name", PLAYER])
            .env("DISPLAY", &display)
            .env_remove("WAYLAND_DISPLAY")
            .env("LIBGL_ALWAYS_SOFTWARE", "1"),
    );
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let mut witness = runtime.block_on(Witness::join(&authority));
    let joined = runtime.block_on(witness.until(|place| place.is_some()));
    let began = joined.expect("it joins");

    let window = xdotool(&display, &["search", "--sync", "--name", "Tickwire arena"]);
    xdotool(&display, &["windowfocus", "--sync", window.trim()]);
    runtime.block_on(witness.wait(Duration::from_secs(2)));
    let [one, two] = [
        picture(&display),
        runtime.block_on(async {
            witness.wait(Duration::from_secs(1)).await;
            picture(&display)
        }),
    ];
    assert!(one.colours() > 20, "the window is blank: {} colours", one.colours());
    let still = one.differs(&two);
    assert!(still < 0.002, "nobody moves and {still} of the arena changes");

    xdotool(&display, &["keydown", "d", "keydown", "w"]);
    let moved = |place: Option<Vec2>| place.is_some_and(|place| place.distance(began) > 1.5);
    let reached = runtime.block_on(witness.until(moved));
    let walking = picture(&display);
    xdotool(&display, &["keyup", "d", "keyup", "w"]);
    println!("it walked from {began} to {}", reached.expect("it moves"));
    let changed = two.differs(&walking);
    assert!(changed > 0.005 && changed > 4.0 * still, "it moves and only {changed} of the arena changes");

    let png = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("window.png");
    shoot(&display, &["png:".to_owned() + &png.to_string_lossy()]);
    println!("{} of the arena changed at rest, {changed} while walking; see {}", still, png.display());
    drop(demo);
    screen.stop();
    server.stop();
}

/// A player that only looks.
struct Witness {
    connection: Connection,
    session: Session<Arena>,
}

impl Witness {
    async fn join(authority: &str) -> Self {
        let endpoint = format!("ws://{authority}/ws").parse().expect("an endpoint");
        let connection = connect(&endpoint, None).await.expect("a connection");
        let identity = Identity { name: "witness".to_owned(), ..Identity::default() };
        let session = Session::new(identity).expect("a schema");
        Self { connection, session }
    }

    async fn step(&mut self) {
        while let Some(bytes) = self.session.poll_transmit(now()) {
            self.connection.send(bytes).await;
        }
        let next = tokio::time::timeout(Duration::from_millis(20), self.connection.next()).await;
        match next {
            Ok(Event::Message { bytes, at }) => self.session.handle_message(&bytes, at).expect("a message"),
            Ok(Event::Ended(ending)) => panic!("the witness was sent away: {ending}"),
            Err(_) => {}
        }
        while self.session.poll_happening().is_some() {}
    }

    fn place(&self) -> Option<Vec2> {
        self.session.entities().find_map(|(slot, entity)| match entity {
            ArenaEntity::Player(player) if slot.spawn.name == PLAYER => Some(player.position),
            _ => None,
        })
    }

    /// Looks until the other player's place is as wanted.
    async fn until(&mut self, is_wanted: impl Fn(Option<Vec2>) -> bool) -> Option<Vec2> {
        let deadline = now().plus(PATIENCE_MICROS);
        while !is_wanted(self.place()) {
            if now() > deadline {
                return None;
            }
            self.step().await;
        }
        self.place()
    }

    async fn wait(&mut self, time: Duration) {
        let until = now().plus(time.as_micros() as u64);
        while now() < until {
            self.step().await;
        }
    }
}

/// A program that ends with the test.
struct Running(Child);

impl Running {
    fn start(command: &mut Command) -> Self {
        let program = command.get_program().to_owned();
        let started = command.stdout(Stdio::piped()).stdin(Stdio::null()).spawn();
        let why = "is it installed? apt-get install xvfb xdotool imagemagick";
        Self(started.unwrap_or_else(|error| panic!("{program:?}: {error}; {why}")))
    }

    /// The first line that it says.
    fn line(&mut self) -> String {
        let mut line = String::new();
        let out = self.0.stdout.as_mut().expect("its output");
        BufReader::new(out).read_line(&mut line).expect("a line");
        line
    }

    fn stop(&mut self) {
        // It may be gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The real server, without anybody who moves by itself. Built here: cargo builds binaries for tests of their own package only.
fn server() -> Running {
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--package", "tickwire-server", "--bin", "tickwire-server"])
        .args((!cfg!(debug_assertions)).then_some("--release"))
        .status();
    assert!(status.expect("cargo").success(), "the server builds");
    let binary = Path::new(env!("CARGO_BIN_EXE_tickwire-demo")).with_file_name("tickwire-server");
    Running::start(
        // Without our own environment, of which it would take TICKWIRE_WINDOW for a setting.
        Command::new(binary)
            .env_clear()
            .args([
                "--listen",
                "127.0.0.1:0",
                "--admin-listen",
                "127.0.0.1:0",
                "--bots",
                "0",
                "--drones",
                "0",
            ])
            .stderr(Stdio::null()),
    )
}

fn authority(server: &mut Running) -> String {
    let line = server.line();
    let url = line.split_whitespace().find_map(|word| word.strip_prefix("http://"));
    url.unwrap_or_else(|| panic!("no URL in {line:?}")).trim_end_matches('/').to_owned()
}

fn display() -> (Running, String) {
    let mut screen = Running::start(Command::new("Xvfb").args([
        "-displayfd",
        "1",
        "-screen",
        "0",
        "1180x760x24",
        "-nolisten",
        "tcp",
    ]));
    let number = screen.line();
    (screen, format!(":{}", number.trim()))
}

fn xdotool(display: &str, arguments: &[&str]) -> String {
    let output = Command::new("xdotool").args(arguments).env("DISPLAY", display).output().expect("xdotool");
    assert!(output.status.success(), "xdotool {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What is on the screen.
struct Picture {
    width: usize,
    pixels: Vec<[u8; 3]>,
}

impl Picture {
    fn colours(&self) -> usize {
        self.pixels.iter().collect::<BTreeSet<_>>().len()
    }

    /// Which share of the arena's pixels is not the same.
    fn differs(&self, other: &Self) -> f64 {
        let [columns, rows] = ARENA;
        let count = columns.len() * rows.len();
        let places = rows.flat_map(|y| columns.clone().map(move |x| y * self.width + x));
        places.filter(|place| self.pixels[*place] != other.pixels[*place]).count() as f64 / count as f64
    }
}

fn shoot(display: &str, to: &[String]) -> Vec<u8> {
    let mut import = Command::new("import");
    import.args(["-window", "root", "-depth", "8"]).args(to).env("DISPLAY", display);
    let output = import.output().expect("import, of imagemagick");
    assert!(output.status.success(), "import: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn picture(display: &str) -> Picture {
    let bytes = shoot(display, &["ppm:-".to_owned()]);
    let mut rest = BufReader::new(&bytes[..]);
    let mut header = Vec::new();
    while header.len() < 4 {
        let mut line = String::new();
        rest.read_line(&mut line).expect("a header");
        header.extend(line.split_whitespace().map(str::to_owned));
    }
    assert_eq!((header[0].as_str(), header[3].as_str()), ("P6", "255"), "a plain picture");
    let width = header[1].parse().expect("a width");
    let mut body = Vec::new();
    rest.read_to_end(&mut body).expect("pixels");
    Picture { width, pixels: body.chunks_exact(3).map(|rgb| [rgb[0], rgb[1], rgb[2]]).collect() }
}
