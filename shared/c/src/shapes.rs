//! What is handed over the border by value, laid out as the header says. Read and written by the border's functions; knows nothing of
//! what it is for.

use std::ffi::c_int;

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Bytes {
    pub data: *const u8,
    pub len: usize,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SessionOptions {
    pub schema: Bytes,
    pub tables: Bytes,
    pub input: Bytes,
    pub name: Bytes,
    pub room: Bytes,
    pub token: Bytes,
    pub budget_bytes_per_s: u32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Welcome {
    pub client: u32,
    pub tick_hz: u32,
    pub has_avatar: c_int,
    pub avatar: u32,
    pub setup: Bytes,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Draining {
    pub closes_in_ms: u32,
    pub retry_after_ms: u32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Stats {
    pub frames: u64,
    pub received_bytes: u64,
    pub sent_bytes: u64,
    pub mismatches: u64,
    pub checksums: u64,
    pub resyncs: u64,
    pub rtt_us: u64,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Entity {
    pub id: u32,
    pub kind: c_int,
    pub spawn: Bytes,
    pub is_parked: c_int,
    pub cut: u32,
}

#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Shown {
    pub id: u32,
    pub kind: c_int,
    pub freshness: c_int,
}
