//! What the bits of updates are spent on: by kind of entity and group of fields. A few of the updates are weighed, each
//! again after it was coded, and count for the rest: the coder itself counts nothing. Only the operator reads it.

use tickwire_shared::KindId;
use tickwire_shared::schema::{FieldPlan, GROUPS};
use tickwire_shared::wire::residual::SymbolSink;
use tickwire_shared::wire::symbols::Model;
use tickwire_shared::wire::tables::Tables;

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

    /// An update of this weight went to so many clients.
    pub(super) fn note(&mut self, kind: KindId, weight: GroupBits, clients: u32) {
        let factor = u64::from(clients) * WEIGHED_ONE_IN;
        let sums = &mut self.0[usize::from(kind.0)];
        sums.iter_mut().zip(weight).for_each(|(sum, bits)| *sum += bits * factor);
    }
}

/// Whether a row's update is weighed at this tick.
pub(super) fn is_weighed(row: u32, tick: u64) -> bool {
    (tick + u64::from(row)).is_multiple_of(WEIGHED_ONE_IN)
}

/// Takes symbols as the coder does, and keeps how long their words are.
pub(super) struct Scales<'a> {
    tables: &'a Tables,
    group: usize,
    weight: GroupBits,
}

impl<'a> Scales<'a> {
    pub(super) fn new(tables: &'a Tables) -> Self {
        Self { tables, group: GROUPS, weight: GroupBits::default() }
    }

    pub(super) fn weight(&self) -> GroupBits {
        self.weight
    }
}

impl SymbolSink for Scales<'_> {
    fn symbol(&mut self, model: Model, context: usize, symbol: usize) {
        let (_, length) = self.tables.code(model, context).word(symbol);
        self.weight[self.group] += u64::from(length);
    }

    fn raw(&mut self, _value: u32, count: u32) {
        self.weight[self.group] += u64::from(count);
    }

    fn field(&mut self, field: &FieldPlan) {
        self.group = field.group;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_go_to_the_group_that_was_named_last() {
        let tables = Tables::generic();
        let mut scales = Scales::new(&tables);
        scales.raw(0, 3);
        scales.group = 1;
        scales.raw(0, 5);
        scales.group = 0;
        scales.raw(0, 7);
        assert_eq!(scales.weight(), [7, 5, 0, 0, 3]);
        let (mut bits, mut sum) = (KindBits::of_kinds(2), KindBits::default());
        bits.note(KindId(1), scales.weight(), 2);
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
