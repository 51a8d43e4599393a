//! What `CONFIG.md` says of the keys that only the operator sees, and of what cannot be set.

use super::{Chapter, Fixed};

pub(super) const CHAPTERS: [Chapter; 9] = [
    Chapter {
        title: "More to do than time",
        before: "A room whose ticks begin late, or take all the time there is, gives something up: two such \
                 seconds in a row lead a step further, five calm ones a step back, and more of them \
                 where going back proved to be too early. Each step is a line in the log, and in \
                 `/metrics` (`tickwire_overloaded_rooms`, `tickwire_overload_steps_total`). No input \
                 is lost without being counted (`tickwire_inputs_total`, `tickwire_dropped_messages_total`), \
                 no tick is left out without it either (`tickwire_tick_skipped_total`).\n\n\
                 | step | what it gives up, besides those before it |\n\
                 | --- | --- |\n\
                 | `no-catch-up` | ticks that are late are skipped rather than made up for: the room's time falls behind. |\n\
                 | `slow-far` | what is beyond half of its radius, or of the distances that the game names, is told of less often; what weapons reach is not. |\n\
                 | `half-rate` | a client's frames go out two at a time: half of the writes, wakeups and packets, and every other frame comes one later. |\n\
                 | `refuse-joins` | newcomers get 4003 with `retry_after`, quick matches go elsewhere; whoever comes back to a session is let in. |\n\
                 | `dilate-time` | time goes slower, a tenth of the tick rate at a time, and clients are told: all stays smooth and nothing is skipped, but a second of the game takes longer. |",
        keys: &[
            (
                "overload.last_step",
                "How far a room goes: `none`, or one of these. `dilate-time` has to be asked for, since \
                 games that many people watch or bet on may not want it.",
            ),
            ("overload.slowest_percent", "How slow time may go, in percent of the tick rate, 10 to 100."),
        ],
        after: "",
    },
    Chapter {
        title: "TLS",
        before: "",
        keys: &[
            (
                "tls.cert",
                "PEM file with the certificate chain, the server's own first. With `tls.key` \
                 it switches TLS on.",
            ),
            ("tls.key", "PEM file with the certificate's private key."),
            (
                "tls.self_signed",
                "Makes a certificate that no client knows, for development; gone when the \
                 process ends.",
            ),
            (
                "tls.handshake_deadline",
                "From accept to the end of the TLS handshake: two round trips and what a slow \
                 phone computes.",
            ),
            ("tls.reload_every", "How often the two files are looked at; SIGHUP looks at once. Two `stat`s."),
        ],
        after: "",
    },
    Chapter {
        title: "Proxies",
        before: "",
        keys: &[
            (
                "proxy.trusted",
                "Networks of proxies that are believed, like `10.0.0.0/8`, 64 at most. Nobody \
                 else's word on whom it speaks for counts.",
            ),
            (
                "proxy.header",
                "The one header that names the client: `x-forwarded-for` or `forwarded`. The \
                 proxy must overwrite it or append to it; any other is ignored.",
            ),
            (
                "proxy.protocol",
                "Whether connections from these networks begin with a PROXY header: `off` or `v2`.",
            ),
            ("proxy.protocol_deadline", "For the PROXY header, which a proxy sends with its first bytes."),
        ],
        after: "",
    },
    Chapter {
        title: "Who may play",
        before: "",
        keys: &[
            (
                "auth.mode",
                "How it is proved who may play: `auto` (`jwt` when a key is named, \
                 `anonymous` when nobody but this machine can come in, else nothing begins), \
                 `anonymous`, `jwt`, or `hook` (the program that embeds the server says).",
            ),
            ("auth.secret_file", "Secret for tokens signed by HS256, 32 bytes at least."),
            ("auth.key_file", "Public key in PEM for tokens signed by EdDSA (Ed25519) or RS256."),
            ("auth.jwks_file", "Several public keys, as a JWK set."),
            (
                "auth.audience",
                "What `aud` of every token must name: this service and no other that trusts \
                 the same keys.",
            ),
            (
                "auth.deadline",
                "How long an authenticator may think before the client is told to come again \
                 (4003): no longer than it may hold a place without being let in.",
            ),
            ("auth.reload_every", "How often the key's file is looked at; SIGHUP looks at once."),
        ],
        after: "An access token has 2,048 bytes at most, a keyring 16 keys. Clocks of those \
                who sign and those who check may differ by 5 s.",
    },
    Chapter {
        title: "The log",
        before: "Standard error, a line each. Every line says of which session it is (`session{peer=… client=…}`), where it is of \
                 one; `client` is the number that the room's clients are known by. A level has one meaning:\n\n\
                 | level | meaning |\n| --- | --- |\n\
                 | `error` | something is broken and somebody has to look: a game panicked, a certificate cannot be read, a recording cannot be written. Nothing that a client sends causes one. |\n\
                 | `warn` | the server runs, but with less than was asked for, or less safely: too few open files, plain text on a public address, lines left out |\n\
                 | `info` | the server or a room is in another state: listening, room begins, room ended, configuration reloaded |\n\
                 | `debug` | a connection or a session: turned away, refused, let in, ended and how |\n\
                 | `trace` | a message; libraries only |",
        keys: &[
            (
                "log.format",
                "`text` for people or `json`, one object per line, for programs. On standard error.",
            ),
            (
                "log.level",
                "The least level that is written: `off`, `error`, `warn`, `info`, `debug` or \
                 `trace`; also by part of the program, `warn,tickwire_server::auth=debug`. \
                 `RUST_LOG` beats it, also when it is changed later.",
            ),
            (
                "log.lines_per_minute",
                "Lines per minute from one place of the program. The rest is counted, and \
                 once a minute a line says how many were left out: who can make the server \
                 write a line cannot fill its disk. 0 writes all.",
            ),
            (
                "log.otlp_endpoint",
                "Where spans of sessions go, by OTLP over HTTP without TLS, like \
                 `http://127.0.0.1:4318/v1/traces`; for builds with `--features otlp`. A collector \
                 that is gone or slow costs its spans and nothing else.",
            ),
        ],
        after: "",
    },
    Chapter {
        title: "Metrics",
        before: "",
        keys: &[(
            "metrics.top_rooms",
            "Rooms in each list of the busiest at `/metrics` (`tickwire_top_room_…`), 0 \
                 to 1,000. Each list has so many series and no more, however many rooms there \
                 are; but every room that was ever in one is a series that Prometheus keeps.",
        )],
        after: "",
    },
    Chapter {
        title: "The flight recorder",
        before: "Off until `recording.dir` names a folder (`--record-dir`). A room's files \
                 hold the names, inputs and words of its\n\
                 players, so they are readable for the server's own user only; tokens are not \
                 in them.",
        keys: &[
            ("recording.dir", "Folder in which each room has its files; without one nothing is recorded."),
            (
                "recording.room_bytes_max",
                "What one room's two files, `ROOM.twrec` and the one before it, \
                 `ROOM.1.twrec`, may have together, 64 KiB to 256 MiB. Each begins with the \
                 whole room, so each can be replayed alone, and at least half of this is \
                 always there. Beyond it the older one is overwritten.",
            ),
            (
                "recording.dir_bytes_max",
                "What the folder may have before files that no room writes any more are \
                 deleted, the oldest first: whoever begins rooms under ever new names fills \
                 no disk. The files being written, half of the value above each, may come on \
                 top.",
            ),
        ],
        after: "",
    },
    Chapter {
        title: "The inspector",
        before: "For `/inspect` on the admin port. That port asks nobody who they are, so it does nothing \
                 for pages from elsewhere: names that are neither IP addresses, `localhost` nor listed\n\
                 here are refused with 421 (they could be pointed at this machine by whoever owns them), \
                 requests of other origins with 403. `/healthz`, `/readyz` and\n\
                 `/metrics` answer to every name.",
        keys: &[
            (
                "inspector.allow_pause",
                "Whether rooms may be paused and stepped (`--allow-pause`). For development: players \
                 of a paused room stand still, and leave after 30 s without news.",
            ),
            (
                "inspector.hosts",
                "Other names by which browsers reach the admin port, like `ops.example`, where a \
                 proxy stands before it.",
            ),
        ],
        after: "",
    },
    Chapter {
        title: "The demo arena",
        before: "",
        keys: &[
            ("arena.size_m", "Length of a side, in metres, 50 to 4,000."),
            ("arena.bots", "Players that the server plays itself, in every room."),
            ("arena.drones", "Wanderers, in every room."),
            ("arena.pickups", "Things to pick up, in every room."),
            (
                "arena.view_radius_m",
                "How far a player sees, in metres. Farther than the arena is wide costs \
                 nothing more.",
            ),
        ],
        after: "",
    },
];

pub(super) const FIXED: [Fixed; 12] = [
    Fixed {
        what: "no input and no acknowledgement from a player",
        value: "10 s",
        why: "then its connection is closed with 4005 and its session held: an honest client \
              says something several times a second",
    },
    Fixed {
        what: "a player that takes no frame",
        value: "30 s",
        why: "then 4008: its window was closed all the time, so it reads nothing",
    },
    Fixed {
        what: "what one client was shown of late, for judging its shots",
        value: "4,096 comings, goings and changes, 128 KiB",
        why: "a crowd that appears or vanishes takes a few hundred; beyond, that client's \
              shots are judged by less long ago",
    },
    Fixed {
        what: "all answers of one HTTP connection",
        value: "60 s",
        why: "the page over the slowest link; one answer per connection",
    },
    Fixed {
        what: "the head of a request",
        value: "8 KiB",
        why: "what the HTTP library takes at least; beyond it 431",
    },
    Fixed {
        what: "a close frame to leave, and the peer to close its side after it",
        value: "2 s and 1 s",
        why: "the end of a connection that is over must not hold a file for long",
    },
    Fixed {
        what: "an error of `accept` that is the server's",
        value: "100 ms",
        why: "until the next try: out of files, trying at once again costs a core",
    },
    Fixed {
        what: "addresses that are remembered without connections",
        value: "65,536",
        why: "about 10 MiB; when it is full, what is forgotten is how often an address came, \
              never how many connections it has",
    },
    Fixed {
        what: "questions of inspectors to rooms",
        value: "8 at once, 20 per second, 40 at once after a pause",
        why: "one page asks five times a second; beyond: 429",
    },
    Fixed {
        what: "what a room answers at once",
        value: "500 clients, 10,000 entities",
        why: "a second answer has more clients; of entities, the nearest to the client that looks",
    },
    Fixed {
        what: "recorded bytes that wait for the disk, of one room",
        value: "4 MiB",
        why: "beyond, ticks are left out of the recording, counted and said in it: no tick \
              waits for a disk",
    },
    Fixed {
        what: "refusals in words at once",
        value: "64 of 500 ms",
        why: "beyond, who comes too often is dropped without a word",
    },
];
