//! What a room can say of itself to whoever looks into it: its clients, a map of it as it is and as one client sees it, and why
//! a client sees an entity or does not. Worked out between ticks, when somebody asks and never else; it changes nothing, so a
//! room that is looked into sends the same bytes as one that is not. Every answer has a bound.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tickwire_shared::limits::COLUMNS_MAX;
use tickwire_shared::schema::{FieldClass, FieldPlan, ReplicateKinds, View};
use tickwire_shared::wire::quantize;
use tickwire_shared::{ClientId, KindId, Micros, NetId};

use super::client::Client;
use super::room::Room;
use crate::simulation::{Detail, Game, Interest};
use crate::snapshot::{Insight, Rule, Seen, Sight, Standing, place_of};

mod findings;

pub use findings::{
    ClientList, ClientState, Explanation, FieldState, Findings, Map, MapEntity, MapEye, MapKind,
};

/// Clients in one answer.
pub const CLIENTS_MAX: usize = 500;
/// Entities in one answer; of more, the nearest to the client that looks, or to the middle.
pub const ENTITIES_MAX: usize = 10_000;

/// A question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inquiry {
    /// How the clients fare, [`CLIENTS_MAX`] of them.
    Clients {
        /// Only those with higher numbers than this.
        after: Option<ClientId>,
    },
    /// Where everything is.
    Map {
        /// And how this client stands to it.
        client: Option<ClientId>,
    },
    /// Why a client sees an entity or does not.
    Why {
        /// Who looks.
        client: ClientId,
        /// At what.
        entity: NetId,
    },
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoFindings {
    /// It may have left.
    #[error("there is no such client in the room")]
    Client,
    /// It may be gone, and before the first tick there are none.
    #[error("there is no such entity in the room")]
    Entity,
    /// The room goes on: nothing was changed.
    #[error("the game panicked when it was asked")]
    Panic,
}

impl<G: Game> Room<G> {
    /// Answers a question about the room as its last tick left it.
    ///
    /// # Errors
    /// [`NoFindings`] when there is no answer.
    pub fn inspect(&self, inquiry: Inquiry, now: Micros) -> Result<Findings, NoFindings> {
        // The game's own rules are asked; they change nothing, so neither does a panic.
        let found = catch_unwind(AssertUnwindSafe(|| match inquiry {
            Inquiry::Clients { after } => Ok(Findings::Clients(self.list_clients(after, now))),
            Inquiry::Map { client } => self.draw(client).map(Findings::Map),
            Inquiry::Why { client, entity } => {
                self.explain(client, entity).map(|why| Findings::Why(Box::new(why)))
            }
        }));
        found.unwrap_or(Err(NoFindings::Panic))
    }

    fn list_clients(&self, after: Option<ClientId>, now: Micros) -> ClientList {
        let mut others = self.clients.iter().filter(|(id, _)| Some(**id) > after);
        let clients = others.by_ref().take(CLIENTS_MAX);
        ClientList {
            clients: clients
                .map(|(id, client)| {
                    let avatar = self.game.viewpoint(&self.world, *id).avatar;
                    let avatar = avatar.and_then(|key| self.world.get(key)).map(|entity| entity.id.0);
                    state_of(*id, client, (avatar, self.config.tick_hz), now)
                })
                .collect(),
            tick: self.tick.saturating_sub(1),
            more: others.next().is_some(),
        }
    }

    /// By kind.
    fn sights(&self) -> Vec<Sight> {
        let kinds = (0..self.schema.kinds.len() as u8).map(KindId);
        kinds.map(|kind| self.relief.sight(&self.game, kind)).collect()
    }

    fn looking<T>(
        &self,
        client: ClientId,
        sights: &[Sight],
        look: impl FnOnce(&Insight<'_>, &Seen) -> T,
    ) -> Result<T, NoFindings> {
        let known = self.clients.get(&client).ok_or(NoFindings::Client)?;
        let seen = Seen { client, viewpoint: self.game.viewpoint(&self.world, client) };
        let may_see = |key| self.game.may_see(&self.world, client, key);
        Ok(look(&Insight::new(&self.capture, sights, seen, &may_see, &known.packed), &seen))
    }

    fn draw(&self, client: Option<ClientId>) -> Result<Map, NoFindings> {
        let sights = self.sights();
        let mut map = Map {
            tick: self.tick.saturating_sub(1),
            kinds: self
                .schema
                .kinds
                .iter()
                .zip(&sights)
                .map(|(kind, sight)| kind_of(&kind.name, sight))
                .collect(),
            cadences: self.config.cadences.into(),
            eye: None,
            entities: Vec::new(),
            left_out: 0,
            ghosts: 0,
        };
        let Some(client) = client else {
            map.entities = self.entities(None);
            map.keep_the_nearest([0.0; 3]);
            return Ok(map);
        };
        self.looking(client, &sights, |insight, seen| {
            let avatar = crate::simulation::avatar_id(&seen.viewpoint, &self.world);
            let (at, reach) = (seen.viewpoint.position.to_array(), insight.reach());
            map.eye = Some(MapEye { client: client.0, at, avatar: avatar.map(|id| id.0), reach });
            map.entities = self.entities(Some(insight));
            map.ghosts = insight.ghosts();
            map.keep_the_nearest(at);
        })?;
        Ok(map)
    }

    /// Everything in the world; what was born since the last tick has no row yet, and nobody knows of it.
    fn entities(&self, insight: Option<&Insight<'_>>) -> Vec<MapEntity> {
        let mut entities = Vec::with_capacity(self.world.len());
        for (key, entity) in self.world.iter() {
            let row = self.capture.row_of(key);
            let place = match row {
                Some(row) => self.capture.row(row).place,
                None => {
                    let mut state = [0; COLUMNS_MAX];
                    entity.state.capture(&mut state);
                    place_of(self.capture.plan().kind(entity.state.kind()), &state)
                }
            };
            let why = insight.zip(row).map(|(insight, row)| (insight.why(row), insight.held_place(row)));
            entities.push(MapEntity {
                id: entity.id.0,
                kind: entity.state.kind().0,
                at: place.map(|place| place.to_array()),
                owner: entity.owner.map(|owner| owner.0),
                standing: why.map(|(why, _)| standing_name(why.standing)),
                rule: why.map(|(why, _)| rule_name(why.rule)),
                tier: why.and_then(|(why, _)| Some(why.holding?.tier.index())),
                held_at: why.and_then(|(_, held)| held).map(|place| place.to_array()),
            });
        }
        entities
    }

    fn explain(&self, client: ClientId, entity: NetId) -> Result<Explanation, NoFindings> {
        let rows = self.capture.rows();
        let is_meant = |alive: bool| rows.iter().position(|row| row.id == entity && row.alive == alive);
        // Who is gone may still be held.
        let row = is_meant(true).or_else(|| is_meant(false)).ok_or(NoFindings::Entity)? as u32;
        let sights = self.sights();
        self.looking(client, &sights, |insight, _| {
            let (why, kind) = (insight.why(row), self.capture.row(row).kind);
            let view = why.holding.map_or(why.view, |holding| holding.view);
            let tier = why.holding.map_or(why.natural, |holding| holding.tier);
            let bits_ticks = u64::from(self.config.tick_hz).min(60);
            let bits = self.capture.field_bits(row, tier, view, bits_ticks);
            let state = self.capture.past_state(row, self.capture.last_seen(row)).unwrap_or_default();
            let schema = &self.schema.kinds[usize::from(kind.0)];
            let plan = self.capture.plan().kind(kind);
            let fields = schema.fields.iter().zip(&plan.fields).zip(&bits.field_bits);
            Explanation {
                tick: self.tick.saturating_sub(1),
                client: client.0,
                entity: entity.0,
                kind: schema.name.clone(),
                standing: standing_name(why.standing),
                rule: rule_name(why.rule),
                distance: why.distance.map(|(distance, _)| distance),
                radius: why.distance.map(|(_, radius)| radius),
                reach: insight.reach(),
                strained: insight.is_strained(),
                audience: view_name(view),
                tier: why.holding.map(|holding| holding.tier.index()),
                natural_tier: why.natural.index(),
                period_ticks: why.holding.map(|holding| self.config.cadences.period(holding.tier)),
                state_of: why.holding.map(|holding| holding.state_of),
                bits_ticks,
                samples: bits.samples,
                updates: bits.updates,
                mask_bits: bits.mask_bits,
                fields: fields
                    .map(|((schema, plan), bits)| FieldState {
                        name: schema.name.clone(),
                        audience: schema.audience,
                        shown: view.sees(schema.audience),
                        value: value_of(plan, state),
                        bits: *bits,
                    })
                    .collect(),
            }
        })
    }
}

fn state_of<P: tickwire_shared::Protocol>(
    id: ClientId,
    client: &Client<P>,
    (avatar, tick_hz): (Option<u32>, u16),
    now: Micros,
) -> ClientState {
    let status = client.status(tick_hz);
    let ms = |since: Option<Micros>| since.map(|since| now.since(since) / 1000);
    ClientState {
        client: id.0,
        name: client.name.clone(),
        avatar,
        away_ms: ms(client.away_since),
        paused_ms: ms(client.paused_since),
        pauses: client.pauses,
        rtt_ms: status.rtt_micros.map(|micros| micros as f64 / 1000.0),
        window_frames: status.window_frames,
        granted_bytes_per_s: client.pace.granted_bytes_per_s(),
        bytes_per_s_max: status.bytes_per_s,
        bytes_per_s: client.pace.offered_bytes_per_s(),
        tiers: status.tiers,
        parked: status.parked,
        waiting: status.waiting,
        reach: status.reach,
    }
}

fn kind_of(name: &str, sight: &Sight) -> MapKind {
    let (enter, leave) = match sight.interest {
        Interest::Everything => (None, None),
        Interest::Radius { enter, leave } => (Some(enter), Some(leave.max(enter))),
    };
    let finite = |radius: f32| radius.is_finite().then_some(radius);
    let Detail { fast_within, medium_within } = sight.detail;
    let (fast_within, medium_within) = (finite(fast_within), finite(medium_within));
    MapKind { name: name.to_owned(), enter, leave, fast_within, medium_within }
}

fn value_of(field: &FieldPlan, state: &[i32]) -> Vec<f64> {
    let Some(columns) = state.get(field.first..field.first + field.columns) else { return Vec::new() };
    let unit = |column: i32| match field.class {
        FieldClass::Position { quantum, .. } | FieldClass::Number { quantum, .. } => {
            quantize::from_quanta(column, quantum)
        }
        // In degrees.
        FieldClass::Angle { bits } => f64::from(column) * 360.0 / (1_u64 << bits) as f64,
        FieldClass::Rotation { .. } | FieldClass::Flags { .. } => f64::from(column),
        FieldClass::Opaque { .. } => f64::from(column as u32),
    };
    columns.iter().map(|column| unit(*column)).collect()
}

fn standing_name(standing: Standing) -> &'static str {
    match standing {
        Standing::Told => "told",
        Standing::Parked => "parked",
        Standing::Leaves => "leaves",
        Standing::Waits => "waits",
        Standing::Enters => "enters",
        Standing::Unseen => "unseen",
    }
}

fn rule_name(rule: Rule) -> &'static str {
    match rule {
        Rule::Gone => "gone",
        Rule::Avatar => "avatar",
        Rule::TooFar => "too_far",
        Rule::Hidden => "hidden",
        Rule::Near => "near",
        Rule::Everywhere => "everywhere",
    }
}

fn view_name(view: View) -> &'static str {
    match view {
        View::Public => "public",
        View::Team => "team",
        View::Owner => "owner",
    }
}
