//! The session and the calls on it that are more than one call of [`Session`].

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use tickwire_shared::client::{Ended, Freshness, Happening, Identity, Next, Reconnect, Session, State};
use tickwire_shared::schema::{KindSchema, Plan, Schema};
use tickwire_shared::untyped::{Blob, Input, Untyped};
use tickwire_shared::wire::message::AccessToken;
use tickwire_shared::wire::tables::Tables;
use tickwire_shared::{Micros, Tick, ViewTick};

use crate::rows::{self, Row};

/// What a border holds for its caller.
pub struct Kit {
    schema: Schema,
    plan: Plan,
    session: Session<Untyped>,
    patience: Reconnect,
    shown: Vec<Shown>,
    /// The spawns of all that is shown, one behind the other.
    spawns: Vec<u8>,
    own: Option<Row>,
}

/// A session holds secrets and has no `Debug`.
impl fmt::Debug for Kit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kit(…)")
    }
}

/// One entity as it is to be shown.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Its id.
    pub id: u32,
    /// The index of its kind in the schema.
    pub kind: u8,
    /// How sure its state is.
    pub freshness: Freshness,
    spawn: Range<usize>,
    row: Row,
}

/// What a session begins with; text is UTF-8.
#[derive(Clone, Copy, Default)]
pub struct Options<'a> {
    /// JSON, as `tickwire-server schema --json` prints it.
    pub schema: &'a [u8],
    /// The coding tables that the game ships with; empty for the generic ones.
    pub tables: &'a [u8],
    /// The game's input of a player who does nothing, encoded.
    pub input: &'a [u8],
    /// Display name.
    pub name: &'a [u8],
    /// Room; empty for the server's default.
    pub room: &'a [u8],
    /// Access token; empty for none.
    pub token: &'a [u8],
    /// What the server may send at most; 0 leaves it to the server.
    pub budget_bytes_per_s: u32,
}

/// Without what it holds: there is a token in it.
impl fmt::Debug for Options<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Options(…)")
    }
}

impl Kit {
    /// A session that will say Hello first.
    ///
    /// # Errors
    /// Which option makes no sense, in words.
    pub fn new(options: &Options<'_>) -> Result<Self, String> {
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
            session,
            patience: Reconnect::default(),
            shown: Vec::new(),
            spawns: Vec::new(),
            own: None,
        })
    }

    /// The session, for what needs no help.
    #[must_use]
    pub fn session(&self) -> &Session<Untyped> {
        &self.session
    }

    /// The same, to change it.
    pub fn session_mut(&mut self) -> &mut Session<Untyped> {
        &mut self.session
    }

    /// What is replicated.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// Which column each field begins at.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// A message arrived.
    ///
    /// # Errors
    /// Why it was refused, in words; the session is then over for that reason, and the connection to be closed.
    pub fn receive(&mut self, bytes: &[u8], now: Micros) -> Result<(), String> {
        let was_welcomed = self.is_welcomed(now);
        self.session.handle_message(bytes, now).map_err(|error| {
            let words = error.to_string();
            self.session.give_up(words.clone());
            words
        })?;
        if !was_welcomed && self.is_welcomed(now) {
            self.patience.welcomed(now);
        }
        Ok(())
    }

    fn is_welcomed(&self, now: Micros) -> bool {
        matches!(self.session.state(now), State::Live | State::Stalled)
    }

    /// The connection ended, or could not be opened. When to open another one; else there is no point, and the session is over.
    pub fn ended(&mut self, ended: Ended<'_>, random: u32, now: Micros) -> Option<Micros> {
        if matches!(self.session.state(now), State::Refused(_)) {
            return None;
        }
        match self.patience.ended(ended, random, now) {
            Next::At(due) => Some(due),
            Next::Never => {
                self.session.give_up(match ended {
                    Ended::Closed { code, reason } => format!("{code} {reason}"),
                    Ended::Lost => "the connection was lost".to_owned(),
                });
                None
            }
        }
    }

    /// The next event as it arrives; what else happened is seen in state and counts.
    pub fn next_event(&mut self) -> Option<(Tick, Vec<u8>)> {
        loop {
            if let Happening::Game(tick, event) = self.session.poll_happening()? {
                return Some((tick, event.0));
            }
        }
    }

    /// The next event that the view has reached.
    pub fn next_shown_event(&mut self) -> Option<(Tick, Vec<u8>)> {
        let (tick, event) = self.session.poll_shown_event()?;
        Some((tick, event.0))
    }

    /// The index of a kind.
    #[must_use]
    pub fn kind(&self, name: &str) -> Option<usize> {
        self.schema.kinds.iter().position(|kind| kind.name == name)
    }

    /// The index of a field of a kind, or of the private state.
    #[must_use]
    pub fn field(&self, kind: Option<usize>, name: &str) -> Option<usize> {
        let kind: &KindSchema = match kind {
            Some(kind) => self.schema.kinds.get(kind)?,
            None => &self.schema.private,
        };
        kind.fields.iter().position(|field| field.name == name)
    }

    /// The columns of an entity's newest state, in quanta.
    #[must_use]
    pub fn columns(&self, index: usize) -> Option<&[i32]> {
        let replica = self.session.replica()?;
        (index < replica.slots().len()).then(|| replica.state(index))
    }

    /// The same of the private state.
    #[must_use]
    pub fn private_columns(&self) -> Option<&[i32]> {
        self.session.replica().map(|replica| replica.private())
    }

    /// One field of an entity's newest state, in the game's units: how many numbers it has.
    pub fn values(&self, index: usize, field: usize, out: &mut [f64]) -> Option<usize> {
        let kind = self.session.replica()?.slots().get(index)?.kind;
        rows::field(self.plan.kind(kind), field, &rows::of_told(self.columns(index)?), out)
    }

    /// The same of the private state.
    pub fn private_values(&self, field: usize, out: &mut [f64]) -> Option<usize> {
        rows::field(&self.plan.private, field, &rows::of_told(self.private_columns()?), out)
    }

    /// All fields of an entity's newest state, each at its first column.
    pub fn row(&self, index: usize, out: &mut [f64]) -> Option<()> {
        let kind = self.session.replica()?.slots().get(index)?.kind;
        rows::all(self.plan.kind(kind), &rows::of_told(self.columns(index)?), out);
        Some(())
    }

    /// The same of the private state.
    pub fn private_row(&self, out: &mut [f64]) -> Option<()> {
        rows::all(&self.plan.private, &rows::of_told(self.private_columns()?), out);
        Some(())
    }

    /// Works out what is to be shown; it stays for the calls below until the next look.
    pub fn look(&mut self, now: Micros) -> Option<ViewTick> {
        self.shown.clear();
        self.spawns.clear();
        self.own = None;
        let view = self.session.view(now)?;
        self.own = Some(view.own().state.columns);
        for shown in view.entities() {
            let from = self.spawns.len();
            self.spawns.extend_from_slice(&shown.spawn.0);
            self.shown.push(Shown {
                id: shown.id.0,
                kind: shown.kind.0,
                freshness: shown.freshness,
                spawn: from..self.spawns.len(),
                row: shown.state.columns,
            });
        }
        Some(view.tick())
    }

    /// All that is shown.
    #[must_use]
    pub fn shown(&self) -> &[Shown] {
        &self.shown
    }

    /// What was told once of an entity that is shown.
    #[must_use]
    pub fn shown_spawn(&self, index: usize) -> Option<&[u8]> {
        self.spawns.get(self.shown.get(index)?.spawn.clone())
    }

    /// One field of an entity as it is shown, in the game's units: how many numbers it has.
    pub fn shown_values(&self, index: usize, field: usize, out: &mut [f64]) -> Option<usize> {
        let shown = self.shown.get(index)?;
        rows::field(self.plan.kinds.get(usize::from(shown.kind))?, field, &shown.row, out)
    }

    /// One field of the private state as it is shown.
    pub fn own_values(&self, field: usize, out: &mut [f64]) -> Option<usize> {
        rows::field(&self.plan.private, field, self.own.as_ref()?, out)
    }

    /// All fields of an entity as it is shown, each at its first column.
    pub fn shown_row(&self, index: usize, out: &mut [f64]) -> Option<()> {
        let shown = self.shown.get(index)?;
        rows::all(self.plan.kinds.get(usize::from(shown.kind))?, &shown.row, out);
        Some(())
    }

    /// The same of the private state.
    pub fn own_row(&self, out: &mut [f64]) -> Option<()> {
        rows::all(&self.plan.private, self.own.as_ref()?, out);
        Some(())
    }
}
