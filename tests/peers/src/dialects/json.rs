//! The two that speak JSON: `ws` with full states, and socket.io with what changed, which is JSON inside Socket.IO's events
//! inside Engine.IO's packets.

use peers_scene::{Input, Seen};
use serde::Deserialize;
use tickwire_shared::Micros;

use super::{Dialect, Out, Seat};
use crate::socket::Kind;
use crate::truth::View;

#[derive(Deserialize)]
struct State {
    t: u32,
    e: Vec<Told>,
    #[serde(default)]
    gone: Vec<usize>,
}

#[derive(Deserialize)]
struct Told {
    id: usize,
    x: Option<i32>,
    y: Option<i32>,
    h: Option<i32>,
    hp: Option<i32>,
    s: Option<i32>,
}

/// One client.
pub struct Json {
    seat: Seat,
    is_socketio: bool,
    view: View,
}

impl Json {
    /// Of the plain server.
    #[must_use]
    pub fn ws(seat: Seat) -> Self {
        Self { seat, is_socketio: false, view: seat.view() }
    }

    /// Of socket.io.
    #[must_use]
    pub fn socketio(seat: Seat) -> Self {
        Self { seat, is_socketio: true, view: seat.view() }
    }

    fn apply(&mut self, state: State) {
        self.view.tick = state.t;
        if !self.is_socketio {
            self.view.entities.fill(None);
        }
        for entity in state.gone {
            self.view.entities[entity] = None;
        }
        for Told { id, x, y, h, hp, s } in state.e {
            let before = self.view.entities[id].unwrap_or_default();
            self.view.entities[id] = Some(Seen {
                x: x.unwrap_or(before.x),
                y: y.unwrap_or(before.y),
                heading: h.unwrap_or(before.heading),
                hp: hp.unwrap_or(before.hp),
                state: s.unwrap_or(before.state),
            });
        }
    }
}

impl Dialect for Json {
    fn handle(&mut self, message: &[u8], out: &mut Out, _now: Micros) -> Result<bool, String> {
        let wrong = |error: serde_json::Error| error.to_string();
        if !self.is_socketio {
            if self.seat.decodes {
                self.apply(serde_json::from_slice(message).map_err(wrong)?);
            }
            return Ok(true);
        }
        match message {
            // Engine.IO says open: Socket.IO's answer is to join the main namespace.
            [b'0', ..] => out.push((Kind::Text, b"40".to_vec())),
            [b'2', ..] => out.push((Kind::Text, b"3".to_vec())),
            [b'4', b'2', event @ ..] => {
                if self.seat.decodes {
                    let (_, state): (String, State) = serde_json::from_slice(event).map_err(wrong)?;
                    self.apply(state);
                }
                return Ok(true);
            }
            [b'4', b'0', ..] => {}
            other => return Err(format!("unexpected packet {}", String::from_utf8_lossy(other))),
        }
        Ok(false)
    }

    fn input(&mut self, Input { walk, aim, fire }: Input, out: &mut Out, _now: Micros) {
        let input = format!(r#"{{"w":[{},{}],"a":{aim},"f":{fire}}}"#, walk[0], walk[1]);
        let text = if self.is_socketio { format!(r#"42["i",{input}]"#) } else { input };
        out.push((Kind::Text, text.into_bytes()));
    }

    fn own(&self) -> Option<Seen> {
        self.view.entities[self.seat.avatar()]
    }

    fn view(&mut self) -> Option<&View> {
        self.seat.decodes.then_some(&self.view)
    }
}
