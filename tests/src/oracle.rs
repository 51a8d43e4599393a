//! What every client must hold, worked out the slow way: the whole quantized world is kept for every tick, and
//! whatever a client shows after a frame of tick T is compared with the world of tick T.

use std::collections::{BTreeMap, VecDeque};

use tickwire_server::host::Room;
use tickwire_server::simulation::Game;
use tickwire_shared::client::Replica;
use tickwire_shared::limits::COLUMNS_MAX;
use tickwire_shared::schema::{Replicate, ReplicateKinds, View};
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

#[derive(Clone, Debug, Default)]
struct Expected {
    roster: Vec<(NetId, View)>,
    private: Vec<i32>,
    avatar: Option<NetId>,
}

/// The memory of all ticks.
#[derive(Clone, Debug, Default)]
pub struct Oracle {
    ticks: VecDeque<(u32, Truth)>,
    /// Comparisons of one slot's state, to show that the oracle did its job.
    pub compared: u64,
}

impl Oracle {
    /// To be called after every tick of the room, with that tick.
    pub fn note<G: Game>(&mut self, room: &Room<G>, clients: impl Iterator<Item = ClientId>, tick: Tick) {
        let plan = room.capture().plan();
        let mut truth = Truth::default();
        for (_, entity) in room.world().iter() {
            let mut columns = [0; COLUMNS_MAX];
            entity.state.capture(&mut columns);
            let kind = entity.state.kind();
            let state = columns[..plan.kind(kind).columns].to_vec();
            truth.entities.insert(entity.id, (kind, state));
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
                roster: packed.roster().slots().iter().map(|slot| (slot.id, slot.view)).collect(),
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
        let tick = replica.tick();
        let truth = self.at(tick);
        let expected = truth.clients.get(&client).unwrap_or_else(|| {
            panic!("{client:?} applied a frame of {tick:?}, which the server did not pack")
        });
        let roster: Vec<_> = replica.slots().iter().map(|slot| (slot.id, slot.view)).collect();
        assert_eq!(roster, expected.roster, "roster of {client:?} at {tick:?}");
        assert_eq!(replica.private(), expected.private, "private state of {client:?} at {tick:?}");
        assert_eq!(replica.avatar(), expected.avatar, "avatar of {client:?} at {tick:?}");
        let mut compared = 0;
        for (index, slot) in replica.slots().iter().enumerate() {
            let (kind, state) = truth
                .entities
                .get(&slot.id)
                .unwrap_or_else(|| panic!("{:?} in the replica of {client:?} is dead at {tick:?}", slot.id));
            assert_eq!(slot.kind, *kind, "kind of {:?}", slot.id);
            for field in &replica.plan().kind(*kind).fields {
                let held = field.of(replica.state(index));
                if field.view <= slot.view {
                    assert_eq!(held, field.of(state), "{:?} of {client:?} at {tick:?}: {field:?}", slot.id);
                } else {
                    assert!(held.iter().all(|column| *column == 0), "{:?} tells a hidden field", slot.id);
                }
            }
            compared += 1;
        }
        self.compared += compared;
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
        for (id, view) in &new.roster {
            let (Some((kind, a)), Some((_, b))) = (now.entities.get(id), before.entities.get(id)) else {
                panic!("{id:?} died or appeared silently for {client:?} at {tick:?}");
            };
            for field in room.capture().plan().kind(*kind).seen(*view) {
                assert_eq!(field.of(a), field.of(b), "{id:?} changed silently for {client:?} at {tick:?}");
            }
        }
    }

    fn at(&self, tick: Tick) -> &Truth {
        let found = self.ticks.iter().rev().find(|(at, _)| *at == tick.0);
        &found.unwrap_or_else(|| panic!("{tick:?} is not remembered")).1
    }
}
