//! A player's session with all that a window needs around it, without a socket, a thread or a clock: when to connect, what to
//! send, what to show. [`Network`](super::network::Network) brings bytes and times, in a native program and in a browser
//! page alike; so both behave the same, and a test needs neither.

use rand::Rng;
use rand_pcg::Pcg32;
use tickwire_shared::arena::{Arena, ArenaInput, Command};
use tickwire_shared::client::{Ended, Happening, Identity, Next, Reconnect, Session, State};
use tickwire_shared::{CloseCode, Micros};

use super::controls::Controls;
use super::port::Wish;
use super::scene::{Scene, Status};
use super::world::World;
use crate::link::{Direction, LinkConditioner};

/// A connection over which nothing has come for so long is dead, though nobody says so; there should be two heartbeats a
/// second.
const DEAD_MICROS: u64 = 6_000_000;
/// What TCP and IP add to a small message.
const SEGMENT_HEADER_BYTES: usize = 40;

/// How far the connection at hand is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// One is to be opened at this time.
    Due(Micros),
    /// One is being opened.
    Opening,
    /// There is one.
    Open,
    /// It is to be closed with this code, and there will be no other.
    Closing(CloseCode),
    /// There is none, and there will be none until the player wants it.
    Over,
}

/// One player.
pub struct Player {
    identity: Identity,
    session: Option<Session<Arena>>,
    world: World,
    controls: Controls,
    phase: Phase,
    patience: Reconnect,
    dice: Pcg32,
    inwards: LinkConditioner<Vec<u8>>,
    outwards: LinkConditioner<Vec<u8>>,
    looked_at: Micros,
}

impl Player {
    /// Somebody who wants to play from `now` on. Players with different seeds do not come back at the same time.
    #[must_use]
    pub fn new(identity: Identity, seed: u64, now: Micros) -> Self {
        let profile = Controls::default().link.profile();
        let mut player = Self {
            world: World::new(&identity.name),
            identity,
            session: None,
            controls: Controls::default(),
            phase: Phase::Over,
            patience: Reconnect::default(),
            dice: Pcg32::new(seed, 0xC0BE),
            inwards: LinkConditioner::new(profile, seed, Direction::Inwards, now),
            outwards: LinkConditioner::new(profile, seed, Direction::Outwards, now),
            looked_at: now,
        };
        player.begin(now);
        player
    }

    fn begin(&mut self, now: Micros) {
        self.world.begin();
        self.patience = Reconnect::default();
        match Session::new(self.identity.clone()) {
            Ok(session) => (self.session, self.phase) = (Some(session), Phase::Due(now)),
            Err(error) => self.world.end(error.to_string()),
        }
    }

    /// Whether a connection is to be opened now. Says so once for each.
    pub fn poll_connect(&mut self, now: Micros) -> bool {
        let is_due = matches!(self.phase, Phase::Due(due) if due <= now);
        if is_due {
            self.phase = Phase::Opening;
        }
        is_due
    }

    /// The connection is open.
    pub fn opened(&mut self, now: Micros) {
        if self.phase != Phase::Opening {
            return;
        }
        self.phase = Phase::Open;
        (self.inwards, self.outwards) = (self.inwards.anew(now), self.outwards.anew(now));
        if let Some(session) = &mut self.session {
            session.resume();
        }
    }

    /// The connection has ended, or never came about. `is_final` when another attempt would end in the same way.
    pub fn ended(&mut self, ended: Ended<'_>, why: &str, is_final: bool, now: Micros) {
        if !matches!(self.phase, Phase::Opening | Phase::Open) {
            return;
        }
        // What had arrived before is the player's still.
        self.advance(now);
        let is_known = self.session.as_ref().is_some_and(|session| session.welcome().is_some());
        // Whom a server turns away for the moment comes again. Whoever met nobody looks at the address first.
        let is_turned_away = matches!(ended, Ended::Closed { .. });
        let next = match (is_known || is_turned_away) && !is_final {
            true => self.patience.ended(ended, self.dice.next_u32(), now),
            false => Next::Never,
        };
        match (next, self.phase) {
            (_, Phase::Closing(_)) => self.phase = Phase::Over,
            (Next::At(due), _) => {
                self.phase = Phase::Due(due);
                // An attempt that fails is no second loss.
                if is_known && !matches!(self.world.status(), Status::Resuming(_)) {
                    self.world.lose(why.to_owned());
                }
            }
            (Next::Never, _) => {
                self.phase = Phase::Over;
                self.give_up(why.to_owned());
            }
        }
    }

    fn give_up(&mut self, why: String) {
        if let Some(session) = &mut self.session {
            session.give_up(why.clone());
        }
        self.world.end(why);
    }

    /// A message arrived at `at`.
    pub fn received(&mut self, bytes: Vec<u8>, at: Micros) {
        if self.phase != Phase::Open {
            return;
        }
        if !self.inwards.has_room() {
            // A server stops long before: it has so many frames unacknowledged at the most.
            return self.fail("more has come than the link set in the panel carries".to_owned());
        }
        let wire_bytes = bytes.len() + SEGMENT_HEADER_BYTES;
        self.inwards.push(bytes, wire_bytes, at);
        self.advance(at);
    }

    /// Time goes on. To be called every few milliseconds, as timers allow, and never less often than messages come.
    pub fn advance(&mut self, now: Micros) {
        if self.phase != Phase::Open {
            return;
        }
        while let Some(bytes) = self.inwards.poll(now) {
            let Some(session) = &mut self.session else { return };
            if let Err(error) = session.handle_message(&bytes, now) {
                return self.fail(error.to_string());
            }
            self.note_happenings(now);
        }
        let Some(session) = &self.session else { return };
        self.world.stalled(session.state(now) == State::Stalled);
    }

    /// Whether the connection is dead, though nobody says so.
    #[must_use]
    pub fn is_dead(&self, now: Micros) -> bool {
        let welcomed = self.session.as_ref().filter(|session| session.welcome().is_some());
        self.phase == Phase::Open && welcomed.is_some_and(|session| session.silence_micros(now) > DEAD_MICROS)
    }

    fn note_happenings(&mut self, now: Micros) {
        let Some(session) = &mut self.session else { return };
        while let Some(happening) = session.poll_happening() {
            match happening {
                Happening::Welcomed => {
                    self.patience.welcomed(now);
                    self.world.begin();
                    self.world.welcome(session);
                }
                Happening::Resumed => {
                    self.patience.welcomed(now);
                    self.world.welcome_back();
                }
                // Events are shown when the view reaches them.
                Happening::Game(..) | Happening::Frame(_) | Happening::InputSeen(_) | Happening::Mismatch => {
                }
            }
        }
    }

    fn fail(&mut self, why: String) {
        self.phase = Phase::Closing(CloseCode::BadMessage);
        self.give_up(why);
    }

    /// The next message to send, if one is due. To be called until it gives none.
    pub fn poll_transmit(&mut self, now: Micros) -> Option<Vec<u8>> {
        if self.phase != Phase::Open {
            return None;
        }
        let session = self.session.as_mut()?;
        while self.outwards.has_room()
            && let Some(bytes) = session.poll_transmit(now)
        {
            let wire_bytes = bytes.len() + SEGMENT_HEADER_BYTES;
            self.outwards.push(bytes, wire_bytes, now);
        }
        self.outwards.poll(now)
    }

    /// The code to close the connection with, once nobody needs it any more.
    pub fn poll_close(&mut self) -> Option<CloseCode> {
        let Phase::Closing(code) = self.phase else { return None };
        self.phase = Phase::Over;
        Some(code)
    }

    /// The player goes away; [`poll_close`](Self::poll_close) says whether there is somebody to say goodbye to.
    pub fn leave(&mut self) {
        self.phase = match self.phase {
            Phase::Open | Phase::Opening => Phase::Closing(CloseCode::Normal),
            Phase::Closing(code) => Phase::Closing(code),
            Phase::Due(_) | Phase::Over => Phase::Over,
        };
    }

    /// When something that is on its way over the link set in the panel is due.
    #[must_use]
    pub fn due(&self) -> Option<Micros> {
        [self.inwards.due(), self.outwards.due()].into_iter().flatten().min()
    }

    /// What there is to see at `now`. To be called once per drawn frame, after [`set_input`](Self::set_input).
    pub fn scene(&mut self, now: Micros) -> Scene {
        self.advance(now);
        self.looked_at = now;
        self.world.scene(self.session.as_mut(), &self.controls, now)
    }

    /// When anybody last looked.
    #[must_use]
    pub fn looked_at(&self) -> Micros {
        self.looked_at
    }

    /// From now on this is what the hands do.
    pub fn set_input(&mut self, input: ArenaInput, now: Micros) {
        if let Some(session) = &mut self.session {
            session.set_input(input, now);
        }
    }

    /// What is smoothed, and over which link is played, from now on.
    pub fn set_controls(&mut self, controls: Controls, now: Micros) {
        if self.controls.link != controls.link {
            let profile = controls.link.profile();
            self.inwards.set_profile(profile, now);
            self.outwards.set_profile(profile, now);
        }
        self.controls = controls;
    }

    /// Fulfils a wish; says `false` when too much is waiting.
    pub fn wish(&mut self, wish: Wish, now: Micros) -> bool {
        match wish {
            Wish::Reconnect => {
                if self.phase == Phase::Over {
                    self.begin(now);
                }
                true
            }
            Wish::Chat(text) => {
                let session = self.session.as_mut().filter(|_| self.phase == Phase::Open);
                session.is_some_and(|session| session.send_command(Command::Chat(text)))
            }
        }
    }

    /// Where the session stands, as players are told.
    #[must_use]
    pub fn status(&self) -> &Status {
        self.world.status()
    }

    /// The session, for whoever shows figures of it.
    #[must_use]
    pub fn session(&self) -> Option<&Session<Arena>> {
        self.session.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a server said once: Hello of the client, then Welcome and frames.
    const MESSAGES: &str = include_str!("../../../shared/vectors/arena_messages.txt");

    fn messages() -> Vec<Vec<u8>> {
        let byte = |line: &str, at: usize| u8::from_str_radix(&line[at..at + 2], 16).expect("hex");
        let bytes = |line: &str| (0..line.len()).step_by(2).map(|at| byte(line, at)).collect();
        MESSAGES.lines().skip(1).map(bytes).collect()
    }

    fn ms(ms: u64) -> Micros {
        Micros(1_000_000 + ms * 1_000)
    }

    fn connected(at: Micros) -> Player {
        let mut player = Player::new(Identity { name: "ann".to_owned(), ..Identity::default() }, 7, ms(0));
        assert!(player.poll_connect(at) && !player.poll_connect(at), "once");
        assert_eq!(player.poll_transmit(at), None, "nothing before there is a connection");
        player.opened(at);
        player
    }

    fn welcomed() -> Player {
        let mut player = connected(ms(0));
        player.poll_transmit(ms(0)).expect("Hello");
        for bytes in messages() {
            player.received(bytes, ms(10));
        }
        assert_eq!(player.scene(ms(10)).status, Status::Playing);
        player
    }

    #[test]
    fn who_is_lost_comes_back_when_it_is_time() {
        let mut player = welcomed();
        let seen = player.scene(ms(20)).bodies.len();
        player.ended(Ended::Lost, "gone", false, ms(20));
        let scene = player.scene(ms(21));
        assert_eq!((scene.status, scene.bodies.len()), (Status::Resuming("gone".to_owned()), seen));
        assert_eq!(player.poll_transmit(ms(21)), None);
        let due = (20..1_100).find(|at| player.poll_connect(ms(*at)));
        let due = ms(due.expect("the first attempt comes within a second"));
        player.opened(due);
        let hello = player.poll_transmit(due).expect("Hello goes first");
        let first = connected(ms(0)).poll_transmit(ms(0)).expect("Hello");
        assert!(hello.len() > first.len(), "it asks to go on with its session");
    }

    #[test]
    fn who_never_got_in_or_is_refused_waits_for_the_player() {
        let mut never_in = connected(ms(0));
        never_in.ended(Ended::Lost, "nobody there", false, ms(5));
        let mut refused = welcomed();
        refused.ended(Ended::Closed { code: 4002, reason: "expired" }, "4002: expired", false, ms(20));
        for (mut player, why) in [(never_in, "nobody there"), (refused, "4002: expired")] {
            assert_eq!(player.scene(ms(30)).status, Status::Over(why.to_owned()));
            assert!(!(0..100).any(|s| player.poll_connect(ms(s * 1000))));
            assert!(!player.wish(Wish::Chat("hello".to_owned()), ms(30)), "to nobody");
            assert!(player.wish(Wish::Reconnect, ms(40)));
            assert!(player.poll_connect(ms(40)));
        }
    }

    #[test]
    fn who_was_turned_away_for_the_moment_comes_again() {
        let mut player = connected(ms(0));
        player.ended(Ended::Closed { code: 4005, reason: "" }, "4005: deadline passed", false, ms(5));
        assert_eq!(player.scene(ms(6)).status, connected(ms(0)).scene(ms(1)).status, "still connecting");
        assert!((5..1_100).any(|at| player.poll_connect(ms(at))), "within a second at first");
    }

    #[test]
    fn what_cannot_be_read_ends_it() {
        let mut player = welcomed();
        player.received(vec![0xFF; 40], ms(20));
        assert_eq!(player.poll_close(), Some(CloseCode::BadMessage));
        assert_eq!(player.poll_close(), None);
        assert!(matches!(player.scene(ms(20)).status, Status::Over(_)));
    }

    #[test]
    fn a_slow_link_is_slow_both_ways() {
        let mut player = connected(ms(0));
        let mut controls = Controls::default();
        controls.link.delay_ms = 100;
        player.set_controls(controls, ms(0));
        assert_eq!(player.poll_transmit(ms(0)), None);
        assert_eq!(player.due(), Some(ms(100)));
        assert!(player.poll_transmit(ms(100)).is_some(), "Hello");
        player.received(messages().remove(0), ms(150));
        player.advance(ms(249));
        assert_eq!(player.scene(ms(249)).status, Status::Connecting);
        player.advance(ms(250));
        assert_eq!(player.scene(ms(250)).status, Status::Playing);
    }

    #[test]
    fn silence_is_noticed() {
        let mut player = welcomed();
        assert!(!player.is_dead(ms(1_000)));
        player.advance(ms(3_000));
        assert_eq!(player.scene(ms(3_000)).status, Status::Stalled);
        assert!(player.is_dead(ms(10 + 6_001)));
    }

    #[test]
    fn leaving_says_goodbye_where_somebody_listens() {
        let mut player = welcomed();
        player.leave();
        assert_eq!(player.poll_close(), Some(CloseCode::Normal));
        let mut alone = connected(ms(0));
        alone.ended(Ended::Lost, "", false, ms(1));
        alone.leave();
        assert_eq!(alone.poll_close(), None);
    }
}
