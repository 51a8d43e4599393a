//! What `CONFIG.md` says of the keys that players feel: who may connect, what they may send, what they are told.

use super::Chapter;

pub(super) const CHAPTERS: [Chapter; 7] = [
    Chapter {
        title: "Ports and who is asked",
        before: "",
        keys: &[
            (
                "listen",
                "Address of the public port; port 0 takes any free one. `PORT=8080` in the \
                 environment means `0.0.0.0:8080`. An address that others can reach needs \
                 TLS, a trusted proxy or `allow_plaintext`, else nothing begins.",
            ),
            (
                "admin_listen",
                "Address of the admin port: metrics, rooms, and everything that only the \
                 operator may do. It asks nobody who they are, so it stays on loopback unless \
                 `allow_public_admin` is set.",
            ),
            (
                "allow_plaintext",
                "Says that everybody may connect to a public address without TLS. Then \
                 everybody on the way can read and change what players send and see.",
            ),
            (
                "allow_public_admin",
                "Says that the admin port may be on another address than this machine's own: \
                 behind a firewall, or in a network of its own, where Prometheus comes from.",
            ),
        ],
        after: "",
    },
    Chapter {
        title: "Who may connect",
        before: "",
        keys: &[
            (
                "connections_max",
                "WebSocket sessions at once. Reduced at start to what the limit of open files \
                 allows (the soft limit is raised to the hard one first; 200 files are kept \
                 for everything else), so that files never run out. Beyond it: 503 with \
                 `Retry-After`, before the upgrade.",
            ),
            (
                "allowed_origins",
                "Origins besides the server's own from which pages may connect, like \
                 `https://game.example`; `null` stands for pages without one. Without a list \
                 any other page is refused (403), so that no foreign page plays in its \
                 visitors' names.",
            ),
            (
                "absent_origin",
                "What a request without an origin gets: `allow` or `refuse`. Browsers always \
                 send one; other programs do not.",
            ),
            (
                "limits.handshakes_max",
                "Connections of one port that are not sessions yet. Further ones wait in the \
                 kernel. 256 handshakes at 5 s each still let 50 newcomers in per second \
                 while an attacker holds all of them.",
            ),
            (
                "limits.connections_per_address_max",
                "At once from one address, IPv6 by /64. A family or a small club behind one \
                 router fits; raise it for schools and LAN parties. Beyond it: 503 with \
                 `Retry-After` before anything is read.",
            ),
            (
                "limits.handshakes_per_address_per_s",
                "New connections per second from one address. A page takes up to seven at \
                 once, and clients that were cut off wait before they try again.",
            ),
            (
                "limits.handshakes_per_address_burst",
                "That many may come at once, so that a club that reconnects gets in.",
            ),
            (
                "limits.handshakes_per_address_max",
                "Connections of one address at once that are no sessions yet: from accept \
                 until their Hello is accepted. Two or three pages that load at once, or a \
                 club; a sixteenth of all places, and never more than a quarter of them \
                 however few there are, so that no single address keeps others out. Beyond \
                 it: 503 with `Retry-After`.",
            ),
            (
                "limits.unauthenticated_max",
                "Upgraded connections of all clients whose Hello was not accepted yet. A \
                 tenth of the sessions: whoever gets no further than the upgrade holds no \
                 place of a player. With an authenticator that takes a second, 512 newcomers \
                 per second. Beyond it: 503 with `Retry-After`, before the upgrade.",
            ),
            (
                "limits.loopback",
                "Whether the limits by address hold for loopback addresses. Off, because a \
                 proxy on the same machine and load tests come from there.",
            ),
        ],
        after: "",
    },
    Chapter {
        title: "How long anything may take",
        before: "",
        keys: &[
            (
                "limits.head_deadline",
                "For a request's head, and from the 101 to the stream. Any real client needs \
                 one round trip.",
            ),
            (
                "limits.hello_deadline",
                "From the upgrade to a good Hello, and from that until the room has taken it: \
                 how long somebody unknown may hold a place.",
            ),
            (
                "limits.partial_frame_deadline",
                "For a frame that has begun. Frames are at most 4 KiB: this is 400 bytes per second.",
            ),
            (
                "limits.ping_after",
                "Silence after which a ping goes out. Two pings may stay unanswered, and a \
                 close frame has 3 s: a half-open peer is gone after 48 s. A player that says \
                 nothing in its room for 10 s is gone already then.",
            ),
            (
                "limits.write_stall_deadline",
                "How long the peer's kernel may take nothing at all. Longer than a phone \
                 takes to change networks.",
            ),
            (
                "limits.excess_deadline",
                "How long a peer may go on beyond a budget before it is closed with 4004. \
                 Every message beyond is dropped and counted from the first one on.",
            ),
        ],
        after: "",
    },
    Chapter {
        title: "How much a client may send",
        before: "",
        keys: &[
            (
                "limits.hello_bytes_max",
                "One message before the Hello is accepted. A Hello of the demo game takes 200 \
                 bytes; a token has room.",
            ),
            (
                "limits.message_bytes_max",
                "One message after it. Inputs take 10 to 30 bytes. The declared size is \
                 checked before it is waited for: 1009.",
            ),
            (
                "limits.fragments_max",
                "Frames of one message. Browsers send one; fragments cost as much as messages.",
            ),
            (
                "limits.frames_per_s",
                "Frames of every kind; 0 means twice the tick rate and 20. A client sends one \
                 message per tick at most; the rest is for bursts and pings.",
            ),
            (
                "limits.frames_burst",
                "Frames at once; 0 means those of a second: what a link delivers after it \
                 stood still for two.",
            ),
            (
                "limits.messages_per_tick_max",
                "Messages that wait for one tick; 0 means twice a burst. Only a room whose \
                 ticks are late ever sees as many.",
            ),
            (
                "limits.bytes_per_s",
                "Heads of frames included. Eight times what an eager client sends at 60 Hz.",
            ),
            ("limits.bytes_burst", "Bytes at once, so also the most that waits for one tick."),
            (
                "limits.pings_per_s",
                "Pings. Each of them is answered, so they are the cheapest way to make a \
                 server work.",
            ),
            ("limits.pings_burst", "Pings at once."),
            (
                "limits.commands_per_s",
                "Commands: chat, and whatever else a game asks for by word. Each of them is \
                 told to others, so it costs more than an input.",
            ),
            ("limits.commands_burst", "Commands at once."),
            (
                "limits.send_buffer_bytes",
                "The kernel's buffer for what a client has not read. Without it, a client \
                 that stops reading would cost 4 MiB.",
            ),
        ],
        after: "Names have 1 to 32 bytes and no control characters, no characters that change \
                the direction of text and none that show as nothing;\n\
                rooms' names have 1 to 32 of `a-z`, `0-9`, `-` and `_`. The bounds of what \
                one room does for its clients are in\n\
                `shared/src/limits.rs`.",
    },
    Chapter {
        title: "Ticks and rooms",
        before: "",
        keys: &[
            (
                "tick_hz",
                "Ticks per second of every room, 1 to 240. 30 is what a shooter needs and \
                 leaves 33 ms for a tick. A room made by `POST` may have another.",
            ),
            (
                "seed",
                "Seed of the default room; the others' come from it and their names. The same \
                 seed and the same inputs give the same game.",
            ),
            (
                "room_capacity",
                "Clients in one room, those that are away counted while nobody needs their \
                 place. One core steps and packs a room; `BENCHMARKS.md` says what 1,000 \
                 clients cost. Beyond it: 4003.",
            ),
            (
                "rooms_max",
                "Rooms at once; anybody may begin one by naming it in Hello, and each costs \
                 what its game costs while somebody plays. Up to 100,000. Beyond it: 4003.",
            ),
            (
                "room_empty_after",
                "How long a room stays without clients, those that may come back counted, so \
                 that a page that is loaded again finds its room.",
            ),
            (
                "room_suspend_after",
                "How long a room without clients, those that may come back counted, goes on \
                 ticking. Then it sleeps: no tick, and nothing kept that its game does not \
                 need, until somebody joins.",
            ),
            (
                "room_workers",
                "Threads that rooms live on, 0 for one per core, at most 256. A room moves \
                 from a busy one to an idle one.",
            ),
            (
                "pin_room_workers",
                "Whether each of these threads stays on a core of its own (Linux). On a machine \
                 that does little else, ticks begin on time more often, since the system \
                 does not put two of them on one core now and then; beside other busy \
                 programs it keeps a thread from going where there is room.",
            ),
        ],
        after: "",
    },
    Chapter {
        title: "Sessions",
        before: "",
        keys: &[
            (
                "session_grace",
                "How long a session whose connection was lost is held: a phone changes \
                 networks in less. 30s at most, since ticks on the wire have 16 bits; 0s \
                 holds none.",
            ),
            (
                "retry_after",
                "What a client is told to wait after a close that is not its fault; it adds a \
                 random time as long again, which spreads those who come back.",
            ),
            (
                "drain_notice",
                "How long players are told that the server goes away before their sessions are \
                 closed; at most 1h. It has to fit into the time that whoever stops the \
                 process gives it, with up to 7 s for the rest. Whoever leaves is not waited for.",
            ),
            (
                "state_dir",
                "Folder in which rooms are kept when the server goes away, to be there again at \
                 the next start. A file stays until its room is over; one that cannot be read is \
                 set aside. Without a folder, rooms end with the process.",
            ),
            (
                "lag_compensation_max",
                "How far back a shot is judged by what its shooter was shown; 500ms at most, \
                 0s judges all by the present. Round trip and interpolation delay count \
                 alike, so this covers about 120 ms of round trip in full; who is farther \
                 away must aim ahead by the rest. It is also how long somebody who has gone \
                 into cover may still be hit. What lies beyond is judged at the bound and \
                 counted: `tickwire_rewinds_total`, by `moment`.",
            ),
            (
                "json_session",
                "Whether the JSON session may be used: `auto` (when nobody but this machine \
                 can come in), `on` or `off`.",
            ),
            (
                "json_state_hz",
                "States per second of a JSON session, 1 to 20: each is the whole state as text.",
            ),
        ],
        after: "",
    },
    Chapter {
        title: "How often and how much clients are told",
        before: "",
        keys: &[
            (
                "replication.cadence_ticks",
                "Ticks from one update of an entity to the next at each of the three \
                 cadences; multiples of the first, 12 at most. Frames go out every so many \
                 ticks as the first says: `[2, 6, 12]` halves the number of messages, and \
                 with it most of what a client costs.",
            ),
            (
                "replication.budget_bytes_per_s",
                "What a client is sent at most, WebSocket framing included. In any two \
                 seconds never more than two seconds' budget and one frame. Two hundred \
                 players and three hundred others that all see each other take 10 KiB/s.",
            ),
            (
                "replication.budget_bytes_per_s_max",
                "What a client may ask for in Hello; it may always ask for less, 1 KiB/s at least.",
            ),
            (
                "replication.packing_threads",
                "Threads that help to pack the frames of rooms with 1,000 clients or more; 0 is \
                 one for each core.",
            ),
        ],
        after: "",
    },
];
