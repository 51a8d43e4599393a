//! One JSON client's session: plays its binary client inside the server. Text in, inputs to the room; frames
//! from the room, text out. Sends state at its own rate, and only when the peer can take it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tickwire_shared::client::{Happening, Session};
use tickwire_shared::wire::codec;
use tickwire_shared::wire::message::Draining;
use tickwire_shared::{Close, CloseCode, Protocol, Tick};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};

use super::plain;
use super::request::{self, Request};
use crate::driver::entrance::Entrance;
use crate::driver::hub::Hub;
use crate::driver::socket::{self, Outbox};
use crate::driver::tally::Drop as Dropped;

/// How often the session is asked whether an input or an acknowledgement is due.
const TRANSMIT_EVERY: Duration = Duration::from_millis(25);

/// One JSON client.
pub(in crate::driver) struct Gateway<P: Protocol> {
    hub: Arc<Hub<P>>,
    entrance: Entrance<P>,
    outbox: Arc<Outbox>,
    session: Option<Session<P>>,
    frame: Vec<u8>,
}

impl<P: Protocol> Gateway<P> {
    pub(in crate::driver) fn new(hub: Arc<Hub<P>>, mut entrance: Entrance<P>, outbox: Arc<Outbox>) -> Self {
        // The session lives in here, and nobody could come back to it.
        entrance.leave_for_good();
        Self { hub, entrance, outbox, session: None, frame: Vec::new() }
    }

    /// Runs until the peer or the room is gone.
    pub(in crate::driver) async fn run(
        mut self,
        mut texts: mpsc::Receiver<String>,
        mut frames: mpsc::Receiver<Vec<u8>>,
    ) {
        let state_every = Duration::from_secs(1) / u32::from(self.hub.config.json_state_hz);
        let mut transmit = tokio::time::interval(TRANSMIT_EVERY);
        let mut state = tokio::time::interval_at(Instant::now() + state_every, state_every);
        transmit.set_missed_tick_behavior(MissedTickBehavior::Delay);
        state.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let done = tokio::select! {
                text = texts.recv() => match text {
                    Some(text) => self.handle_text(&text),
                    None => return,
                },
                frame = frames.recv() => match frame {
                    Some(frame) => self.handle_frame(&frame),
                    None => return,
                },
                _ = transmit.tick() => Ok(()),
                _ = state.tick() => {
                    self.send_state();
                    Ok(())
                }
            };
            let done = match done {
                Ok(()) => self.transmit().await,
                refused => refused,
            };
            if let Err(close) = done {
                self.outbox.close(&close);
                return;
            }
        }
    }

    fn handle_text(&mut self, text: &str) -> Result<(), Close> {
        let bad = |words: &str| Close::because(CloseCode::BadMessage, words);
        let request = request::parse(text, &*self.hub.dialect).map_err(|words| bad(&words))?;
        match (request, &mut self.session) {
            (Request::Hello(_), Some(_)) => Err(bad("a second `hello`")),
            (Request::Hello(identity), session) => {
                *session = Some(Session::new(identity).map_err(|error| our_bug(&error))?);
                Ok(())
            }
            (_, None) => Err(bad("`hello` comes first")),
            (Request::Input(input), Some(session)) => {
                session.set_input(input, self.hub.clock.now());
                Ok(())
            }
            (Request::Command(command), Some(session)) => {
                if !session.send_command(command) {
                    self.hub.tally.dropped(Dropped::InboxFull);
                }
                Ok(())
            }
        }
    }

    fn handle_frame(&mut self, frame: &[u8]) -> Result<(), Close> {
        let Some(session) = &mut self.session else { return Ok(()) };
        session.handle_message(frame, self.hub.clock.now()).map_err(|error| our_bug(&error))?;
        let mut lines = Vec::new();
        while let Some(happening) = session.poll_happening() {
            match happening {
                Happening::Welcomed => lines.extend(welcome(session, &self.hub)),
                Happening::Game(tick, event) => {
                    let mut value = self.hub.dialect.event(&event);
                    if let Value::Object(object) = &mut value {
                        object.insert("tick".to_owned(), json!(tick.0));
                    }
                    lines.push(json!({ "event": value }));
                }
                Happening::Draining(Draining { closes_in_ms, retry_after_ms }) => lines.push(json!({
                    "draining": { "closes_in_ms": closes_in_ms, "retry_after_ms": retry_after_ms },
                })),
                Happening::Frame(_) | Happening::InputSeen(_) | Happening::Mismatch | Happening::Resumed => {}
            }
        }
        lines.iter().for_each(|line| self.say(line));
        Ok(())
    }

    /// Everything that the session wants sent, as if it had come over a socket.
    async fn transmit(&mut self) -> Result<(), Close> {
        let now = self.hub.clock.now();
        let Some(session) = &mut self.session else { return Ok(()) };
        while let Some(bytes) = session.poll_transmit(now) {
            let message = codec::decode(&bytes).map_err(|error| our_bug(&error))?;
            self.entrance.take(message, now).await?;
        }
        Ok(())
    }

    fn send_state(&mut self) {
        let Some(session) = &self.session else { return };
        let Some(tick) = session.replica().map(|replica| replica.tick()) else { return };
        // The newest is what counts: a peer that has not read the last one gets none in between.
        if !self.outbox.congested() {
            let line = state(session, tick, &self.hub);
            self.say(&line);
        }
    }

    fn say(&mut self, line: &Value) {
        let is_event = line.get("event").is_some();
        if is_event && self.outbox.congested() {
            return self.hub.tally.dropped(Dropped::JsonEvent);
        }
        self.outbox.send(socket::text(&line.to_string(), &mut self.frame));
    }
}

fn welcome<P: Protocol>(session: &Session<P>, hub: &Hub<P>) -> Option<Value> {
    let (welcome, setup) = (session.welcome()?, session.setup()?);
    let mut line = hub.dialect.welcome(setup);
    line.extend([
        ("client".to_owned(), json!(welcome.client.0)),
        ("avatar".to_owned(), json!(welcome.avatar.map(|id| id.0))),
        ("tick_hz".to_owned(), json!(welcome.tick_hz)),
        ("tick".to_owned(), json!(welcome.tick.0)),
        ("room".to_owned(), json!(welcome.room)),
        ("state_hz".to_owned(), json!(hub.config.json_state_hz)),
    ]);
    Some(json!({ "welcome": line }))
}

fn state<P: Protocol>(session: &Session<P>, tick: Tick, hub: &Hub<P>) -> Value {
    let mut own = session.private().map_or(Value::Null, |private| hub.dialect.private(&private));
    if let (Value::Object(own), Some(avatar)) = (&mut own, session.avatar()) {
        own.insert("id".to_owned(), json!(avatar.0));
    }
    let entities: Vec<_> = session
        .entities()
        .map(|(slot, entity)| {
            let mut value = hub.dialect.entity(&entity, &slot.spawn);
            if let Value::Object(object) = &mut value {
                object.insert("id".to_owned(), plain(&slot.id));
            }
            value
        })
        .collect();
    json!({ "state": { "tick": tick.0, "self": own, "entities": entities } })
}

/// The session inside the server failed: not the peer's fault.
fn our_bug(error: &dyn std::error::Error) -> Close {
    tracing::error!(%error, "a JSON session broke inside the server");
    Close::new(CloseCode::Internal)
}
