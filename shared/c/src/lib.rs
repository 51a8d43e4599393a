//! The border to C: `include/tickwire.h`, function by function. Null pointers, lengths and indices are checked, and a panic does not
//! leave. What stands behind it is [`tickwire_kit`], which is safe code. The only crate with `unsafe` for that reason.

#![allow(clippy::missing_safety_doc, reason = "the header says what callers owe, once for all functions")]
#![allow(
    unsafe_op_in_unsafe_fn,
    reason = "a border function does nothing but hand its pointers to the five below"
)]
#![allow(missing_docs, reason = "the header is the documentation")]

mod held;

mod shapes;

use std::ffi::{CStr, c_char, c_int};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use tickwire_kit::Options;
use tickwire_shared::Micros;
use tickwire_shared::client::{Ended, Freshness};
use tickwire_shared::limits::COLUMNS_MAX;
use tickwire_shared::untyped::{Blob, Input};

pub use held::Held;
pub use shapes::{Bytes, Draining, Entity, SessionOptions, Shown, Stats, Welcome};

const INVALID: c_int = -1;
const ENDED: c_int = -2;
const PANIC: c_int = -3;

/// Works on a session that may change.
unsafe fn change(held: *mut Held, work: impl FnOnce(&mut Held) -> c_int) -> c_int {
    // SAFETY: null, or from `tickwire_new` and not yet freed; no other thread uses it meanwhile.
    let Some(held) = (unsafe { held.as_mut() }) else { return INVALID };
    if held.broken {
        return PANIC;
    }
    catch_unwind(AssertUnwindSafe(|| work(held))).unwrap_or_else(|_| {
        held.broken = true;
        PANIC
    })
}

/// Looks at a session; what looks cannot leave it half changed.
unsafe fn read(held: *const Held, work: impl FnOnce(&Held) -> c_int) -> c_int {
    // SAFETY: as in `change`.
    let Some(held) = (unsafe { held.as_ref() }) else { return INVALID };
    if held.broken {
        return PANIC;
    }
    catch_unwind(AssertUnwindSafe(|| work(held))).unwrap_or(PANIC)
}

/// What the caller has at `data`.
unsafe fn bytes<'a>(data: *const u8, len: usize) -> Option<&'a [u8]> {
    match len {
        0 => Some(&[]),
        _ if data.is_null() || isize::try_from(len).is_err() => None,
        // SAFETY: not null, of a possible length; the caller says that so many bytes are there, and leaves them alone.
        _ => Some(unsafe { std::slice::from_raw_parts(data, len) }),
    }
}

/// Copies to room of the caller's as much as it has.
unsafe fn copy<T: Copy>(from: &[T], place: *mut T, room: usize) {
    if !place.is_null() {
        // SAFETY: not null; the caller says that there is room for so many values, which is its own.
        unsafe { ptr::copy_nonoverlapping(from.as_ptr(), place, from.len().min(room)) };
    }
}

/// Values of a field, all or none.
unsafe fn values(place: *mut f64, room: usize, work: impl FnOnce(&mut [f64]) -> Option<usize>) -> c_int {
    let mut found = [0.0; COLUMNS_MAX];
    match work(&mut found[..room.min(COLUMNS_MAX)]) {
        Some(some) if !place.is_null() => {
            copy(&found[..some], place, room);
            count(Some(some))
        }
        _ => INVALID,
    }
}

/// Puts a value where the caller wants it, unless it wants none.
unsafe fn put<T>(place: *mut T, value: T) {
    if !place.is_null() {
        // SAFETY: not null; the caller says that a value of this type fits there.
        unsafe { ptr::write(place, value) };
    }
}

fn lent(bytes: &[u8]) -> Bytes {
    Bytes { data: bytes.as_ptr(), len: bytes.len() }
}

fn count(count: Option<usize>) -> c_int {
    count.and_then(|count| c_int::try_from(count).ok()).unwrap_or(INVALID)
}

fn place(index: c_int) -> usize {
    // No table is so long.
    usize::try_from(index).unwrap_or(usize::MAX)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn tickwire_new(
    options: *const SessionOptions,
    error: *mut c_char,
    error_room: usize,
) -> *mut Held {
    let open = || {
        // SAFETY: null, or the caller's options.
        let options = unsafe { options.as_ref() }.ok_or("the options are null")?;
        let part = |part: Bytes| bytes(part.data, part.len).ok_or("an option is null but has a length");
        Held::new(&Options {
            schema: part(options.schema)?,
            tables: part(options.tables)?,
            input: part(options.input)?,
            name: part(options.name)?,
            room: part(options.room)?,
            token: part(options.token)?,
            budget_bytes_per_s: options.budget_bytes_per_s,
        })
    };
    let opened = catch_unwind(AssertUnwindSafe(open)).unwrap_or_else(|_| Err("a bug in tickwire".to_owned()));
    let words = match opened {
        Ok(held) => return Box::into_raw(Box::new(held)),
        Err(words) => held::words(&words),
    };
    if !error.is_null() && error_room > 0 {
        let fits = words.as_bytes().len().min(error_room - 1);
        copy(&words.as_bytes()[..fits], error.cast(), error_room);
        put(error.add(fits), 0);
    }
    ptr::null_mut()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn tickwire_free(held: *mut Held) {
    if !held.is_null() {
        // SAFETY: from `tickwire_new`, and the caller frees it once.
        let held = unsafe { Box::from_raw(held) };
        let _ = catch_unwind(AssertUnwindSafe(|| drop(held)));
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn tickwire_error(held: *const Held) -> *const c_char {
    // SAFETY: as in `read`.
    unsafe { held.as_ref() }.map_or(c"the session is null".as_ptr(), |held| held.error.as_ptr())
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn tickwire_resume(held: *mut Held) -> c_int {
    change(held, |held| c_int::from(held.kit.session_mut().resume()))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn tickwire_ended(
    held: *mut Held,
    code: c_int,
    reason: *const c_char,
    random: u32,
    now: u64,
    due: *mut u64,
) -> c_int {
    let reason = text(reason).unwrap_or_default();
    let ended = match u16::try_from(code) {
        Ok(0) | Err(_) => Ended::Lost,
        Ok(code) => Ended::Closed { code, reason },
    };
    change(held, |held| {
        let Some(at) = held.kit.ended(ended, random, Micros(now)) else { return 0 };
        put(due, at.0);
        1
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn tickwire_receive(held: *mut Held, data: *const u8, len: usize, now: u64) -> c_int {
    let Some(message) = bytes(data, len) else { return INVALID };
    change(held, |held| if held.receive(message, Micros(now)) { 0 } else { ENDED })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn tickwire_transmit(held: *mut Held, now: u64, message: *mut Bytes) -> c_int {
    if message.is_null() {
        return INVALID;
    }
    change(held, |held| {
        let there_is = held.transmit(Micros(now));
        if there_is {
            put(message, lent(&held.message));
        }
        c_int::from(there_is)
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn tickwire_set_input(
    held: *mut Held,
    data: *const u8,
    len: usize,
    aims: c_int,
    now: u64,
) -> c_int {
    let Some(input) = bytes(data, len) else { return INVALID };
    change(held, |held| {
        let input = Input { bytes: Blob(input.to_vec()), aims: aims != 0 };
        held.kit.session_mut().set_input(input, Micros(now));
        0
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn tickwire_send_command(held: *mut Held, data: *const u8, len: usize) -> c_int {
    let Some(command) = bytes(data, len) else { return INVALID };
    change(held, |held| c_int::from(held.kit.session_mut().send_command(Blob(command.to_vec()))))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn tickwire_state(held: *const Held, now: u64) -> c_int {
    read(held, |held| held.state(Micros(now)))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn tickwire_get_welcome(held: *const Held, out: *mut Welcome) -> c_int {
    read(held, |held| {
        let session = held.kit.session();
        let (Some(welcome), Some(setup)) = (session.welcome(), session.setup()) else { return 0 };
        let avatar = session.avatar();
        let told = Welcome {
            client: welcome.client.0,
            tick_hz: u32::from(welcome.tick_hz),
            has_avatar: c_int::from(avatar.is_some()),
            avatar: avatar.map_or(0, |id| id.0),
            setup: lent(&setup.0),
        };
        put(out, told);
        1
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn tickwire_get_draining(held: *const Held, out: *mut Draining) -> c_int {
    read(held, |held| {
        let Some(draining) = held.kit.session().draining() else { return 0 };
        let told = Draining { closes_in_ms: draining.closes_in_ms, retry_after_ms: draining.retry_after_ms };
        put(out, told);
        1
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn tickwire_get_stats(held: *const Held, out: *mut Stats) -> c_int {
    read(held, |held| {
        let stats = held.kit.session().stats();
        let told = Stats {
            frames: stats.frames,
            received_bytes: stats.received_bytes,
            sent_bytes: stats.sent_bytes,
            mismatches: stats.mismatches,
            checksums: stats.checksums,
            resyncs: stats.resyncs,
            rtt_us: held.kit.session().rtt_micros().unwrap_or(0),
        };
        put(out, told);
        0
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn tickwire_next_event(held: *mut Held, tick: *mut u32, event: *mut Bytes) -> c_int {
    change(held, |held| {
        let next = held.kit.next_event();
        let Some(at) = held.keep(next) else { return 0 };
        put(tick, at.0);
        put(event, lent(&held.event));
        1
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn tickwire_next_shown_event(
    held: *mut Held,
    tick: *mut u32,
    event: *mut Bytes,
) -> c_int {
    change(held, |held| {
        let next = held.kit.next_shown_event();
        let Some(at) = held.keep(next) else { return 0 };
        put(tick, at.0);
        put(event, lent(&held.event));
        1
    })
}

/// Text of the caller's.
unsafe fn text<'a>(text: *const c_char) -> Option<&'a str> {
    if text.is_null() {
        return None;
    }
    // SAFETY: not null; the caller says that a zero ends it.
    unsafe { CStr::from_ptr(text) }.to_str().ok()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn tickwire_kind(held: *const Held, kind: *const c_char) -> c_int {
    read(held, |held| count(text(kind).and_then(|name| held.kit.kind(name))))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn tickwire_field(held: *const Held, kind: c_int, field: *const c_char) -> c_int {
    read(held, |held| count(text(field).and_then(|name| held.kit.field(usize::try_from(kind).ok(), name))))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn tickwire_tick(held: *const Held) -> u32 {
    let mut tick = 0;
    read(held, |held| {
        tick = held.kit.session().replica().map_or(0, |replica| replica.tick().0);
        0
    });
    tick
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn tickwire_count(held: *const Held) -> c_int {
    read(held, |held| count(Some(held.kit.session().replica().map_or(0, |replica| replica.slots().len()))))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn tickwire_get(held: *const Held, index: c_int, out: *mut Entity) -> c_int {
    read(held, |held| {
        let slots = held.kit.session().replica().map_or(&[][..], |replica| replica.slots());
        let Some(slot) = slots.get(place(index)) else { return INVALID };
        let told = Entity {
            id: slot.id.0,
            kind: c_int::from(slot.kind.0),
            spawn: lent(&slot.spawn.0),
            is_parked: c_int::from(slot.parked.is_some()),
            cut: slot.cut.0,
        };
        put(out, told);
        0
    })
}

unsafe fn give(columns: Option<&[i32]>, out: *mut i32, len: usize) -> c_int {
    let Some(columns) = columns else { return INVALID };
    copy(columns, out, len);
    count(Some(columns.len()))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn tickwire_columns(
    held: *const Held,
    index: c_int,
    out: *mut i32,
    len: usize,
) -> c_int {
    read(held, |held| give(held.kit.columns(place(index)), out, len))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn tickwire_private_columns(held: *const Held, out: *mut i32, len: usize) -> c_int {
    read(held, |held| give(held.kit.private_columns(), out, len))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn tickwire_values(
    held: *const Held,
    index: c_int,
    field: c_int,
    out: *mut f64,
    len: usize,
) -> c_int {
    read(held, |held| values(out, len, |out| held.kit.values(place(index), place(field), out)))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn tickwire_private_values(
    held: *const Held,
    field: c_int,
    out: *mut f64,
    len: usize,
) -> c_int {
    read(held, |held| values(out, len, |out| held.kit.private_values(place(field), out)))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn tickwire_look(
    held: *mut Held,
    now: u64,
    tick: *mut u32,
    fraction: *mut u8,
) -> c_int {
    change(held, |held| {
        let Some(moment) = held.kit.look(Micros(now)) else { return 0 };
        put(tick, moment.tick.0);
        put(fraction, moment.fraction);
        count(Some(held.kit.shown().len()))
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn tickwire_get_shown(held: *const Held, index: c_int, out: *mut Shown) -> c_int {
    read(held, |held| {
        let Some(shown) = held.kit.shown().get(place(index)) else { return INVALID };
        let freshness = match shown.freshness {
            Freshness::Interpolated => 0,
            Freshness::Extrapolated => 1,
            Freshness::Held => 2,
        };
        put(out, Shown { id: shown.id, kind: c_int::from(shown.kind), freshness });
        0
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn tickwire_shown_values(
    held: *const Held,
    index: c_int,
    field: c_int,
    out: *mut f64,
    len: usize,
) -> c_int {
    read(held, |held| values(out, len, |out| held.kit.shown_values(place(index), place(field), out)))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn tickwire_own_values(
    held: *const Held,
    field: c_int,
    out: *mut f64,
    len: usize,
) -> c_int {
    read(held, |held| values(out, len, |out| held.kit.own_values(place(field), out)))
}
