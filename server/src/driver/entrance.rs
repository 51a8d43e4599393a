//! From decoded messages to a room: Hello first and once, by whoever may play, then everything else into the inbox.
//! Used by the reading task of a binary session and by the gateway of a JSON session.

use std::sync::Arc;

use tickwire_shared::limits::TOKEN_BYTES_MAX;
use tickwire_shared::wire::message::{AccessToken, ClientMessage, Hello};
use tickwire_shared::{Close, CloseCode, Micros, Protocol};

use super::hub::Hub;
use super::lending::Offer;
use super::link::{Departure, Downlink, Link, Message};
use super::meter::Patience;
use super::peer::Peer;
use super::standing::Standing;
use super::tally::Drop as Dropped;
use super::tenant::Newcomer;
use super::wanted::Wanted;
use crate::auth::{Applicant, Denial, Pass, Token};
use crate::session::Budget;

/// A connection's way into its room. Dropping it leaves the room, which may hold the session for a while.
pub(super) struct Entrance<P: Protocol> {
    hub: Arc<Hub<P>>,
    peer: Peer,
    /// Until the room has it.
    downlink: Option<Downlink>,
    /// What the room may read itself.
    offer: Option<Offer>,
    link: Option<Arc<Link<P>>>,
    standing: Arc<Standing>,
    commands: Budget,
    patience: Patience,
    departure: Departure,
}

impl<P: Protocol> Entrance<P> {
    pub(super) fn new(
        hub: Arc<Hub<P>>,
        peer: Peer,
        downlink: Downlink,
        offer: Option<Offer>,
        standing: Arc<Standing>,
    ) -> Self {
        let live = hub.live.get();
        let limits = &live.limits;
        let commands = Budget::new(limits.commands_per_s, limits.commands_burst, hub.clock.now());
        let patience = Patience::new(hub.rates());
        let departure = Departure::Lost;
        Self {
            hub,
            peer,
            downlink: Some(downlink),
            offer,
            link: None,
            standing,
            commands,
            patience,
            departure,
        }
    }

    /// However this ends, nobody comes back to the session: it said goodbye, or its close is its own fault.
    pub(super) fn leave_for_good(&mut self) {
        self.departure = Departure::ForGood;
    }

    /// A message that arrived at `now`. Only a Hello may have to wait, for whoever says whether it may come in.
    ///
    /// # Errors
    /// The close for the client.
    pub(super) async fn take(&mut self, message: Message<P>, now: Micros) -> Result<(), Close> {
        match message {
            // Boxed: it is gone long before the connection is.
            ClientMessage::Hello(hello) => Box::pin(self.enter(hello)).await,
            message => self.post(message, now),
        }
    }

    /// The same for a client that is in, where nothing has to wait.
    ///
    /// # Errors
    /// The close for the client.
    pub(super) fn take_now(&mut self, message: Message<P>, now: Micros) -> Result<(), Close> {
        match message {
            ClientMessage::Hello(_) => Err(second_hello()),
            message => self.post(message, now),
        }
    }

    async fn enter(&mut self, mut hello: Hello) -> Result<(), Close> {
        let Some(downlink) = self.downlink.take() else {
            return Err(second_hello());
        };
        self.standing.greet();
        let token = hello.token.take();
        let pass = self.authenticate(token.as_ref(), &hello).await?;
        let Pass { identity, subject, name, room, expires_at_s } = pass;
        if let Some(end) = expires_at_s {
            self.standing.expire_at(end);
        }
        hello.name = name.unwrap_or(hello.name);
        // A token that names the room asked for leaves the join code beside it.
        hello.room = room.filter(|room| room != Wanted::name(&hello.room)).unwrap_or(hello.room);
        let client = self.hub.rooms.new_client();
        tracing::Span::current().record("client", client.0);
        tracing::debug!(identity, "let in");
        let link = Arc::new(Link::new(client, self.hub.inbox_max()));
        let reader = self.offer.take().map(Offer::made);
        self.hub.rooms.join(Newcomer { link: Arc::clone(&link), downlink, reader, hello, subject })?;
        self.link = Some(link);
        self.standing.let_in();
        Ok(())
    }

    async fn authenticate(&self, token: Option<&AccessToken>, hello: &Hello) -> Result<Pass, Close> {
        let token = token.map(AccessToken::as_str);
        let applicant = Applicant {
            token: token.map(Token),
            address: self.peer.address,
            name: &hello.name,
            room: Wanted::name(&hello.room),
        };
        let asked = self.hub.authenticator.authenticate(applicant);
        let answer = match token {
            Some(token) if token.len() > TOKEN_BYTES_MAX => {
                Err(Denial::NotValid(format!("longer than {TOKEN_BYTES_MAX} bytes")))
            }
            _ => tokio::time::timeout(self.hub.config.auth.deadline, asked)
                .await
                .unwrap_or(Err(Denial::Unavailable)),
        };
        answer.map_err(|denial| {
            tracing::debug!(?denial, "not let in");
            Close::from(denial)
        })
    }

    fn post(&mut self, message: Message<P>, now: Micros) -> Result<(), Close> {
        let Some(link) = &self.link else {
            return Err(Close::because(CloseCode::BadMessage, "Hello comes first"));
        };
        if let Some(input) = message.input()
            && !P::is_possible(input)
        {
            return Err(Close::because(CloseCode::BadMessage, "impossible input"));
        }
        if matches!(message, ClientMessage::Command(_)) && !self.commands.take(1, now) {
            self.hub.tally.dropped(Dropped::Commands);
            return self.patience.exceeded(now).map_or(Ok(()), Err);
        }
        if link.post(message, now).is_err() {
            self.hub.tally.dropped(Dropped::InboxFull);
        }
        Ok(())
    }
}

impl<P: Protocol> Drop for Entrance<P> {
    fn drop(&mut self) {
        let Some(link) = &self.link else { return };
        // Whoever may not play any more may not come back either, and nobody's avatar waits for it.
        let over = self.standing.has_expired();
        link.leave(if over { Departure::ForGood } else { self.departure });
    }
}

fn second_hello() -> Close {
    Close::because(CloseCode::BadMessage, "a second Hello")
}
