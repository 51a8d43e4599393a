//! What every client must hold, worked out the slow way: the whole quantized world is kept for every tick, and
//! whatever a client shows after a frame of tick T is compared with the world of tick T.

use std::collections::{BTreeMap, VecDeque};

use tickwire_server::host::Room;
use tickwire_server::simulation::Game;
use tickwire_server::snapshot::RosterSlot;
use tickwire_shared::client::Replica;
use tickwire_shared::limits::COLUMNS_MAX;
use tickwire_shared::schema::{Replicate, ReplicateKinds, View};
use tickwire_shared::wire::cadence::{Cadences, Tier};
use tickwire_shared::{ClientId, KindId, NetId, Protocol, Tick};

/// Ticks that are remembered.
const MEMORY_TICKS: usize = 2_000;

/// The quantized world of one tick.
#[derive(Clone, Debug, Default)]
struct Truth {
    entities: BTreeMap<NetId, (KindId, Vec<i32>)>,
    /// For each client that was in the stream after this tick: its roster and private state.
    clients: BTreeMap<ClientId, Expected>,
}

/// How a slot is told of: id, view, tier, and the tick that it is parked at.
type Told = (NetId, View, Tier, Option<Tick>);

#[derive(Clone, Debug, Default)]
struct Expected {
    roster: Vec<Told>,
    private: Vec<i32>,
    avatar: Option<NetId>,
}

fn told(slot: &RosterSlot) -> Told {
    (slot.id, slot.view, slot.tier, slot.is_parked().then_some(Tick(slot.parked_at)))
}

/// The memory of all ticks.
#[derive(Clone, Debug, Default)]
pub struct Oracle {
    ticks: VecDeque<(u32, Truth)>,
    /// The first tick at which each entity was there, as far as anybody could be told: of ticks without clients nothing is kept,
    /// so to whoever comes then, everything is born just now.
    born: BTreeMap<NetId, u32>,
    /// Comparisons of one slot's state, to show that the oracle did its job.
    pub compared: u64,
}

impl Oracle {
    /// To be called after every tick of the room, with that tick.
    pub fn note<G: Game>(&mut self, room: &Room<G>, clients: impl Iterator<Item = ClientId>, tick: Tick) {
        let plan = room.capture().plan();
        let mut truth = Truth::default();
        let is_captured = !room.capture().rows().is_empty();
        if !is_captured {
            self.born.clear();
        }
        for (_, entity) in room.world().iter() {
            let mut columns = [0; COLUMNS_MAX];
            entity.state.capture(&mut columns);
            let kind = entity.state.kind();
            let state = columns[..plan.kind(kind).columns].to_vec();
            truth.entities.insert(entity.id, (kind, state));
            if is_captured {
                self.born.entry(entity.id).or_insert(tick.0);
            }
        }
        for client in clients {
            let Some(packed) = room.packed(client) else { continue };
            if packed.stream().map(|stream| stream as u32) != Some(tick.0) {
                continue;
            }
            let mut columns = [0; COLUMNS_MAX];
            room.game().private(room.world(), client).capture(&mut columns);
            let viewpoint = room.game().viewpoint(room.world(), client);
            let expected = Expected {
                roster: packed.roster().slots().iter().map(told).collect(),
                private: columns[..plan.private.columns].to_vec(),
                avatar: viewpoint.avatar.and_then(|key| room.world().get(key)).map(|entity| entity.id),
            };
            truth.clients.insert(client, expected);
        }
        self.ticks.push_back((tick.0, truth));
        if self.ticks.len() > MEMORY_TICKS {
            self.ticks.pop_front();
        }
    }

    /// To be called whenever a client has applied a frame.
    ///
    /// # Panics
    /// When the replica is not what it must be.
    pub fn check<P: Protocol>(&mut self, client: ClientId, replica: &Replica<P::Spawn>) {
        match self.compare::<P>(client, replica) {
            Ok(compared) => self.compared += compared,
            Err(wrong) => panic!("{client:?} at {:?}: {wrong}", replica.tick()),
        }
    }

    /// How many slots were compared.
    ///
    /// # Errors
    /// What is not as it must be.
    pub fn compare<P: Protocol>(&self, client: ClientId, replica: &Replica<P::Spawn>) -> Result<u64, String> {
        let tick = replica.tick();
        let truth = self.remembered(tick).ok_or("a frame of a tick that is not remembered")?;
        let expected = truth.clients.get(&client).ok_or("a frame that the server did not pack")?;
        let roster: Vec<Told> =
            replica.slots().iter().map(|slot| (slot.id, slot.view, slot.tier, slot.parked)).collect();
        same("roster", &roster, &expected.roster)?;
        same("private state", replica.private(), &expected.private[..])?;
        same("avatar", &replica.avatar(), &expected.avatar)?;
        for (index, slot) in replica.slots().iter().enumerate() {
            let id = slot.id;
            if !truth.entities.contains_key(&id) && slot.parked.is_none() {
                return Err(format!("{id:?} is dead"));
            }
            let told = (id, slot.view, slot.tier, slot.parked);
            let (kind, state) = self
                .sample(replica.cadences(), &told, tick)
                .ok_or_else(|| format!("{id:?} was not there when it was told of"))?;
            same("kind", &slot.kind, kind)?;
            for field in &replica.plan().kind(*kind).fields {
                let held = field.of(replica.state(index));
                if field.view <= slot.view {
                    same("state", held, field.of(state)).map_err(|wrong| format!("{id:?}: {wrong}"))?;
                } else if held.iter().any(|column| *column != 0) {
                    return Err(format!("{id:?} tells a hidden field: {field:?}"));
                }
            }
        }
        Ok(replica.slots().len() as u64)
    }

    /// A tick for which a client in the stream was sent nothing: nothing that it sees may have changed since the
    /// tick before.
    ///
    /// # Panics
    /// When something has.
    pub fn check_quiet<G: Game>(&mut self, room: &Room<G>, client: ClientId, tick: Tick) {
        if !self.ticks.iter().any(|(at, _)| *at == tick.minus(1).0) {
            return;
        }
        let (now, before) = (self.at(tick), self.at(tick.minus(1)));
        let (Some(new), Some(old)) = (now.clients.get(&client), before.clients.get(&client)) else { return };
        assert_eq!(new.roster, old.roster, "the roster of {client:?} changed silently at {tick:?}");
        assert_eq!(new.private, old.private, "the private state of {client:?} changed silently at {tick:?}");
        let cadences = room.capture().schedule().cadences();
        for told in &new.roster {
            let (id, view, ..) = told;
            let samples = (self.sample(cadences, told, tick), self.sample(cadences, told, tick.minus(1)));
            let (Some((kind, a)), Some((_, b))) = samples else {
                panic!("{id:?} died or appeared silently for {client:?} at {tick:?}");
            };
            for field in room.capture().plan().kind(*kind).seen(*view) {
                assert_eq!(field.of(a), field.of(b), "{id:?} changed silently for {client:?} at {tick:?}");
            }
        }
    }

    /// What a client knows of an entity after `tick`: its state when it was last sampled, or at its birth.
    fn sample(&self, cadences: &Cadences, told: &Told, tick: Tick) -> Option<&(KindId, Vec<i32>)> {
        let (id, _, tier, parked) = *told;
        let sampled = cadences.last_due(tier, id, parked.unwrap_or(tick));
        let born = *self.born.get(&id)?;
        let at = if sampled.since(Tick(born)) < 0 { Tick(born) } else { sampled };
        self.remembered(at)?.entities.get(&id)
    }

    fn at(&self, tick: Tick) -> &Truth {
        self.remembered(tick).unwrap_or_else(|| panic!("{tick:?} is not remembered"))
    }

    fn remembered(&self, tick: Tick) -> Option<&Truth> {
        self.ticks.iter().rev().find(|(at, _)| *at == tick.0).map(|(_, truth)| truth)
    }
}

fn same<T: PartialEq + std::fmt::Debug + ?Sized>(what: &str, held: &T, expected: &T) -> Result<(), String> {
    if held == expected { Ok(()) } else { Err(format!("{what} is {held:?} instead of {expected:?}")) }
}
