//! One WebSocket connection from the upgrade to its last byte. Two tasks: one reads, the other one writes what
//! the kernel would not take at once and keeps the deadlines.
//!
//! However it ends, the order is the same: one close frame after all that was queued, our side shut down, the
//! peer's side read to its end for a moment (else a reset would eat the close frame), the socket dropped.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tickwire_shared::wire::codec::{self, CodecError};
use tickwire_shared::{Close, CloseCode, Micros, Protocol};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::JoinHandle;
use tracing::Instrument;

use super::clock;
use super::entrance::Entrance;
use super::hub::Hub;
use super::json::Gateway;
use super::lending;
use super::link::{Downlink, GATEWAY_FRAMES_MAX, Message};
use super::meter::{FrameKind, Meter, Verdict};
use super::peer::Peer;
use super::socket::{
    self, Driven, Failure, FrameReader, Kind, Outbox, Plain, READ_BYTES_MAX, ReadSide, Received, Stream,
    Vitals,
};
use super::standing::{Standing, Stranger};
use super::tally::{Drop as Dropped, Ended, Tally};
use super::upgrade::Subprotocol;
use super::visitors::Counted;
use super::watchdog::{Check, Pulse, Watchdog};
use crate::auth::Denial;

/// For a close frame to leave, behind what was queued before it.
const CLOSE_DEADLINE: Duration = Duration::from_secs(2);
/// For the peer to close its side after we closed ours.
const LINGER: Duration = Duration::from_secs(1);
/// JSON messages that may wait for their gateway.
const TEXTS_MAX: usize = 32;

/// A connection that has just been upgraded.
pub(super) struct Opened {
    pub(super) stream: Stream,
    /// Read together with the request.
    pub(super) ahead: Vec<u8>,
    pub(super) service: Service,
    pub(super) peer: Peer,
    pub(super) place: Place,
    /// What it holds until it is let in; none where everybody is.
    pub(super) stranger: Option<Stranger>,
}

/// A place among the sessions, and among those of an address. Given back when the connection is gone.
pub(super) struct Place {
    _permit: OwnedSemaphorePermit,
    _counted: Counted,
}

impl Place {
    pub(super) fn new(permit: OwnedSemaphorePermit, counted: Counted) -> Self {
        Self { _permit: permit, _counted: counted }
    }
}

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    /// A game's session.
    Session(Subprotocol),
    /// Every message goes back as it came: for suites that test this module.
    Echo,
}

impl Service {
    fn name(self) -> &'static str {
        match self {
            Self::Session(subprotocol) => subprotocol.name(),
            Self::Echo => "echo",
        }
    }
}

/// Serves a connection until it is gone. All that is logged of it says whose it is.
pub(super) async fn serve<P: Protocol>(hub: Arc<Hub<P>>, opened: Opened) {
    let peer = opened.peer.address;
    // The client's number is not known before it is let in.
    let span = tracing::info_span!("session", %peer, client = tracing::field::Empty);
    serve_inside(hub, opened).instrument(span).await;
}

async fn serve_inside<P: Protocol>(hub: Arc<Hub<P>>, opened: Opened) {
    let Opened { stream, ahead, service, peer, place, stranger } = opened;
    let (read, write) = stream.split();
    let socket = read.plain();
    let outbox = Arc::new(Outbox::new(write));
    let vitals = Arc::new(Vitals::new(hub.clock.now()));
    let standing = Arc::new(Standing::new(stranger));
    let (lender, offer) = lending::between(socket.clone());
    let (due, intake) = match service {
        Service::Session(Subprotocol::Binary) => {
            let downlink = Downlink::Socket(Arc::clone(&outbox));
            let entrance = Entrance::new(Arc::clone(&hub), peer, downlink, offer, Arc::clone(&standing));
            (Some(Kind::Binary), Intake::Session(entrance))
        }
        Service::Session(Subprotocol::Json) => {
            let (text_sender, texts) = mpsc::channel(TEXTS_MAX);
            let (frame_sender, frames) = mpsc::channel(GATEWAY_FRAMES_MAX);
            let downlink = Downlink::Gateway { frames: frame_sender, outbox: Arc::clone(&outbox) };
            let entrance = Entrance::new(Arc::clone(&hub), peer, downlink, None, Arc::clone(&standing));
            let gateway = Gateway::new(Arc::clone(&hub), entrance, Arc::clone(&outbox));
            tokio::spawn(gateway.run(texts, frames).in_current_span());
            (Some(Kind::Text), Intake::Json(text_sender))
        }
        Service::Echo => {
            standing.greet();
            (None, Intake::Echo(Vec::new()))
        }
    };
    let side = ReadSide::new(ahead, read, Arc::clone(&vitals), hub.clock);
    let reading = Reading {
        hub: Arc::clone(&hub),
        outbox: Arc::clone(&outbox),
        standing: Arc::clone(&standing),
        socket,
        intake,
        due,
    };
    // What the room reads is not in the span: to enter it would cost each of its reads.
    let reader = tokio::spawn(lending::run(lender, Box::pin(reading.run(side))).in_current_span());
    hub.tally.sessions.add(1);
    let keeper = Keeper { hub: &hub, outbox: &outbox, vitals: &vitals, standing: &standing, reader };
    let ended = keeper.keep().await;
    hub.tally.ended(ended);
    hub.tally.sent_bytes.add(outbox.sent_bytes());
    let (how, service) = (ended.label(), service.name());
    tracing::debug!(how, service, "connection ended");
    drop(place);
}

/// Where messages go.
enum Intake<P: Protocol> {
    /// Decoded, into the room.
    Session(Entrance<P>),
    /// As text, to the gateway.
    Json(mpsc::Sender<String>),
    /// Back to where they came from; the buffer is for framing.
    Echo(Vec<u8>),
}

/// The reading task.
struct Reading<P: Protocol> {
    hub: Arc<Hub<P>>,
    outbox: Arc<Outbox>,
    standing: Arc<Standing>,
    /// Without TLS.
    socket: Option<Arc<Plain>>,
    intake: Intake<P>,
    due: Option<Kind>,
}

impl<P: Protocol> Reading<P> {
    /// Reads until a close is under way, then throws the rest away until the peer has closed its side.
    async fn run(self, mut side: ReadSide) {
        // The intake is dropped, and the room left, before the rest is thrown away.
        if self.read(&mut side).await == Stopped::Closing {
            side.discard().await;
        }
    }

    async fn read(mut self, side: &mut ReadSide) -> Stopped {
        let mut meter = Meter::new(self.hub.rates(), self.hub.clock.now());
        let mut frames = FrameReader::new(side, self.due, self.hub.bounds_before_hello());
        let (mut spoiled, mut greeted) = (false, false);
        loop {
            if !greeted && self.standing.has_greeted() {
                greeted = true;
                frames.set_bounds(self.hub.bounds());
            }
            if let Err(end) = std::future::poll_fn(|_| self.glance(&frames, &mut meter)).await {
                return end.map_or(Stopped::Gone, |close| self.refuse(&close));
            }
            let next = frames.next().await;
            if self.outbox.closing() {
                return Stopped::Closing;
            }
            let handled = match next {
                Ok((received, wire_bytes)) => {
                    self.handle(received, wire_bytes, &mut meter, &mut spoiled).await
                }
                Err(Failure::Gone) => return Stopped::Gone,
                Err(Failure::Violation(close)) => Err(close),
            };
            if let Err(close) = handled {
                return self.refuse(&close);
            }
        }
    }

    fn refuse(&mut self, close: &Close) -> Stopped {
        self.leave_for_good();
        self.outbox.close(close);
        Stopped::Closing
    }

    /// What a sweep finds, read and handled in one go while it is nothing but short messages: no buffer of this connection is
    /// touched. Ready once there is something else, which the usual way reads then.
    ///
    /// # Errors
    /// The close for the client, or none when it is gone.
    fn glance(&mut self, frames: &FrameReader<'_>, meter: &mut Meter) -> Poll<Result<(), Option<Close>>> {
        let (Some(socket), Intake::Session(entrance)) = (&self.socket, &mut self.intake) else {
            return Poll::Ready(Ok(()));
        };
        let mut buffer = [0; READ_BYTES_MAX];
        while frames.could_be_passed(READ_BYTES_MAX) && !self.outbox.closing() {
            let count = match socket.glance(&mut buffer) {
                None => break,
                Some(Poll::Pending) => return Poll::Pending,
                Some(Poll::Ready(Ok(count @ 1..))) => count,
                Some(Poll::Ready(_)) => return Poll::Ready(Err(None)),
            };
            let now = socket.arrived(self.hub.clock.now());
            let mut left = &mut buffer[..count];
            // Nothing counts that comes after a close of ours.
            while !self.outbox.closing()
                && let Some((message, wire_bytes)) = socket::short_message(left)
            {
                frames.note_passed(now);
                self.hub.tally.received(wire_bytes);
                let taken = match is_excess(meter, FrameKind::Other, wire_bytes, &self.hub.tally, now) {
                    Ok(false) => decoded::<P>(message).and_then(|message| entrance.take_now(message, now)),
                    Ok(true) => Ok(()),
                    Err(close) => Err(close),
                };
                if let Err(close) = taken {
                    return Poll::Ready(Err(Some(close)));
                }
                left = &mut left[wire_bytes..];
            }
            if !left.is_empty() {
                socket.read_again(left);
            }
        }
        Poll::Ready(Ok(()))
    }

    /// One frame. `spoiled` remembers that a part of the message in hand was dropped.
    async fn handle(
        &mut self,
        received: Received<'_>,
        wire_bytes: usize,
        meter: &mut Meter,
        spoiled: &mut bool,
    ) -> Result<(), Close> {
        let now = self.hub.clock.now();
        let now = self.socket.as_ref().map_or(now, |socket| socket.arrived(now));
        let tally = &self.hub.tally;
        tally.received(wire_bytes);
        if let Received::Close(peer) = &received {
            if is_goodbye(peer.0) {
                self.leave_for_good();
            }
            self.outbox.close_echo(peer.0);
            return Ok(());
        }
        let kind = if matches!(received, Received::Ping(_)) { FrameKind::Ping } else { FrameKind::Other };
        let excess = is_excess(meter, kind, wire_bytes, tally, now)?;
        match received {
            Received::Fragment => *spoiled |= excess,
            Received::Message(kind, message) => {
                if !(std::mem::take(spoiled) | excess) {
                    self.take(kind, message, now).await?;
                }
            }
            Received::Ping(payload) if !excess => self.outbox.pong(payload),
            Received::Ping(_) | Received::Pong | Received::Close(_) => {}
        }
        Ok(())
    }

    /// A JSON session is never held: its gateway's session ends with its connection.
    fn leave_for_good(&mut self) {
        if let Intake::Session(entrance) = &mut self.intake {
            entrance.leave_for_good();
        }
    }

    async fn take(&mut self, kind: Kind, message: &[u8], now: Micros) -> Result<(), Close> {
        match &mut self.intake {
            Intake::Session(entrance) => entrance.take(decoded::<P>(message)?, now).await,
            Intake::Json(texts) => {
                // Checked to be UTF-8 when it was put together.
                if texts.try_send(String::from_utf8_lossy(message).into_owned()).is_err() {
                    self.hub.tally.dropped(Dropped::InboxFull);
                }
                Ok(())
            }
            Intake::Echo(buffer) => {
                // Refused means that a close is under way, or that the peer is gone.
                let _ = self.outbox.send(socket::message(kind, message, buffer));
                Ok(())
            }
        }
    }
}

/// Whether a frame is one too many, which is counted.
fn is_excess(
    meter: &mut Meter,
    kind: FrameKind,
    wire_bytes: usize,
    tally: &Tally,
    now: Micros,
) -> Result<bool, Close> {
    match meter.frame(kind, wire_bytes, now) {
        Verdict::Fine => Ok(false),
        Verdict::Excess(why) => {
            tally.dropped(why);
            Ok(true)
        }
        Verdict::Close(close) => Err(close),
    }
}

fn decoded<P: Protocol>(message: &[u8]) -> Result<Message<P>, Close> {
    codec::decode(message).map_err(|error| match error {
        CodecError::Malformed => Close::new(CloseCode::BadMessage),
        CodecError::TrailingBytes(_) => Close::because(CloseCode::BadMessage, &error.to_string()),
    })
}

/// Whether a peer's close means that it does not want to come back: bye, a page that is left, or no code at all, which is
/// what browsers send for `close()`.
fn is_goodbye(code: Option<u16>) -> bool {
    matches!(code, None | Some(1000 | 1001))
}

/// Why reading stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stopped {
    /// A close is under way.
    Closing,
    /// The peer ended the stream without one.
    Gone,
}

/// The other task: writes what waits, keeps the deadlines, ends the connection.
struct Keeper<'a, P: Protocol> {
    hub: &'a Hub<P>,
    outbox: &'a Outbox,
    vitals: &'a Vitals,
    standing: &'a Standing,
    reader: JoinHandle<()>,
}

impl<P: Protocol> Keeper<'_, P> {
    async fn keep(mut self) -> Ended {
        let live = self.hub.live.get();
        let limits = &live.limits;
        let mut watchdog = Watchdog::new(limits, self.hub.clock.now());
        let drive = self.outbox.drive(limits.write_stall_deadline);
        let ending = self.hub.ended();
        tokio::pin!(drive, ending);
        let driven = loop {
            let wait = match self.check(&mut watchdog) {
                Some(wait) => wait,
                None => continue,
            };
            tokio::select! {
                () = self.outbox.close_queued() => break None,
                driven = &mut drive => break Some(driven),
                read = &mut self.reader => {
                    if read.is_err() {
                        tracing::error!("a reading task panicked");
                        self.outbox.close(&Close::new(CloseCode::Internal));
                    }
                    if !self.outbox.closing() {
                        return Ended::Cut;
                    }
                    // The peer has closed its side already: nothing to wait for after our close frame.
                    let _ = tokio::time::timeout(CLOSE_DEADLINE, &mut drive).await;
                    return self.outbox.closed_with();
                }
                close = &mut ending, if !self.outbox.closing() => { self.outbox.close(&close); }
                () = tokio::time::sleep(wait) => {}
            }
        };
        let driven = match driven {
            Some(driven) => driven,
            None => tokio::time::timeout(CLOSE_DEADLINE, &mut drive).await.unwrap_or(Driven::Stalled),
        };
        let ended = match driven {
            Driven::CloseSent => {
                let _ = tokio::time::timeout(CLOSE_DEADLINE, self.outbox.shutdown()).await;
                let _ = tokio::time::timeout(LINGER, &mut self.reader).await;
                self.outbox.closed_with()
            }
            Driven::Broken => Ended::Cut,
            Driven::Stalled => Ended::Stalled,
        };
        self.reader.abort();
        ended
    }

    /// Lets the watchdog look; `None` when something was done and it should look again.
    fn check(&self, watchdog: &mut Watchdog) -> Option<Duration> {
        let Some(look_again) = self.standing.look(clock::unix_s()) else {
            self.outbox.close(&Close::from(Denial::Expired));
            return Some(CLOSE_DEADLINE);
        };
        let pulse = Pulse {
            joined: self.standing.has_greeted(),
            frame_at: self.vitals.frame_at(),
            partial_since: self.vitals.partial_since(),
        };
        match watchdog.check(pulse, self.hub.clock.now()) {
            Check::Wait(wait) => Some(wait.min(look_again)),
            Check::Ping => {
                self.outbox.ping();
                None
            }
            Check::Close(close) => {
                self.outbox.close(&close);
                Some(CLOSE_DEADLINE)
            }
        }
    }
}
