//! From decoded messages to a room: Hello first and once, then everything else into the inbox. Used by the
//! reading task of a binary session and by the gateway of a JSON session.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tickwire_shared::wire::message::ClientMessage;
use tickwire_shared::{Close, CloseCode, Micros, Protocol};

use super::hub::Hub;
use super::link::{Downlink, Link, Message};
use super::meter::Patience;
use super::tally::Drop as Dropped;
use crate::session::Budget;

/// A connection's way into its room. Dropping it leaves the room.
pub(super) struct Entrance<P: Protocol> {
    hub: Arc<Hub<P>>,
    /// Until the room has it.
    downlink: Option<Downlink>,
    link: Option<Arc<Link<P>>>,
    joined: Arc<AtomicBool>,
    commands: Budget,
    patience: Patience,
}

impl<P: Protocol> Entrance<P> {
    /// `joined` is set when the Hello was good enough to be led to a room.
    pub(super) fn new(hub: Arc<Hub<P>>, downlink: Downlink, joined: Arc<AtomicBool>) -> Self {
        let limits = &hub.config.limits;
        let commands = Budget::new(limits.commands_per_s, limits.commands_burst, hub.clock.now());
        let patience = Patience::new(hub.rates());
        Self { hub, downlink: Some(downlink), link: None, joined, commands, patience }
    }

    /// A message that arrived at `now`.
    ///
    /// # Errors
    /// The close for the client.
    pub(super) fn take(&mut self, message: Message<P>, now: Micros) -> Result<(), Close> {
        match (&self.link, message) {
            (None, ClientMessage::Hello(hello)) => {
                let Some(downlink) = self.downlink.take() else {
                    return Err(Close::because(CloseCode::BadMessage, "a second Hello"));
                };
                let client = self.hub.rooms.new_client();
                let link = Arc::new(Link::new(client, downlink, self.hub.inbox_max()));
                self.hub.rooms.join(Arc::clone(&link), hello)?;
                self.joined.store(true, Ordering::Release);
                self.link = Some(link);
                Ok(())
            }
            (None, _) => Err(Close::because(CloseCode::BadMessage, "Hello comes first")),
            (Some(_), ClientMessage::Hello(_)) => {
                Err(Close::because(CloseCode::BadMessage, "a second Hello"))
            }
            (Some(_), ClientMessage::Input { input, .. }) if !P::is_possible(&input) => {
                Err(Close::because(CloseCode::BadMessage, "impossible input"))
            }
            (Some(_), ClientMessage::Command(_)) if !self.commands.take(1, now) => {
                self.hub.tally.dropped(Dropped::Commands);
                self.patience.exceeded(now).map_or(Ok(()), Err)
            }
            (Some(link), message) => {
                if link.post(message, now).is_err() {
                    self.hub.tally.dropped(Dropped::InboxFull);
                }
                Ok(())
            }
        }
    }
}

impl<P: Protocol> Drop for Entrance<P> {
    fn drop(&mut self) {
        if let Some(link) = &self.link {
            link.leave();
        }
    }
}
