//! What there is to see at one time, as plain values: made by `world`, drawn by everything that draws. It knows no
//! session, no toolkit, no clock.

use std::sync::Arc;

use glam::Vec2;
use tickwire_shared::arena::Own;
use tickwire_shared::arena::map::Map;
use tickwire_shared::client::Figures;
use tickwire_shared::{Micros, NetId};

/// Where the session stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Status {
    /// No Welcome yet.
    #[default]
    Connecting,
    /// Frames arrive.
    Playing,
    /// For a while none has arrived.
    Stalled,
    /// The connection was lost, and this is why; the session is to go on over another one.
    Resuming(String),
    /// It is over, and why.
    Over(String),
}

/// What there is to see at one time.
#[derive(Clone, Debug, Default)]
pub struct Scene {
    /// When.
    pub now: Micros,
    /// Where the session stands.
    pub status: Status,
    /// The obstacles, after Welcome.
    pub map: Option<Arc<Map>>,
    /// The own avatar, after the first frame.
    pub own: Option<OwnView>,
    /// Everything else in view.
    pub bodies: Vec<BodyView>,
    /// Where the bodies and the own avatar are as the server told last; empty unless asked for.
    pub ghosts: Vec<Vec2>,
    /// Shots of the last moments.
    pub shots: Vec<ShotView>,
    /// Whoever was hit in the last moments, and how much of that is left to see, 1 to 0.
    pub hurt: Vec<(NetId, f32)>,
    /// What the own shots did, and what was done to the own avatar.
    pub feedback: Feedback,
    /// What was said and done lately, oldest first.
    pub lines: Vec<String>,
    /// Distance of the farthest body that was told of lately, in metres.
    pub farthest_m: f32,
    /// How the connection does.
    pub net: NetView,
}

/// The own avatar.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OwnView {
    /// Its id, where there is one.
    pub id: Option<NetId>,
    /// Where it is shown, in metres.
    pub position: Vec2,
    /// Its state as it is shown.
    pub own: Own,
    /// Seconds until it is back; zero is alive.
    pub respawn_seconds: f32,
}

/// Something else that is in view.
#[derive(Clone, Debug, PartialEq)]
pub struct BodyView {
    /// Which.
    pub id: NetId,
    /// Where it is shown, in metres.
    pub position: Vec2,
    /// What it is.
    pub what: What,
    /// Display name; empty for what has none.
    pub name: Arc<str>,
    /// Colour index, 0..=7.
    pub colour: u8,
    /// How often it is told of: 0 is at every tick, 1 and 2 less often.
    pub tier: u8,
    /// Nothing new was told of it when it should have been.
    pub is_guess: bool,
}

/// What a body is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum What {
    /// A person or a bot.
    Player {
        /// Where it looks, in radians.
        aim: f32,
        /// Hit points.
        hp: u8,
        /// Kills less deaths by own hand.
        score: i16,
        /// Waits to respawn.
        is_dead: bool,
        /// Its client is gone for the moment.
        is_away: bool,
    },
    /// A wandering drone.
    Drone {
        /// Where it goes, in radians.
        heading: f32,
        /// Hit points.
        hp: u8,
    },
    /// Something to walk over.
    Pickup,
}

/// A shot.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ShotView {
    /// From and to, in metres.
    pub line: [Vec2; 2],
    /// Whether it hit somebody.
    pub is_hit: bool,
    /// 1 when it was fired, 0 when it is gone.
    pub strength: f32,
}

/// What a player must notice at once. Each strength is 1 when it happened and 0 when it is over.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Feedback {
    /// An own shot hit.
    pub hit: f32,
    /// The own avatar was hit.
    pub hurt: f32,
    /// Somebody died by the own hand, or the other way round.
    pub kill: Option<(String, f32)>,
}

/// How the connection does.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NetView {
    /// What Welcome says.
    pub tick_hz: u16,
    /// The session's own figures.
    pub figures: Figures,
    /// Times in which frames stopped arriving.
    pub pauses: u64,
    /// Connections that were lost and replaced.
    pub reconnects: u64,
}

impl NetView {
    /// How far off predictions are, in centimetres: what the newest told state made of the predicted one.
    #[must_use]
    pub fn prediction_error_cm(&self) -> f32 {
        self.figures.corrections.newest * 100.0
    }
}
