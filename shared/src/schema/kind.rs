//! The schema value and the check that it makes sense.

use serde::{Deserialize, Serialize};

use crate::limits::{COLUMN_BITS_MAX, COLUMNS_MAX, FIELDS_MAX, KINDS_MAX};

/// Everything that is replicated in one game.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Schema {
    /// The game's name.
    pub game: String,
    /// Raised by the author whenever a bincode type (input, event, …) changes.
    pub revision: u32,
    /// Kinds of entity; the index is the [`KindId`](crate::id::KindId).
    pub kinds: Vec<KindSchema>,
    /// What only its own client is told.
    pub private: KindSchema,
}

/// One kind of entity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KindSchema {
    /// The struct's name.
    pub name: String,
    /// In declaration order, which is the order of columns and of miss-mask bits.
    pub fields: Vec<FieldSchema>,
}

/// One field of a kind; the unit that is sent or not sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FieldSchema {
    /// The field's name.
    pub name: String,
    /// How it is quantized, predicted and coded.
    pub class: FieldClass,
    /// Who may know it.
    pub audience: Audience,
}

/// How a field is quantized, predicted and coded. Ranges are in quanta, inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum FieldClass {
    /// A vector that moves: predicted from its last states. One column per dimension.
    Position {
        /// 2 or 3.
        dims: u8,
        /// Size of one step, in the game's unit.
        quantum: f32,
        /// Smallest value in quanta, each axis.
        min: i32,
        /// Largest value in quanta, each axis.
        max: i32,
    },
    /// A wrapping angle, predicted like a position. One column, `0..2^bits` per turn.
    Angle {
        /// 2^bits steps make one turn.
        bits: u8,
    },
    /// A unit quaternion as its smallest three: the index of the dropped component, then three columns.
    Rotation {
        /// Bits per component.
        bits: u8,
    },
    /// A number that is expected to stay as it is. One column.
    Number {
        /// Size of one step.
        quantum: f32,
        /// Smallest value in quanta.
        min: i32,
        /// Largest value in quanta.
        max: i32,
    },
    /// Independent bits. One column.
    Flags {
        /// How many.
        bits: u8,
    },
    /// Bits without a structure that the codec could use. One column.
    Opaque {
        /// How many.
        bits: u8,
    },
}

/// Who may know a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Audience {
    /// Whoever sees the entity.
    All,
    /// Clients of the entity's team, and its owner.
    Team,
    /// The client that owns the entity.
    Owner,
}

/// How much of an entity one client is shown. Views nest: each sees all that the one before it sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub enum View {
    /// Fields for all.
    #[default]
    Public,
    /// Fields for all and for the team.
    Team,
    /// Every field.
    Owner,
}

impl View {
    /// All views, in the order of their number on the wire.
    pub const ALL: [Self; 3] = [Self::Public, Self::Team, Self::Owner];

    /// Whether this view includes fields of `audience`.
    #[must_use]
    pub const fn sees(self, audience: Audience) -> bool {
        audience as u8 <= self as u8
    }
}

/// Why a schema cannot be used. Found at start, never on the wire.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// More than [`KINDS_MAX`] kinds, or none.
    #[error("a game needs 1 to {KINDS_MAX} kinds, this one has {0}")]
    Kinds(usize),
    /// More than [`FIELDS_MAX`] fields.
    #[error("kind `{kind}` has {fields} fields; at most {FIELDS_MAX} are possible")]
    Fields {
        /// The kind.
        kind: String,
        /// How many it has.
        fields: usize,
    },
    /// More than [`COLUMNS_MAX`] columns.
    #[error("kind `{kind}` fills {columns} columns; at most {COLUMNS_MAX} are possible")]
    Columns {
        /// The kind.
        kind: String,
        /// How many it fills.
        columns: usize,
    },
    /// A range that is empty, too wide, or a quantum that is not positive.
    #[error("field `{kind}.{field}`: {why}")]
    Class {
        /// The kind.
        kind: String,
        /// The field.
        field: String,
        /// What is wrong with it.
        why: &'static str,
    },
}

impl FieldClass {
    /// How many integer columns the field fills.
    #[must_use]
    pub const fn columns(self) -> usize {
        match self {
            Self::Position { dims, .. } => dims as usize,
            Self::Rotation { .. } => 4,
            Self::Angle { .. } | Self::Number { .. } | Self::Flags { .. } | Self::Opaque { .. } => 1,
        }
    }

    fn check(self) -> Result<(), &'static str> {
        let range = |quantum: f32, min: i32, max: i32| {
            if !(quantum > 0.0 && quantum.is_finite()) {
                Err("the quantum must be a positive number")
            } else if min >= max {
                Err("the range is empty")
            } else if i64::from(max) - i64::from(min) >= 1 << COLUMN_BITS_MAX
                || min < -(1 << COLUMN_BITS_MAX)
                || max > 1 << COLUMN_BITS_MAX
            {
                Err("the range needs more than 28 bits; use a larger quantum")
            } else {
                Ok(())
            }
        };
        let bits = |bits: u8, max: u8| {
            if (1..=max).contains(&bits) { Ok(()) } else { Err("the number of bits is out of range") }
        };
        match self {
            Self::Position { dims, .. } if !(2..=3).contains(&dims) => {
                Err("a position has 2 or 3 dimensions")
            }
            Self::Position { quantum, min, max, .. } | Self::Number { quantum, min, max } => {
                range(quantum, min, max)
            }
            Self::Angle { bits: n } => bits(n, 20),
            Self::Rotation { bits: n } => bits(n, 20),
            Self::Flags { bits: n } | Self::Opaque { bits: n } => bits(n, 32),
        }
    }
}

impl Schema {
    /// Checks every bound that the codec relies on.
    ///
    /// # Errors
    /// The first [`SchemaError`], naming kind and field.
    pub fn check(&self) -> Result<(), SchemaError> {
        if self.kinds.is_empty() || self.kinds.len() > KINDS_MAX {
            return Err(SchemaError::Kinds(self.kinds.len()));
        }
        self.kinds.iter().chain([&self.private]).try_for_each(KindSchema::check)
    }
}

impl KindSchema {
    /// How many integer columns the kind fills.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.fields.iter().map(|field| field.class.columns()).sum()
    }

    fn check(&self) -> Result<(), SchemaError> {
        if self.fields.len() > FIELDS_MAX {
            return Err(SchemaError::Fields { kind: self.name.clone(), fields: self.fields.len() });
        }
        if self.columns() > COLUMNS_MAX {
            return Err(SchemaError::Columns { kind: self.name.clone(), columns: self.columns() });
        }
        for field in &self.fields {
            field.class.check().map_err(|why| SchemaError::Class {
                kind: self.name.clone(),
                field: field.name.clone(),
                why,
            })?;
        }
        Ok(())
    }
}
