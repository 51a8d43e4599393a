//! Two worlds that should be one, compared for people: which entity, which field, both values.

use std::collections::BTreeMap;
use std::fmt;

use tickwire_shared::schema::{FieldClass, FieldSchema, Plan, Schema};
use tickwire_shared::wire::quantize;
use tickwire_shared::{KindId, NetId};

use super::states::States;

/// Differences of one tick that are named; the others are only counted.
const NAMED_MAX: usize = 16;

/// The first tick that is not what was recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct Divergence {
    /// Which.
    pub tick: u64,
    /// What differs there, the first few of it.
    pub differences: Vec<Difference>,
    /// How many more do.
    pub unnamed: usize,
}

/// What differs.
#[derive(Clone, Debug, PartialEq)]
pub enum Difference {
    /// An entity's field.
    Field {
        /// Its entity.
        entity: NetId,
        /// Its entity's kind.
        kind: String,
        /// The field.
        field: String,
        /// Its value as recorded.
        recorded: String,
        /// Its value now.
        replayed: String,
    },
    /// An entity that was recorded is not there.
    Missing {
        /// Which.
        entity: NetId,
        /// Its kind.
        kind: String,
    },
    /// An entity is there that was not recorded.
    Surplus {
        /// Which.
        entity: NetId,
        /// Its kind.
        kind: String,
    },
    /// The same entities in another order.
    Order,
    /// Nothing that is replicated; the game's own state, or what quantizing hides. It happened after tick `after`.
    Hidden {
        /// The last tick at which everything was equal.
        after: u64,
    },
    /// The game panicked, and had not.
    Panicked,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field { entity, kind, field, recorded, replayed } => {
                let id = entity.0;
                write!(f, "{kind} {id:08x}: {field} was recorded as {recorded} and is {replayed} now")
            }
            Self::Missing { entity, kind } => {
                write!(f, "{kind} {:08x}: was recorded and is not there now", entity.0)
            }
            Self::Surplus { entity, kind } => {
                write!(f, "{kind} {:08x}: was not recorded and is there now", entity.0)
            }
            Self::Order => f.write_str("the entities stand in another order"),
            Self::Hidden { after } => write!(
                f,
                "every replicated field is equal, but the game's own state differs (or what quantizing hides, or an \
                 owner, a team, a spawn value); it was equal after tick {after}"
            ),
            Self::Panicked => f.write_str("the game panics now and did not when it was recorded"),
        }
    }
}

/// What differs between two tables, in the order of the recorded one.
pub(super) fn compare(schema: &Schema, plan: &Plan, recorded: &States, replayed: &States) -> Vec<Difference> {
    let name = |kind: KindId| schema.kinds[usize::from(kind.0)].name.clone();
    let now: BTreeMap<_, _> = replayed.iter().map(|(id, kind, columns)| (id, (kind, columns))).collect();
    let then: BTreeMap<_, _> = recorded.iter().map(|(id, kind, _)| (id, kind)).collect();
    let mut found = Vec::new();
    for (entity, kind, old) in recorded.iter() {
        match now.get(&entity).filter(|(other, _)| *other == kind) {
            None => found.push(Difference::Missing { entity, kind: name(kind) }),
            Some((_, new)) => {
                let fields = schema.kinds[usize::from(kind.0)].fields.iter().zip(&plan.kind(kind).fields);
                let fields = fields.filter(|(_, place)| place.of(old) != place.of(new));
                found.extend(fields.map(|(field, place)| Difference::Field {
                    entity,
                    kind: name(kind),
                    field: field.name.clone(),
                    recorded: value(field, place.of(old)),
                    replayed: value(field, place.of(new)),
                }));
            }
        }
    }
    let surplus = replayed.iter().filter(|(id, kind, _)| then.get(id) != Some(kind));
    found.extend(surplus.map(|(entity, kind, _)| Difference::Surplus { entity, kind: name(kind) }));
    if found.is_empty() {
        found.push(Difference::Order);
    }
    found
}

impl Divergence {
    pub(super) fn new(tick: u64, mut differences: Vec<Difference>) -> Self {
        let unnamed = differences.len().saturating_sub(NAMED_MAX);
        differences.truncate(NAMED_MAX);
        Self { tick, differences, unnamed }
    }
}

/// In the game's unit where the field has one, else as quantized.
fn value(field: &FieldSchema, columns: &[i32]) -> String {
    let quantum = match field.class {
        FieldClass::Position { quantum, .. } | FieldClass::Number { quantum, .. } => f64::from(quantum),
        FieldClass::Angle { .. }
        | FieldClass::Rotation { .. }
        | FieldClass::Flags { .. }
        | FieldClass::Opaque { .. } => 1.0,
    };
    let shown = |column: &i32| {
        // Steps are decimal fractions; the float that stands for one is shown with as many digits as it is good for.
        let value = quantize::from_quanta(*column, quantum as f32) as f32;
        format!("{value}")
    };
    match columns {
        [one] => shown(one),
        many => format!("[{}]", many.iter().map(shown).collect::<Vec<_>>().join(", ")),
    }
}
