//! All clients of one run, in this process and on one thread: they join, send inputs, count what comes, and the probes
//! among them press keys, decode everything and compare it with the truth. The same for all peers.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use peers_scene::{Dice, Input};
use tickwire_shared::Micros;
use tokio::task::JoinHandle;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep, sleep_until};

use crate::dialects::{self, Dialect, Out, Seat};
use crate::plan::{Cell as Workload, Inputs, Peer, TICK};
use crate::socket::{Socket, post};
use crate::truth::Truth;

/// One in so many clients presses keys and decodes; at least and at most so many.
const PROBE_EVERY: usize = 16;
const PROBES: std::ops::RangeInclusive<usize> = 4..=12;
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
/// What is not seen by then
const PRESS_DEADLINE: Duration = Duration::from_secs(4);
/// Between comparisons with the truth: eight ticks.
const CHECK_EVERY: Duration = Duration::from_millis(266);
/// How often a probe asks what is due; what waits for a tick's beginning leaves then.
const PROBE_POLL: Duration = Duration::from_millis(1);

/// What clients count.
pub struct Board {
    epoch: Instant,
    truth: RefCell<Option<Truth>>,
    seats: Vec<Count>,
    recorded: Option<Vec<RefCell<Vec<u8>>>>,
    is_measuring: Cell<bool>,
    latencies_ms: RefCell<Vec<f64>>,
    early_ms: RefCell<Vec<f64>>,
    /// Entities in view, and in how many looks.
    in_view: Cell<(u64, u64)>,
    right: Cell<u64>,
    waiting: Cell<u64>,
    faults: RefCell<Vec<String>>,
}

/// Of one client.
#[derive(Default)]
struct Count {
    updates: Cell<u64>,
    bytes: Cell<u64>,
    messages: Cell<u64>,
    sent_bytes: Cell<u64>,
}

/// All clients of one run.
pub struct Swarm {
    board: Rc<Board>,
    tasks: Vec<JoinHandle<()>>,
}

/// What was counted between two moments.
#[derive(Clone, Debug, Default)]
pub struct Counted {
    /// By client, per second.
    pub updates_per_s: Vec<f64>,
    /// Of all clients.
    pub updates: u64,
    /// Per client and second, WebSocket framing included.
    pub bytes_per_client_s: f64,
    /// Sent, per client and second.
    pub messages_per_client_s: f64,
    /// The same in bytes.
    pub sent_bytes_per_client_s: f64,
    /// From a key press to the applied state that shows it.
    pub latencies_ms: Vec<f64>,
    /// How long before its tick an input arrives that leaves at the last moment, where clients steer that.
    pub margin_ms: Option<f64>,
    /// Entities in view of a probe.
    pub visible: f64,
    /// Entity states that were compared with the truth and are right.
    pub right: u64,
    /// Those of which a state said nothing, on purpose.
    pub waiting: u64,
}

impl Swarm {
    /// Connects all clients and waits until each has had a state.
    ///
    /// # Errors
    /// When some do not get in.
    pub async fn join(
        peer: Peer,
        workload: Workload,
        inputs: Inputs,
        address: SocketAddr,
        records: bool,
    ) -> Result<Self, String> {
        let players = workload.players();
        let probes = (players / PROBE_EVERY).clamp(*PROBES.start(), *PROBES.end());
        // A coordinate of Colyseus has 16 bits, which at 1 km is a little more than a centimetre.
        let slack = i32::from(peer == Peer::Colyseus && workload.size_m() > 655);
        let truth = Truth::new(workload.size_m(), workload.drones(), workload.radius(), slack);
        let truth = if peer == Peer::Tickwire { truth.with_holding_back() } else { truth };
        let checks = workload != Workload::Bodies && peer != Peer::Floor;
        let board = Rc::new(Board {
            epoch: Instant::now(),
            truth: RefCell::new(checks.then_some(truth)),
            seats: (0..players).map(|_| Count::default()).collect(),
            recorded: records.then(|| (0..players).map(|_| RefCell::default()).collect()),
            is_measuring: Cell::new(false),
            latencies_ms: RefCell::default(),
            early_ms: RefCell::default(),
            in_view: Cell::default(),
            right: Cell::default(),
            waiting: Cell::default(),
            faults: RefCell::default(),
        });
        let mut swarm = Self { board, tasks: Vec::new() };
        for player in 0..players {
            if player % JOINS_AT_ONCE == 0 {
                sleep(JOINS_PAUSE).await;
            }
            let seat = Seat { player, cell: workload, decodes: player < probes && peer != Peer::Floor };
            let board = Rc::clone(&swarm.board);
            swarm.tasks.push(tokio::task::spawn_local(async move {
                let Err(error) = play(peer, seat, inputs, address, &board).await;
                board.faults.borrow_mut().push(format!("client {player}: {error}"));
            }));
        }
        let deadline = Instant::now() + JOIN_DEADLINE;
        while swarm.board.seats.iter().any(|seat| seat.updates.get() == 0) {
            swarm.faults()?;
            if Instant::now() > deadline {
                let missing = swarm.board.seats.iter().filter(|seat| seat.updates.get() == 0).count();
                return Err(format!("{missing} of {players} clients have had no state"));
            }
            sleep(JOINS_PAUSE).await;
        }
        Ok(swarm)
    }

    /// What went wrong so far.
    fn faults(&self) -> Result<(), String> {
        self.board.faults.borrow().first().map_or(Ok(()), |fault| Err(fault.clone()))
    }

    /// Counts for a while. `mark` is called at its beginning and its end.
    ///
    /// # Errors
    /// When something went wrong, now or before.
    pub async fn measure(&self, lasting: Duration, mut mark: impl FnMut()) -> Result<Counted, String> {
        let board = &self.board;
        let before: Vec<[u64; 4]> = board.seats.iter().map(Count::now).collect();
        board.is_measuring.set(true);
        let begun = Instant::now();
        mark();
        sleep(lasting).await;
        mark();
        let seconds = begun.elapsed().as_secs_f64();
        board.is_measuring.set(false);
        let after = board.seats.iter().map(Count::now);
        let counts: Vec<[u64; 4]> =
            after.zip(&before).map(|(now, before)| std::array::from_fn(|of| now[of] - before[of])).collect();
        self.faults()?;
        let total = |of: usize| counts.iter().map(|count| count[of]).sum::<u64>();
        let per_client_s = |of: usize| total(of) as f64 / counts.len() as f64 / seconds;
        let early = board.early_ms.borrow();
        let (entities, looks) = board.in_view.get();
        let counted = Counted {
            updates_per_s: counts.iter().map(|count| count[0] as f64 / seconds).collect(),
            updates: total(0),
            bytes_per_client_s: per_client_s(1),
            messages_per_client_s: per_client_s(2),
            sent_bytes_per_client_s: per_client_s(3),
            latencies_ms: board.latencies_ms.take(),
            // Presses come at any moment: on average half a tick before the last one that is in time.
            margin_ms: (!early.is_empty())
                .then(|| early.iter().sum::<f64>() / early.len() as f64 - TICK.as_secs_f64() * 500.0),
            visible: entities as f64 / looks.max(1) as f64,
            right: board.right.get(),
            waiting: board.waiting.get(),
        };
        Ok(counted)
    }

    /// What each client was sent, each message behind its length.
    #[must_use]
    pub fn recorded(&self) -> Vec<Vec<u8>> {
        self.board.recorded.iter().flatten().map(RefCell::take).collect()
    }
}

impl Drop for Swarm {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

impl Count {
    fn now(&self) -> [u64; 4] {
        [self.updates.get(), self.bytes.get(), self.messages.get(), self.sent_bytes.get()]
    }
}

impl Board {
    fn now(&self) -> Micros {
        Micros(self.epoch.elapsed().as_micros() as u64)
    }

    fn record(&self, player: usize, message: &[u8]) {
        if let Some(recorded) = &self.recorded {
            let mut recorded = recorded[player].borrow_mut();
            recorded.extend_from_slice(&(message.len() as u32).to_le_bytes());
            recorded.extend_from_slice(message);
        }
    }

    /// Compares what a probe was told with the truth.
    fn check(&self, dialect: &mut dyn Dialect) -> Result<(), String> {
        dialect.check()?;
        let own = dialect.own();
        let Some(view) = dialect.view() else { return Ok(()) };
        let (entities, looks) = self.in_view.get();
        self.in_view.set((entities + view.count() as u64, looks + 1));
        let Some(truth) = &mut *self.truth.borrow_mut() else {
            // The dialect has compared them itself.
            self.right.set(self.right.get() + view.count() as u64);
            return Ok(());
        };
        let verdict = truth.check(view, own);
        self.right.set(self.right.get() + verdict.right);
        self.waiting.set(self.waiting.get() + verdict.waiting);
        verdict.wrong.map_or(Ok(()), Err)
    }
}

/// A client's whole life; it ends by an error only.
async fn play(
    peer: Peer,
    seat: Seat,
    inputs: Inputs,
    address: SocketAddr,
    board: &Board,
) -> io::Result<std::convert::Infallible> {
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
        while let Some(message) = socket.next()? {
            board.record(seat.player, message);
            let is_update = dialect.handle(message, &mut out, board.now()).map_err(io::Error::other)?;
            count.updates.set(count.updates.get() + u64::from(is_update));
            if seat.decodes {
                take(&mut *dialect, &mut hand, is_update, board)?;
            }
        }
        dialect.poll(&mut out, board.now());
        for (kind, bytes) in out.drain(..) {
            socket.say(kind, &bytes);
            count.messages.set(count.messages.get() + 1);
        }
        socket.flush().await?;
        count.bytes.set(socket.received_bytes);
        count.sent_bytes.set(socket.sent_bytes);
        let is_playing = count.updates.get() > 0;
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
        && board.is_measuring.get()
    {
        board.latencies_ms.borrow_mut().push(latency.as_secs_f64() * 1000.0);
        board.early_ms.borrow_mut().extend(dialect.early_ms());
    }
    if is_update && board.is_measuring.get() && hand.check_at <= Instant::now() {
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
            is_probe: seat.decodes && seat.cell != Workload::Bodies,
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
        if shown != Some(i32::from(aim)) {
            // Whoever is that late is counted as just that late.
            if at.elapsed() < PRESS_DEADLINE {
                return None;
            }
        }
        self.pressed = None;
        let spread = Duration::from_micros(u64::from(self.dice.next() % PRESS_SPREAD_MICROS));
        self.press_at = Instant::now() + PRESS_AFTER + spread;
        Some(at.elapsed())
    }
}
