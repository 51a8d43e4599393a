//! What a room answers to whoever looks into it: plain values, to be written as JSON by whoever carries them.

use serde::Serialize;
use tickwire_shared::schema::Audience;
use tickwire_shared::wire::cadence::TIERS;

use super::ENTITIES_MAX;

/// An answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Findings {
    /// To [`super::Inquiry::Clients`].
    Clients(ClientList),
    /// To [`super::Inquiry::Map`].
    Map(Map),
    /// To [`super::Inquiry::Why`].
    Why(Box<Explanation>),
}

/// Some of the clients.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClientList {
    /// The tick that was made last.
    pub tick: u64,
    /// By number.
    pub clients: Vec<ClientState>,
    /// Whether there are others after these.
    pub more: bool,
}

/// One client.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClientState {
    /// Its number.
    pub client: u32,
    /// As it wants to be called.
    pub name: String,
    /// What it plays.
    pub avatar: Option<u32>,
    /// For how long it has had no connection.
    pub away_ms: Option<u64>,
    /// For how long nothing has been packed for it.
    pub paused_ms: Option<u64>,
    /// How often that has happened.
    pub pauses: u32,
    /// The least round trip lately.
    pub rtt_ms: Option<f64>,
    /// How many frames it may have in flight.
    pub window_frames: usize,
    /// What it was granted.
    pub granted_bytes_per_s: u32,
    /// What it is sent at most at the moment.
    pub bytes_per_s_max: u32,
    /// What it is sent.
    pub bytes_per_s: u64,
    /// Entities that it is told of, by cadence.
    pub tiers: [usize; TIERS],
    /// Entities that wait for their turn.
    pub parked: usize,
    /// Entities that wait to enter.
    pub waiting: usize,
    /// Share of every radius that its bandwidth is enough for.
    pub reach: f32,
}

/// Where everything is.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Map {
    /// The tick that was made last.
    pub tick: u64,
    /// Names of the kinds, and how far they are seen.
    pub kinds: Vec<MapKind>,
    /// Periods of the cadences, in ticks.
    pub cadences: [u8; TIERS],
    /// Who looks, if somebody does.
    pub eye: Option<MapEye>,
    /// What there is.
    pub entities: Vec<MapEntity>,
    /// How much more there is.
    pub left_out: usize,
    /// Entities that the client holds and that are gone: it did not hear of that yet.
    pub ghosts: usize,
}

/// A kind of entity.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MapKind {
    /// As in the schema.
    pub name: String,
    /// Closer than this enters; `null` is seen from everywhere.
    pub enter: Option<f32>,
    /// Farther than this leaves.
    pub leave: Option<f32>,
    /// Up to where it is told of at the first cadence, `null` everywhere.
    pub fast_within: Option<f32>,
    /// Up to where at the second one.
    pub medium_within: Option<f32>,
}

/// A client on the map.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MapEye {
    /// Its number.
    pub client: u32,
    /// From where it looks.
    pub at: [f32; 3],
    /// What it plays.
    pub avatar: Option<u32>,
    /// Share of every radius that its bandwidth is enough for.
    pub reach: f32,
}

/// An entity on the map.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MapEntity {
    /// What clients call it.
    pub id: u32,
    /// Its place among the kinds.
    pub kind: u8,
    /// Where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<[f32; 3]>,
    /// Who owns it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<u32>,
    /// How the client stands to it, where one looks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub standing: Option<&'static str>,
    /// By which rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<&'static str>,
    /// At which cadence it is told of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tier: Option<usize>,
    /// Where the client has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_at: Option<[f32; 3]>,
}

/// Why a client sees an entity or does not.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explanation {
    /// The tick that was made last.
    pub tick: u64,
    /// Who looks.
    pub client: u32,
    /// At what.
    pub entity: u32,
    /// Of which kind.
    pub kind: String,
    /// How it stands: `told`, `parked`, `leaves`, `waits`, `enters`, `unseen`.
    pub standing: &'static str,
    /// What decides: `gone`, `avatar`, `too_far`, `hidden`, `near`, `everywhere`.
    pub rule: &'static str,
    /// How far away it is, where that matters.
    pub distance: Option<f32>,
    /// How far away it may be, by the radius that counts for this client.
    pub radius: Option<f32>,
    /// Share of every radius that the client's bandwidth is enough for.
    pub reach: f32,
    /// Whether bandwidth is not enough for all that it sees.
    pub strained: bool,
    /// Who of the entity's audiences it is: `public`, `team`, `owner`.
    pub audience: &'static str,
    /// At which cadence it is told of it; `null` when it holds nothing.
    pub tier: Option<usize>,
    /// At which it would be if bandwidth were no matter.
    pub natural_tier: usize,
    /// Ticks from one sample to the next at that cadence.
    pub period_ticks: Option<u32>,
    /// The tick whose state it was last handed.
    pub state_of: Option<u64>,
    /// For how many ticks of the past bits were counted.
    pub bits_ticks: u64,
    /// Samples in that time.
    pub samples: u32,
    /// Those of them that were updates.
    pub updates: u32,
    /// Bits that said which fields were not as predicted.
    pub mask_bits: u32,
    /// Field by field.
    pub fields: Vec<FieldState>,
}

/// One field of an entity.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FieldState {
    /// As in the schema.
    pub name: String,
    /// Who may know it: `all`, `team`, `owner`.
    pub audience: Audience,
    /// Whether this client is shown it.
    pub shown: bool,
    /// What it is, in the game's unit where it has one.
    pub value: Vec<f64>,
    /// Bits that it took in that time.
    pub bits: u32,
}

impl Map {
    /// The answer has a bound.
    pub(super) fn keep_the_nearest(&mut self, middle: [f32; 3]) {
        if self.entities.len() <= ENTITIES_MAX {
            return;
        }
        let from = glam::Vec3::from_array(middle);
        let distance = |entity: &MapEntity| {
            entity.at.map_or(0.0, |at| glam::Vec3::from_array(at).distance_squared(from))
        };
        let order = |a: &MapEntity, b: &MapEntity| distance(a).total_cmp(&distance(b)).then(a.id.cmp(&b.id));
        self.entities.select_nth_unstable_by(ENTITIES_MAX, order);
        self.left_out = self.entities.len() - ENTITIES_MAX;
        self.entities.truncate(ENTITIES_MAX);
    }
}
