//! The second half of a tick: what each client is told of the world as it is now. Runs after the capture, in the order
//! of the clients' ids.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tickwire_shared::limits::{EVENT_BYTES_MAX, SERVER_MESSAGE_BYTES_MAX};
use tickwire_shared::wire::codec;
use tickwire_shared::{ClientId, KindId, Micros, Protocol, Tick};

use super::event::Output;
use super::room::Room;
use crate::simulation::{Game, Interest, Recipients, Viewpoint};
use crate::snapshot::{FrameParts, QueuedEvent, Seen};

/// Without anything due, a frame this often shows that the session lives.
const HEARTBEAT_MICROS: u64 = 500_000;

/// What the game says of the clients in one tick.
struct Look<P: Protocol> {
    /// In the order of the clients.
    viewpoints: Vec<(ClientId, Viewpoint)>,
    privates: Vec<P::Private>,
    /// By kind.
    interests: Vec<Interest>,
}

impl<G: Game> Room<G> {
    pub(super) fn tell_clients(&mut self, now: Micros) {
        let Some(Look { viewpoints, privates, interests }) = self.look() else { return };
        self.route_events(&viewpoints);
        self.packer.prepare(&self.capture, &interests);
        for ((client, viewpoint), private) in viewpoints.into_iter().zip(privates) {
            self.pack(Seen { client, viewpoint }, private, &interests, now);
        }
    }

    fn look(&mut self) -> Option<Look<G::Protocol>> {
        let ids: Vec<_> = self.clients.keys().copied().collect();
        let kinds = self.schema.kinds.len() as u8;
        self.with_game(|game, stage| Look {
            viewpoints: ids.iter().map(|id| (*id, game.viewpoint(stage.world, *id))).collect(),
            privates: ids.iter().map(|id| game.private(stage.world, *id)).collect(),
            interests: (0..kinds).map(|kind| game.interest(KindId(kind))).collect(),
        })
    }

    fn route_events(&mut self, viewpoints: &[(ClientId, Viewpoint)]) {
        for (recipients, event) in std::mem::take(&mut self.events) {
            let bytes = codec::encode(&event);
            if bytes.len() > EVENT_BYTES_MAX {
                self.counters.events_dropped += 1;
                continue;
            }
            let queued = QueuedEvent { tick: self.tick, bytes: Arc::from(bytes) };
            for (id, viewpoint) in viewpoints {
                let told = match recipients {
                    Recipients::Everyone => true,
                    Recipients::One(client) => client == *id,
                    Recipients::Near(place, radius) => viewpoint.position.distance(place) <= radius,
                    Recipients::Team(team) => viewpoint.team == team,
                };
                if let (true, Some(client)) = (told, self.clients.get_mut(id)) {
                    client.queue_event(queued.clone(), &mut self.counters);
                }
            }
        }
    }

    fn pack(
        &mut self,
        seen: Seen,
        private: <G::Protocol as Protocol>::Private,
        interests: &[Interest],
        now: Micros,
    ) {
        let Self { config, game, world, clients, capture, packer, counters, tick, .. } = self;
        let Some(client) = clients.get_mut(&seen.client) else { return };
        let packs = client.writable && client.window.is_open(config.tick_hz);
        client.paused_since = if packs { None } else { client.paused_since.or(Some(now)) };
        if !packs {
            counters.paused_client_ticks += 1;
            return;
        }
        let checksum = client.is_checksum_due(*tick, config.tick_hz);
        let was_known = client.newest.is_some();
        let parts = FrameParts {
            seen,
            private,
            may_see: &|key| game.may_see(world, seen.client, key),
            ack: client.inputs.peek_ack(now),
            ack_due: client.inputs.is_ack_due(),
            events: client.events.make_contiguous(),
            checksum,
            heartbeat: now.since(client.sent_at) >= HEARTBEAT_MICROS,
        };
        // The game's own rule of who may see whom is asked in there.
        let packed = catch_unwind(AssertUnwindSafe(|| {
            packer.pack(capture, interests, world, &mut client.packed, parts)
        }));
        let Ok((bytes, counts)) = packed else { return self.end_by_panic() };
        let Some(bytes) = bytes else {
            counters.idle_client_ticks += 1;
            return;
        };
        if bytes.len() > SERVER_MESSAGE_BYTES_MAX {
            // No client would take it. Told anew, the roster enters in parts that fit.
            return client.packed.forget();
        }
        let number = Tick(*tick as u32);
        client.inputs.clear_ack();
        client.events.drain(..counts.events);
        client.sent_at = now;
        client.newest = Some(number);
        client.window.sent(number, now);
        if checksum {
            client.checksum_at = *tick;
        }
        counters.frames += 1;
        counters.heartbeats += u64::from(!counts.due);
        counters.resyncs += u64::from(counts.resync && was_known);
        counters.updates_spliced += counts.updates;
        counters.updates_spliced_bits += counts.update_bits;
        counters.sent_bytes += bytes.len() as u64;
        self.outputs.push_back(Output::Send { client: seen.client, bytes });
    }
}
