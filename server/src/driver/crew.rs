//! Threads that pack the frames of large rooms: one pool for the whole process, which begins with the first such room.

use std::sync::OnceLock;

use rayon::ThreadPool;
use rayon::iter::{IntoParallelIterator, ParallelIterator};

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
            .num_threads(self.threads)
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
            Some(pool) => pool.install(|| (0..jobs).into_par_iter().for_each(job)),
            None => Alone.run(jobs, job),
        }
    }
}
