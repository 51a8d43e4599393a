//! What an update takes, without writing it: the same coder writes into pans that keep how many bits came. Run for the few
//! updates that are weighed for the operator, and when somebody asks what an entity took.

use tickwire_shared::schema::FieldPlan;
use tickwire_shared::wire::bits::BitSink;
use tickwire_shared::wire::residual::{Coder, SymbolSink};
use tickwire_shared::wire::symbols::Model;
use tickwire_shared::wire::tables::Tables;

/// Counts instead of writing.
struct Pan<'a>(&'a mut u64);

impl BitSink for Pan<'_> {
    fn bits(&mut self, _: u32, count: u32) {
        *self.0 += u64::from(count);
    }
}

/// A sink with a pan for each kind of thing that bits are spent on.
pub(super) struct Scales<'a, F> {
    tables: &'a Tables,
    pans: &'a mut [u64],
    /// Where the bits go.
    at: usize,
    pan_of: F,
}

impl<'a, F: Fn(&FieldPlan) -> usize> Scales<'a, F> {
    /// What comes before the first field, the mask, goes into the pan `mask`, a field into the one that `pan_of` says.
    pub(super) fn new(tables: &'a Tables, pans: &'a mut [u64], mask: usize, pan_of: F) -> Self {
        Self { tables, pans, at: mask, pan_of }
    }

    fn coder(&mut self, code: impl FnOnce(&mut Coder<'_, Pan<'_>>)) {
        code(&mut Coder { tables: self.tables, out: &mut Pan(&mut self.pans[self.at]) });
    }
}

impl<F: Fn(&FieldPlan) -> usize> SymbolSink for Scales<'_, F> {
    fn symbol(&mut self, model: Model, context: usize, symbol: usize) {
        self.coder(|coder| coder.symbol(model, context, symbol));
    }

    fn raw(&mut self, value: u32, count: u32) {
        self.coder(|coder| coder.raw(value, count));
    }

    fn field(&mut self, field: &FieldPlan) {
        self.at = (self.pan_of)(field);
    }
}

#[cfg(test)]
mod tests {
    use tickwire_shared::schema::{FieldClass, View};

    use super::*;

    #[test]
    fn bits_go_into_the_pan_that_was_named_last() {
        let tables = Tables::generic();
        let field = |first| FieldPlan {
            class: FieldClass::Angle { bits: 8 },
            view: View::Public,
            first,
            columns: 1,
            group: 0,
        };
        let mut pans = [0; 3];
        let mut scales = Scales::new(&tables, &mut pans, 2, |field: &FieldPlan| field.first);
        scales.raw(0, 3);
        scales.field(&field(1));
        scales.raw(0, 5);
        scales.field(&field(0));
        scales.raw(0, 7);
        assert_eq!(pans, [7, 5, 3]);
    }
}
