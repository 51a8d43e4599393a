//! What the clients of one run count together, from two threads.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tickwire_shared::Micros;
use tokio::time::Instant;

use crate::dialects::Dialect;
use crate::plan::TICK;
use crate::truth::Truth;

/// The counts.
pub(crate) struct Board {
    epoch: Instant,
    truth: Mutex<Option<Truth>>,
    /// By client.
    pub(crate) seats: Vec<Count>,
    recorded: Option<Vec<Mutex<Vec<u8>>>>,
    pub(crate) is_measuring: AtomicBool,
    probed: Mutex<Probed>,
    faults: Mutex<Vec<String>>,
}

/// Of one client.
#[derive(Default)]
pub(crate) struct Count {
    pub(crate) updates: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) messages: AtomicU64,
    pub(crate) sent_bytes: AtomicU64,
}

/// What the probes found.
#[derive(Default)]
struct Probed {
    latencies_ms: Vec<f64>,
    early_ms: Vec<f64>,
    in_view: u64,
    looks: u64,
    right: u64,
    waiting: u64,
}

/// What was counted between two moments.
#[derive(Clone, Debug, Default)]
pub struct Counted {
    /// By client, per second.
    pub updates_per_s: Vec<f64>,
    /// Of all clients.
    pub updates: u64,
    /// Per client and second, WebSocket framing included.
    pub bytes_per_client_s: f64,
    /// Sent, per client and second.
    pub messages_per_client_s: f64,
    /// The same in bytes.
    pub sent_bytes_per_client_s: f64,
    /// From a key press to the applied state that shows it.
    pub latencies_ms: Vec<f64>,
    /// How long before its tick an input arrives that leaves at the last moment, where clients steer that.
    pub margin_ms: Option<f64>,
    /// Entities in view of a probe.
    pub visible: f64,
    /// Entity states that were compared with the truth and are right.
    pub right: u64,
    /// Those of which a state said nothing, on purpose.
    pub waiting: u64,
}

impl Count {
    fn now(&self) -> [u64; 4] {
        [&self.updates, &self.bytes, &self.messages, &self.sent_bytes]
            .map(|count| count.load(Ordering::Relaxed))
    }
}

impl Board {
    pub(crate) fn new(players: usize, truth: Option<Truth>, records: bool) -> Self {
        Self {
            epoch: Instant::now(),
            truth: Mutex::new(truth),
            seats: (0..players).map(|_| Count::default()).collect(),
            recorded: records.then(|| (0..players).map(|_| Mutex::default()).collect()),
            is_measuring: AtomicBool::new(false),
            probed: Mutex::default(),
            faults: Mutex::default(),
        }
    }

    pub(crate) fn now(&self) -> Micros {
        Micros(self.epoch.elapsed().as_micros() as u64)
    }

    pub(crate) fn complain(&self, fault: String) {
        lock(&self.faults).push(fault);
    }

    /// What went wrong so far.
    pub(crate) fn faults(&self) -> Result<(), String> {
        lock(&self.faults).first().map_or(Ok(()), |fault| Err(fault.clone()))
    }

    pub(crate) fn record(&self, player: usize, message: &[u8]) {
        if let Some(recorded) = &self.recorded {
            let mut recorded = lock(&recorded[player]);
            recorded.extend_from_slice(&(message.len() as u32).to_le_bytes());
            recorded.extend_from_slice(message);
        }
    }

    pub(crate) fn take_recorded(&self) -> Vec<Vec<u8>> {
        self.recorded.iter().flatten().map(|recorded| std::mem::take(&mut *lock(recorded))).collect()
    }

    pub(crate) fn press_seen(&self, latency_ms: f64, early_ms: Option<f64>) {
        let mut probed = lock(&self.probed);
        probed.latencies_ms.push(latency_ms);
        probed.early_ms.extend(early_ms);
    }

    /// Compares what a probe was told with the truth.
    pub(crate) fn check(&self, dialect: &mut dyn Dialect) -> Result<(), String> {
        dialect.check()?;
        let own = dialect.own();
        let Some(view) = dialect.view() else { return Ok(()) };
        let mut probed = lock(&self.probed);
        probed.in_view += view.count() as u64;
        probed.looks += 1;
        let Some(truth) = &mut *lock(&self.truth) else {
            // The dialect has compared them itself.
            probed.right += view.count() as u64;
            return Ok(());
        };
        let verdict = truth.check(view, own);
        probed.right += verdict.right;
        probed.waiting += verdict.waiting;
        verdict.wrong.map_or(Ok(()), Err)
    }

    /// By client: updates, bytes, messages, sent bytes.
    pub(crate) fn counts(&self) -> Vec<[u64; 4]> {
        self.seats.iter().map(Count::now).collect()
    }

    /// What was counted since `before`, which is so long ago.
    pub(crate) fn counted(&self, before: &[[u64; 4]], after: &[[u64; 4]], seconds: f64) -> Counted {
        let counts: Vec<[u64; 4]> = after
            .iter()
            .zip(before)
            .map(|(now, before)| std::array::from_fn(|of| now[of] - before[of]))
            .collect();
        let total = |of: usize| counts.iter().map(|count| count[of]).sum::<u64>();
        let per_client_s = |of: usize| total(of) as f64 / counts.len() as f64 / seconds;
        let Probed { latencies_ms, early_ms, in_view, looks, right, waiting } =
            std::mem::take(&mut *lock(&self.probed));
        // Presses come at any moment: on average half a tick before the last one that is in time.
        let half_tick_ms = TICK.as_secs_f64() * 500.0;
        let margin_ms = early_ms.iter().sum::<f64>() / early_ms.len().max(1) as f64 - half_tick_ms;
        Counted {
            updates_per_s: counts.iter().map(|count| count[0] as f64 / seconds).collect(),
            updates: total(0),
            bytes_per_client_s: per_client_s(1),
            messages_per_client_s: per_client_s(2),
            sent_bytes_per_client_s: per_client_s(3),
            latencies_ms,
            margin_ms: (!early_ms.is_empty()).then_some(margin_ms),
            visible: in_view as f64 / looks.max(1) as f64,
            right,
            waiting,
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
