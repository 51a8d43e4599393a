//! An allocator that counts, for benches and tests that say how often memory is asked for. Each thread counts for itself, so
//! that nothing is shared between them.

#![allow(unsafe_code, reason = "an allocator is an unsafe trait; every call is handed on to the system's")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static HELD: Cell<i64> = const { Cell::new(0) };
}

/// The system's allocator, counted.
pub struct Counting;

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

fn count(asked: usize, given_back: usize) {
    // A thread that is ending may have no counters any more.
    let _ = HELD.try_with(|held| held.set(held.get() + asked as i64 - given_back as i64));
    if asked > 0 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
    }
}

// SAFETY: all functions hand on to the system's allocator with the arguments that they got, and counting asks for no memory.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: as the caller promises.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        count(0, layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(ptr, layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        count(new_size, layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.realloc(ptr, layout, new_size) }
    }
}
