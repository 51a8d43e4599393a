//! Network ids: never the same twice in a room, in an order from which nothing can be read.
//!
//! A counter goes through a keyed permutation of the 32-bit numbers, a Feistel network of four rounds. It is no
//! cipher to withstand an attacker with many ids, but a client cannot tell from two ids how many lie between.

use serde::{Deserialize, Serialize};
use tickwire_shared::NetId;

/// Deals out ids.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct IdDealer {
    key: u64,
    next: u32,
}

impl IdDealer {
    /// With the room's own key.
    #[must_use]
    pub fn new(key: u64) -> Self {
        Self { key, next: 0 }
    }

    /// The next id.
    pub fn deal(&mut self) -> NetId {
        let id = NetId(permute(self.key, self.next));
        self.next = self.next.wrapping_add(1);
        id
    }
}

fn permute(key: u64, value: u32) -> u32 {
    let (mut left, mut right) = ((value >> 16) as u16, value as u16);
    for round in 0..4_u64 {
        let mixed = (u64::from(right) ^ key.rotate_left(round as u32 * 16))
            .wrapping_mul(0x9E37_79B9_7F4A_7C15)
            .wrapping_add(round);
        (left, right) = (right, left ^ (mixed >> 40) as u16);
    }
    u32::from(left) << 16 | u32::from(right)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn never_twice_and_not_in_order() {
        let mut dealer = IdDealer::new(42);
        let ids: Vec<_> = (0..100_000).map(|_| dealer.deal()).collect();
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
        let rising = ids.windows(2).filter(|pair| pair[0] < pair[1]).count();
        assert!((45_000..55_000).contains(&rising), "{rising} of 100,000 ids are larger than the one before");
    }
}
