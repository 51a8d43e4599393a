//! The client's WebSocket: the only module of this crate that knows fastwebsockets, tungstenite, hyper and rustls.
//!
//! Binary messages with the time of their arrival come out, binary messages go in. It knows no session and
//! looks into no message.

mod connect;

mod stream;

mod tls;

mod reader;

mod writer;

mod delayed;

mod direct;

mod connection;

pub use connect::{ConnectError, Link, connect};
pub use connection::{Connection, Ending, Event, Traffic};
