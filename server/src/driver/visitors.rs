//! Who has how many connections, and how often they come: one bounded table for all addresses, so that one of them
//! can take neither all places nor all handshakes. Asked before anything is read from a connection, and again at the
//! upgrade for clients behind a proxy. No I/O.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tickwire_shared::Micros;

use crate::config::Limits;
use crate::session::Budget;

/// Addresses that are remembered, besides those that have connections.
const REMEMBERED_MAX: usize = 65_536;
/// An address without connections that has not come for this long has its whole burst again.
const FORGET_AFTER_MICROS: u64 = 60_000_000;

/// A connection's place among those of its address, held by everything that belongs to the connection; none where
/// addresses are not counted.
#[derive(Clone, Default)]
pub(super) struct Counted(Option<Arc<Visit>>);

impl Counted {
    /// This place, or one that is asked for now.
    pub(super) fn or_else(self, ask: impl FnOnce() -> Result<Self, TooMany>) -> Result<Self, TooMany> {
        if self.0.is_some() { Ok(self) } else { ask() }
    }

    /// Its Hello was accepted: the connection is no longer one of those whose handshakes are in hand.
    pub(super) fn arrived(&self) {
        if let Some(visit) = &self.0 {
            visit.arrive();
        }
    }
}

/// All addresses.
pub(super) struct Visitors {
    table: Mutex<HashMap<Network, Visitor>>,
    remembered_max: usize,
    open_max: usize,
    arriving_max: usize,
    per_s: u32,
    burst: u32,
    loopback: bool,
}

/// What is limited as one: an IPv4 address, or the /64 that an IPv6 customer has to itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Network(IpAddr);

struct Visitor {
    open: usize,
    /// Those of them that are no sessions yet.
    arriving: usize,
    arrivals: Budget,
    arrived_at: Micros,
}

/// Why nobody else may come now, from an address or at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TooMany {
    /// It has all its connections.
    Connections,
    /// It comes too often.
    Arrivals,
    /// It has all its handshakes in hand.
    Handshakes,
    /// Too many from anywhere have not been let in yet.
    Strangers,
}

impl TooMany {
    pub(super) const ALL: [Self; 4] = [Self::Connections, Self::Arrivals, Self::Handshakes, Self::Strangers];

    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Connections => "address_connections",
            Self::Arrivals => "address_rate",
            Self::Handshakes => "address_handshakes",
            Self::Strangers => "unauthenticated",
        }
    }
}

/// One connection of an address. Dropping it gives its place back.
struct Visit {
    visitors: Arc<Visitors>,
    network: Network,
    arriving: AtomicBool,
}

impl Visitors {
    /// For a server that has this many handshakes in hand at most, of which one address never has more than a quarter.
    pub(super) fn new(limits: &Limits, handshakes_max: usize) -> Self {
        Self {
            table: Mutex::default(),
            remembered_max: REMEMBERED_MAX,
            open_max: limits.connections_per_address_max,
            arriving_max: limits.handshakes_per_address_max.min((handshakes_max / 4).max(1)),
            per_s: limits.handshakes_per_address_per_s,
            burst: limits.handshakes_per_address_burst,
            loopback: limits.loopback,
        }
    }

    /// A connection from this address.
    ///
    /// # Errors
    /// [`TooMany`], and the connection is to be turned away.
    pub(super) fn enter(self: &Arc<Self>, address: IpAddr, now: Micros) -> Result<Counted, TooMany> {
        let network = Network::of(address);
        if network.0.is_loopback() && !self.loopback {
            return Ok(Counted::default());
        }
        let mut table = self.lock();
        if table.len() >= self.remembered_max && !table.contains_key(&network) {
            table
                .retain(|_, visitor| visitor.open > 0 || now.since(visitor.arrived_at) < FORGET_AFTER_MICROS);
            // Still many: what is forgotten is how often they came, never how many connections they have.
            if table.len() > self.remembered_max / 2 {
                table.retain(|_, visitor| visitor.open > 0);
            }
        }
        let visitor = table.entry(network).or_insert_with(|| Visitor {
            open: 0,
            arriving: 0,
            arrivals: Budget::new(self.per_s, self.burst, now),
            arrived_at: now,
        });
        visitor.arrived_at = now;
        if !visitor.arrivals.take(1, now) {
            return Err(TooMany::Arrivals);
        }
        if visitor.open >= self.open_max {
            return Err(TooMany::Connections);
        }
        if visitor.arriving >= self.arriving_max {
            return Err(TooMany::Handshakes);
        }
        visitor.open += 1;
        visitor.arriving += 1;
        let arriving = AtomicBool::new(true);
        Ok(Counted(Some(Arc::new(Visit { visitors: Arc::clone(self), network, arriving }))))
    }

    fn arrive(&self, network: Network) {
        if let Some(visitor) = self.lock().get_mut(&network) {
            visitor.arriving = visitor.arriving.saturating_sub(1);
        }
    }

    fn leave(&self, network: Network) {
        if let Some(visitor) = self.lock().get_mut(&network) {
            visitor.open = visitor.open.saturating_sub(1);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Network, Visitor>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Visit {
    fn arrive(&self) {
        if self.arriving.swap(false, Ordering::AcqRel) {
            self.visitors.arrive(self.network);
        }
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.arrive();
        self.visitors.leave(self.network);
    }
}

impl Network {
    fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(address) if !address.is_loopback() => {
                let [a, b, c, d, ..] = address.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
            address => address,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn visitors(open_max: usize) -> Arc<Visitors> {
        let limits = Limits {
            connections_per_address_max: open_max,
            handshakes_per_address_per_s: 5,
            handshakes_per_address_burst: 20,
            ..Limits::default()
        };
        Arc::new(Visitors::new(&limits, 256))
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect(text)
    }

    fn enter(visitors: &Arc<Visitors>, address: &str, ms: u64) -> Result<Counted, TooMany> {
        visitors.enter(ip(address), Micros(1_000_000 + ms * 1_000))
    }

    #[test]
    fn places_come_back() {
        let visitors = visitors(2);
        let first = enter(&visitors, "203.0.113.1", 0).expect("a place");
        let _second = enter(&visitors, "::ffff:203.0.113.1", 0).expect("a place");
        assert_eq!(enter(&visitors, "203.0.113.1", 0).err(), Some(TooMany::Connections));
        assert!(enter(&visitors, "203.0.113.2", 0).is_ok(), "another address");
        drop(first);
        assert!(enter(&visitors, "203.0.113.1", 0).is_ok());
    }

    #[test]
    fn one_address_holds_few_handshakes() {
        let visitors = visitors(100);
        let mut held: Vec<_> =
            (0..16).map(|_| enter(&visitors, "203.0.113.1", 0).expect("a place")).collect();
        assert_eq!(enter(&visitors, "203.0.113.1", 0).err(), Some(TooMany::Handshakes));
        assert!(enter(&visitors, "203.0.113.2", 0).is_ok(), "another address");
        // A session is no handshake any more, however often that is said.
        held[0].arrived();
        held[0].clone().arrived();
        held.push(enter(&visitors, "203.0.113.1", 1_000).expect("a place"));
        assert_eq!(enter(&visitors, "203.0.113.1", 1_000).err(), Some(TooMany::Handshakes));
        held.swap_remove(0);
        assert_eq!(enter(&visitors, "203.0.113.1", 2_000).err(), Some(TooMany::Handshakes), "it was none");
        held.swap_remove(3);
        assert!(enter(&visitors, "203.0.113.1", 3_000).is_ok());
        drop(held);
        assert!(visitors.lock().values().all(|visitor| (visitor.open, visitor.arriving) == (0, 0)));
    }

    #[test]
    fn one_address_holds_a_quarter_of_few_places() {
        for (places, most) in [(256, 16), (40, 10), (4, 1), (1, 1)] {
            let visitors = Arc::new(Visitors::new(&Limits::default(), places));
            let held: Vec<_> = (0..20).map_while(|_| enter(&visitors, "203.0.113.1", 0).ok()).collect();
            assert_eq!(held.len(), most, "of {places}");
        }
    }

    #[test]
    fn a_burst_then_the_rate() {
        let visitors = visitors(100);
        let taken = (0..40).filter(|_| enter(&visitors, "203.0.113.1", 0).is_ok()).count();
        assert_eq!(taken, 20);
        assert_eq!(enter(&visitors, "203.0.113.1", 0).err(), Some(TooMany::Arrivals));
        let taken = (0..40).filter(|n| enter(&visitors, "203.0.113.1", n * 100).is_ok()).count();
        assert!((19..=20).contains(&taken), "5 per second for 4 seconds, not {taken}");
    }

    #[test]
    fn an_ipv6_customer_is_one() {
        let visitors = visitors(1);
        let _first = enter(&visitors, "2001:db8:1:2::1", 0).expect("a place");
        assert_eq!(enter(&visitors, "2001:db8:1:2:ffff::9", 0).err(), Some(TooMany::Connections));
        assert!(enter(&visitors, "2001:db8:1:3::1", 0).is_ok());
    }

    #[test]
    fn loopback_is_not_counted_unless_said() {
        let lenient = visitors(1);
        for address in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert!(
                (0..50).all(|_| enter(&lenient, address, 0).is_ok_and(|counted| counted.0.is_none())),
                "{address}"
            );
        }
        let limits = Limits { loopback: true, connections_per_address_max: 1, ..Limits::default() };
        let strict = Arc::new(Visitors::new(&limits, 256));
        let _first = enter(&strict, "127.0.0.1", 0).expect("a place");
        assert!(enter(&strict, "127.0.0.1", 0).is_err());
        assert!(enter(&strict, "127.0.0.2", 0).is_ok());
    }

    #[test]
    fn the_table_is_bounded_and_forgets_no_connection() {
        let limits = Limits { connections_per_address_max: 1, ..Limits::default() };
        let visitors = Arc::new(Visitors { remembered_max: 100, ..Visitors::new(&limits, 256) });
        let _kept = enter(&visitors, "203.0.113.1", 0).expect("a place");
        for number in 0..10_000_u32 {
            let address =
                IpAddr::V6(Ipv6Addr::new(0x2001, 0xDB8, (number >> 16) as u16, number as u16, 0, 0, 0, 1));
            let _ = visitors.enter(address, Micros(1_000_000));
            assert!(visitors.lock().len() <= 101);
        }
        assert_eq!(enter(&visitors, "203.0.113.1", 0).err(), Some(TooMany::Connections));
    }
}
