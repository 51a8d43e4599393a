//! What the measuring itself takes: CPU time of this process, and how late its own timers are. A swarm that is too slow
//! would blame the server.

use serde::Serialize;

use super::report::Tail;

/// Length of a unit of the system's CPU times, in microseconds (`getconf CLK_TCK` is 100 wherever this runs).
const CLOCK_TICK_MICROS: u64 = 10_000;
/// Busier than this it cannot be trusted.
const BUSY_SHARE_MAX: f64 = 0.85;
/// Nor when its own timers are later than this at p99, in milliseconds.
const TIMER_LATE_MS_MAX: f64 = 10.0;

/// What the measuring process took in the measured interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Rig {
    /// Cores that it may use.
    pub cores: usize,
    /// Of those, the share that it used; `None` where the system does not say.
    pub busy_share: Option<f64>,
    /// CPU time by frames, in microseconds.
    pub cpu_us_per_frame: Option<f64>,
    /// CPU time per client, as a share of a core.
    pub core_share_per_client: Option<f64>,
    /// How late its own timers were.
    pub timer_late_ms: Tail,
    /// Whether it was at its limit, so that figures say more about the swarm than about the server.
    pub saturated: bool,
}

impl Rig {
    pub(super) fn new(cpu: Option<u64>, micros: u64, work: (u64, usize), timer_late_ms: Tail) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let share = cpu.map(|cpu| cpu as f64 / micros.max(1) as f64);
        let rounded = |value: f64, scale: f64| (value * scale).round() / scale;
        let busy_share = share.map(|share| rounded(share / cores as f64, 1e3));
        let (frames, clients) = work;
        let late = timer_late_ms.p99.is_some_and(|late| late > TIMER_LATE_MS_MAX);
        Self {
            cores,
            busy_share,
            cpu_us_per_frame: cpu.filter(|_| frames > 0).map(|cpu| rounded(cpu as f64 / frames as f64, 1e2)),
            core_share_per_client: share
                .filter(|_| clients > 0)
                .map(|share| rounded(share / clients as f64, 1e6)),
            timer_late_ms,
            saturated: late || busy_share.is_some_and(|share| share > BUSY_SHARE_MAX),
        }
    }
}

/// CPU time of this process so far, in microseconds, where the system says it.
pub(super) fn cpu_micros() -> Option<u64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace().skip(11);
    let (user, system) = (fields.next()?.parse::<u64>().ok()?, fields.next()?.parse::<u64>().ok()?);
    Some((user + system) * CLOCK_TICK_MICROS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_busy_or_late_says_so() {
        let cores = std::thread::available_parallelism().map_or(1, usize::from) as u64;
        let at = |share: u64, late| {
            let tail = Tail { p50: Some(0.1), p99: Some(late) };
            Rig::new(Some(10_000_000 * cores * share / 100), 10_000_000, (1000, 10), tail)
        };
        assert!(!at(50, 1.0).saturated);
        assert!(at(95, 1.0).saturated);
        assert!(at(50, 30.0).saturated);
        assert_eq!(at(50, 1.0).busy_share, Some(0.5));
        assert!(!Rig::new(None, 1, (0, 0), Tail::default()).saturated);
    }
}
