//! An allocator that counts, for benches and tests that say how often memory is asked for, and how much is held.

#![allow(unsafe_code, reason = "an allocator is an unsafe trait; every call is handed on to the system's")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicI64, Ordering};

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static HELD: Cell<i64> = const { Cell::new(0) };
}

static HELD_BY_ALL: AtomicI64 = AtomicI64::new(0);

/// The system's allocator, counted: each thread for itself, unless it is said otherwise.
pub struct Counting<T = OfThread>(PhantomData<fn() -> T>);

/// Where it is noted what was asked for and given back.
trait Tally {
    fn note(asked: usize, given_back: usize);
}

/// Each thread counts for itself, so that nothing is shared between them.
pub struct OfThread;

/// All threads count together: for memory that one asks for and another one gives back.
pub struct OfProcess;

impl<T> Counting<T> {
    /// For `#[global_allocator]`.
    #[must_use]
    pub const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<T> Default for Counting<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl Counting {
    /// How often this thread asked for memory, growing included.
    pub fn allocations(&self) -> u64 {
        ALLOCATIONS.with(Cell::get)
    }

    /// Bytes that this thread asked for and has not given back.
    pub fn held_bytes(&self) -> u64 {
        u64::try_from(HELD.with(Cell::get)).unwrap_or(0)
    }
}

impl Counting<OfProcess> {
    /// Bytes that were asked for and not given back.
    pub fn held_bytes(&self) -> u64 {
        u64::try_from(HELD_BY_ALL.load(Ordering::Relaxed)).unwrap_or(0)
    }
}

impl Tally for OfThread {
    fn note(asked: usize, given_back: usize) {
        // A thread that is ending may have no counters any more.
        let _ = HELD.try_with(|held| held.set(held.get() + asked as i64 - given_back as i64));
        if asked > 0 {
            let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        }
    }
}

impl Tally for OfProcess {
    fn note(asked: usize, given_back: usize) {
        HELD_BY_ALL.fetch_add(asked as i64 - given_back as i64, Ordering::Relaxed);
    }
}

// SAFETY: all functions hand on to the system's allocator with the arguments that they got, and counting asks for no memory.
unsafe impl<T: Tally> GlobalAlloc for Counting<T> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        T::note(layout.size(), 0);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        T::note(layout.size(), 0);
        // SAFETY: as the caller promises.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        T::note(0, layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(ptr, layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        T::note(new_size, layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.realloc(ptr, layout, new_size) }
    }
}
