//! All clients of one run, in this process and on two threads: they join, send inputs, count what comes, and the probes
//! among them, who have a thread of their own, press keys, decode everything and compare it with the truth. The same for
//! all peers.

use std::io;
use std::net::SocketAddr;
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use peers_scene::{Dice, Input};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, LocalSet};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep, sleep_until};

use crate::board::{Board, Counted};
use crate::dialects::{self, Dialect, Out, Seat};
use crate::plan::{Cell, Inputs, Peer, TICK};
use crate::socket::{Socket, post};
use crate::truth::Truth;

/// One in so many clients presses keys and decodes; at least and at most so many.
const PROBE_EVERY: usize = 16;
const PROBES: RangeInclusive<usize> = 4..=12;
/// Clients join in groups, so that even a busy machine keeps up.
const JOINS_AT_ONCE: usize = 20;
const JOINS_PAUSE: Duration = Duration::from_millis(20);
const JOIN_DEADLINE: Duration = Duration::from_secs(60);
/// Ticks for which a key is held.
const HOLD_TICKS: u32 = 15;
/// A probe presses again so long after it has seen the last one: at least, and how much more at most. Three ticks of
/// spread, so that every moment of a tick is as likely.
const PRESS_AFTER: Duration = Duration::from_millis(60);
const PRESS_SPREAD_MICROS: u32 = 100_000;
/// What is not seen by then is counted as just that late.
const PRESS_DEADLINE: Duration = Duration::from_secs(4);
/// Between comparisons with the truth: eight ticks.
const CHECK_EVERY: Duration = Duration::from_millis(266);
/// How often a probe asks what is due; what waits for a tick's beginning leaves then.
const PROBE_POLL: Duration = Duration::from_millis(1);

/// All clients of one run.
pub struct Swarm {
    board: Arc<Board>,
    /// On the caller's thread: nothing that the crowd does delays what they see.
    probes: Vec<JoinHandle<()>>,
    /// Tells the crowd to go by being dropped.
    stop: Option<oneshot::Sender<()>>,
    crowd: Option<std::thread::JoinHandle<()>>,
}

/// What is to be joined.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// Whom.
    pub peer: Peer,
    /// At what.
    pub cell: Cell,
    /// How inputs change.
    pub inputs: Inputs,
    /// Where.
    pub address: SocketAddr,
    /// Whether to keep what clients are sent.
    pub records: bool,
}

impl Swarm {
    /// Connects all clients and waits until each has had a state.
    ///
    /// # Errors
    /// When some do not get in.
    pub async fn join(run: Run) -> Result<Self, String> {
        let Run { peer, cell, records, .. } = run;
        let players = cell.players();
        let probes = (players / PROBE_EVERY).clamp(*PROBES.start(), *PROBES.end());
        // A coordinate of Colyseus has 16 bits, which at 1 km is a little more than a centimetre.
        let slack = i32::from(peer == Peer::Colyseus && cell.size_m() > 655);
        let truth = Truth::new(cell.size_m(), cell.drones(), cell.radius(), slack);
        let truth = if peer == Peer::Tickwire { truth.with_holding_back() } else { truth };
        let checks = cell != Cell::Bodies && peer != Peer::Floor;
        let board = Arc::new(Board::new(players, checks.then_some(truth), records));
        let (stop, stopped) = oneshot::channel();
        let crowd = std::thread::spawn({
            let board = Arc::clone(&board);
            move || gather(run, probes..players, &board, stopped)
        });
        let mut swarm = Self { board, probes: Vec::new(), stop: Some(stop), crowd: Some(crowd) };
        for player in 0..probes {
            let board = Arc::clone(&swarm.board);
            let seat = Seat { player, cell, decodes: peer != Peer::Floor };
            swarm.probes.push(tokio::task::spawn_local(live(run, seat, board)));
        }
        let deadline = Instant::now() + JOIN_DEADLINE;
        loop {
            swarm.board.faults()?;
            let missing = swarm.board.counts().iter().filter(|count| count[0] == 0).count();
            if missing == 0 {
                return Ok(swarm);
            }
            if Instant::now() > deadline {
                return Err(format!("{missing} of {players} clients have had no state"));
            }
            sleep(JOINS_PAUSE).await;
        }
    }

    /// Counts for a while. `mark` is called at its beginning and its end.
    ///
    /// # Errors
    /// When something went wrong, now or before.
    pub async fn measure(&self, lasting: Duration, mut mark: impl FnMut()) -> Result<Counted, String> {
        let before = self.board.counts();
        self.board.is_measuring.store(true, Ordering::Relaxed);
        let begun = Instant::now();
        mark();
        sleep(lasting).await;
        mark();
        let (after, seconds) = (self.board.counts(), begun.elapsed().as_secs_f64());
        self.board.is_measuring.store(false, Ordering::Relaxed);
        self.board.faults()?;
        Ok(self.board.counted(&before, &after, seconds))
    }

    /// What each client was sent, each message behind its length.
    #[must_use]
    pub fn recorded(&self) -> Vec<Vec<u8>> {
        self.board.take_recorded()
    }
}

impl Drop for Swarm {
    fn drop(&mut self) {
        self.probes.iter().for_each(JoinHandle::abort);
        drop(self.stop.take());
        if let Some(crowd) = self.crowd.take() {
            let _ = crowd.join();
        }
    }
}

/// The thread of all who are no probes.
fn gather(run: Run, players: Range<usize>, board: &Arc<Board>, stopped: oneshot::Receiver<()>) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return board.complain(error.to_string()),
    };
    LocalSet::new().block_on(&runtime, async move {
        for player in players {
            if player % JOINS_AT_ONCE == 0 {
                sleep(JOINS_PAUSE).await;
            }
            let seat = Seat { player, cell: run.cell, decodes: false };
            tokio::task::spawn_local(live(run, seat, Arc::clone(board)));
        }
        let _ = stopped.await;
    });
}

async fn live(run: Run, seat: Seat, board: Arc<Board>) {
    let Err(error) = play(run, seat, &board).await;
    board.complain(format!("client {}: {error}", seat.player));
}

/// A client's whole life; it ends by an error only.
async fn play(run: Run, seat: Seat, board: &Board) -> io::Result<std::convert::Infallible> {
    let Run { peer, inputs, address, .. } = run;
    let mut socket = connect(peer, seat, address).await?;
    let mut dialect = dialects::of(peer, seat);
    let mut out = Out::new();
    dialect.greet(&mut out, board.now());
    let count = &board.seats[seat.player];
    let mut hand = Hand::new(seat, inputs);
    let mut timer = hand.timer();
    let mut poll = interval_at(Instant::now(), PROBE_POLL);
    poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        while let Some(message) = socket.next_message()? {
            board.record(seat.player, message);
            let is_update = dialect.handle(message, &mut out, board.now()).map_err(io::Error::other)?;
            count.updates.fetch_add(u64::from(is_update), Ordering::Relaxed);
            if seat.decodes {
                take(&mut *dialect, &mut hand, is_update, board)?;
            }
        }
        dialect.poll(&mut out, board.now());
        for (kind, bytes) in out.drain(..) {
            socket.say(kind, &bytes);
            count.messages.fetch_add(1, Ordering::Relaxed);
        }
        socket.flush().await?;
        count.bytes.store(socket.received_bytes, Ordering::Relaxed);
        count.sent_bytes.store(socket.sent_bytes, Ordering::Relaxed);
        let is_playing = count.updates.load(Ordering::Relaxed) > 0;
        tokio::select! {
            filled = socket.fill() => filled?,
            _ = timer.tick() => if let Some(input) = hand.tick().filter(|_| is_playing) {
                dialect.input(input, &mut out, board.now());
            },
            () = sleep_until(hand.press_at), if hand.is_probe && is_playing && hand.pressed.is_none() => {
                dialect.input(hand.press(), &mut out, board.now());
            }
            // What is due is asked for above.
            _ = poll.tick(), if seat.decodes && peer == Peer::Tickwire => {}
        }
    }
}

/// A probe has had a message.
fn take(dialect: &mut dyn Dialect, hand: &mut Hand, is_update: bool, board: &Board) -> io::Result<()> {
    let shown = dialect.own().map(|own| own.heading);
    if let Some(latency) = hand.look(shown)
        && board.is_measuring.load(Ordering::Relaxed)
    {
        board.press_seen(latency.as_secs_f64() * 1000.0, dialect.early_ms());
    }
    if is_update && board.is_measuring.load(Ordering::Relaxed) && hand.check_at <= Instant::now() {
        hand.check_at = Instant::now() + CHECK_EVERY;
        board.check(dialect).map_err(io::Error::other)?;
    }
    Ok(())
}

async fn connect(peer: Peer, seat: Seat, address: SocketAddr) -> io::Result<Socket> {
    let player = seat.player;
    match peer {
        Peer::Tickwire | Peer::Floor => Socket::connect(address, "/ws", Some("tickwire.v1")).await,
        Peer::Bincode | Peer::Ws => Socket::connect(address, &format!("/?player={player}"), None).await,
        Peer::Socketio => {
            let path = format!("/socket.io/?EIO=4&transport=websocket&player={player}");
            Socket::connect(address, &path, None).await
        }
        Peer::Colyseus => {
            let options = format!(r#"{{"player":{player}}}"#);
            let reserved = post(address, "/matchmake/joinOrCreate/arena", &options).await?;
            let word = |key: &str| reserved[key].as_str().map(ToOwned::to_owned);
            let (Some(process), Some(room), Some(session)) =
                (word("processId"), word("roomId"), word("sessionId"))
            else {
                return Err(io::Error::other(format!("no seat: {reserved}")));
            };
            Socket::connect(address, &format!("/{process}/{room}?sessionId={session}"), None).await
        }
        Peer::Replicon => Socket::connect(address, "/", None).await,
    }
}

/// What a player does: seeded by its number, the same for all peers.
struct Hand {
    dice: Dice,
    inputs: Inputs,
    is_probe: bool,
    held: Input,
    ticks: u32,
    press_at: Instant,
    check_at: Instant,
    /// The heading that shows it, and when.
    pressed: Option<(u16, Instant)>,
}

impl Hand {
    fn new(seat: Seat, inputs: Inputs) -> Self {
        let mut dice = Dice::new(1_000_000 + seat.player as u32);
        let ticks = dice.next() % HOLD_TICKS;
        Self {
            dice,
            inputs,
            is_probe: seat.decodes && seat.cell != Cell::Bodies,
            held: Input::default(),
            ticks,
            press_at: Instant::now() + PRESS_AFTER,
            check_at: Instant::now(),
            pressed: None,
        }
    }

    /// At the tick rate, at any moment of a tick.
    fn timer(&mut self) -> Interval {
        let phase = Duration::from_micros(u64::from(self.dice.next()) % TICK.as_micros() as u64);
        let mut timer = interval_at(Instant::now() + phase, TICK);
        timer.set_missed_tick_behavior(MissedTickBehavior::Skip);
        timer
    }

    /// What to send now, if anything. A probe's keys change only when it presses.
    fn tick(&mut self) -> Option<Input> {
        self.ticks += 1;
        if self.is_probe {
            return (self.inputs == Inputs::EachTick).then_some(self.held);
        }
        let changes = self.ticks.is_multiple_of(HOLD_TICKS);
        if changes {
            self.walk();
            self.held.aim = (self.dice.next() % 1024) as u16;
        }
        if self.inputs == Inputs::EachTick {
            self.held.aim = (self.held.aim + 5) % 1024;
            return Some(self.held);
        }
        changes.then_some(self.held)
    }

    fn walk(&mut self) {
        let bits = self.dice.next();
        let stick = |bits: u32| ((bits % 255) as i32 - 127) as i8;
        self.held.walk = [stick(bits & 0xffff), stick(bits >> 16)];
        self.held.fire = bits & 3 == 0;
    }

    fn press(&mut self) -> Input {
        self.walk();
        let turn = 200 + self.dice.next() % 600;
        self.held.aim = (self.held.aim + turn as u16) % 1024;
        self.pressed = Some((self.held.aim, Instant::now()));
        self.held
    }

    /// How long ago the key was pressed that is shown now.
    fn look(&mut self, shown: Option<i32>) -> Option<Duration> {
        let (aim, at) = self.pressed?;
        if shown != Some(i32::from(aim)) && at.elapsed() < PRESS_DEADLINE {
            return None;
        }
        self.pressed = None;
        let spread = Duration::from_micros(u64::from(self.dice.next() % PRESS_SPREAD_MICROS));
        self.press_at = Instant::now() + PRESS_AFTER + spread;
        Some(at.elapsed())
    }
}
