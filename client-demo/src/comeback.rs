//! Coming back after a connection has ended: the shared crate's policy, with this crate's clock, sockets and dice.

use rand::Rng;
use rand_pcg::Pcg32;
use tickwire_shared::CloseCode;
use tickwire_shared::client::{Ended, Next, Reconnect};

use crate::endpoint::Endpoint;
use crate::time;
use crate::transport::{ConnectError, Connection, Ending, Link, connect};

/// One client's patience, and what it takes to try again.
#[derive(Clone, Debug)]
pub struct Comeback {
    policy: Reconnect,
    dice: Pcg32,
    endpoint: Endpoint,
    link: Option<Link>,
}

impl Comeback {
    /// For a client that plays there. Clients with different seeds do not come back at the same time.
    #[must_use]
    pub fn new(endpoint: Endpoint, link: Option<Link>, seed: u64) -> Self {
        Self { policy: Reconnect::default(), dice: Pcg32::new(seed, 0xC0BE), endpoint, link }
    }

    /// A Welcome arrived.
    pub fn welcomed(&mut self) {
        self.policy.welcomed(time::now());
    }

    /// Another connection in place of one that has ended, as soon as it is time and the server can be reached; `None`
    /// when this ending is not to be tried again.
    pub async fn again(&mut self, ending: &Ending) -> Option<Connection> {
        let mut ended = match ending {
            Ending::Closed { code, reason } => Ended::Closed { code: *code, reason },
            Ending::Lost(_) => Ended::Lost,
            Ending::Violation { .. } => Ended::Closed { code: CloseCode::BadMessage.number(), reason: "" },
        };
        loop {
            match self.policy.ended(ended, self.dice.next_u32(), time::now()) {
                Next::Never => return None,
                Next::At(due) => time::sleep_until(due).await,
            }
            match connect(&self.endpoint, self.link).await {
                Ok(connection) => return Some(connection),
                Err(error) if is_final(&error) => return None,
                Err(_) => ended = Ended::Lost,
            }
        }
    }
}

/// Whether asking again would get the same answer.
pub(crate) fn is_final(error: &ConnectError) -> bool {
    match error {
        ConnectError::Status { status, .. } => (400..500).contains(status) && *status != 429,
        ConnectError::Subprotocol { .. } => true,
        _ => false,
    }
}
