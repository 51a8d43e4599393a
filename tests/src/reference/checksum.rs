//! The checksum of all that a client holds.

use super::client::Slot;
use super::update::{Seen, State};

/// MurmurHash3 for 32 bits over the words of a roster and of the private state, without its last word, the length.
#[must_use]
pub(super) fn checksum(slots: &[Slot], private: &State) -> u32 {
    let mut words = Vec::new();
    for slot in slots {
        let parked = i64::from(slot.parked.is_some());
        words.extend([slot.id, slot.view as i64 + 256 * slot.tier as i64 + 65_536 * parked]);
        if slot.parked.is_none() {
            slot.window.iter().for_each(|state| words.extend(seen_columns(&slot.seen, state)));
        }
    }
    words.extend(private);
    let mut hash = 0x811C_9DC5_u64;
    for word in words {
        let word = times(low(word as u64), 0xCC9E_2D51);
        let word = times(turned(word, 15), 0x1B87_3593);
        hash = low(times(turned(hash ^ word, 13), 5) + 0xE654_6B64);
    }
    hash = times(hash ^ hash >> 16, 0x85EB_CA6B);
    hash = times(hash ^ hash >> 13, 0xC2B2_AE35);
    (hash ^ hash >> 16) as u32
}

fn seen_columns(seen: &Seen, state: &State) -> Vec<i64> {
    seen.fields.iter().flat_map(|field| state[field.columns()].to_vec()).collect()
}

fn low(value: u64) -> u64 {
    value % (1 << 32)
}

fn times(a: u64, b: u64) -> u64 {
    low(a * b)
}

fn turned(value: u64, by: u32) -> u64 {
    low(value << by) + (value >> (32 - by))
}
