//! The second half of a tick: what each client is told of the world as it is now. Runs after the capture. Frames are
//! packed in the order of the clients' ids; in a large room parts of the clients are packed side by side, which changes
//! no byte, since packing a client reads what is the same for all and writes what is its own.

use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use tickwire_shared::limits::{EVENT_BYTES_MAX, SERVER_MESSAGE_BYTES_MAX};
use tickwire_shared::wire::codec;
use tickwire_shared::{ClientId, KindId, Micros, Protocol};

use super::client::Client;
use super::counters::Counters;
use super::crew::Crew;
use super::room::{Room, RoomConfig};
use crate::simulation::{Game, Recipients, Viewpoint};
use crate::snapshot::{FrameParts, Packer, QueuedEvent, Seen, Sight, Snapshot};

/// Without anything due, a frame this often shows that the session lives.
const HEARTBEAT_MICROS: u64 = 500_000;
/// Parts are so large at least. Waking another thread and cold caches cost more than packing a few hundred clients
/// takes: 0.5 µs each of 7.7 with 500 clients in two parts.
const SHARD_CLIENTS_MIN: usize = 500;

/// So many are packed before they are sent: what both work on stays in the caches meanwhile.
const BATCH_CLIENTS: usize = 128;

/// Clients whose state is fetched from memory together: what is asked for at once comes at once.
const FETCHED_AT_ONCE: usize = 16;

/// What the game says of the clients in one tick, in their order.
pub(super) struct Look<P: Protocol> {
    ids: Vec<ClientId>,
    views: Vec<(ClientId, Viewpoint, P::Private)>,
    /// By kind.
    sights: Vec<Sight>,
    /// Which.
    tick: u64,
    /// How many of the clients were told.
    told: usize,
}

impl<P: Protocol> Default for Look<P> {
    fn default() -> Self {
        Self { ids: Vec::new(), views: Vec::new(), sights: Vec::new(), tick: 0, told: 0 }
    }
}

/// What packing some of the clients needs and leaves behind.
#[derive(Debug, Default)]
pub(super) struct Shard {
    pub(super) packer: Packer,
    bytes: Vec<u8>,
    /// Who is sent how many of these bytes, in order.
    sent: Vec<(ClientId, usize)>,
    counters: Counters,
    panicked: bool,
}

/// One client's part of the tick, and the part that is the same for all.
struct Telling<'a, G: Game> {
    config: &'a RoomConfig,
    game: &'a G,
    snapshot: Snapshot<'a, G::Protocol>,
    tick: u64,
    now: Micros,
}

type Part<'a, P> =
    (&'a mut Shard, &'a mut [(ClientId, Client<P>)], &'a [(ClientId, Viewpoint, PrivateOf<P>)]);
type PrivateOf<P> = <P as Protocol>::Private;

impl<P: Protocol> Look<P> {
    /// Whether everybody was told.
    pub(super) fn is_told(&self) -> bool {
        self.told == self.views.len()
    }

    /// Nobody is to be told anything more of this tick.
    fn has_told(&mut self) {
        self.told = self.views.len();
    }
}

impl<G: Game> Room<G> {
    /// After a step: what is the same for all clients, and what the game says of each.
    pub(super) fn begin_telling(&mut self) {
        let mut look = std::mem::take(&mut self.look);
        (look.tick, look.told) = (self.tick, 0);
        let looked = self.look_around(&mut look);
        if looked {
            self.route_events(&look);
        }
        if looked && self.capture.schedule().is_frame_tick() {
            self.neighbours.prepare(&self.capture, &look.sights);
        } else {
            look.has_told();
        }
        self.look = look;
    }

    fn look_around(&mut self, look: &mut Look<G::Protocol>) -> bool {
        let Look { ids, views, sights, .. } = look;
        ids.clear();
        views.clear();
        sights.clear();
        ids.extend(self.clients.keys());
        let (kinds, relief) = (self.schema.kinds.len() as u8, self.relief);
        let looked = self.with_game(|game, stage| {
            views.extend(
                ids.iter().map(|id| (*id, game.viewpoint(stage.world, *id), game.private(stage.world, *id))),
            );
            sights.extend((0..kinds).map(|kind| relief.sight(game, KindId(kind))));
        });
        looked.is_some()
    }

    fn route_events(&mut self, look: &Look<G::Protocol>) {
        let Self { events, clients, counters, tick, .. } = self;
        for (recipients, event) in events.drain(..) {
            let bytes = codec::encode(&event);
            if bytes.len() > EVENT_BYTES_MAX {
                counters.events_dropped += 1;
                continue;
            }
            let queued = QueuedEvent { tick: *tick, bytes: Arc::from(bytes) };
            for ((_, viewpoint, _), (id, client)) in look.views.iter().zip(clients.iter_mut()) {
                let told = match recipients {
                    Recipients::Everyone => true,
                    Recipients::One(client) => client == *id,
                    Recipients::Near(place, radius) => viewpoint.position.distance(place) <= radius,
                    Recipients::Team(team) => viewpoint.team == team,
                };
                if told {
                    client.queue_event(queued.clone(), counters);
                }
            }
        }
    }

    /// The frames of the next clients: in a large room of all, side by side, and else of so many that sending them follows soon.
    pub(super) fn pack_some(&mut self, now: Micros, crew: &dyn Crew) {
        let Self { config, game, world, clients, capture, neighbours, shards, look, .. } = self;
        let left = look.views.len() - look.told;
        let parts = (left / SHARD_CLIENTS_MIN).min(crew.width()).max(1);
        let count = if parts == 1 { left.min(BATCH_CLIENTS) } else { left };
        let range = look.told..look.told + count;
        look.told = range.end;
        let (clients, views) = (&mut clients.as_mut_slice()[range.clone()], &look.views[range]);
        let snapshot = Snapshot { capture, neighbours, sights: &look.sights, world };
        let telling = Telling { config, game, snapshot, tick: look.tick, now };
        shards.resize_with(parts.max(shards.len()), Shard::default);
        if parts == 1 {
            shards[0].pack(&telling, clients, views);
        } else {
            let size = count.div_ceil(parts);
            let slices = clients.chunks_mut(size).zip(views.chunks(size));
            let parts: Vec<Mutex<Part<'_, G::Protocol>>> = shards
                .iter_mut()
                .zip(slices)
                .map(|(shard, (clients, views))| Mutex::new((shard, clients, views)))
                .collect();
            crew.run(parts.len(), &|part| {
                let mut part = parts[part].lock().unwrap_or_else(PoisonError::into_inner);
                let (shard, clients, views) = &mut *part;
                shard.pack(&telling, clients, views);
            });
        }
        self.gather();
    }

    /// What the shards leave behind, in order.
    fn gather(&mut self) {
        let Self { shards, outputs, counters, capture, look, .. } = self;
        let mut panicked = false;
        for shard in shards {
            outputs.take_in(&mut shard.bytes, &mut shard.sent);
            panicked |= std::mem::take(&mut shard.panicked);
            // The capture is the same for all until the last one is told.
            if panicked || look.is_told() {
                shard.packer.settle(capture);
                counters.add(&std::mem::take(&mut shard.counters));
            }
        }
        if panicked {
            look.has_told();
            self.end_by_panic();
        }
    }
}

impl Shard {
    fn pack<G: Game>(
        &mut self,
        telling: &Telling<'_, G>,
        clients: &mut [(ClientId, Client<G::Protocol>)],
        views: &[(ClientId, Viewpoint, PrivateOf<G::Protocol>)],
    ) {
        for (clients, views) in clients.chunks_mut(FETCHED_AT_ONCE).zip(views.chunks(FETCHED_AT_ONCE)) {
            for (_, client) in &*clients {
                black_box(client.fetch());
            }
            for ((id, client), (viewed, viewpoint, private)) in clients.iter_mut().zip(views) {
                debug_assert_eq!(id, viewed);
                if !self.panicked {
                    self.pack_one(telling, client, Seen { client: *id, viewpoint: *viewpoint }, private);
                }
            }
        }
    }

    fn pack_one<G: Game>(
        &mut self,
        telling: &Telling<'_, G>,
        client: &mut Client<G::Protocol>,
        seen: Seen,
        private: &PrivateOf<G::Protocol>,
    ) {
        let Self { packer, bytes, sent, counters, panicked } = self;
        let &Telling { config, game, ref snapshot, tick, now } = telling;
        let (tick_hz, bytes_per_s) = (config.tick_hz, client.pace.bytes_per_s());
        let packs = client.writable && client.window.is_open(tick_hz, bytes_per_s);
        client.pauses += u32::from(!packs && client.paused_since.is_none());
        client.paused_since = if packs { None } else { client.paused_since.or(Some(now)) };
        if !packs {
            counters.paused_client_ticks += 1;
            return;
        }
        let Ok(bytes_max @ 1..) = usize::try_from(client.allowance.available(bytes_per_s, now)) else {
            counters.budget_client_ticks += 1;
            return;
        };
        let checksum = client.is_checksum_due(tick, tick_hz);
        let parts = FrameParts {
            seen,
            private,
            may_see: &|key| game.may_see(snapshot.world, seen.client, key),
            ack: client.inputs.peek_ack(now),
            ack_due: client.inputs.is_ack_due(),
            events: client.events.make_contiguous(),
            checksum,
            heartbeat: now.since(client.sent_at) >= HEARTBEAT_MICROS,
            bytes_max,
            bytes_per_s,
            tick_hz,
        };
        let start = bytes.len();
        // The game's own rule of who may see whom is asked in there.
        let packed =
            catch_unwind(AssertUnwindSafe(|| packer.pack(snapshot, &mut client.packed, &parts, bytes)));
        let Ok(frame) = packed else {
            *panicked = true;
            return bytes.truncate(start);
        };
        let length = bytes.len() - start;
        match frame {
            None => {
                client.pace.sent(0, tick_hz);
                counters.idle_client_ticks += 1;
            }
            // No client would take it. Told anew, the roster enters in parts that fit.
            Some(_) if length > SERVER_MESSAGE_BYTES_MAX => {
                bytes.truncate(start);
                client.packed.forget();
            }
            Some(counts) => {
                client.handed_out(tick, length, &counts, tick_hz, now);
                if checksum {
                    client.checksum_at = tick;
                }
                counters.frame(length, &counts);
                sent.push((seen.client, length));
            }
        }
    }
}
