//! Threads that pack the frames of large rooms: one pool for the whole process, which begins with the first such room.
//! The room's own thread packs too, so there is one less of them than there are cores.

use std::sync::OnceLock;

use rayon::ThreadPool;

use crate::host::{Alone, Crew};

/// The pool.
pub(super) struct Packers {
    threads: usize,
    /// `None` when the system gave no threads: then everybody packs alone.
    pool: OnceLock<Option<ThreadPool>>,
}

impl Packers {
    /// With so many threads; 0 is one for each core.
    pub(super) fn new(threads: usize) -> Self {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        Self { threads: if threads == 0 { cores() } else { threads }, pool: OnceLock::new() }
    }

    fn begin(&self) -> Option<ThreadPool> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(self.threads.saturating_sub(1).max(1))
            .thread_name(|number| format!("packer {number}"))
            .build();
        pool.inspect_err(|error| tracing::warn!(%error, "no threads to pack with")).ok()
    }
}

impl Crew for Packers {
    fn width(&self) -> usize {
        self.threads
    }

    fn run(&self, jobs: usize, job: &(dyn Fn(usize) + Sync)) {
        match self.pool.get_or_init(|| self.begin()) {
            Some(pool) => pool.in_place_scope(|scope| {
                (1..jobs).for_each(|number| scope.spawn(move |_| job(number)));
                job(0);
            }),
            None => Alone.run(jobs, job),
        }
    }
}
