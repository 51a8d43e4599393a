//! What a room counts. Plain numbers: whoever runs the room publishes them.

use std::collections::BTreeMap;

use tickwire_shared::CloseCode;

/// Totals since the room began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Ticks simulated.
    pub ticks: u64,
    /// Sessions that got a Welcome.
    pub welcomes: u64,
    /// Sessions closed by the room, by code.
    pub closes: BTreeMap<CloseCode, u64>,
    /// What became of inputs.
    pub inputs: Inputs,
    /// Commands handed to the game.
    pub commands: u64,
    /// Commands beyond the queue of their client.
    pub commands_dropped: u64,
    /// Frames packed.
    pub frames: u64,
    /// Frames without anything due, to show that the session lives.
    pub heartbeats: u64,
    /// Bytes of all messages handed out.
    pub sent_bytes: u64,
    /// Client-ticks for which nothing was due.
    pub idle_client_ticks: u64,
    /// Client-ticks skipped because the window of unacknowledged frames was closed or the socket full.
    pub paused_client_ticks: u64,
    /// Frames that brought a paused client back.
    pub resyncs: u64,
    /// Checksums that a client said were different.
    pub state_mismatches: u64,
    /// Acknowledgements of frames that were never sent.
    pub false_acks: u64,
    /// Events that no longer fitted the queue of a paused client.
    pub events_dropped: u64,
    /// Panics of the game; the first ends the room.
    pub panics: u64,
    /// Entity updates coded, once for all clients.
    pub updates_coded: u64,
    /// Bits of these.
    pub updates_coded_bits: u64,
    /// Entity updates spliced into clients' frames.
    pub updates_spliced: u64,
    /// Bits of these.
    pub updates_spliced_bits: u64,
}

/// The named outcomes of inputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Inputs {
    /// Was there for its tick.
    pub on_time: u64,
    /// Its tick was over; used in the next one.
    pub late: u64,
    /// Stamped too far ahead; used as early as the bound allows.
    pub early: u64,
    /// A second one for a tick; replaced the first.
    pub double: u64,
    /// Ticks for which a client had been silent for too long, so that its hands were taken off.
    pub missing: u64,
    /// Impossible values; the client was closed.
    pub impossible: u64,
}
