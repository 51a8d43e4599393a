//! The second half of a tick: what each client is told of the world as it is now. Runs after the capture, in the order
//! of the clients' ids.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tickwire_shared::limits::{EVENT_BYTES_MAX, SERVER_MESSAGE_BYTES_MAX};
use tickwire_shared::wire::codec;
use tickwire_shared::{ClientId, KindId, Micros, Protocol};

use super::room::Room;
use crate::simulation::{Game, Recipients, Viewpoint};
use crate::snapshot::{FrameParts, PackCounts, QueuedEvent, Seen, Sight, Snapshot};

/// Without anything due, a frame this often shows that the session lives.
const HEARTBEAT_MICROS: u64 = 500_000;

/// What the game says of the clients in one tick.
struct Look<P: Protocol> {
    /// In the order of the clients.
    viewpoints: Vec<(ClientId, Viewpoint)>,
    privates: Vec<P::Private>,
    /// By kind.
    sights: Vec<Sight>,
}

impl<G: Game> Room<G> {
    pub(super) fn tell_clients(&mut self, now: Micros) {
        let Some(Look { viewpoints, privates, sights }) = self.look() else { return };
        self.route_events(&viewpoints);
        if !self.capture.schedule().is_frame_tick() {
            return;
        }
        self.neighbours.prepare(&self.capture, &sights);
        for ((client, viewpoint), private) in viewpoints.into_iter().zip(privates) {
            self.pack(Seen { client, viewpoint }, private, &sights, now);
        }
        self.packer.settle(&mut self.capture);
    }

    fn look(&mut self) -> Option<Look<G::Protocol>> {
        let ids: Vec<_> = self.clients.keys().copied().collect();
        let kinds = self.schema.kinds.len() as u8;
        self.with_game(|game, stage| Look {
            viewpoints: ids.iter().map(|id| (*id, game.viewpoint(stage.world, *id))).collect(),
            privates: ids.iter().map(|id| game.private(stage.world, *id)).collect(),
            sights: (0..kinds)
                .map(KindId)
                .map(|kind| Sight { interest: game.interest(kind), detail: game.detail(kind) })
                .collect(),
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
        sights: &[Sight],
        now: Micros,
    ) {
        let Self {
            config, game, world, clients, capture, neighbours, packer, outputs, counters, tick, ..
        } = self;
        let Some(client) = clients.get_mut(&seen.client) else { return };
        let (tick, tick_hz, bytes_per_s) = (*tick, config.tick_hz, client.pace.bytes_per_s());
        let packs = client.writable && client.window.is_open(tick_hz, bytes_per_s);
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
            may_see: &|key| game.may_see(world, seen.client, key),
            ack: client.inputs.peek_ack(now),
            ack_due: client.inputs.is_ack_due(),
            events: client.events.make_contiguous(),
            checksum,
            heartbeat: now.since(client.sent_at) >= HEARTBEAT_MICROS,
            bytes_max,
            bytes_per_s,
            tick_hz,
        };
        let snapshot = Snapshot { capture, neighbours, sights, world };
        let mut frame = Packing::Nothing;
        outputs.send(seen.client, |out| {
            let start = out.len();
            // The game's own rule of who may see whom is asked in there.
            let packed =
                catch_unwind(AssertUnwindSafe(|| packer.pack(&snapshot, &mut client.packed, &parts, out)));
            frame = match packed {
                Err(_) => Packing::Panicked,
                Ok((false, _)) => Packing::Nothing,
                // No client would take it. Told anew, the roster enters in parts that fit.
                Ok(_) if out.len() - start > SERVER_MESSAGE_BYTES_MAX => Packing::TooLong,
                Ok((true, counts)) => Packing::Frame(out.len() - start, counts),
            };
            matches!(frame, Packing::Frame(..))
        });
        match frame {
            Packing::Panicked => self.end_by_panic(),
            Packing::Nothing => {
                client.pace.sent(0, tick_hz);
                counters.idle_client_ticks += 1;
            }
            Packing::TooLong => client.packed.forget(),
            Packing::Frame(bytes, counts) => {
                client.handed_out(tick, bytes, &counts, tick_hz, now);
                if checksum {
                    client.checksum_at = tick;
                }
                counters.frame(bytes, &counts);
            }
        }
    }
}

/// What came of packing a frame.
enum Packing {
    Nothing,
    Frame(usize, PackCounts),
    TooLong,
    Panicked,
}
