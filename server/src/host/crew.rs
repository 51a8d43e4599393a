//! Who packs: the calling thread alone, or others too. The core starts no thread; whoever runs a room may lend it some.

/// Runs jobs that may be done side by side.
pub trait Crew {
    /// How many jobs are done at the same time.
    fn width(&self) -> usize;

    /// Calls `job` once with each number below `jobs`, in any order, and returns when all are done.
    fn run(&self, jobs: usize, job: &(dyn Fn(usize) + Sync));
}

/// The calling thread alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alone;

impl Crew for Alone {
    fn width(&self) -> usize {
        1
    }

    fn run(&self, jobs: usize, job: &(dyn Fn(usize) + Sync)) {
        (0..jobs).for_each(job);
    }
}
