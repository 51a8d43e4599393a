//! Other coding tables in a running room: announced to everybody seconds ahead, a few clients in each tick, so that no tick
//! sends a table to all; then all frames from one tick on are coded with them. Messages arrive in order, so nobody has to
//! confirm anything.

use std::sync::Arc;

use tickwire_shared::wire::message::{NewTables, encode_tables};
use tickwire_shared::wire::tables::Tables;
use tickwire_shared::{ClientId, Tick};

use super::room::Room;
use crate::simulation::Game;

/// From the first announcement to the switch.
const AHEAD_SECONDS: u64 = 5;

/// A switch under way.
pub(super) struct Retabling {
    /// The tick of the first capture with the new tables.
    from: u64,
    tables: Arc<Tables>,
    message: Vec<u8>,
    /// Everybody up to here has been told.
    told: Option<ClientId>,
}

impl<G: Game> Room<G> {
    /// Codes with other tables in a few seconds; clients are sent them before. A second call before that replaces the first.
    pub fn switch_tables(&mut self, tables: Arc<Tables>) {
        let from = self.tick + AHEAD_SECONDS * u64::from(self.config.tick_hz);
        let message = encode_tables(&NewTables { from: Tick(from as u32), file: tables.to_bytes() });
        self.retabling = Some(Retabling { from, tables, message, told: None });
    }

    /// To be called before the capture of each tick.
    pub(super) fn retable(&mut self) {
        let Some(mut retabling) = self.retabling.take() else { return };
        if self.tick >= retabling.from {
            // Those who joined in the last moments.
            self.announce(&mut retabling, usize::MAX);
            return self.capture.use_tables(retabling.tables);
        }
        let ticks = (retabling.from - self.tick) as usize;
        let left = self.clients.keys().filter(|id| retabling.told.is_none_or(|told| **id > told)).count();
        self.announce(&mut retabling, left.div_ceil(ticks));
        self.retabling = Some(retabling);
    }

    fn announce(&mut self, retabling: &mut Retabling, clients: usize) {
        let Self { clients: all, outputs, counters, .. } = self;
        let told = retabling.told;
        let untold = all.iter_mut().filter(|(id, _)| told.is_none_or(|told| **id > told));
        for (id, client) in untold.take(clients) {
            outputs.send(*id, &retabling.message);
            counters.sent_bytes += retabling.message.len() as u64;
            client.allowance.spend(retabling.message.len());
            retabling.told = Some(*id);
        }
    }
}
