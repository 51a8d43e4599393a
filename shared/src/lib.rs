//! Everything that a Tickwire server and its clients must agree on bit by bit.
//!
//! No I/O, no clock, no thread, no randomness and no logging: bytes and times go in as arguments, bytes and
//! the world come out. A game starts at [`Protocol`] and the two derives, [`Replicate`] and [`ReplicateKinds`].
//!
//! # Embed the client
//!
//! [`client::Session`] is the whole client. `examples/textual.rs` is a complete program around it in less than 100 lines.
//! You bring a WebSocket (subprotocol [`limits::SUBPROTOCOL_BINARY`], path `/ws`) and a clock that only goes forward:
//!
//! 1. **Bytes out**: send what [`poll_transmit`](client::Session::poll_transmit) gives, one binary message each, until it gives
//!    none; ask again at least every few milliseconds. The first one is Hello.
//! 2. **Bytes in**: hand each binary message to [`handle_message`](client::Session::handle_message), with the time at which it
//!    arrived, as soon as it has arrived: do not wait for the next picture, and do not stop when the window is hidden.
//! 3. **What the player wants**: [`set_input`](client::Session::set_input) with what is held now, as often as you like;
//!    [`send_command`](client::Session::send_command) for what must arrive, like chat.
//! 4. **What happened**: [`poll_happening`](client::Session::poll_happening) as it arrives, or
//!    [`poll_shown_event`](client::Session::poll_shown_event) when the picture reaches it.
//! 5. **The world**: [`view`](client::Session::view) once per picture: the own avatar ahead, everything else between its states.
//!    [`entities`](client::Session::entities) has the newest states as they are, for programs that draw nothing.
//! 6. **When the connection ends**: [`client::Reconnect`] says when to open another one, or that there is no point; then
//!    [`resume`](client::Session::resume). [`state`](client::Session::state) is what to tell the player meanwhile.
//!
//! ```
//! use tickwire_shared::arena::{Arena, ArenaInput};
//! use tickwire_shared::client::{Identity, Session, State};
//! use tickwire_shared::Micros;
//!
//! let mut session = Session::<Arena>::new(Identity { name: "ann".into(), ..Identity::default() })?;
//! let now = Micros(0);
//! let hello = session.poll_transmit(now).ok_or("Hello comes first")?;
//! // … send it; then, for each message of the server's: session.handle_message(&bytes, now)?
//! session.set_input(ArenaInput { walk: [127, 0], ..ArenaInput::default() }, now);
//! assert_eq!(session.state(now), State::Connecting);
//! assert!(session.view(now).is_none(), "nothing to draw before the first frame");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A program that is not written in Rust, or does not know its game when it is compiled, uses [`untyped`].
//!
//! The modules stand in the order in which a reader needs them; `WIRE.md` beside this crate shows every byte.

// The derives name this crate by its public name; this lets them work inside it too.
extern crate self as tickwire_shared;

pub mod limits;

pub mod close;
pub mod id;
pub mod tick;

pub mod schema;
pub mod wire;

pub mod protocol;

pub mod client;

pub mod untyped;

pub mod arena;

pub use close::{Close, CloseCode};
pub use id::{ClientId, KindId, NetId};
pub use protocol::Protocol;
pub use schema::{Replicate, ReplicateKinds, Schema};
pub use tick::{Micros, Tick, ViewTick};
pub use tickwire_derive::{Replicate, ReplicateKinds};
