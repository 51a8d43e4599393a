//! A whole client in text: plays the arena on a running server, walks in a square, and prints once a second what it sees.
//!
//! `cargo run -p tickwire-shared --example textual -- 127.0.0.1:7777 10`, with the server's address and for how many seconds.

use std::error::Error;
use std::io::ErrorKind::{TimedOut, WouldBlock};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use tickwire_shared::Micros;
use tickwire_shared::arena::{Arena, ArenaInput};
use tickwire_shared::client::{Ended, Happening, Identity, Next, Reconnect, Session};
use tickwire_shared::limits::SUBPROTOCOL_BINARY;
use tungstenite::{Error as WsError, Message, WebSocket, client::IntoClientRequest};

type Socket = WebSocket<TcpStream>;
type Gone = (Option<u16>, String);

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:7777".to_owned());
    let seconds = arguments.next().map_or(Ok(10), |text| text.parse())?;
    play(&address, seconds, &mut |line| println!("{line}"))
}

/// Plays for so long, and says what it sees.
#[allow(clippy::disallowed_methods, reason = "an embedder has the clock that the crate has not")]
pub(crate) fn play(address: &str, seconds: u64, say: &mut dyn FnMut(String)) -> Result<(), Box<dyn Error>> {
    let epoch = Instant::now();
    let now = || Micros(epoch.elapsed().as_micros() as u64);
    let mut session = Session::<Arena>::new(Identity { name: "textual".into(), ..Identity::default() })?;
    let (mut patience, mut socket, mut printed) = (Reconnect::default(), open(address)?, 0);
    while now().0 < seconds * 1_000_000 {
        // What the player wants; here, a square of four seconds.
        let walk = [[127, 0], [0, 127], [-127, 0], [0, -127]][(now().0 / 1_000_000 % 4) as usize];
        session.set_input(ArenaInput { walk, ..ArenaInput::default() }, now());

        // Bytes out, bytes in. When that ends: is there a point in coming back, and when?
        if let Err((code, words)) = exchange(&mut socket, &mut session, &now) {
            let ended = code.map_or(Ended::Lost, |code| Ended::Closed { code, reason: &words });
            let random = epoch.elapsed().subsec_nanos().wrapping_mul(0x9E37_79B9);
            let Next::At(due) = patience.ended(ended, random, now()) else { return Err(words.into()) };
            say(format!("the connection ended: {words}"));
            std::thread::sleep(Duration::from_micros(due.since(now())));
            socket = open(address).unwrap_or(socket);
            session.resume();
        }

        // What happened.
        while let Some(happening) = session.poll_happening() {
            match happening {
                Happening::Welcomed | Happening::Resumed => patience.welcomed(now()),
                Happening::Game(tick, event) => say(format!("{:>6} {event:?}", tick.0)),
                _ => {}
            }
        }

        // The world, as it is to be drawn now. A program with a window asks this once per picture.
        let second = now().0 / 1_000_000;
        if let Some(view) = session.view(now()).filter(|_| second > printed) {
            printed = second;
            let here = view.own().state.position;
            say(format!("{:>6} at {here:.1}, {} in view", view.tick().tick.0, view.entities().count()));
            for shown in view.entities().take(3) {
                say(format!("       {} {:?}", shown.spawn.name, shown.state));
            }
        }
    }
    say(format!("{:?}", session.stats()));
    Ok(socket.close(None)?)
}

/// A WebSocket whose reads come back soon, with or without a message.
fn open(address: &str) -> Result<Socket, Box<dyn Error>> {
    let mut request = format!("ws://{address}/ws").into_client_request()?;
    request.headers_mut().insert("Sec-WebSocket-Protocol", SUBPROTOCOL_BINARY.parse()?);
    let stream = TcpStream::connect(address)?;
    let (socket, _) = tungstenite::client(request, stream)?;
    socket.get_ref().set_nodelay(true)?;
    socket.get_ref().set_read_timeout(Some(Duration::from_millis(5)))?;
    Ok(socket)
}

/// Moves bytes both ways, or says why that is over: the close code, where there was one, and words.
fn exchange(s: &mut Socket, session: &mut Session<Arena>, now: &dyn Fn() -> Micros) -> Result<(), Gone> {
    let lost = |error: WsError| (None, error.to_string());
    while let Some(bytes) = session.poll_transmit(now()) {
        s.send(Message::Binary(bytes.into())).map_err(lost)?;
    }
    match s.read() {
        Ok(Message::Binary(bytes)) => {
            session.handle_message(&bytes, now()).map_err(|e| (Some(4000), e.to_string()))
        }
        Ok(Message::Close(Some(frame))) => Err((Some(frame.code.into()), frame.reason.to_string())),
        Err(WsError::Io(error)) if matches!(error.kind(), WouldBlock | TimedOut) => Ok(()),
        Err(error) => Err(lost(error)),
        Ok(_) => Ok(()),
    }
}
