//! Network ids: not in use twice, nor again soon after, and nothing can be read from them.
//!
//! An id is a keyed hash of what everybody may know of an entity at its birth: the tick, its kind, its public fields,
//! its spawn blob. So what a client is told of one entity is the same whether or not others, which it does not see,
//! exist; numbers that are counted would tell it how many were born between two that it sees.

use std::collections::{BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};
use tickwire_shared::{NetId, Tick};

/// An id rests for this long before it may be dealt again: longer than a client is held without being told anything.
const REST_TICKS: i32 = 1 << 14;
/// So many ids rest at most.
const RESTING_MAX: usize = 1 << 16;

/// What is known of an entity at its birth.
#[derive(Clone, Copy, Debug)]
pub struct Birth<'a> {
    /// When it was made.
    pub tick: Tick,
    /// The number of its kind.
    pub kind: u8,
    /// The columns of its public fields.
    pub columns: &'a [i32],
    /// Its spawn blob.
    pub spawn: &'a [u8],
}

/// Deals out ids.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct IdDealer {
    key: u64,
    used: BTreeSet<NetId>,
    resting: VecDeque<(Tick, NetId)>,
}

impl IdDealer {
    /// With the room's own key.
    #[must_use]
    pub fn new(key: u64) -> Self {
        Self { key, used: BTreeSet::new(), resting: VecDeque::new() }
    }

    /// The id of a new entity.
    pub fn deal(&mut self, birth: &Birth<'_>) -> NetId {
        self.wake(birth.tick);
        let mut hash = Hash::new(self.key);
        hash.word(birth.tick.0);
        hash.word(u32::from(birth.kind));
        birth.columns.iter().for_each(|column| hash.word(*column as u32));
        birth.spawn.iter().for_each(|byte| hash.word(u32::from(*byte)));
        loop {
            let id = NetId(hash.finish());
            if self.used.insert(id) {
                return id;
            }
            hash.word(id.0);
        }
    }

    /// An entity is gone.
    pub fn free(&mut self, id: NetId, tick: Tick) {
        self.resting.push_back((tick, id));
        self.wake(tick);
    }

    fn wake(&mut self, now: Tick) {
        while let Some((since, id)) = self.resting.front().copied() {
            if now.since(since) < REST_TICKS && self.resting.len() <= RESTING_MAX {
                break;
            }
            self.resting.pop_front();
            self.used.remove(&id);
        }
    }
}

/// A hash to spread ids, not to withstand whoever can choose many births and see their ids.
struct Hash(u64);

impl Hash {
    fn new(key: u64) -> Self {
        Self(key ^ 0x9E37_79B9_7F4A_7C15)
    }

    fn word(&mut self, word: u32) {
        let mixed = (self.0 ^ u64::from(word)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        self.0 = mixed ^ mixed >> 31;
    }

    fn finish(&self) -> u32 {
        let mixed = (self.0 ^ self.0 >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed >> 32) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn birth(tick: u32, column: &[i32]) -> Birth<'_> {
        Birth { tick: Tick(tick), kind: 1, columns: column, spawn: &[] }
    }

    #[test]
    fn never_twice_and_not_in_order() {
        let mut dealer = IdDealer::new(42);
        // A thousand in each tick look alike, which is the worst case.
        let ids: Vec<_> = (0..100_000_u32).map(|number| dealer.deal(&birth(number / 1000, &[7]))).collect();
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
        let rising = ids.windows(2).filter(|pair| pair[0] < pair[1]).count();
        assert!((45_000..55_000).contains(&rising), "{rising} of 100,000 ids are larger than the one before");
    }

    #[test]
    fn others_change_no_id() {
        let (mut alone, mut among) = (IdDealer::new(42), IdDealer::new(42));
        for number in 0..1000 {
            let id = alone.deal(&birth(number, &[number as i32]));
            among.deal(&birth(number, &[-1 - number as i32]));
            assert_eq!(among.deal(&birth(number, &[number as i32])), id);
        }
    }

    #[test]
    fn ids_rest_before_they_come_back() {
        let mut dealer = IdDealer::new(42);
        let id = dealer.deal(&birth(5, &[1]));
        dealer.free(id, Tick(6));
        assert_ne!(dealer.deal(&birth(5, &[1])), id, "it rests");
        dealer.wake(Tick(6).plus(REST_TICKS as u32));
        assert_eq!(dealer.deal(&birth(5, &[1])), id);
    }
}
