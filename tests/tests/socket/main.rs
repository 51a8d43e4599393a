//! The server on real sockets: what bytes on the wire get for an answer, and that nobody else notices.
//!
//! Each test starts a server of its own on a free port.

mod raw;

mod server;

mod player;

mod secure;

mod http;

mod rfc6455;

mod framing;

mod messages;

mod bytewise;

mod budgets;

mod addresses;

mod crowds;

mod rooms;

mod exhaustion;

mod deadlines;

mod keep_alive;

mod closing;

mod slow_reader;

mod playing;

mod embedded;

mod folder;

mod process;

mod recordings;

mod drain;

mod overload;

mod resuming;

mod swarms;

mod capacity;

mod command_line;

mod reloading;

mod logs;

mod dashboards;

mod tls;

mod tokens;

mod owners;

mod hooks;
mod inspector;

mod forwarded;

mod proxies;
