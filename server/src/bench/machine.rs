//! The machine: what it is, and how much of it other programs take meanwhile.

use serde::Serialize;

/// Length of a unit of the system's CPU times, in seconds.
const CLOCK_TICK_S: f64 = 0.01;

/// What it is.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Machine {
    pub(super) cpu: String,
    pub(super) cores: usize,
    pub(super) kernel: String,
    /// Over one, five and fifteen minutes, before the bench.
    pub(super) load: String,
}

impl Machine {
    pub(super) fn look() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let cpuinfo = read("/proc/cpuinfo");
        let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let load = read("/proc/loadavg");
        Self {
            cpu: model.map_or("unknown".to_owned(), |(_, name)| name.to_owned()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            load: load.split(' ').take(3).collect::<Vec<_>>().join(" "),
        }
    }
}

/// CPU time of all programs so far, in seconds; `None` where the system does not say.
pub(super) fn busy_s() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/stat").ok()?;
    let times: Vec<f64> = stat
        .lines()
        .next()?
        .split_whitespace()
        .skip(1)
        .take(8)
        .filter_map(|time| time.parse().ok())
        .collect();
    // User, nice, system, idle, waiting, interrupts twice, stolen.
    let [user, nice, system, _, _, interrupts, soft, stolen] = times[..] else { return None };
    Some((user + nice + system + interrupts + soft + stolen) * CLOCK_TICK_S)
}
