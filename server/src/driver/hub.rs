//! What every connection of one server shares.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tickwire_shared::{Close, Protocol};
use tokio::sync::{Semaphore, watch};

use super::clock::Clock;
use super::json::Dialect;
use super::meter::Rates;
use super::options::SocketOptions;
use super::recorder::Recordings;
use super::reload::Live;
use super::rooms::Rooms;
use super::socket::Bounds;
use super::state_dir::StateDir;
use super::tally::Tally;
use super::visitors::{Counted, TooMany, Visitors};
use crate::auth::Authenticator;
use crate::config::Config;

/// One server.
pub(super) struct Hub<P: Protocol> {
    /// As it was when the server began.
    pub(super) config: Config,
    /// As it is now, for what may change while the server runs.
    pub(super) live: Arc<Live>,
    pub(super) rooms: Arc<Rooms<P>>,
    pub(super) dialect: Arc<dyn Dialect<P>>,
    /// Says who may play.
    pub(super) authenticator: Arc<dyn Authenticator>,
    pub(super) tally: Tally,
    pub(super) recordings: Recordings,
    pub(super) state_dir: StateDir,
    /// True as soon as somebody has asked for the end.
    pub(super) drain: watch::Sender<bool>,
    pub(super) clock: Clock,
    /// One permit per WebSocket session.
    pub(super) sessions: Arc<Semaphore>,
    /// One permit per connection that was upgraded and has not been let in.
    pub(super) strangers: Arc<Semaphore>,
    /// Connections and arrivals by address.
    pub(super) visitors: Arc<Visitors>,
    /// Connections of one port that have not become a session.
    pub(super) handshakes_max: usize,
    /// Set when the server goes away: the close for everybody.
    pub(super) ending: watch::Receiver<Option<Close>>,
    /// The options of the socket that was accepted last.
    pub(super) accepted_options: Mutex<Option<SocketOptions>>,
}

impl<P: Protocol> Hub<P> {
    pub(super) fn bounds(&self) -> Bounds {
        let config = self.live.get();
        let limits = &config.limits;
        Bounds { message_bytes_max: limits.message_bytes_max, fragments_max: limits.fragments_max }
    }

    /// Until a Hello has been accepted.
    pub(super) fn bounds_before_hello(&self) -> Bounds {
        Bounds { message_bytes_max: self.live.get().limits.hello_bytes_max, ..self.bounds() }
    }

    pub(super) fn rates(&self) -> Rates {
        let config = self.live.get();
        let limits = &config.limits;
        Rates {
            frames_per_s: config.frames_per_s(),
            frames_burst: config.frames_burst(),
            bytes_per_s: u32::try_from(limits.bytes_per_s).unwrap_or(u32::MAX),
            bytes_burst: u32::try_from(limits.bytes_burst).unwrap_or(u32::MAX),
            pings_per_s: limits.pings_per_s,
            pings_burst: limits.pings_burst,
            excess_deadline: limits.excess_deadline,
            retry_after: config.retry_after,
        }
    }

    pub(super) fn inbox_max(&self) -> usize {
        self.live.get().messages_per_tick_max()
    }

    /// Counts a connection of a client's. Trusted proxies are not counted: their clients are.
    ///
    /// # Errors
    /// [`TooMany`], and the connection is to be turned away.
    pub(super) fn visit(&self, address: IpAddr) -> Result<Counted, TooMany> {
        if self.config.proxy.trusts(address.to_canonical()) {
            return Ok(Counted::default());
        }
        self.visitors.enter(address, self.clock.now())
    }

    /// Whether new sessions are let in.
    pub(super) fn is_ready(&self) -> bool {
        self.ending.borrow().is_none() && self.rooms.draining().is_none()
    }

    pub(super) fn note_options(&self, options: SocketOptions) {
        *self.accepted_options.lock().unwrap_or_else(PoisonError::into_inner) = Some(options);
    }

    /// Resolves when the server goes away.
    pub(super) async fn ended(&self) -> Close {
        let mut ending = self.ending.clone();
        match ending.wait_for(Option::is_some).await {
            Ok(close) => close.clone().unwrap_or(Close::new(tickwire_shared::CloseCode::GoingAway)),
            // The server's handle was dropped without a word.
            Err(_) => Close::new(tickwire_shared::CloseCode::GoingAway),
        }
    }
}
