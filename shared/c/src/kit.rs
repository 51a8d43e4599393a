//! A session of any game with what a caller from another language asks of it. Runs inside the border's calls; knows no pointers.

use std::ffi::CString;
use std::sync::Arc;

use tickwire_shared::client::{Freshness, Happening, Identity, Session, State};
use tickwire_shared::limits::COLUMNS_MAX;
use tickwire_shared::schema::{FieldClass, KindPlan, KindSchema, Plan, Schema};
use tickwire_shared::untyped::{self, Blob, Input, Untyped};
use tickwire_shared::wire::message::AccessToken;
use tickwire_shared::wire::tables::Tables;
use tickwire_shared::{Micros, Tick, ViewTick};

/// What a caller holds.
#[derive(Debug)]
pub struct Kit {
    schema: Schema,
    plan: Plan,
    pub(crate) session: Hidden,
    pub(crate) error: CString,
    /// What was handed out last, kept until the next.
    pub(crate) message: Vec<u8>,
    pub(crate) event: Vec<u8>,
    shown: Vec<Shown>,
    own: Option<[f64; COLUMNS_MAX]>,
    /// A call panicked: nothing in here is to be trusted any more.
    pub(crate) broken: bool,
}

/// A session holds secrets and has no `Debug`.
pub(crate) struct Hidden(pub(crate) Session<Untyped>);

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Session(…)")
    }
}

/// One entity as it is to be shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown {
    pub(crate) id: u32,
    pub(crate) kind: u8,
    pub(crate) freshness: i32,
    columns: [f64; COLUMNS_MAX],
}

/// What a session begins with.
pub(crate) struct Options<'a> {
    pub(crate) schema: &'a [u8],
    pub(crate) tables: &'a [u8],
    pub(crate) input: &'a [u8],
    pub(crate) name: &'a [u8],
    pub(crate) room: &'a [u8],
    pub(crate) token: &'a [u8],
    pub(crate) budget_bytes_per_s: u32,
}

impl Kit {
    pub(crate) fn new(options: &Options<'_>) -> Result<Self, String> {
        let schema: Schema =
            serde_json::from_slice(options.schema).map_err(|error| format!("schema: {error}"))?;
        let tables = match options.tables {
            [] => Tables::generic(),
            file => Arc::new(Tables::from_bytes(file).map_err(|error| format!("tables: {error}"))?),
        };
        let text = |what: &str, bytes: &[u8]| {
            std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| format!("{what} is not UTF-8"))
        };
        let token = text("token", options.token)?;
        let identity = Identity {
            name: text("name", options.name)?,
            room: text("room", options.room)?,
            token: (!token.is_empty()).then(|| AccessToken::from(token)),
            budget_bytes_per_s: options.budget_bytes_per_s,
        };
        let mut session =
            Session::with_schema(&schema, tables, identity).map_err(|error| error.to_string())?;
        session.set_input(Input { bytes: Blob(options.input.to_vec()), aims: false }, Micros(0));
        Ok(Self {
            plan: Plan::new(&schema),
            schema,
            session: Hidden(session),
            error: CString::default(),
            message: Vec::new(),
            event: Vec::new(),
            shown: Vec::new(),
            own: None,
            broken: false,
        })
    }

    /// Says whether the message was good; else `error` has the words.
    pub(crate) fn receive(&mut self, bytes: &[u8], now: Micros) -> bool {
        match self.session.0.handle_message(bytes, now) {
            Ok(()) => true,
            Err(error) => {
                self.error = words(&error.to_string());
                false
            }
        }
    }

    pub(crate) fn transmit(&mut self, now: Micros) -> bool {
        let next = self.session.0.poll_transmit(now);
        next.map(|bytes| self.message = bytes).is_some()
    }

    /// The next event as it arrives; what else happened is seen in state and counts.
    pub(crate) fn next_event(&mut self) -> Option<Tick> {
        loop {
            if let Happening::Game(tick, event) = self.session.0.poll_happening()? {
                self.event = event.0;
                return Some(tick);
            }
        }
    }

    pub(crate) fn next_shown_event(&mut self) -> Option<Tick> {
        let (tick, event) = self.session.0.poll_shown_event()?;
        self.event = event.0;
        Some(tick)
    }

    pub(crate) fn state(&self, now: Micros) -> i32 {
        match self.session.0.state(now) {
            State::Connecting => 0,
            State::Live => 1,
            State::Stalled => 2,
            State::Resuming => 3,
            State::Refused(_) => 4,
        }
    }

    pub(crate) fn kind(&self, name: &str) -> Option<usize> {
        self.schema.kinds.iter().position(|kind| kind.name == name)
    }

    /// `kind` as callers count: below 0 is the private state.
    pub(crate) fn field(&self, kind: i32, name: &str) -> Option<usize> {
        let kind: &KindSchema = match usize::try_from(kind) {
            Ok(kind) => self.schema.kinds.get(kind)?,
            Err(_) => &self.schema.private,
        };
        kind.fields.iter().position(|field| field.name == name)
    }

    /// The columns of an entity's newest state.
    pub(crate) fn columns(&self, index: usize) -> Option<&[i32]> {
        let replica = self.session.0.replica()?;
        (index < replica.slots().len()).then(|| replica.state(index))
    }

    pub(crate) fn private_columns(&self) -> Option<&[i32]> {
        self.session.0.replica().map(|replica| replica.private())
    }

    pub(crate) fn values(&self, index: usize, field: usize, out: &mut [f64]) -> Option<usize> {
        let kind = self.session.0.replica()?.slots().get(index)?.kind;
        told(self.plan.kind(kind), field, self.columns(index)?, out)
    }

    pub(crate) fn private_values(&self, field: usize, out: &mut [f64]) -> Option<usize> {
        told(&self.plan.private, field, self.private_columns()?, out)
    }

    pub(crate) fn look(&mut self, now: Micros) -> Option<ViewTick> {
        self.shown.clear();
        self.own = None;
        let view = self.session.0.view(now)?;
        self.own = Some(view.own().state.columns);
        self.shown.extend(view.entities().map(|shown| Shown {
            id: shown.id.0,
            kind: shown.kind.0,
            freshness: match shown.freshness {
                Freshness::Interpolated => 0,
                Freshness::Extrapolated => 1,
                Freshness::Held => 2,
            },
            columns: shown.state.columns,
        }));
        Some(view.tick())
    }

    pub(crate) fn shown(&self) -> &[Shown] {
        &self.shown
    }

    pub(crate) fn shown_values(&self, index: usize, field: usize, out: &mut [f64]) -> Option<usize> {
        let shown = self.shown.get(index)?;
        of_field(self.plan.kinds.get(usize::from(shown.kind))?, field, &shown.columns, out)
    }

    pub(crate) fn own_values(&self, field: usize, out: &mut [f64]) -> Option<usize> {
        of_field(&self.plan.private, field, self.own.as_ref()?, out)
    }
}

fn told(kind: &KindPlan, field: usize, columns: &[i32], out: &mut [f64]) -> Option<usize> {
    let mut shares = [0.0; COLUMNS_MAX];
    shares.iter_mut().zip(columns).for_each(|(share, column)| *share = f64::from(*column));
    of_field(kind, field, &shares, out)
}

fn of_field(kind: &KindPlan, field: usize, columns: &[f64], out: &mut [f64]) -> Option<usize> {
    let field = kind.fields.get(field)?;
    let class: FieldClass = field.class;
    Some(untyped::values(class, columns.get(field.first..)?, out)).filter(|count| *count > 0)
}

/// For C: without what C takes for the end.
pub(crate) fn words(text: &str) -> CString {
    CString::new(text.replace('\0', " ")).unwrap_or_default()
}
