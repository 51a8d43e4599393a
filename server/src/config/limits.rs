//! What one peer may do and how long it may take, and what all of them together may. Every value is bounded, by default
//! and at most; `CONFIG.md` says why each is what it is.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tickwire_shared::limits::{CLIENT_MESSAGE_BYTES_MAX, NAME_BYTES_MAX};

use super::{ConfigError, spans, units, within};

/// What a peer may do, and how long it may take.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Connections of one port that have not become a session.
    pub handshakes_max: usize,
    /// Connections at once from one address; IPv6 by /64.
    pub connections_per_address_max: usize,
    /// New connections per second from one address; IPv6 by /64.
    pub handshakes_per_address_per_s: u32,
    /// New connections that may come from it at once.
    pub handshakes_per_address_burst: u32,
    /// Those of one address at once; IPv6 by /64. A quarter of all at most.
    pub handshakes_per_address_max: usize,
    /// Connections of all clients whose Hello was not accepted yet.
    pub unauthenticated_max: usize,
    /// Whether the limits by address hold for loopback addresses too.
    pub loopback: bool,
    /// For a request's head.
    #[serde(with = "units::duration")]
    pub head_deadline: Duration,
    /// From the upgrade to the first message.
    #[serde(with = "units::duration")]
    pub hello_deadline: Duration,
    /// For a frame that has begun.
    #[serde(with = "units::duration")]
    pub partial_frame_deadline: Duration,
    /// Silence after which a ping goes out; after three times this the peer is gone.
    #[serde(with = "units::duration")]
    pub ping_after: Duration,
    /// How long a write may make no progress.
    #[serde(with = "units::duration")]
    pub write_stall_deadline: Duration,
    /// Largest message from a client before its Hello has been accepted.
    #[serde(with = "units::bytes")]
    pub hello_bytes_max: usize,
    /// Largest message from a client after that.
    #[serde(with = "units::bytes")]
    pub message_bytes_max: usize,
    /// Most frames that one message may come in.
    pub fragments_max: usize,
    /// Frames per second from one client; 0 means twice the tick rate and 20.
    pub frames_per_s: u32,
    /// Frames that may come at once; 0 means those of a second.
    pub frames_burst: u32,
    /// Messages of one client that may wait for one tick; 0 means twice the frames of a burst.
    pub messages_per_tick_max: usize,
    /// Bytes per second from one client.
    #[serde(with = "units::bytes")]
    pub bytes_per_s: usize,
    /// Bytes that may come at once.
    #[serde(with = "units::bytes")]
    pub bytes_burst: usize,
    /// Pings per second from one client.
    pub pings_per_s: u32,
    /// Pings that may come at once.
    pub pings_burst: u32,
    /// Commands per second from one client: chat, and whatever else a game asks for by word.
    pub commands_per_s: u32,
    /// Commands that may come at once.
    pub commands_burst: u32,
    /// How long a client may go on exceeding a budget before it is closed.
    #[serde(with = "units::duration")]
    pub excess_deadline: Duration,
    /// The kernel's send buffer of one connection.
    #[serde(with = "units::bytes")]
    pub send_buffer_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshakes_max: 256,
            connections_per_address_max: 32,
            handshakes_per_address_per_s: 5,
            handshakes_per_address_burst: 20,
            handshakes_per_address_max: 16,
            unauthenticated_max: 512,
            loopback: false,
            head_deadline: Duration::from_secs(5),
            hello_deadline: Duration::from_secs(5),
            partial_frame_deadline: Duration::from_secs(10),
            ping_after: Duration::from_secs(15),
            write_stall_deadline: Duration::from_secs(15),
            hello_bytes_max: CLIENT_MESSAGE_BYTES_MAX,
            message_bytes_max: CLIENT_MESSAGE_BYTES_MAX,
            fragments_max: 8,
            frames_per_s: 0,
            frames_burst: 0,
            messages_per_tick_max: 0,
            bytes_per_s: 16 * 1024,
            bytes_burst: 16 * 1024,
            pings_per_s: 1,
            pings_burst: 5,
            commands_per_s: 5,
            commands_burst: 10,
            excess_deadline: Duration::from_secs(5),
            send_buffer_bytes: 64 * 1024,
        }
    }
}

impl Limits {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        let shortest = Duration::from_millis(10);
        within("limits.handshakes_max", self.handshakes_max, 1, 100_000)?;
        within("limits.connections_per_address_max", self.connections_per_address_max, 1, 1_000_000)?;
        within("limits.handshakes_per_address_per_s", self.handshakes_per_address_per_s, 1, 100_000)?;
        within("limits.handshakes_per_address_burst", self.handshakes_per_address_burst, 1, 100_000)?;
        within("limits.handshakes_per_address_max", self.handshakes_per_address_max, 1, 100_000)?;
        within("limits.unauthenticated_max", self.unauthenticated_max, 1, 1_000_000)?;
        spans("limits.head_deadline", self.head_deadline, shortest)?;
        spans("limits.hello_deadline", self.hello_deadline, shortest)?;
        spans("limits.partial_frame_deadline", self.partial_frame_deadline, shortest)?;
        spans("limits.ping_after", self.ping_after, shortest)?;
        spans("limits.write_stall_deadline", self.write_stall_deadline, shortest)?;
        spans("limits.excess_deadline", self.excess_deadline, Duration::ZERO)?;
        // A Hello of the default arena must fit, whatever is set here.
        let smallest = 512 + NAME_BYTES_MAX;
        within("limits.hello_bytes_max", self.hello_bytes_max, smallest, CLIENT_MESSAGE_BYTES_MAX)?;
        within("limits.message_bytes_max", self.message_bytes_max, smallest, CLIENT_MESSAGE_BYTES_MAX)?;
        within("limits.fragments_max", self.fragments_max, 1, 1024)?;
        within("limits.frames_per_s", self.frames_per_s, 0, 100_000)?;
        within("limits.frames_burst", self.frames_burst, 0, 100_000)?;
        within("limits.messages_per_tick_max", self.messages_per_tick_max, 0, 100_000)?;
        within("limits.bytes_per_s", self.bytes_per_s, CLIENT_MESSAGE_BYTES_MAX, 1 << 30)?;
        // Less would refuse a message that is allowed.
        within("limits.bytes_burst", self.bytes_burst, 2 * CLIENT_MESSAGE_BYTES_MAX, 1 << 30)?;
        within("limits.pings_per_s", self.pings_per_s, 1, 1000)?;
        within("limits.pings_burst", self.pings_burst, 1, 1000)?;
        within("limits.commands_per_s", self.commands_per_s, 1, 10_000)?;
        within("limits.commands_burst", self.commands_burst, 1, 10_000)?;
        within("limits.send_buffer_bytes", self.send_buffer_bytes, 4096, 16 << 20)
    }
}
