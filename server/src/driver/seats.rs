//! The connections in one room: what they said since the last tick, and what the room tells them.
//!
//! A tick costs by what happened, not by how many sit here: those are looked at who were heard in a sweep, and those
//! whose state changes unseen.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use tickwire_shared::{ClientId, Close, Micros, Protocol};
use tokio::sync::oneshot;

use super::lending::Lent;
use super::link::{Departure, Downlink, Inbox, Link, Message};
use super::sweep::Sweeper;
use crate::host::{Crew, Sends};

/// With fewer messages for each, sending side by side costs more than it saves.
const PART_SENDS_MIN: usize = 500;

/// Clients whose sockets are fetched from memory together, before they are sent anything: what is asked for at once comes
/// at once, and one after the other each would be waited for.
const FETCHED_AT_ONCE: usize = 16;

/// Everybody in a room.
pub(super) struct Seats<P: Protocol> {
    seats: BTreeMap<ClientId, Seat<P>>,
    /// Without one, connections read on their own.
    sweeper: Option<Sweeper>,
    /// To be looked at in the next tick, some perhaps more than once.
    restless: Vec<ClientId>,
    inbox: Inbox<P>,
    /// Scratch memory for each of those who send side by side.
    senders: Vec<Mutex<Sender>>,
    pairing: Pairing,
}

/// What sending to some clients needs and leaves behind.
#[derive(Default)]
struct Sender {
    frame: Vec<u8>,
    /// Whose sockets did not take all.
    congested: Vec<ClientId>,
    /// Whose frames were held back.
    held: Vec<ClientId>,
}

/// Which frames wait for the next one of their client. Half of the clients hold theirs back at one tick and half at the
/// next, so that all ticks send as much.
#[derive(Default)]
struct Pairing {
    /// Turns from one frame of a client to the next, where frames are held back at all.
    frame_ticks: Option<u64>,
    turn: u64,
    /// Who holds a frame back, and the last turn in which the next one may come.
    held: VecDeque<(u64, ClientId)>,
}

impl Pairing {
    fn holds(&self, client: ClientId) -> bool {
        self.frame_ticks.is_some_and(|ticks| (self.turn / ticks.max(1) + u64::from(client.0)) & 1 == 1)
    }
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
    /// Its connection is gone.
    Left(Departure),
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
            senders: vec![Mutex::default()],
            pairing: Pairing::default(),
        }
    }

    /// From now on a client's frames, which come every so many turns, go out two at a time, or alone again.
    pub(super) fn pair_frames(&mut self, frame_ticks: Option<u32>) {
        self.pairing.frame_ticks = frame_ticks.map(u64::from);
    }

    /// A tick's frames were sent: those that were held back for a second one which did not come go out alone.
    pub(super) fn end_turn(&mut self) {
        self.pairing.turn += 1;
        while self.pairing.held.front().is_some_and(|(until, _)| *until < self.pairing.turn) {
            self.send_first_held();
        }
    }

    /// Nothing is held back any longer.
    pub(super) fn send_held(&mut self) {
        while !self.pairing.held.is_empty() {
            self.send_first_held();
        }
    }

    fn send_first_held(&mut self) {
        let Some((_, client)) = self.pairing.held.pop_front() else { return };
        if let Some(seat) = self.seats.get(&client) {
            seat.downlink.send_held();
            if !seat.downlink.writable() {
                self.restless.push(client);
            }
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

    /// How many a sweep would read.
    pub(super) fn swept(&self) -> usize {
        self.sweeper.as_ref().map_or(0, Sweeper::len)
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
            if let Some(how) = seat.link.gone() {
                tell(*client, Heard::Left(how));
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
        if let (Some(seat), Some(sender)) = (self.seats.get(&client), self.senders.first_mut()) {
            let sender = sender.get_mut().unwrap_or_else(PoisonError::into_inner);
            seat.send(client, message, sender);
            self.restless.append(&mut sender.congested);
        }
    }

    /// Many messages; in a large room parts of them side by side, each with one write.
    pub(super) fn send_all(&mut self, sends: &Sends<'_>, crew: &dyn Crew) {
        let Self { seats, senders, restless, pairing, .. } = self;
        let parts = (sends.len() / PART_SENDS_MIN).min(crew.width()).max(1);
        let size = sends.len().div_ceil(parts);
        senders.resize_with(parts.max(senders.len()), Mutex::default);
        let part = |number: usize| {
            let range = number * size..((number + 1) * size).min(sends.len());
            let mut sender = senders[number].lock().unwrap_or_else(PoisonError::into_inner);
            send_some(seats, sends.slice(range), (&mut sender, pairing));
        };
        if parts == 1 {
            part(0);
        } else {
            crew.run(parts, &part);
        }
        let until = pairing.turn + pairing.frame_ticks.unwrap_or(0);
        for sender in senders {
            let sender = sender.get_mut().unwrap_or_else(PoisonError::into_inner);
            restless.append(&mut sender.congested);
            pairing.held.extend(sender.held.drain(..).map(|client| (until, client)));
        }
    }

    /// Messages in the order of the clients' ids, on this thread.
    pub(super) fn send_each<'a>(&mut self, sends: impl Iterator<Item = (ClientId, &'a [u8])>) {
        let Some(sender) = self.senders.first_mut() else { return };
        let sender = sender.get_mut().unwrap_or_else(PoisonError::into_inner);
        send_some(&self.seats, sends, (sender, &self.pairing));
        self.restless.append(&mut sender.congested);
    }

    /// Whether every socket has taken all that it was given.
    pub(super) fn is_clear(&self) -> bool {
        self.seats.values().all(|seat| seat.downlink.writable())
    }

    /// A connection turned out to be a session's that was here before. To be called before its reading is taken over.
    pub(super) fn rename(&mut self, connection: ClientId, client: ClientId) {
        if let Some(seat) = self.seats.remove(&connection) {
            self.seats.insert(client, seat);
            self.restless.push(client);
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

/// Messages in the order of the clients' ids, so that the seats are walked along rather than searched.
fn send_some<'a, P: Protocol>(
    seats: &BTreeMap<ClientId, Seat<P>>,
    mut sends: impl Iterator<Item = (ClientId, &'a [u8])>,
    (sender, pairing): (&mut Sender, &Pairing),
) {
    let Some(first) = sends.next() else { return };
    let mut seats = seats.range(first.0..).peekable();
    let mut sends = std::iter::once(first).chain(sends);
    let mut paired = std::iter::from_fn(|| {
        loop {
            let (client, message) = sends.next()?;
            while seats.next_if(|(seat, _)| **seat < client).is_some() {}
            // Who has left meanwhile has no seat.
            match seats.peek()? {
                (seat, place) if **seat == client => return Some((client, *place, message)),
                _ => {}
            }
        }
    });
    let mut block = [None; FETCHED_AT_ONCE];
    loop {
        block.iter_mut().for_each(|place| *place = paired.next());
        for (_, seat, _) in block.iter().flatten() {
            std::hint::black_box(seat.downlink.fetch());
        }
        for (client, seat, message) in block.iter().flatten() {
            if pairing.holds(*client) && seat.downlink.hold(message, &mut sender.frame) {
                sender.held.push(*client);
            } else {
                seat.send(*client, message, sender);
            }
        }
        if block[FETCHED_AT_ONCE - 1].is_none() {
            return;
        }
    }
}

impl<P: Protocol> Seat<P> {
    fn send(&self, client: ClientId, message: &[u8], sender: &mut Sender) {
        self.downlink.send(message, &mut sender.frame);
        if !self.downlink.writable() {
            sender.congested.push(client);
        }
    }

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
