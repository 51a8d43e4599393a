//! The least that sending can cost: what the real server sent each of its clients, framed beforehand, one plain
//! non-blocking `write` per socket and tick, on one thread, nothing else. With `exchange` it also takes what clients
//! send: one look at all sockets per tick (`poll`), one `read` for each that has something, which is thrown away.
//!
//! `compare` starts it and gives it on standard input, for each client, the length in bytes of all its messages, and
//! each message behind its own length, all lengths in 32 bits: `floor 127.0.0.1:7790 write|exchange < recorded`

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio_tungstenite::tungstenite;
use tungstenite::handshake::server::{ErrorResponse, Request, Response};

const TICK_HZ: u32 = 30;
/// Sockets that may wait to be taken in.
const WAITING_MAX: usize = 64;

/// What one client is sent.
struct Stream {
    /// Frames back to back.
    bytes: Vec<u8>,
    /// Where each one ends.
    ends: Vec<usize>,
    /// How many are sent.
    sent: usize,
}

struct Client {
    socket: TcpStream,
    stream: Stream,
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let listen = arguments.next().unwrap_or_else(|| "127.0.0.1:7790".to_owned());
    let exchange = arguments.next().is_some_and(|mode| mode == "exchange");
    let mut recorded = Vec::new();
    std::io::stdin().lock().read_to_end(&mut recorded).expect("what was recorded");
    let mut streams = Stream::all(&recorded).into_iter();
    drop(recorded);
    let listener = TcpListener::bind(&listen).expect("a free address");
    let (sender, clients) = sync_channel(WAITING_MAX);
    std::thread::spawn(move || run_ticks(&clients, exchange));
    for socket in listener.incoming().map_while(Result::ok) {
        socket.set_nodelay(true).expect("a socket");
        if let Ok(upgraded) = tungstenite::accept_hdr(socket, echo_subprotocol) {
            let socket = upgraded.get_ref().try_clone().expect("a descriptor");
            socket.set_nonblocking(true).expect("a socket");
            let stream = streams.next().expect("as many clients as were recorded");
            sender.send(Client { socket, stream }).expect("the ticks run");
        }
    }
}

impl Stream {
    fn all(recorded: &[u8]) -> Vec<Self> {
        let (mut streams, mut left) = (Vec::new(), recorded);
        while let Some(messages) = take(&mut left) {
            streams.push(Self::new(messages));
        }
        streams
    }

    fn new(mut messages: &[u8]) -> Self {
        let mut stream = Self { bytes: Vec::new(), ends: Vec::new(), sent: 0 };
        while let Some(message) = take(&mut messages) {
            frame(message, &mut stream.bytes);
            stream.ends.push(stream.bytes.len());
        }
        stream
    }

    /// The next frame.
    fn next(&mut self) -> Option<&[u8]> {
        let end = *self.ends.get(self.sent)?;
        let begin = if self.sent == 0 { 0 } else { self.ends[self.sent - 1] };
        self.sent += 1;
        Some(&self.bytes[begin..end])
    }
}

/// What stands behind its length.
fn take<'a>(from: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, rest) = from.split_first_chunk::<4>()?;
    let (taken, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    *from = rest;
    Some(taken)
}

/// A binary message, framed as a server's are.
fn frame(message: &[u8], into: &mut Vec<u8>) {
    into.push(0x82);
    match message.len() {
        length @ 0..126 => into.push(length as u8),
        length @ 126..65_536 => into.extend([&[126], &(length as u16).to_be_bytes()[..]].concat()),
        length => into.extend([&[127], &(length as u64).to_be_bytes()[..]].concat()),
    }
    into.extend_from_slice(message);
}

#[allow(clippy::disallowed_methods, reason = "a bench keeps time")]
fn run_ticks(new: &Receiver<Client>, exchange: bool) {
    let start = Instant::now();
    let mut clients = Vec::new();
    for tick in 1_u32.. {
        let deadline = start + Duration::from_secs(1) * tick / TICK_HZ;
        std::thread::sleep(deadline.saturating_duration_since(Instant::now()));
        clients.extend(new.try_iter());
        if exchange {
            take_in(&mut clients);
        }
        clients.retain_mut(|Client { socket, stream }| match stream.next() {
            Some(frame) => socket.write(frame).is_ok_and(|count| count == frame.len()),
            None => true,
        });
    }
}

fn take_in(clients: &mut Vec<Client>) {
    let mut looks: Vec<_> = clients.iter().map(|client| PollFd::new(&client.socket, PollFlags::IN)).collect();
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut looks, Some(&now)).expect("sockets can be looked at");
    let mut ready = looks.iter().map(|look| !look.revents().is_empty()).collect::<Vec<_>>().into_iter();
    let mut scratch = [0; 4096];
    clients.retain_mut(|client| {
        !ready.next().unwrap_or_default()
            || match client.socket.read(&mut scratch) {
                Ok(count) => count > 0,
                Err(error) => error.kind() == ErrorKind::WouldBlock,
            }
    });
}

/// The measuring client offers our subprotocol and wants it back.
#[allow(clippy::result_large_err, reason = "the library's signature")]
fn echo_subprotocol(request: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
    if let Some(offered) = request.headers().get("sec-websocket-protocol") {
        response.headers_mut().insert("sec-websocket-protocol", offered.clone());
    }
    Ok(response)
}
