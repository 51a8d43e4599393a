//! `bench send`: the send stage of a tick beside plain writes. Two sets of loopback sockets, of the same number; in turns one message
//! is sent to each of the one set by the real stage (seats, framing, locks, one write each) and to each of the other by nothing but
//! `write` of bytes that were framed beforehand. What arrives is read in between, on the same thread and not counted, so that nobody
//! is woken in either turn.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;

use clap::Args;
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;
use tickwire_server::driver::sending::SendStage;
use tickwire_shared::arena::Arena;

/// Turns before measuring.
const WARM_UP: u32 = 20;
/// Head of a binary frame with a payload below 126 bytes, and with one below 64 KiB.
const BINARY: u8 = 0x82;
const SHORT_MAX: usize = 125;

/// How often a socket is asked for a frame that has been written.
const TRIES_MAX: u32 = 1_000_000;

/// What `bench send` is asked.
#[derive(Args)]
pub(crate) struct SendArgs {
    /// Sockets of each set
    #[arg(long, value_name = "N", default_value_t = 400, value_parser = clap::value_parser!(u32).range(1..=2000))]
    clients: u32,
    /// Payload of each message
    #[arg(long, value_name = "BYTES", default_value_t = 90, value_parser = clap::value_parser!(u16).range(1..))]
    bytes: u16,
    /// Turns of each
    #[arg(long, value_name = "N", default_value_t = 300, value_parser = clap::value_parser!(u32).range(10..=100_000))]
    turns: u32,
    /// Exit with 1 when the stage costs more than so many times the plain writes
    #[arg(long, value_name = "RATIO")]
    ratio_max: Option<f64>,
    /// Write what was measured there
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Connected sockets: ours, and the peers'.
struct Pairs {
    ours: Vec<TcpStream>,
    peers: Vec<TcpStream>,
}

/// Runs it and prints two lines.
pub(crate) fn run(args: &SendArgs) -> Result<(), String> {
    let system =
        |error: std::io::Error| format!("sockets: {error} (each client takes four: `ulimit -n 10000`)");
    let [staged, plain] = [Pairs::connect(args.clients), Pairs::connect(args.clients)];
    let (staged, mut plain) = (staged.map_err(system)?, plain.map_err(system)?);
    let message = vec![7; usize::from(args.bytes)];
    let frame = framed(&message);
    let mut stage = SendStage::<Arena>::over(staged.ours).map_err(system)?;
    let (mut of_stage, mut of_plain, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for turn in 0..WARM_UP + args.turns {
        let mut send = || timed(|| stage.send(&message));
        let mut write = || timed(|| plain.write(&frame));
        // Whoever is first finds caches cold.
        let (staged_ns, plain_ns) = if turn % 2 == 0 {
            let staged_ns = send();
            (staged_ns, write())
        } else {
            let plain_ns = write();
            (send(), plain_ns)
        };
        drain(&staged.peers, frame.len()).and_then(|()| drain(&plain.peers, frame.len())).map_err(system)?;
        if turn >= WARM_UP {
            of_stage.push(staged_ns / f64::from(args.clients));
            of_plain.push(plain_ns / f64::from(args.clients));
            ratios.push(staged_ns / plain_ns);
        }
    }
    if !stage.is_clear() {
        return Err("a socket did not take all that it was sent".to_owned());
    }
    let (of_stage, of_plain, ratio) = (median(of_stage), median(of_plain), median(ratios));
    println!("the send stage {of_stage:.0} ns of CPU per message, plain write {of_plain:.0} ns");
    println!(
        "ratio {ratio:.3}: median of {} turns, {} sockets, {} bytes, each turn beside the other",
        args.turns, args.clients, args.bytes
    );
    if let Some(path) = &args.json {
        let text = json!({
            "bench": "send", "sockets": args.clients, "bytes": args.bytes, "turns": args.turns,
            "stage_ns_per_message": of_stage, "plain_ns_per_message": of_plain, "ratio": ratio,
        });
        std::fs::write(path, text.to_string()).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    match args.ratio_max {
        Some(most) if ratio > most => Err(format!("--ratio-max {most}: it is {ratio:.3}")),
        _ => Ok(()),
    }
}

impl Pairs {
    fn connect(count: u32) -> std::io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let (mut ours, mut peers) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let peer = TcpStream::connect(address)?;
            let (own, _) = listener.accept()?;
            for socket in [&peer, &own] {
                socket.set_nodelay(true)?;
                socket.set_nonblocking(true)?;
            }
            ours.push(own);
            peers.push(peer);
        }
        Ok(Self { ours, peers })
    }

    /// The least that sending can cost.
    fn write(&mut self, frame: &[u8]) {
        for socket in &mut self.ours {
            // What does not fit shows when it is drained.
            let _ = socket.write(frame);
        }
    }
}

/// Reads exactly one frame of each; loopback delivers before `write` returns.
fn drain(peers: &[TcpStream], bytes: usize) -> std::io::Result<()> {
    let mut scratch = vec![0; bytes + 1];
    for mut peer in peers {
        let (mut got, mut tries) = (0, 0);
        while got < bytes {
            tries += 1;
            if tries > TRIES_MAX {
                return Err(std::io::Error::other("less arrived than was sent"));
            }
            match peer.read(&mut scratch) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => got += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::yield_now(),
                Err(error) => return Err(error),
            }
        }
        if got > bytes {
            return Err(std::io::Error::other("more arrived than was sent"));
        }
    }
    Ok(())
}

fn framed(message: &[u8]) -> Vec<u8> {
    let length = match message.len() {
        short if short <= SHORT_MAX => vec![short as u8],
        long => [&[126], &(long as u16).to_be_bytes()[..]].concat(),
    };
    [&[BINARY], &length[..], message].concat()
}

/// CPU time of this thread, in nanoseconds.
fn timed(work: impl FnOnce()) -> f64 {
    let now = || {
        let now = clock_gettime(ClockId::ThreadCPUTime);
        now.tv_sec as f64 * 1e9 + now.tv_nsec as f64
    };
    let began = now();
    work();
    now() - began
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}
