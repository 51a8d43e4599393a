//! The least that sending can cost: frames made beforehand, one plain non-blocking `write` per socket and tick, on one
//! thread, nothing else. With `exchange` it also takes what clients send: one look at all sockets per tick (`poll`),
//! one `read` for each that has something, which is thrown away.
//!
//! `compare` starts it and tells it on its standard input, one number per line, how large frames are in the run that
//! it is compared with: `floor 127.0.0.1:7790 write|exchange < sizes`

use std::io::{BufRead, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio_tungstenite::tungstenite;
use tungstenite::handshake::server::{ErrorResponse, Request, Response};

const TICK_HZ: u32 = 30;
/// Sockets that may wait to be taken in.
const WAITING_MAX: usize = 64;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let listen = arguments.next().unwrap_or_else(|| "127.0.0.1:7790".to_owned());
    let exchange = arguments.next().is_some_and(|mode| mode == "exchange");
    let sizes =
        std::io::stdin().lock().lines().map_while(Result::ok).filter_map(|line| line.trim().parse().ok());
    let frames: Vec<_> = sizes.enumerate().map(|(index, size)| frame(size, index as u8)).collect();
    assert!(!frames.is_empty(), "no sizes of frames on standard input");
    let listener = TcpListener::bind(&listen).expect("a free address");
    let (sender, sockets) = sync_channel(WAITING_MAX);
    std::thread::spawn(move || run_ticks(&sockets, &frames, exchange));
    for stream in listener.incoming().map_while(Result::ok) {
        stream.set_nodelay(true).expect("a socket");
        if let Ok(socket) = tungstenite::accept_hdr(stream, echo_subprotocol) {
            let stream = socket.get_ref().try_clone().expect("a descriptor");
            stream.set_nonblocking(true).expect("a socket");
            sender.send(stream).expect("the ticks run");
        }
    }
}

/// A binary message of `size` bytes, framed as a server's are.
fn frame(size: usize, fill: u8) -> Vec<u8> {
    let mut frame = vec![0x82];
    match size {
        0..126 => frame.push(size as u8),
        126..65_536 => frame.extend([&[126], &(size as u16).to_be_bytes()[..]].concat()),
        _ => frame.extend([&[127], &(size as u64).to_be_bytes()[..]].concat()),
    }
    frame.resize(frame.len() + size, fill);
    frame
}

#[allow(clippy::disallowed_methods, reason = "a bench keeps time")]
fn run_ticks(new: &Receiver<TcpStream>, frames: &[Vec<u8>], exchange: bool) {
    let start = Instant::now();
    let (mut sockets, mut next) = (Vec::new(), 0);
    for tick in 1_u32.. {
        let deadline = start + Duration::from_secs(1) * tick / TICK_HZ;
        std::thread::sleep(deadline.saturating_duration_since(Instant::now()));
        sockets.extend(new.try_iter());
        if exchange {
            take_in(&mut sockets);
        }
        sockets.retain_mut(|socket: &mut TcpStream| {
            next = (next + 1) % frames.len();
            match socket.write(&frames[next]) {
                Ok(count) => count == frames[next].len(),
                Err(_) => false,
            }
        });
    }
}

fn take_in(sockets: &mut Vec<TcpStream>) {
    let mut looks: Vec<_> = sockets.iter().map(|socket| PollFd::new(socket, PollFlags::IN)).collect();
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut looks, Some(&now)).expect("sockets can be looked at");
    let mut ready = looks.iter().map(|look| !look.revents().is_empty()).collect::<Vec<_>>().into_iter();
    let mut scratch = [0; 4096];
    sockets.retain_mut(|socket| {
        !ready.next().unwrap_or_default()
            || match socket.read(&mut scratch) {
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
