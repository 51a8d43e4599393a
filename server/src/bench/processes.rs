//! The two programs that a bench starts: the server is this one again, the clients are `tickwire-demo bots`. They end with whoever
//! started them, and are counted by what the system says of them.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use clap::Args;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use super::{now, scrape};

/// How far rooms go when they have more to do than time.
const OVERLOAD_KEY: &str = "TICKWIRE_OVERLOAD__LAST_STEP";

/// How long a server may take to be ready.
const READY_WITHIN: Duration = Duration::from_secs(10);
/// Descriptors that the programs need besides one for each client.
const DESCRIPTORS_BESIDES: u64 = 200;
/// Length of a unit of the system's CPU times, in seconds (`getconf CLK_TCK` is 100 wherever this runs).
const CLOCK_TICK_S: f64 = 0.01;

/// Whom a bench measures with, as every bench of real clients is asked.
#[derive(Args)]
pub(super) struct RigArgs {
    /// How often each client's input changes per second, at random moments
    #[arg(long, value_name = "R", default_value_t = 2.0)]
    pub(super) input_rate: f64,
    /// Share of the clients that read whole frames and verify checksums; the others read only what they need to answer
    #[arg(long, value_name = "SHARE", default_value_t = 0.1)]
    pub(super) decode_share: f64,
    /// The server gets this core alone, the clients all others
    #[arg(long, value_name = "CORE")]
    pub(super) pin: Option<usize>,
    /// Where `tickwire-demo` is; beside this program when left out
    #[arg(long, value_name = "PATH")]
    bots: Option<PathBuf>,
    /// First of the two ports of the server; free ones when left out
    #[arg(long, value_name = "PORT")]
    pub(super) port: Option<u16>,
}

impl RigArgs {
    /// For clients that join at so many per second and play for so many seconds.
    pub(super) fn bots_flags(&self, ramp_per_s: usize, seconds: u64) -> Vec<(&'static str, String)> {
        vec![
            ("--seconds", seconds.to_string()),
            ("--ramp", format!("{ramp_per_s}/s")),
            ("--input-rate", self.input_rate.to_string()),
            ("--decode-share", self.decode_share.to_string()),
        ]
    }
}

/// Where they are and what they may use.
pub(super) struct Programs {
    server: PathBuf,
    bots: PathBuf,
    cores: Option<Cores>,
    /// How much the swarm stands back behind the server.
    swarm_nice: u8,
}

/// Who gets which cores.
struct Cores {
    server: CpuSet,
    others: CpuSet,
}

/// A running program. It ends when this is dropped.
pub(super) struct Running(Option<Child>);

/// Where the server listens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Addresses {
    pub(super) public: SocketAddr,
    pub(super) admin: SocketAddr,
}

impl Programs {
    /// Finds them, or says how to make them: the swarm beside this program, unless it is named. The server gets a core
    /// alone, if one is named.
    pub(super) fn find(args: &RigArgs, clients: usize) -> Result<Self, String> {
        let server =
            std::env::current_exe().map_err(|error| format!("this program cannot find itself: {error}"))?;
        let beside = server.parent().unwrap_or(Path::new(".")).join("tickwire-demo");
        let bots = args.bots.clone().unwrap_or(beside);
        if !bots.is_file() {
            return Err(format!(
                "{} is not there: build it with `cargo build --release -p tickwire-demo`, or name it by --bots",
                bots.display()
            ));
        }
        allow_descriptors(clients as u64 + DESCRIPTORS_BESIDES)?;
        let cores = args.pin.map(Cores::new).transpose()?;
        if let Some(cores) = &cores {
            // This program itself must not take from the server.
            cores.take(&cores.others)?;
        }
        Ok(Self { server, bots, cores, swarm_nice: 0 })
    }

    /// With a swarm that stands back behind the server.
    pub(super) fn nice(self, swarm_nice: u8) -> Self {
        Self { swarm_nice, ..self }
    }

    /// A server that takes so many clients; ready when this returns.
    pub(super) fn start_server(
        &self,
        flags: &[(&str, String)],
        clients: usize,
        at: Addresses,
    ) -> Result<Running, String> {
        let mut command = Command::new(&self.server);
        command.args(["serve", "--listen", &at.public.to_string(), "--admin-listen", &at.admin.to_string()]);
        command.args(["--connections-max", &(clients + 10).max(100).to_string()]);
        command.args(flags.iter().flat_map(|(name, value)| [*name, value]));
        // Rooms that are measured asleep must not be disposed of meanwhile.
        command.env("RUST_LOG", "error").env("TICKWIRE_ROOM_EMPTY_AFTER", "1h").env_remove("PORT");
        // What is measured is all of it, and not what is left when rooms have given something up, unless that is asked for.
        if std::env::var_os(OVERLOAD_KEY).is_none() {
            command.env(OVERLOAD_KEY, "none");
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit());
        if let Some(cores) = &self.cores {
            cores.take(&cores.server)?;
        }
        let child = command.spawn().map_err(|error| format!("{}: {error}", self.server.display()));
        if let Some(cores) = &self.cores {
            cores.take(&cores.others)?;
        }
        let mut running = Running(Some(child?));
        running.wait_until_ready(at.admin)?;
        Ok(running)
    }

    /// So many clients.
    pub(super) fn start_bots(
        &self,
        flags: &[(&str, String)],
        clients: usize,
        at: SocketAddr,
    ) -> Result<Running, String> {
        // It replaces itself with the swarm, so that there is one process of which the system says what it took.
        let mut command = Command::new("nice");
        command.arg("-n").arg(self.swarm_nice.to_string()).arg(&self.bots);
        command.args(["bots", &at.to_string(), "--json", "--clients", &clients.to_string()]);
        command.args(flags.iter().flat_map(|(name, value)| [*name, value]));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let child = command.spawn().map_err(|error| format!("{}: {error}", self.bots.display()))?;
        Ok(Running(Some(child)))
    }
}

impl Cores {
    fn new(core: usize) -> Result<Self, String> {
        let allowed = sched_getaffinity(None).map_err(|error| format!("--pin: {error}"))?;
        let mut server = CpuSet::new();
        if core >= CpuSet::MAX_CPU || !allowed.is_set(core) {
            return Err(format!("--pin {core}: this program may not use that core"));
        }
        server.set(core);
        let mut others = allowed;
        others.unset(core);
        if others.count() == 0 {
            return Err("--pin: no core is left for the clients".to_owned());
        }
        Ok(Self { server, others })
    }

    /// For this thread, and what it starts from now on.
    fn take(&self, cores: &CpuSet) -> Result<(), String> {
        sched_setaffinity(None, cores).map_err(|error| format!("--pin: {error}"))
    }
}

impl Running {
    fn wait_until_ready(&mut self, admin: SocketAddr) -> Result<(), String> {
        let began = now();
        while scrape::metrics(admin).is_err() {
            if self.is_over() || began.elapsed() > READY_WITHIN {
                return Err(format!("the server on {admin} did not become ready"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// CPU time, user and system, in seconds.
    pub(super) fn cpu_s(&self) -> Option<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.0.as_ref()?.id())).ok()?;
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
        let (user, system) = (fields.next()?.parse::<f64>().ok()?, fields.next()?.parse::<f64>().ok()?);
        Some((user + system) * CLOCK_TICK_S)
    }

    /// Resident memory, in MiB.
    pub(super) fn resident_mib(&self) -> Option<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.as_ref()?.id())).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
        Some(line.split_whitespace().nth(1)?.parse::<f64>().ok()? / 1024.0)
    }

    pub(super) fn is_over(&mut self) -> bool {
        self.0.as_mut().is_none_or(|child| !matches!(child.try_wait(), Ok(None)))
    }

    /// What it printed, unless it takes too long.
    pub(super) fn output(mut self, within: Duration) -> Result<Output, String> {
        let began = now();
        while !self.is_over() {
            if began.elapsed() > within {
                return Err(format!("the clients did not end within {} s", within.as_secs()));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let child = self.0.take().ok_or("it was never started")?;
        child.wait_with_output().map_err(|error| error.to_string())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            // Perhaps it is over already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Addresses {
    /// Two ports of this machine.
    pub(super) fn new(port: Option<u16>) -> Result<Self, String> {
        let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
        if let Some(port) = port {
            return Ok(Self {
                public: at(port),
                admin: at(port.checked_add(1).ok_or("--port is too large")?),
            });
        }
        let free = || TcpListener::bind(at(0)).map_err(|error| format!("no port is free: {error}"));
        // Both are held until both are known.
        let (one, other) = (free()?, free()?);
        let address = |listener: &TcpListener| listener.local_addr().map_err(|error| error.to_string());
        Ok(Self { public: address(&one)?, admin: address(&other)? })
    }
}

fn allow_descriptors(wanted: u64) -> Result<(), String> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= wanted) {
        return Ok(());
    }
    let too_few = || format!("{wanted} descriptors are needed; allow more with `ulimit -n {wanted}` as root");
    if maximum.is_some_and(|maximum| maximum < wanted) {
        return Err(too_few());
    }
    setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum }).map_err(|_| too_few())
}
