//! Plain objects for JavaScript, of the shapes in `types.d.ts`: made when asked for, which is seldom.

use js_sys::{Array, Object, Reflect, Uint8Array};
use tickwire_kit::Kit;
use tickwire_shared::client::{Figures, Happening};
use tickwire_shared::schema::{KindPlan, KindSchema};
use tickwire_shared::untyped::Untyped;
use wasm_bindgen::prelude::*;

#[wasm_bindgen(typescript_custom_section)]
const TYPES: &str = include_str!("types.d.ts");

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(typescript_type = "Welcome")]
    pub type Welcome;
    #[wasm_bindgen(typescript_type = "GameEvent")]
    pub type GameEvent;
    #[wasm_bindgen(typescript_type = "Happening")]
    pub type Happened;
    #[wasm_bindgen(typescript_type = "Layout")]
    pub type Layout;
    #[wasm_bindgen(typescript_type = "Stats")]
    pub type Stats;
    #[wasm_bindgen(typescript_type = "State")]
    pub type State;
}

fn object<T: JsCast>(properties: &[(&str, JsValue)]) -> T {
    let object = Object::new();
    for (name, value) in properties {
        // A new object takes every property.
        let _ = Reflect::set(&object, &(*name).into(), value);
    }
    object.unchecked_into()
}

fn bytes(bytes: &[u8]) -> JsValue {
    Uint8Array::from(bytes).into()
}

pub(crate) fn state(word: &str) -> State {
    JsValue::from(word).unchecked_into()
}

pub(crate) fn welcome(kit: &Kit) -> Option<Welcome> {
    let session = kit.session();
    let (welcome, setup) = (session.welcome()?, session.setup()?);
    Some(object(&[
        ("client", welcome.client.0.into()),
        ("avatar", session.avatar().map(|id| id.0).into()),
        ("tickHz", welcome.tick_hz.into()),
        ("setup", bytes(&setup.0)),
    ]))
}

pub(crate) fn event(tick: u32, event: &[u8]) -> GameEvent {
    object(&[("tick", tick.into()), ("bytes", bytes(event))])
}

/// Frames are no news for a caller; they are counted.
pub(crate) fn happening(happening: &Happening<Untyped>) -> Option<Happened> {
    let plain = |what: &str| object(&[("type", what.into())]);
    Some(match happening {
        Happening::Welcomed => plain("welcomed"),
        Happening::Resumed => plain("resumed"),
        Happening::Game(tick, event) => {
            object(&[("type", "event".into()), ("tick", tick.0.into()), ("bytes", bytes(&event.0))])
        }
        Happening::InputSeen(micros) => {
            object(&[("type", "inputSeen".into()), ("ms", (*micros as f64 / 1e3).into())])
        }
        Happening::Mismatch => plain("mismatch"),
        Happening::Draining(draining) => object(&[
            ("type", "draining".into()),
            ("closesInMs", draining.closes_in_ms.into()),
            ("retryAfterMs", draining.retry_after_ms.into()),
        ]),
        Happening::Frame(_) => return None,
    })
}

pub(crate) fn layout(kit: &Kit) -> Layout {
    let (schema, plan) = (kit.schema(), kit.plan());
    let kinds = schema.kinds.iter().zip(&plan.kinds);
    object(&[
        ("stride", plan.stride.into()),
        ("kinds", kinds.map(|(kind, plan)| of_kind(kind, plan)).collect::<Array>().into()),
        ("own", of_kind(&schema.private, &plan.private)),
    ])
}

fn of_kind(kind: &KindSchema, plan: &KindPlan) -> JsValue {
    let fields = kind.fields.iter().zip(&plan.fields).map(|(field, place)| {
        (field.name.as_str(), object(&[("at", place.first.into()), ("count", place.columns.into())]))
    });
    let fields: Vec<(&str, JsValue)> = fields.collect();
    object(&[
        ("name", kind.name.as_str().into()),
        ("width", plan.columns.into()),
        ("fields", object::<JsValue>(&fields)),
    ])
}

pub(crate) fn stats(figures: &Figures) -> Stats {
    let stats = &figures.stats;
    // Counts are far below the 2^53 up to which these numbers are whole.
    let count = |count: u64| JsValue::from(count as f64);
    let ms = |micros: u64| JsValue::from(micros as f64 / 1e3);
    object(&[
        ("rttMs", figures.rtt_micros.map_or(JsValue::UNDEFINED, ms)),
        ("jitterMs", ms(figures.jitter_micros)),
        ("receivedBytesPerS", figures.received_bytes_per_s.into()),
        ("sentBytesPerS", figures.sent_bytes_per_s.into()),
        ("snapshotsPerS", figures.snapshots_per_s.into()),
        ("bitsPerUpdate", figures.bits_per_update.into()),
        ("visible", figures.visible.into()),
        ("parked", figures.parked.into()),
        ("frames", count(stats.frames)),
        ("receivedBytes", count(stats.received_bytes)),
        ("sentBytes", count(stats.sent_bytes)),
        ("checksums", count(stats.checksums)),
        ("mismatches", count(stats.mismatches)),
        ("resyncs", count(stats.resyncs)),
        ("happeningsForgotten", count(stats.happenings_forgotten)),
    ])
}
