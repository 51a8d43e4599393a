//! The connections in one room: what they said since the last tick, and what the room tells them.
//!
//! A tick costs by what happened, not by how many sit here: those are looked at who were heard in a sweep, and those
//! whose state changes unseen.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use tickwire_shared::{ClientId, Close, Micros, Protocol};
use tokio::sync::oneshot;

use super::lending::Lent;
use super::link::{Downlink, Inbox, Link, Message};
use super::sweep::Sweeper;

/// Everybody in a room.
pub(super) struct Seats<P: Protocol> {
    seats: BTreeMap<ClientId, Seat<P>>,
    /// Without one, connections read on their own.
    sweeper: Option<Sweeper>,
    /// To be looked at in the next tick, some perhaps more than once.
    restless: Vec<ClientId>,
    inbox: Inbox<P>,
    frame: Vec<u8>,
}

/// A client's place.
struct Seat<P: Protocol> {
    link: Arc<Link<P>>,
    downlink: Downlink,
    reader: Reader,
    told_writable: bool,
}

/// Who reads a connection.
enum Reader {
    /// Its own task, for as long as it does not lend that.
    Own(Option<oneshot::Receiver<Lent>>),
    /// This room's sweeps.
    Swept,
}

/// What became of a client since the last tick.
pub(super) enum Heard<P: Protocol> {
    /// It is gone.
    Left,
    /// Whether a frame sent now would go out now.
    Writable(bool),
    /// It said something, at this time.
    Message(Micros, Message<P>),
}

impl<P: Protocol> Seats<P> {
    pub(super) fn new(sweeper: Option<Sweeper>) -> Self {
        Self {
            seats: BTreeMap::new(),
            sweeper,
            restless: Vec::new(),
            inbox: VecDeque::new(),
            frame: Vec::new(),
        }
    }

    /// A place for a newcomer. `reader` is where its connection lends the reading, if it can.
    pub(super) fn take(
        &mut self,
        link: Arc<Link<P>>,
        downlink: Downlink,
        reader: Option<oneshot::Receiver<Lent>>,
    ) {
        let client = link.client();
        let seat = Seat { link, downlink, reader: Reader::Own(reader), told_writable: true };
        self.seats.insert(client, seat);
        self.restless.push(client);
    }

    /// Whether a sweep would read anybody.
    pub(super) fn is_swept(&self) -> bool {
        self.sweeper.as_ref().is_some_and(|sweeper| !sweeper.is_empty())
    }

    /// Reads what has arrived, into the inboxes.
    pub(super) fn sweep(&mut self, now: Micros) {
        if let Some(sweeper) = &mut self.sweeper {
            sweeper.sweep(&mut self.restless, now);
        }
    }

    /// Tells what became of everybody, in the order of the clients' ids, so that the room hears the same order whoever
    /// was faster.
    pub(super) fn hear(&mut self, mut tell: impl FnMut(ClientId, Heard<P>)) {
        let Self { seats, sweeper, restless, inbox, .. } = self;
        restless.sort_unstable();
        restless.dedup();
        restless.retain(|client| {
            let Some(seat) = seats.get_mut(client) else { return false };
            if seat.link.gone() {
                tell(*client, Heard::Left);
                seats.remove(client);
                if let Some(sweeper) = sweeper {
                    sweeper.release(*client);
                }
                return false;
            }
            seat.settle(*client, sweeper.as_mut());
            let writable = seat.downlink.writable();
            if writable != seat.told_writable {
                seat.told_writable = writable;
                tell(*client, Heard::Writable(writable));
            }
            seat.link.collect(inbox);
            for (arrived, message) in inbox.drain(..) {
                tell(*client, Heard::Message(arrived, message));
            }
            !writable || matches!(seat.reader, Reader::Own(_))
        });
    }

    /// One message, to whom it may still concern.
    pub(super) fn send(&mut self, client: ClientId, message: &[u8]) {
        if let Some(seat) = self.seats.get(&client) {
            seat.downlink.send(message, &mut self.frame);
            if !seat.downlink.writable() {
                self.restless.push(client);
            }
        }
    }

    /// The end of one.
    pub(super) fn close(&mut self, client: ClientId, close: &Close) {
        if let Some(seat) = self.seats.remove(&client) {
            if let Some(sweeper) = &mut self.sweeper {
                sweeper.release(client);
            }
            seat.downlink.close(close);
        }
    }

    /// The end of all.
    pub(super) fn close_all(&mut self, close: &Close) {
        for client in self.seats.keys().copied().collect::<Vec<_>>() {
            self.close(client, close);
        }
    }
}

impl<P: Protocol> Seat<P> {
    /// From its own task to the sweeper, as soon as it is lent.
    fn settle(&mut self, client: ClientId, sweeper: Option<&mut Sweeper>) {
        let Reader::Own(Some(reader)) = &mut self.reader else { return };
        match reader.try_recv() {
            Ok(lent) => {
                let taken = sweeper.is_some_and(|sweeper| sweeper.take(client, lent));
                self.reader = if taken { Reader::Swept } else { Reader::Own(None) };
            }
            Err(oneshot::error::TryRecvError::Empty) => {}
            Err(oneshot::error::TryRecvError::Closed) => self.reader = Reader::Own(None),
        }
    }
}
