//! The schema as the coder wants it: column offsets worked out once.

use super::kind::{FieldClass, KindSchema, Schema, View};
use crate::id::KindId;

/// A checked schema with its layout.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// One per kind of entity.
    pub kinds: Vec<KindPlan>,
    /// The private kind.
    pub private: KindPlan,
    /// Most columns of any kind, the private one included: the stride of a state table.
    pub stride: usize,
}

/// One kind's layout.
#[derive(Clone, Debug, PartialEq)]
pub struct KindPlan {
    /// In schema order.
    pub fields: Vec<FieldPlan>,
    /// How many columns the kind fills.
    pub columns: usize,
    /// The first `Position` field, which interest goes by.
    pub position: Option<FieldPlan>,
    /// The widest view that differs from the ones below it: kinds without team or owner fields have `Public`.
    pub views: View,
    /// For each view, what the context of its miss masks is made of.
    leads: [Lead; View::ALL.len()],
}

/// Groups of fields in a miss mask: positions, angles, rotations, everything else.
pub const GROUPS: usize = 4;

/// The fields that tell how an entity moves.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Lead {
    /// The first position.
    pub position: Option<FieldPlan>,
    /// The first angle: its column and its bits.
    pub angle: Option<(usize, u8)>,
}

/// One field's place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FieldPlan {
    /// How it is coded.
    pub class: FieldClass,
    /// Least view that sees it.
    pub view: View,
    /// Index of its first column.
    pub first: usize,
    /// How many columns it fills.
    pub columns: usize,
    /// Its group in a miss mask.
    pub group: usize,
}

impl Plan {
    /// The layout of a schema that passed [`Schema::check`].
    #[must_use]
    pub fn new(schema: &Schema) -> Self {
        let kinds: Vec<_> = schema.kinds.iter().map(KindPlan::new).collect();
        let private = KindPlan::new(&schema.private);
        let stride = kinds.iter().chain([&private]).map(|kind| kind.columns).max().unwrap_or(0);
        Self { kinds, private, stride }
    }

    /// The layout of one kind.
    ///
    /// # Panics
    /// When the kind is not one of this schema; kinds from the wire are checked where they are read.
    #[must_use]
    pub fn kind(&self, kind: KindId) -> &KindPlan {
        &self.kinds[usize::from(kind.0)]
    }
}

impl KindPlan {
    fn new(kind: &KindSchema) -> Self {
        let mut first = 0;
        let fields: Vec<_> = kind
            .fields
            .iter()
            .map(|field| {
                let columns = field.class.columns();
                let plan = FieldPlan {
                    class: field.class,
                    view: View::ALL[field.audience as usize],
                    first,
                    columns,
                    group: group_of(field.class),
                };
                first += columns;
                plan
            })
            .collect();
        Self {
            columns: first,
            position: fields.iter().find(|field| matches!(field.class, FieldClass::Position { .. })).copied(),
            views: fields.iter().map(|field| field.view).max().unwrap_or_default(),
            leads: View::ALL.map(|view| lead_of(&fields, view)),
            fields,
        }
    }

    /// What the context of this view's miss masks is made of.
    #[must_use]
    pub fn lead(&self, view: View) -> &Lead {
        &self.leads[view as usize]
    }

    /// The fields that a view sees, in order.
    pub fn seen(&self, view: View) -> impl Iterator<Item = &FieldPlan> {
        self.fields.iter().filter(move |field| field.view <= view)
    }
}

impl FieldPlan {
    /// The field's part of a state.
    #[must_use]
    pub fn of<'a>(&self, state: &'a [i32]) -> &'a [i32] {
        &state[self.first..self.first + self.columns]
    }
}

fn group_of(class: FieldClass) -> usize {
    match class {
        FieldClass::Position { .. } => 0,
        FieldClass::Angle { .. } => 1,
        FieldClass::Rotation { .. } => 2,
        FieldClass::Number { .. } | FieldClass::Flags { .. } | FieldClass::Opaque { .. } => 3,
    }
}

fn lead_of(fields: &[FieldPlan], view: View) -> Lead {
    let mut seen = fields.iter().filter(|field| field.view <= view);
    let position = seen.clone().find(|field| matches!(field.class, FieldClass::Position { .. })).copied();
    let angle = seen.find_map(|field| match field.class {
        FieldClass::Angle { bits } => Some((field.first, bits)),
        _ => None,
    });
    Lead { position, angle }
}
