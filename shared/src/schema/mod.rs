//! What is replicated, as a value: kinds, fields, classes, ranges, audiences. The codec works from this value
//! and never from a game's types, so one coder serves every game and every language.

mod kind;

mod plan;

mod hash;

mod diff;

pub use diff::{Difference, diff, first_difference};
pub use kind::{Audience, FieldClass, FieldSchema, KindSchema, Schema, SchemaError, View};
pub use plan::{FieldPlan, GROUPS, KindPlan, Lead, Plan};

use crate::id::KindId;

/// One replicated kind: a struct whose fields become integer columns. Derive it.
pub trait Replicate: Sized {
    /// The schema of this kind.
    fn kind_schema() -> KindSchema;
    /// Writes the quantized state, one integer per column.
    fn capture(&self, columns: &mut [i32]);
    /// The value that these columns stand for; skipped fields take their default.
    fn restore(columns: &[i32]) -> Self;
    /// The same of columns between two states: what a client shows between two ticks.
    fn restore_between(columns: &[f64]) -> Self;
}

/// All kinds of one game: an enum with one [`Replicate`] struct per variant. Derive it.
pub trait ReplicateKinds: Sized {
    /// The schemas of all kinds, in the order of their [`KindId`].
    fn kind_schemas() -> Vec<KindSchema>;
    /// Which kind this is.
    fn kind(&self) -> KindId;
    /// As [`Replicate::capture`].
    fn capture(&self, columns: &mut [i32]);
    /// As [`Replicate::restore`]; `None` for a kind that does not exist.
    fn restore(kind: KindId, columns: &[i32]) -> Option<Self>;
    /// As [`Replicate::restore_between`].
    fn restore_between(kind: KindId, columns: &[f64]) -> Option<Self>;
}

/// A game whose clients need no private state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NoPrivate;

impl Replicate for NoPrivate {
    fn kind_schema() -> KindSchema {
        KindSchema { name: "NoPrivate".to_owned(), fields: Vec::new() }
    }

    fn capture(&self, _columns: &mut [i32]) {}

    fn restore(_columns: &[i32]) -> Self {
        Self
    }

    fn restore_between(_columns: &[f64]) -> Self {
        Self
    }
}
