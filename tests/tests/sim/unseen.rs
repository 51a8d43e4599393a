//! What a client does not see changes nothing of what it is sent: not a byte, not a length, not the tick of a frame.
//! Two rooms play the same, except that one has entities besides that this client does not see.

use std::collections::BTreeSet;
use std::sync::Mutex;

use glam::Vec3;
use serde::{Deserialize, Serialize};
use tickwire_server::host::{Event, Output, Room, RoomConfig};
use tickwire_server::simulation::{
    Detail, EntityKey, Game, Inputs, Interest, NewEntity, Recipients, Refusal, Stage, Team, Viewpoint, World,
};
use tickwire_shared::client::{Identity, Session};
use tickwire_shared::wire::cadence::Cadences;
use tickwire_shared::wire::codec;
use tickwire_shared::wire::message::{ClientMessage, ResumeToken};
use tickwire_shared::{ClientId, KindId, Micros};
use tickwire_tests::chaos::{Chaos, ChaosEntity, Own};
use tickwire_tests::seeds::{Dice, for_seeds, seed_count};

/// Who must not notice anything.
const BLIND: ClientId = ClientId(1);
/// Who sees everything that is near enough.
const SEEING: ClientId = ClientId(2);

const RADIUS: f32 = 40.0;
/// Beyond this, no kind is told to somebody in the middle; those are never farther away than this.
const AWAY: f32 = 75.0;

/// What there is besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Ghosts {
    /// Nothing.
    None,
    /// What the game's rule hides.
    Veiled,
    /// What is too far away.
    Far,
    /// What nothing hides: the control.
    Plain,
}

/// Entities that come, go, jump, rest and change hands, and ghosts that do the same by dice of their own.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Haunted {
    seed: u64,
    detail: f32,
    ghosts: Ghosts,
    seen: Vec<EntityKey>,
    unseen: Vec<EntityKey>,
    veiled: BTreeSet<EntityKey>,
    received: u16,
}

impl Haunted {
    fn new(seed: u64, detail: f32, ghosts: Ghosts) -> Self {
        let (seen, unseen, veiled) = (Vec::new(), Vec::new(), BTreeSet::new());
        Self { seed, detail, ghosts, seen, unseen, veiled, received: 0 }
    }

    fn haunt(&mut self, stage: &mut Stage<'_, Chaos>) {
        let mut dice = Dice::new(self.seed ^ 0x6057 ^ u64::from(stage.tick.0) << 24);
        for _ in 0..dice.below(4) {
            let place = Vec3::new(place(&mut dice), place(&mut dice), 0.0);
            let mut state = ChaosEntity::at(place, &mut dice);
            if self.ghosts == Ghosts::Far {
                // What has no place is seen from everywhere.
                while matches!(state, ChaosEntity::Score(_)) {
                    state = ChaosEntity::at(place, &mut dice);
                }
                keep_away(&mut state);
            }
            let key = spawn(stage, state, &mut dice);
            self.unseen.push(key);
            if self.ghosts == Ghosts::Veiled {
                self.veiled.insert(key);
            }
        }
        stir_all(stage, &mut self.unseen, &mut dice);
        for key in &self.unseen {
            if dice.one_in(30) {
                stage.world.visibility_changed(*key);
            }
            let far = self.ghosts == Ghosts::Far;
            if let (Some(entity), true) = (stage.world.get_mut(*key), far) {
                keep_away(&mut entity.state);
            }
        }
    }
}

fn place(dice: &mut Dice) -> f32 {
    dice.between(-60.0, 60.0)
}

fn keep_away(state: &mut ChaosEntity) {
    match state {
        ChaosEntity::Body(body) => body.position.x = body.position.x.clamp(AWAY, 99.0),
        ChaosEntity::Piece(piece) => piece.position.x = piece.position.x.clamp(AWAY, 99.0),
        ChaosEntity::Score(_) => {}
    }
}

fn spawn(stage: &mut Stage<'_, Chaos>, state: ChaosEntity, dice: &mut Dice) -> EntityKey {
    let owner = [None, Some(BLIND), Some(SEEING)][dice.below(3) as usize];
    let (spawn, team) = (dice.word() as u16, Team(dice.below(3) as u8));
    stage.world.spawn(NewEntity { state, spawn, owner, team })
}

fn stir_all(stage: &mut Stage<'_, Chaos>, keys: &mut Vec<EntityKey>, dice: &mut Dice) {
    keys.retain(|key| {
        if dice.one_in(40) {
            stage.world.despawn(*key);
            return false;
        }
        if dice.one_in(40) {
            stage.world.cut(*key);
        }
        let Some(entity) = stage.world.get_mut(*key) else { return false };
        if dice.one_in(40) {
            entity.team = Team(dice.below(3) as u8);
            entity.owner = [None, Some(BLIND), Some(SEEING)][dice.below(3) as usize];
        }
        if dice.one_in(2) {
            entity.state.stir(dice);
        }
        true
    });
}

impl Game for Haunted {
    type Protocol = Chaos;

    fn setup(&self) {}

    fn join(&mut self, _: &mut Stage<'_, Chaos>, _: ClientId, _: &str) -> Result<(), Refusal> {
        Ok(())
    }

    fn leave(&mut self, _: &mut Stage<'_, Chaos>, _: ClientId) {}

    fn step(&mut self, stage: &mut Stage<'_, Chaos>, _: &Inputs<Chaos>) {
        let mut dice = Dice::new(self.seed ^ u64::from(stage.tick.0) << 24);
        // Ghosts come before others in one tick and after them in the next.
        let haunted = self.ghosts != Ghosts::None;
        if haunted && stage.tick.0.is_multiple_of(2) {
            self.haunt(stage);
        }
        while self.seen.len() < 40 {
            let place = Vec3::new(place(&mut dice), place(&mut dice), 0.0);
            let state = ChaosEntity::at(place, &mut dice);
            self.seen.push(spawn(stage, state, &mut dice));
        }
        stir_all(stage, &mut self.seen, &mut dice);
        if haunted && !stage.tick.0.is_multiple_of(2) {
            self.haunt(stage);
        }
        self.received = self.received.wrapping_add(u16::from(dice.one_in(6)));
        if dice.one_in(5) {
            stage.emit(Recipients::Everyone, stage.tick.0);
        }
    }

    fn viewpoint(&self, _: &World<Chaos>, client: ClientId) -> Viewpoint {
        let position = if client == BLIND { Vec3::ZERO } else { Vec3::new(60.0, 0.0, 0.0) };
        Viewpoint { position, avatar: None, team: Team(1) }
    }

    fn private(&self, _: &World<Chaos>, _: ClientId) -> Own {
        Own { received: self.received, ..Own::default() }
    }

    fn interest(&self, kind: KindId) -> Interest {
        let enter = if kind == KindId(0) { RADIUS * 1.5 } else { RADIUS };
        Interest::Radius { enter, leave: enter * 1.2 }
    }

    fn detail(&self, _: KindId) -> Detail {
        Detail { fast_within: self.detail, medium_within: 2.0 * self.detail }
    }

    fn may_see(&self, _: &World<Chaos>, client: ClientId, entity: EntityKey) -> bool {
        client != BLIND || !self.veiled.contains(&entity)
    }
}

/// What a client was sent, at which ticks.
type Told = Vec<(u64, Vec<u8>)>;

/// What the two clients are sent in a room with `ghosts`.
fn told(seed: u64, ghosts: Ghosts) -> [Told; 2] {
    let mut dice = Dice::new(seed);
    let periods = [[1, 3, 6], [2, 4, 12], [1, 1, 2]][dice.below(3) as usize];
    let cadences = Cadences::try_from(periods).expect("sensible periods");
    let budget_bytes_per_s = [0, 1500, 4000][dice.below(3) as usize];
    let config = RoomConfig { seed, cadences, ..RoomConfig::default() };
    let game = Haunted::new(seed, [15.0, 1000.0][dice.below(2) as usize], ghosts);
    let mut room = Room::new(game, config).expect("a schema");
    let mut clients = [BLIND, SEEING].map(|client| {
        let identity = Identity { budget_bytes_per_s, ..Identity::default() };
        let mut session = Session::<Chaos>::new(identity).expect("a schema");
        let hello = session.poll_transmit(Micros(0)).expect("Hello comes first");
        let Ok(ClientMessage::<u8, u32>::Hello(hello)) = codec::decode(&hello) else { panic!("no Hello") };
        room.handle(Event::Join { client, hello, resume: ResumeToken([0; 16]), subject: None }, Micros(0));
        (client, session, Told::new())
    });
    let mut full_until = 0;
    for tick in 1..240_u64 {
        let now = Micros(tick * 33_333);
        if tick > full_until && dice.one_in(30) {
            full_until = tick + u64::from(dice.below(40));
        }
        room.handle(Event::Writable { client: BLIND, writable: tick >= full_until }, now);
        room.tick(now);
        while let Some(output) = room.poll_output() {
            let Output::Send { client, bytes } = output else { panic!("{output:?}") };
            let (_, session, told) = clients.iter_mut().find(|(id, ..)| *id == client).expect("one of them");
            session.handle_message(bytes, now).expect("own message");
            told.push((tick, bytes.to_vec()));
        }
        for (client, session, _) in &mut clients {
            while let Some(bytes) = session.poll_transmit(now) {
                let message = codec::decode::<ClientMessage<u8, u32>>(&bytes).expect("own message");
                room.handle(Event::Message { client: *client, message }, now);
            }
        }
    }
    assert!(room.game().seen.len() > 30);
    assert_eq!(ghosts == Ghosts::None, room.game().unseen.is_empty());
    clients.map(|(_, session, told)| {
        assert_eq!(session.stats().mismatches, 0);
        told
    })
}

fn first_difference(one: &Told, other: &Told) -> Option<u64> {
    let both = one.iter().zip(other);
    let differs = both.into_iter().find(|(one, other)| one != other).map(|((tick, _), _)| *tick);
    differs.or_else(|| (one.len() != other.len()).then_some(0))
}

#[test]
fn what_is_not_seen_changes_nothing_that_is_sent() {
    let controls = Mutex::new([0; 3]);
    let count = seed_count(60, 2_000);
    for_seeds(count, |seed| {
        let [alone, others] = told(seed, Ghosts::None);
        for (index, ghosts) in [Ghosts::Veiled, Ghosts::Far, Ghosts::Plain].into_iter().enumerate() {
            let [blind, seeing] = told(seed, ghosts);
            let differs = first_difference(&alone, &blind);
            if ghosts != Ghosts::Plain {
                assert_eq!(differs, None, "{ghosts:?} ghosts are noticed in this tick");
            }
            // Somebody sees them, and who is not kept from it does too.
            let control = if ghosts == Ghosts::Plain { differs } else { first_difference(&others, &seeing) };
            controls.lock().expect("no panic with it")[index] += u64::from(control.is_some());
        }
    });
    let controls = controls.into_inner().expect("no panic with it");
    println!("seeds in which others noticed: {controls:?}");
    assert!(controls.iter().all(|noticed| *noticed == count) || std::env::var_os("TICKWIRE_SEED").is_some());
}
