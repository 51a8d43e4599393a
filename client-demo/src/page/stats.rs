//! `demo.stats()`: what tests and the curious read off the page, as one plain object. It changes nothing.

use std::cell::RefCell;
use std::rc::Rc;

use serde::Serialize;
use tickwire_shared::NetId;
use wasm_bindgen::prelude::*;

use crate::play::controls::{Controls, Toggle};
use crate::play::network::{Watcher, Work};
use crate::play::player::Player;
use crate::play::scene::{BodyView, Scene, Status, What};
use crate::time;

/// Players that are listed; all are counted.
const LISTED_MAX: usize = 64;

/// What is counted while the page draws.
pub(super) struct Stats {
    seen: Rc<RefCell<Seen>>,
    answer: Closure<dyn Fn() -> JsValue>,
}

#[derive(Default, Serialize)]
struct Seen {
    /// Drawn frames.
    drawn: u64,
    /// When the first frame with the own avatar was drawn, since the page began to load.
    first_seen_ms: Option<f64>,
    /// What drawing a frame takes, the session's work included; of all frames and of the last one.
    drawing_ms: f64,
    last_drawing_ms: f64,
    own: Option<Own>,
    players: Vec<Other>,
    bodies: usize,
    lines: Vec<String>,
    pauses: u64,
    reconnects: u64,
    off: Vec<&'static str>,
    delay_ms: u32,
}

#[derive(Serialize)]
struct Own {
    id: Option<NetId>,
    x: f32,
    y: f32,
    hp: u8,
    score: i16,
}

#[derive(Serialize)]
struct Other {
    id: NetId,
    name: String,
    x: f32,
    y: f32,
    is_away: bool,
}

/// All of it.
#[derive(Serialize)]
struct Answer<'a> {
    state: &'static str,
    why: Option<String>,
    now_ms: f64,
    tick: Option<u32>,
    frames: u64,
    checksums: u64,
    mismatches: u64,
    resyncs: u64,
    received_bytes: u64,
    sent_bytes: u64,
    rtt_ms: Option<f64>,
    decode_ms_per_message: f64,
    scene_ms_per_frame: f64,
    #[serde(flatten)]
    seen: &'a Seen,
}

impl Stats {
    /// Of this player.
    pub(super) fn new(watcher: Watcher) -> Self {
        let seen = Rc::new(RefCell::new(Seen::default()));
        let shared = Rc::clone(&seen);
        let answer =
            Closure::new(move || watcher.look(|player, work| answer(player, work, &shared.borrow())));
        Self { seen, answer }
    }

    /// Puts it where scripts find it.
    pub(super) fn expose(&self) -> Result<(), JsValue> {
        let demo = js_sys::Object::new();
        js_sys::Reflect::set(&demo, &"stats".into(), self.answer.as_ref())?;
        js_sys::Reflect::set(&js_sys::global(), &"demo".into(), &demo)?;
        Ok(())
    }

    /// A frame was drawn, which took so long.
    pub(super) fn drawn(&self, scene: &Scene, controls: &Controls, micros: u64) {
        let mut seen = self.seen.borrow_mut();
        let ms = micros as f64 / 1e3;
        seen.drawn += 1;
        seen.last_drawing_ms = ms;
        seen.drawing_ms += (ms - seen.drawing_ms) / seen.drawn as f64;
        seen.own = scene.own.as_ref().map(|own| Own {
            id: own.id,
            x: own.position.x,
            y: own.position.y,
            hp: own.own.hp,
            score: own.own.score,
        });
        if seen.own.is_some() {
            seen.first_seen_ms.get_or_insert_with(|| time::now().0 as f64 / 1e3);
        }
        seen.bodies = scene.bodies.len();
        seen.players.clear();
        seen.players.extend(scene.bodies.iter().filter_map(other).take(LISTED_MAX));
        seen.lines.clone_from(&scene.lines);
        (seen.pauses, seen.reconnects) = (scene.net.pauses, scene.net.reconnects);
        seen.off =
            Toggle::ALL.into_iter().filter(|toggle| !controls.is_on(*toggle)).map(Toggle::label).collect();
        seen.delay_ms = controls.link.delay_ms;
    }
}

fn other(body: &BodyView) -> Option<Other> {
    let What::Player { is_away, .. } = body.what else { return None };
    let name = body.name.to_string();
    Some(Other { id: body.id, name, x: body.position.x, y: body.position.y, is_away })
}

fn answer(player: &Player, work: Work, seen: &Seen) -> JsValue {
    let now = time::now();
    let session = player.session();
    let (state, why) = match player.status() {
        Status::Connecting => ("connecting", None),
        Status::Playing => ("live", None),
        Status::Stalled => ("stalled", None),
        Status::Resuming(why) => ("resuming", Some(why.clone())),
        Status::Over(why) => ("refused", Some(why.clone())),
    };
    let stats = session.map(|session| *session.stats()).unwrap_or_default();
    let each = |micros: u64, count: u64| micros as f64 / 1e3 / count.max(1) as f64;
    let answer = Answer {
        state,
        why,
        now_ms: now.0 as f64 / 1e3,
        tick: session.and_then(|session| session.replica()).map(|replica| replica.tick().0),
        frames: stats.frames,
        checksums: stats.checksums,
        mismatches: stats.mismatches,
        resyncs: stats.resyncs,
        received_bytes: stats.received_bytes,
        sent_bytes: stats.sent_bytes,
        rtt_ms: session.and_then(|session| session.rtt_micros()).map(|micros| micros as f64 / 1e3),
        decode_ms_per_message: each(work.messages_micros, work.messages),
        scene_ms_per_frame: each(work.scenes_micros, work.scenes),
        seen,
    };
    let text = serde_json::to_string(&answer).unwrap_or_default();
    js_sys::JSON::parse(&text).unwrap_or(JsValue::NULL)
}
