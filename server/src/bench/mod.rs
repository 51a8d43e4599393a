//! `tickwire-server bench`: how much this server carries on this machine, with a verdict. A part of the binary: the library
//! knows nothing of it.

mod core;

mod send;

mod processes;

mod machine;

mod scrape;

mod capacity;

mod rooms;

use std::process::ExitCode;
use std::time::Instant;

use clap::Subcommand;

use crate::commands::fail;

/// What can be measured.
#[derive(Subcommand)]
pub(crate) enum Bench {
    /// What one tick costs without sockets, stage by stage: CPU time, allocations, bytes
    #[command(after_help = "Example: tickwire-server bench core --scene interest --json core.json")]
    Core(core::CoreArgs),
    /// What the send stage of a tick costs, framing and writing, beside plain writes of the same bytes in the same run
    #[command(after_help = "Example: tickwire-server bench send --clients 500 --ratio-max 1.25")]
    Send(send::SendArgs),
    /// How many clients: starts a server, lets ever more real clients play on it, and says where it breaks and what broke
    #[command(
        after_help = "Example: tickwire-server bench capacity --find-max --p99 10ms --tick-hz 30\n         \
                            tickwire-server bench capacity --clients 500 --p99 10ms --json result.json\n\n\
                            The clients are `tickwire-demo bots`: cargo build --release -p tickwire-server -p tickwire-demo"
    )]
    Capacity(Box<capacity::CapacityArgs>),
    /// Many small rooms: how late their ticks begin, how long a scrape takes, and what they cost when they sleep
    #[command(
        after_help = "Example: tickwire-server bench rooms --rooms 1000 --tick-hz 20 --seconds 20\n         \
                            tickwire-server bench rooms --rooms 200 --seconds 5 --sleeping-us-max 50 --json rooms.json\n\n\
                            The clients are `tickwire-demo bots`: cargo build --release -p tickwire-server -p tickwire-demo"
    )]
    Rooms(Box<rooms::RoomsArgs>),
}

/// Runs it; the error is the exit code.
pub(crate) fn run(bench: Bench) -> Result<(), ExitCode> {
    match bench {
        Bench::Core(args) => core::run(&args).map_err(|why| fail(&why)),
        Bench::Send(args) => send::run(&args).map_err(|why| fail(&why)),
        Bench::Capacity(args) => capacity::run(&args),
        Bench::Rooms(args) => rooms::run(&args),
    }
}

#[allow(clippy::disallowed_methods, reason = "a bench keeps time")]
fn now() -> Instant {
    Instant::now()
}
