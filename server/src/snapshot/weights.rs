//! What the bits of updates are spent on: by kind of entity and group of fields. A few of the updates are weighed, each
//! again after it was coded, and count for the rest: the coder itself counts nothing. Only the operator reads it.

use tickwire_shared::KindId;
use tickwire_shared::schema::{FieldPlan, GROUPS};
use tickwire_shared::wire::tables::Tables;

use super::scales::Scales;

/// One of so many updates is weighed. A prime, so that no cadence keeps an entity from its turn.
const WEIGHED_ONE_IN: u64 = 61;

/// Bits by group of fields; what says which fields were not as foreseen comes last.
pub type GroupBits = [u64; GROUPS + 1];

/// Bits of updates by kind, as sent to all clients together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KindBits(Vec<GroupBits>);

impl KindBits {
    /// None yet, of so many kinds.
    #[must_use]
    pub(super) fn of_kinds(kinds: usize) -> Self {
        Self(vec![GroupBits::default(); kinds])
    }

    /// By kind, in the order of the schema.
    #[must_use]
    pub fn kinds(&self) -> &[GroupBits] {
        &self.0
    }

    /// Puts others on top.
    pub fn add(&mut self, others: &Self) {
        if self.0.len() < others.0.len() {
            self.0.resize(others.0.len(), GroupBits::default());
        }
        let sums = self.0.iter_mut().flatten();
        sums.zip(others.0.iter().flatten()).for_each(|(sum, bits)| *sum += bits);
    }

    /// Hands over what there is to `sum`, and begins anew.
    pub(super) fn hand_over(&mut self, sum: &mut Self) {
        sum.add(self);
        self.0.fill(GroupBits::default());
    }

    /// Weighs an update, as `write` writes it, that went to so many clients.
    pub(super) fn weigh(
        &mut self,
        tables: &Tables,
        kind: KindId,
        clients: u32,
        write: impl FnOnce(&mut Scales<'_, fn(&FieldPlan) -> usize>),
    ) {
        let mut weight = GroupBits::default();
        write(&mut Scales::new(tables, &mut weight, GROUPS, |field| field.group));
        self.note(kind, weight, clients);
    }

    /// An update of this weight went to so many clients.
    fn note(&mut self, kind: KindId, weight: GroupBits, clients: u32) {
        let factor = u64::from(clients) * WEIGHED_ONE_IN;
        let sums = &mut self.0[usize::from(kind.0)];
        sums.iter_mut().zip(weight).for_each(|(sum, bits)| *sum += bits * factor);
    }
}

/// Whether a row's update is weighed at this tick.
pub(super) fn is_weighed(row: u32, tick: u64) -> bool {
    (tick + u64::from(row)).is_multiple_of(WEIGHED_ONE_IN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_weighed_counts_for_the_rest_and_is_handed_over_once() {
        let (mut bits, mut sum) = (KindBits::of_kinds(2), KindBits::default());
        bits.note(KindId(1), [7, 5, 0, 0, 3], 2);
        bits.hand_over(&mut sum);
        bits.hand_over(&mut sum);
        assert_eq!(sum.kinds()[1][0], 7 * 2 * WEIGHED_ONE_IN);
        assert_eq!(sum.kinds()[0], GroupBits::default());
    }

    #[test]
    fn whatever_the_cadence_every_row_has_its_turn() {
        for period in 1..=12 {
            let weighed = |row| (0..WEIGHED_ONE_IN).filter(|turn| is_weighed(row, turn * period)).count();
            (0..100).for_each(|row| assert_eq!(weighed(row), 1, "period {period}, row {row}"));
        }
    }
}
