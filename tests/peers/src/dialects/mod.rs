//! How each peer is spoken to. A dialect is bytes in, bytes out; the swarm moves them and counts them. Most clients only
//! answer what has to be answered; the probes decode everything. Tickwire's clients always decode everything, since
//! they acknowledge what they have applied.

pub mod binary;

pub mod bodies;

pub mod colyseus;

pub mod floor;

pub mod json;

pub mod replicon;

pub mod tickwire;

use peers_scene::{Input, Seen};
use tickwire_shared::Micros;

use crate::plan::{Cell, Peer};
use crate::socket::Kind;
use crate::truth::View;

/// Messages to send.
pub type Out = Vec<(Kind, Vec<u8>)>;

/// One client's way of speaking.
pub trait Dialect {
    /// What goes out as soon as the connection is there.
    fn greet(&mut self, out: &mut Out, now: Micros) {
        let _ = (out, now);
    }

    /// A message came. Says whether it was the world's next state.
    ///
    /// # Errors
    /// When it was none that this peer may send.
    fn handle(&mut self, message: &[u8], out: &mut Out, now: Micros) -> Result<bool, String>;

    /// From now on the player wants this; said so at once.
    fn input(&mut self, input: Input, out: &mut Out, now: Micros);

    /// For what is due by the clock.
    fn poll(&mut self, out: &mut Out, now: Micros) {
        let _ = (out, now);
    }

    /// The own avatar as it was told last, if this client decodes.
    fn own(&self) -> Option<Seen> {
        None
    }

    /// All that was told, if this client decodes.
    fn view(&mut self) -> Option<&View> {
        None
    }

    /// Compares what was told with what is, where this dialect has that by itself.
    ///
    /// # Errors
    /// Names the first thing that is not as it has to be.
    fn check(&mut self) -> Result<(), String> {
        Ok(())
    }

    /// How long before its tick the last input arrived, in ms, where the server says so.
    fn early_ms(&self) -> Option<f64> {
        None
    }
}

/// Where a client sits.
#[derive(Clone, Copy, Debug)]
pub struct Seat {
    /// Of its cell, from 0.
    pub player: usize,
    /// The workload.
    pub cell: Cell,
    /// Whether it has to decode.
    pub decodes: bool,
}

impl Seat {
    /// The entity that it plays.
    #[must_use]
    pub fn avatar(&self) -> usize {
        self.cell.drones() + self.player
    }

    fn view(&self) -> View {
        View::new(self.cell.drones() + self.cell.players())
    }
}

/// A client of a peer.
#[must_use]
pub fn of(peer: Peer, seat: Seat) -> Box<dyn Dialect> {
    match peer {
        Peer::Tickwire if seat.cell == Cell::Bodies => Box::new(bodies::Tickwire::default()),
        Peer::Colyseus if seat.cell == Cell::Bodies => Box::new(bodies::Colyseus::new(seat)),
        Peer::Tickwire => Box::new(tickwire::Tickwire::new(seat)),
        Peer::Floor => Box::new(floor::Floor),
        Peer::Bincode => Box::new(binary::Binary::new(seat)),
        Peer::Colyseus => Box::new(colyseus::Colyseus::new(seat)),
        Peer::Ws => Box::new(json::Json::ws(seat)),
        Peer::Socketio => Box::new(json::Json::socketio(seat)),
        Peer::Replicon => Box::new(replicon::Replicon::new(seat)),
    }
}
