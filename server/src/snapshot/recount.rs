//! What the updates of one entity took, field by field. Made between ticks, when somebody asks: the last samples are coded once
//! more, by the coder that codes every update, into a sink that counts.

use tickwire_shared::limits::HISTORY;
use tickwire_shared::schema::{FieldPlan, View};
use tickwire_shared::wire::cadence::Tier;
use tickwire_shared::wire::residual::Window;
use tickwire_shared::wire::update::{self, Step};

use super::capture::Capture;
use super::scales::Scales;

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
                // The mask, then each field.
                let mut bits = vec![0; kind.fields.len() + 1];
                let place = |field: &FieldPlan| {
                    kind.fields
                        .iter()
                        .position(|other| other.first == field.first)
                        .map_or(0, |place| place + 1)
                };
                update::write(
                    kind,
                    view,
                    Step::Moved,
                    window,
                    state,
                    &mut Scales::new(tables, &mut bits, 0, place),
                );
                found.take(&bits, sample == newest);
            }
            sample = sample.saturating_sub(period);
        }
        found
    }
}

impl FieldBits {
    fn take(&mut self, bits: &[u64], is_newest: bool) {
        self.updates += 1;
        self.mask_bits += bits[0] as u32;
        self.field_bits.iter_mut().zip(&bits[1..]).for_each(|(sum, bits)| *sum += *bits as u32);
        if is_newest {
            self.newest_bits = bits.iter().sum::<u64>() as u32;
        }
    }
}
