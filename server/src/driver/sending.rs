//! The send stage alone, for a bench that compares it with plain writes: seats with sockets, framing, one write each, exactly as in
//! a room's tick, and nothing else. Not for players.

use std::io;
use std::net::TcpStream;
use std::sync::Arc;

use tickwire_shared::{ClientId, Protocol};

use super::link::{Downlink, Link};
use super::seats::Seats;
use super::socket::{Outbox, Plain, plain_writing};

/// Sockets that sweeps would read, with seats in a room that there is not.
pub struct SendStage<P: Protocol> {
    seats: Seats<P>,
    clients: u32,
}

impl<P: Protocol> SendStage<P> {
    /// Over connected sockets.
    ///
    /// # Errors
    /// Those of the system.
    pub fn over(streams: Vec<TcpStream>) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let _inside = runtime.enter();
        let mut seats = Seats::new(None);
        let mut clients = 0;
        for stream in streams {
            stream.set_nonblocking(true)?;
            let socket = Arc::new(Plain::new(tokio::net::TcpStream::from_std(stream)?));
            socket.detach();
            let outbox = Arc::new(Outbox::new(plain_writing(socket)));
            seats.take(Arc::new(Link::new(ClientId(clients), 1)), Downlink::Socket(outbox), None);
            clients += 1;
        }
        Ok(Self { seats, clients })
    }

    /// One message to each.
    pub fn send(&mut self, message: &[u8]) {
        self.seats.send_each((0..self.clients).map(|client| (ClientId(client), message)));
    }

    /// Whether all sockets have taken all.
    #[must_use]
    pub fn is_clear(&mut self) -> bool {
        self.seats.is_clear()
    }
}
