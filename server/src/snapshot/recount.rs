//! What the updates of one entity took, field by field. Made between ticks, when somebody asks: the last samples are coded once
//! more, by the coder that codes every update, into a sink that counts.

use tickwire_shared::limits::HISTORY;
use tickwire_shared::schema::{FieldPlan, View};
use tickwire_shared::wire::bits::BitSink;
use tickwire_shared::wire::cadence::Tier;
use tickwire_shared::wire::residual::{Coder, SymbolSink, Window};
use tickwire_shared::wire::symbols::Model;
use tickwire_shared::wire::tables::Tables;
use tickwire_shared::wire::update::{self, Step};

use super::capture::Capture;

/// Bits of an entity's last updates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldBits {
    /// Samples that were looked at.
    pub samples: u32,
    /// Those of them that were updates; at the others it rested.
    pub updates: u32,
    /// Bits that say which fields were not as predicted.
    pub mask_bits: u32,
    /// Bits of each field of its kind.
    pub field_bits: Vec<u32>,
    /// Bits of the newest sample's update.
    pub newest_bits: u32,
}

impl FieldBits {
    /// All of them.
    #[must_use]
    pub fn bits(&self) -> u32 {
        self.mask_bits + self.field_bits.iter().sum::<u32>()
    }
}

impl Capture {
    /// What the updates of a row took for those who are told of it at `tier` as much as `view` shows, in the samples of the
    /// last `ticks`. What went before its last cut is not counted, nor the cut.
    #[must_use]
    pub fn field_bits(&self, row: u32, tier: Tier, view: View, ticks: u64) -> FieldBits {
        let (plan, tables) = (self.plan(), self.tables());
        let kind = plan.kind(self.row(row).kind);
        let period = u64::from(self.schedule().cadences().period(tier));
        let mut found = FieldBits { field_bits: vec![0; kind.fields.len()], ..FieldBits::default() };
        let mut before = vec![0; plan.stride * HISTORY];
        let newest = self.sampled_at(row, tier, self.last_seen(row));
        let mut sample = newest;
        while sample > 0
            && sample + ticks > self.tick()
            && self.past_window(row, tier, sample - 1, &mut before)
            && let Some(state) = self.past_state(row, sample)
        {
            found.samples += 1;
            let window = Window::new(&before, plan.stride);
            let is_same = |other: &[i32]| kind.seen(view).all(|field| field.of(other) == field.of(state));
            if !is_same(window.state(0)) || !(1..HISTORY).all(|age| is_same(window.state(age))) {
                let mut sink = Recount::new(tables, &kind.fields);
                update::write(kind, view, Step::Moved, window, state, &mut sink);
                found.take(&sink, sample == newest);
            }
            sample = sample.saturating_sub(period);
        }
        found
    }
}

impl FieldBits {
    fn take(&mut self, sink: &Recount<'_>, is_newest: bool) {
        self.updates += 1;
        self.mask_bits += sink.bits[0].0;
        self.field_bits.iter_mut().zip(&sink.bits[1..]).for_each(|(sum, bits)| *sum += bits.0);
        if is_newest {
            self.newest_bits = sink.bits.iter().map(|bits| bits.0).sum();
        }
    }
}

/// Counts instead of writing.
#[derive(Clone, Copy, Debug, Default)]
struct Count(u32);

impl BitSink for Count {
    fn bits(&mut self, _: u32, count: u32) {
        self.0 += count;
    }
}

/// Counts by field.
struct Recount<'a> {
    tables: &'a Tables,
    fields: &'a [FieldPlan],
    /// Of the mask, then of each field.
    bits: Vec<Count>,
    at: usize,
}

impl<'a> Recount<'a> {
    fn new(tables: &'a Tables, fields: &'a [FieldPlan]) -> Self {
        Self { tables, fields, bits: vec![Count::default(); fields.len() + 1], at: 0 }
    }

    fn coder(&mut self) -> Coder<'_, Count> {
        Coder { tables: self.tables, out: &mut self.bits[self.at] }
    }
}

impl SymbolSink for Recount<'_> {
    fn symbol(&mut self, model: Model, context: usize, symbol: usize) {
        self.coder().symbol(model, context, symbol);
    }

    fn raw(&mut self, value: u32, count: u32) {
        self.coder().raw(value, count);
    }

    fn field(&mut self, field: &FieldPlan) {
        let place = self.fields.iter().position(|other| other.first == field.first);
        self.at = place.map_or(0, |place| place + 1);
    }
}
