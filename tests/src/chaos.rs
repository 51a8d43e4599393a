//! A game in which everything happens that can happen to replicated state, as often as possible: every field
//! class, every audience, spawns, deaths, cuts, rests, changes of owner and team. It counts what it did.

use std::collections::BTreeMap;

use glam::{Quat, Vec2, Vec3};
use serde::{Deserialize, Serialize};
use tickwire_server::simulation::{
    Detail, EntityKey, Game, Inputs, Interest, NewEntity, Recipients, Refusal, Stage, Team, Viewpoint, World,
};
use tickwire_shared::{ClientId, KindId, NetId, Protocol, Replicate, ReplicateKinds, Tick};

use crate::seeds::Dice;

/// The game's types.
#[derive(Clone, Debug)]
pub struct Chaos;

/// Three kinds.
#[derive(Clone, Debug, Serialize, Deserialize, ReplicateKinds)]
pub enum ChaosEntity {
    /// Every class of field.
    Body(Body),
    /// A flat one with secrets.
    Piece(Piece),
    /// One without a place.
    Score(Score),
}

/// Every class of field.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Replicate)]
pub struct Body {
    /// Place.
    #[replicate(position, min = -100.0, max = 100.0, quantum = 0.01)]
    pub position: Vec3,
    /// Rotation.
    #[replicate(rotation, bits = 10)]
    pub rotation: Quat,
    /// Wrapping angle.
    #[replicate(angle, bits = 9)]
    pub angle: f32,
    /// Seen by all.
    #[replicate(number, min = -5, max = 200)]
    pub number: i16,
    /// Independent bits.
    #[replicate(flags, bits = 5)]
    pub flags: u8,
    /// Without structure.
    #[replicate(opaque, bits = 32)]
    pub opaque: u32,
}

/// A flat one with secrets.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Replicate)]
pub struct Piece {
    /// For the owner.
    #[replicate(number, min = 0, max = 99, audience = "owner")]
    pub ammunition: u8,
    /// Place.
    #[replicate(position, min = -100.0, max = 100.0, quantum = 0.05)]
    pub position: Vec2,
    /// For the team.
    #[replicate(angle, bits = 8, audience = "team")]
    pub plan: f32,
}

/// One without a place.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Replicate)]
pub struct Score {
    /// Points.
    #[replicate(number, min = 0, max = 1000)]
    pub points: u16,
}

/// The own state.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, Replicate)]
pub struct Own {
    /// Moves with the viewpoint.
    #[replicate(position, min = -100.0, max = 100.0, quantum = 0.001)]
    pub position: Vec2,
    /// Commands and inputs received.
    #[replicate(number, min = 0, max = 65535)]
    pub received: u16,
}

impl Protocol for Chaos {
    const NAME: &'static str = "chaos";
    const REVISION: u32 = 1;
    type Entity = ChaosEntity;
    type Private = Own;
    type Spawn = u16;
    type Setup = ();
    type Input = u8;
    type Command = u32;
    type Event = u32;

    fn aims(input: &u8) -> bool {
        input & LOOKS_BACK != 0
    }
}

/// An input with this bit looks back at everything there is.
pub const LOOKS_BACK: u8 = 0x80;

/// What a client was shown of each entity, by the room's account.
pub type LookedBack = Vec<(NetId, Option<ChaosEntity>)>;

/// What was done, by name.
pub type Done = BTreeMap<String, u64>;

/// A client of this name has no avatar, owns nothing and is of no entity's team.
pub const ONLOOKER: &str = "onlooker";
const NOBODYS_TEAM: u8 = 9;

/// What others can tell of hidden fields, by mistake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Leak {
    /// As it should be.
    #[default]
    Nothing,
    /// A public field depends on one.
    Value,
    /// It depends on one whether a public field changes now or never.
    Moment,
}

/// The rules: none.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ChaosGame {
    /// Seed of what comes next.
    pub seed: u64,
    /// Up to where clients are told of everything at every tick; twice as far at the middle cadence. 0 is everywhere.
    #[serde(default)]
    pub detail: f32,
    /// How far clients see; 0 is everything.
    pub radius: f32,
    /// Entities that it keeps about.
    pub entities: u32,
    /// What was done.
    pub done: Done,
    /// The same, in the order in which it was done.
    #[serde(skip)]
    pub log: Vec<&'static str>,
    /// Who looked back in the last tick, with which input, and what there was to be seen.
    #[serde(skip)]
    pub looked_back: BTreeMap<ClientId, (u8, LookedBack)>,
    /// Commands as they came, by client.
    pub commands: BTreeMap<ClientId, Vec<u32>>,
    /// Panics at this tick, to see what becomes of the room.
    pub panic_at: Option<u32>,
    /// Who is veiled from whom; 0 is nobody from anybody.
    pub veil: u32,
    /// Changes hidden fields differently, for tests of what others can tell from it.
    pub hidden_salt: u32,
    /// A mistake that these tests must find.
    pub leak: Leak,
    clients: BTreeMap<ClientId, Seat>,
    rests: BTreeMap<EntityKey, u32>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Seat {
    position: Vec2,
    team: u8,
    avatar: Option<EntityKey>,
    received: u16,
}

impl ChaosGame {
    /// With about `entities` entities and a radius of view, 0 for everything.
    #[must_use]
    pub fn new(seed: u64, entities: u32, radius: f32) -> Self {
        Self {
            seed,
            detail: 0.0,
            radius,
            entities,
            done: Done::new(),
            log: Vec::new(),
            looked_back: BTreeMap::new(),
            commands: BTreeMap::new(),
            panic_at: None,
            veil: 0,
            hidden_salt: 0,
            leak: Leak::Nothing,
            clients: BTreeMap::new(),
            rests: BTreeMap::new(),
        }
    }

    /// Some entities are veiled from some clients, others later on: see `veil`.
    #[must_use]
    pub fn is_veiled(&self, entity: NetId, client: ClientId) -> bool {
        self.veil > 0 && (entity.0 ^ client.0.wrapping_mul(77)).wrapping_add(self.veil).is_multiple_of(5)
    }

    fn owners(&self) -> Vec<ClientId> {
        let seats = self.clients.iter().filter(|(_, seat)| seat.team != NOBODYS_TEAM);
        seats.map(|(client, _)| *client).collect()
    }

    fn did(&mut self, what: &'static str) {
        self.log.push(what);
        *self.done.entry(what.to_owned()).or_default() += 1;
    }

    fn spawn(&mut self, stage: &mut Stage<'_, Chaos>, dice: &mut Dice) -> EntityKey {
        self.did("spawn");
        let place = Vec3::new(dice.between(-90.0, 90.0), dice.between(-90.0, 90.0), dice.between(-9.0, 9.0));
        let state = ChaosEntity::at(place, dice);
        let owners = self.owners();
        let owner =
            (!owners.is_empty() && dice.one_in(3)).then(|| owners[dice.below(owners.len() as u32) as usize]);
        let (spawn, team) = (dice.word() as u16, Team(dice.below(3) as u8));
        stage.world.spawn(NewEntity { state, spawn, owner, team })
    }

    fn stir(&mut self, stage: &mut Stage<'_, Chaos>, key: EntityKey, dice: &mut Dice) {
        if self.rests.get(&key).is_some_and(|until| stage.tick.since(Tick(*until)) < 0) {
            return;
        }
        match dice.below(60) {
            0 => {
                self.did("rest");
                self.rests.insert(key, stage.tick.plus(dice.below(40)).0);
                return;
            }
            1 => {
                self.did("despawn");
                stage.world.despawn(key);
                self.rests.remove(&key);
                return;
            }
            2 => {
                self.did("cut");
                stage.world.cut(key);
            }
            3 => {
                self.did("change of team");
                if let Some(entity) = stage.world.get_mut(key) {
                    entity.team = Team(dice.below(3) as u8);
                }
            }
            4 => {
                self.did("change of owner");
                let owners = self.owners();
                if let (Some(entity), false) = (stage.world.get_mut(key), owners.is_empty()) {
                    entity.owner = Some(owners[dice.below(owners.len() as u32) as usize]);
                }
            }
            _ => {}
        }
        let Some(entity) = stage.world.get_mut(key) else { return };
        if let ChaosEntity::Piece(piece) = &mut entity.state {
            stir_piece(piece, dice, self.hidden_salt, self.leak);
        } else {
            entity.state.stir(dice);
        }
    }
}

impl ChaosEntity {
    /// One of the kinds, by chance, at a place.
    #[must_use]
    pub fn at(place: Vec3, dice: &mut Dice) -> Self {
        match dice.below(5) {
            0 | 1 => Self::Body(Body { position: place, ..Body::default() }),
            2 | 3 => Self::Piece(Piece { position: place.truncate(), ..Piece::default() }),
            _ => Self::Score(Score::default()),
        }
    }

    /// Changes it as it happens in a tick.
    pub fn stir(&mut self, dice: &mut Dice) {
        match self {
            Self::Body(body) => stir_body(body, dice),
            Self::Piece(piece) => stir_piece(piece, dice, 0, Leak::Nothing),
            Self::Score(score) => {
                if dice.one_in(8) {
                    score.points = score.points.wrapping_add(1) % 1001;
                }
            }
        }
    }
}

fn stir_body(body: &mut Body, dice: &mut Dice) {
    let speed = if dice.one_in(20) { 50.0 } else { 0.2 };
    let step = Vec3::new(dice.between(-speed, speed), 0.1, dice.between(-0.01, 0.01));
    body.position = (body.position + step).clamp(Vec3::splat(-120.0), Vec3::splat(120.0));
    if dice.one_in(2) {
        body.rotation = (body.rotation * Quat::from_rotation_y(dice.between(0.0, 0.3))).normalize();
    }
    if dice.one_in(40) {
        body.rotation =
            Quat::from_xyzw(dice.between(-1.0, 1.0), dice.between(-1.0, 1.0), 0.3, 0.1).normalize();
    }
    body.angle += dice.between(-0.3, 0.5);
    match dice.below(12) {
        0 => body.number = dice.below(250) as i16 - 20,
        1 => body.flags = dice.word() as u8,
        2 => body.opaque = dice.word(),
        _ => {}
    }
}

fn stir_piece(piece: &mut Piece, dice: &mut Dice, salt: u32, leak: Leak) {
    let hidden = dice.word().wrapping_add(salt);
    if leak == Leak::Value && hidden.is_multiple_of(8) {
        piece.position.x = (hidden % 97) as f32;
    }
    if dice.one_in(3) && (leak != Leak::Moment || hidden & 16 == 0) {
        piece.position += Vec2::new(dice.between(-0.3, 0.6), dice.between(-0.6, 0.3));
        piece.position = piece.position.clamp(Vec2::splat(-99.0), Vec2::splat(99.0));
    }
    if dice.one_in(4) {
        piece.plan = (hidden % 628) as f32 / 100.0;
    }
    if dice.one_in(4) {
        piece.ammunition = (hidden % 100) as u8;
    }
}

impl Game for ChaosGame {
    type Protocol = Chaos;

    fn setup(&self) {}

    fn join(&mut self, stage: &mut Stage<'_, Chaos>, client: ClientId, name: &str) -> Result<(), Refusal> {
        self.did("join");
        let mut dice = Dice::new(self.seed ^ u64::from(client.0) << 20);
        let onlooker = name == ONLOOKER;
        let avatar = if onlooker || dice.one_in(3) { None } else { Some(self.spawn(stage, &mut dice)) };
        let position = Vec2::new(dice.between(-50.0, 50.0), dice.between(-50.0, 50.0));
        let team = if onlooker { NOBODYS_TEAM } else { dice.below(3) as u8 };
        self.clients.insert(client, Seat { position, team, avatar, received: 0 });
        Ok(())
    }

    fn leave(&mut self, stage: &mut Stage<'_, Chaos>, client: ClientId) {
        self.did("leave");
        if let Some(key) = self.clients.remove(&client).and_then(|seat| seat.avatar) {
            stage.world.despawn(key);
        }
    }

    fn step(&mut self, stage: &mut Stage<'_, Chaos>, inputs: &Inputs<Chaos>) {
        assert!(self.panic_at != Some(stage.tick.0), "a panic that a test asked for");
        self.looked_back.clear();
        for (client, input) in inputs.held.iter().filter(|(_, input)| Chaos::aims(input)) {
            let entities: Vec<_> = stage.world.iter().map(|(key, entity)| (key, entity.id)).collect();
            let mut shown = stage.rewind(*client);
            let looked = entities.into_iter().map(|(key, id)| (id, shown.entity(key)));
            self.looked_back.insert(*client, (*input, looked.collect()));
        }
        let mut dice = Dice::new(self.seed.wrapping_mul(0x9E37_79B9).wrapping_add(u64::from(stage.tick.0)));
        for (client, command) in &inputs.commands {
            self.commands.entry(*client).or_default().push(*command);
            if let Some(seat) = self.clients.get_mut(client) {
                seat.received = seat.received.wrapping_add(1);
            }
        }
        for key in stage.world.keys() {
            self.stir(stage, key, &mut dice);
        }
        if self.veil > 0 && dice.one_in(20) {
            self.did("change of veil");
            self.veil += 1;
            stage.world.keys().into_iter().for_each(|key| stage.world.visibility_changed(key));
        }
        if (stage.world.len() as u32) < self.entities {
            self.spawn(stage, &mut dice);
        }
        for (client, input) in &inputs.held {
            let Some(seat) = self.clients.get_mut(client) else { continue };
            let step = Vec2::new(f32::from(input & 3) - 1.0, f32::from(input >> 2 & 3) - 1.0) * 0.5;
            seat.position = (seat.position + step).clamp(Vec2::splat(-90.0), Vec2::splat(90.0));
            seat.avatar = seat.avatar.filter(|key| stage.world.get(*key).is_some());
            if dice.one_in(200) && seat.team != NOBODYS_TEAM {
                seat.avatar = stage.world.keys().first().copied();
            }
        }
        if dice.one_in(5) {
            let place = Vec3::new(dice.between(-90.0, 90.0), 0.0, 0.0);
            let recipients = match dice.below(3) {
                0 => Recipients::Everyone,
                1 => Recipients::Near(place, 60.0),
                _ => Recipients::Team(Team(1)),
            };
            stage.emit(recipients, stage.tick.0);
        }
    }

    fn viewpoint(&self, _world: &World<Chaos>, client: ClientId) -> Viewpoint {
        let seat = self.clients.get(&client).cloned().unwrap_or_default();
        Viewpoint { position: seat.position.extend(0.0), avatar: seat.avatar, team: Team(seat.team) }
    }

    fn private(&self, _world: &World<Chaos>, client: ClientId) -> Own {
        let seat = self.clients.get(&client).cloned().unwrap_or_default();
        Own { position: seat.position, received: seat.received }
    }

    /// Bodies are seen farther than pieces; what has no place is seen anyhow.
    fn interest(&self, kind: KindId) -> Interest {
        let enter = if kind == KindId(0) { self.radius * 1.5 } else { self.radius };
        if self.radius == 0.0 { Interest::Everything } else { Interest::Radius { enter, leave: enter * 1.2 } }
    }

    fn detail(&self, _: KindId) -> Detail {
        match self.detail {
            0.0 => Detail::default(),
            near => Detail { fast_within: near, medium_within: 2.0 * near },
        }
    }

    /// Nothing is shot at; but what clients are shown is remembered.
    fn weapon_reach(&self) -> Option<f32> {
        Some(0.0)
    }

    fn may_see(&self, world: &World<Chaos>, client: ClientId, entity: EntityKey) -> bool {
        world.get(entity).is_some_and(|entity| !self.is_veiled(entity.id, client))
    }
}
