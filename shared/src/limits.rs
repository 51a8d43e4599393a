//! Every bound that both ends rely on, in one place, with the relations between them checked at compile time.

/// Version of the byte layouts in `WIRE.md`. A client with another one is refused with code 4001.
pub const PROTOCOL_VERSION: u16 = 6;
/// Subprotocol of the binary session.
pub const SUBPROTOCOL_BINARY: &str = "tickwire.v1";
/// Subprotocol of the JSON session.
pub const SUBPROTOCOL_JSON: &str = "tickwire.json.v1";

/// Largest message that a client may send, in bytes.
pub const CLIENT_MESSAGE_BYTES_MAX: usize = 4096;
/// Largest message that a server may send, in bytes.
pub const SERVER_MESSAGE_BYTES_MAX: usize = 1 << 20;

/// Longest display name, in bytes of UTF-8.
pub const NAME_BYTES_MAX: usize = 32;
/// What a Hello says as its room to be led to the fullest one that has space.
pub const ANY_ROOM: &str = "*";
/// Longest room name, in bytes of UTF-8.
pub const ROOM_BYTES_MAX: usize = 32;
/// Longest authentication token, in bytes.
pub const TOKEN_BYTES_MAX: usize = 2048;
/// Longest reason in a close frame: RFC 6455 leaves 123 bytes after the code.
pub const CLOSE_REASON_BYTES_MAX: usize = 123;

/// Most kinds of entity in one game, the private kind not counted.
pub const KINDS_MAX: usize = 64;
/// Most fields of one kind; a miss mask has one bit per field.
pub const FIELDS_MAX: usize = 16;
/// Most integer columns that the fields of one kind fill.
pub const COLUMNS_MAX: usize = 24;
/// Most bits of one quantized column. The margin keeps prediction inside 32-bit arithmetic.
pub const COLUMN_BITS_MAX: u32 = 28;

/// How many past states of an entity both ends keep: S1 (newest) to S4.
pub const HISTORY: usize = 4;

/// Longest cadence, in ticks: four samples of it fit the ring that pauses are bridged from.
pub const CADENCE_TICKS_MAX: u8 = 12;

/// Most entities in one client's roster.
pub const ROSTER_MAX: usize = 16_384;
/// Most entities that enter a roster in one frame; the others follow a few ticks later, nearest first.
pub const ENTERS_PER_FRAME_MAX: usize = 512;
/// Most game events in one frame.
pub const EVENTS_PER_FRAME_MAX: usize = 256;
/// Largest encoded event, in bytes.
pub const EVENT_BYTES_MAX: usize = 1024;
/// Largest spawn blob, in bytes.
pub const SPAWN_BYTES_MAX: usize = 1024;
/// Largest setup blob of a game in Welcome, in bytes.
pub const SETUP_BYTES_MAX: usize = 64 * 1024;

/// A client acknowledges at the latest after this many applied frames.
pub const ACK_EVERY_FRAMES: u8 = 4;
/// Bounds of the window of unacknowledged snapshots.
pub const WINDOW_FRAMES_MIN: usize = ACK_EVERY_FRAMES as usize + 2;
/// See [`WINDOW_FRAMES_MIN`].
pub const WINDOW_FRAMES_MAX: usize = 16;
/// A client sends its input this often even when nothing changed, which also carries the acknowledgement.
pub const INPUT_REFRESH_MICROS: u64 = 200_000;
/// How far ahead of the server's tick an input may be stamped.
pub const INPUT_LEAD_TICKS_MAX: i32 = 32;
/// Commands that a client may have waiting, on either side.
pub const COMMANDS_PENDING_MAX: usize = 32;

const _: () = assert!(WINDOW_FRAMES_MIN < WINDOW_FRAMES_MAX);
const _: () = assert!(ENTERS_PER_FRAME_MAX <= ROSTER_MAX);
const _: () = assert!(ENTERS_PER_FRAME_MAX * (SPAWN_BYTES_MAX + 64) <= SERVER_MESSAGE_BYTES_MAX);
const _: () = assert!(EVENTS_PER_FRAME_MAX * EVENT_BYTES_MAX <= SERVER_MESSAGE_BYTES_MAX);
const _: () = assert!(TOKEN_BYTES_MAX + 1024 < CLIENT_MESSAGE_BYTES_MAX);
const _: () = assert!(FIELDS_MAX <= 16, "a miss mask is a u16");
const _: () = assert!(KINDS_MAX <= 256, "a kind is a u8");
