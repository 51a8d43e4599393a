//! From recorded movement to tables, and from tables to what they would have cost. Offline: nothing of this runs in
//! a session.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::bits::BitStrings;
use super::residual::{Coder, Window};
use super::tables::{Counts, Tables};
use super::update::{self, Step};
use crate::id::{KindId, NetId};
use crate::limits::HISTORY;
use crate::schema::{Plan, Schema, View};

/// One entity in one tick.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// The entity.
    pub id: NetId,
    /// Its kind.
    pub kind: KindId,
    /// Whether it was put there rather than moved.
    pub cut: bool,
    /// Its quantized state.
    pub state: Vec<i32>,
}

/// A stream of quantized states, tick after tick.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recording {
    /// What the states mean.
    pub schema: Schema,
    /// Everything that was there, for each tick.
    pub ticks: Vec<Vec<Recorded>>,
}

/// What a recording costs with some tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Entity-ticks in which something changed.
    pub changed: u64,
    /// Updates coded: what changed, and what was still moving the tick before.
    pub coded: u64,
    /// Bits of all updates, and an eighth of a bit for each entity at rest.
    pub bits: u64,
}

impl Cost {
    /// Bits per entity-tick in which something changed.
    #[must_use]
    pub fn bits_per_changed(&self) -> f64 {
        self.bits as f64 / self.changed.max(1) as f64
    }
}

/// Counts every symbol that the recording's updates would be coded with.
pub fn count(recording: &Recording, counts: &mut Counts) {
    replay(recording, |plan, update| {
        let Update { kind, step, window, state, .. } = update;
        update::write(plan.kind(kind), View::Public, step, Window::new(window, plan.stride), state, counts);
    });
}

/// What the recording costs with these tables.
#[must_use]
pub fn cost(recording: &Recording, tables: &Tables) -> Cost {
    let (mut cost, mut strings, mut resting) = (Cost::default(), BitStrings::default(), 0);
    replay(recording, |plan, update| {
        let Update { kind, step, window, state, changed, due } = update;
        cost.changed += u64::from(changed);
        if !due {
            resting += 1;
            return;
        }
        cost.coded += 1;
        strings.clear();
        let mut coder = Coder { tables, out: &mut strings };
        let window = Window::new(window, plan.stride);
        update::write(plan.kind(kind), View::Public, step, window, state, &mut coder);
        cost.bits += strings.len_bits() as u64;
    });
    cost.bits += resting / 8;
    cost
}

/// One entity-tick as a server would see it.
#[derive(Clone, Copy, Debug)]
pub struct Update<'a> {
    /// The entity's kind.
    pub kind: KindId,
    /// How it came to its new state.
    pub step: Step,
    /// The four states before, of the plan's stride.
    pub window: &'a [i32],
    /// The new state, of the plan's stride.
    pub state: &'a [i32],
    /// Whether it differs from the state before.
    pub changed: bool,
    /// Whether an update would be coded: it differs from one of the four.
    pub due: bool,
}

/// Walks through a recording with the windows that both ends would hold. An entity's first tick is a record and
/// is left out.
pub fn replay(recording: &Recording, mut each: impl FnMut(&Plan, Update<'_>)) {
    let plan = Plan::new(&recording.schema);
    let mut windows: BTreeMap<NetId, Vec<i32>> = BTreeMap::new();
    for tick in &recording.ticks {
        for Recorded { id, kind, cut, state } in tick {
            let mut padded = state.clone();
            padded.resize(plan.stride, 0);
            let Some(window) = windows.get_mut(id) else {
                windows.insert(*id, padded.repeat(HISTORY));
                continue;
            };
            let step = if *cut { Step::Cut } else { Step::Moved };
            let changed = window[..plan.stride] != padded;
            let due = *cut || window.chunks_exact(plan.stride.max(1)).any(|old| old != padded);
            each(&plan, Update { kind: *kind, step, window, state: &padded, changed, due });
            update::shift(window, plan.stride, step, &padded);
        }
    }
}
