//! Sums of what rooms count. A field that is added to the counters does not compile until it is summed here.

use super::rooms::RoomView;
use super::timing::Timing;
use crate::host::{Counters, Inputs};

/// Sums over rooms.
#[derive(Clone, Debug, Default)]
pub(super) struct Totals {
    pub(super) counters: Counters,
    pub(super) timing: Timing,
}

impl Totals {
    /// Puts one room on top.
    pub(super) fn add(&mut self, room: &RoomView) {
        add_counters(&mut self.counters, &room.counters);
        self.timing.add(&room.timing);
    }
}

fn add_counters(sum: &mut Counters, room: &Counters) {
    let Counters {
        ticks,
        welcomes,
        held,
        resumes,
        resumes_anew,
        grace_over,
        closes,
        inputs,
        commands,
        commands_dropped,
        frames,
        heartbeats,
        sent_bytes,
        idle_client_ticks,
        paused_client_ticks,
        resyncs,
        budget_client_ticks,
        rate_cuts,
        enters,
        demotions,
        promotions,
        parks,
        unparks,
        reach_shrinks,
        reach_grows,
        state_mismatches,
        false_acks,
        events_dropped,
        panics,
        updates_coded,
        updates_coded_bits,
        updates_spliced,
        updates_spliced_bits,
    } = room;
    for (code, count) in closes {
        *sum.closes.entry(*code).or_default() += count;
    }
    add_inputs(&mut sum.inputs, inputs);
    for (total, count) in [
        (&mut sum.ticks, ticks),
        (&mut sum.welcomes, welcomes),
        (&mut sum.held, held),
        (&mut sum.resumes, resumes),
        (&mut sum.resumes_anew, resumes_anew),
        (&mut sum.grace_over, grace_over),
        (&mut sum.commands, commands),
        (&mut sum.commands_dropped, commands_dropped),
        (&mut sum.frames, frames),
        (&mut sum.heartbeats, heartbeats),
        (&mut sum.sent_bytes, sent_bytes),
        (&mut sum.idle_client_ticks, idle_client_ticks),
        (&mut sum.paused_client_ticks, paused_client_ticks),
        (&mut sum.resyncs, resyncs),
        (&mut sum.budget_client_ticks, budget_client_ticks),
        (&mut sum.rate_cuts, rate_cuts),
        (&mut sum.enters, enters),
        (&mut sum.demotions, demotions),
        (&mut sum.promotions, promotions),
        (&mut sum.parks, parks),
        (&mut sum.unparks, unparks),
        (&mut sum.reach_shrinks, reach_shrinks),
        (&mut sum.reach_grows, reach_grows),
        (&mut sum.state_mismatches, state_mismatches),
        (&mut sum.false_acks, false_acks),
        (&mut sum.events_dropped, events_dropped),
        (&mut sum.panics, panics),
        (&mut sum.updates_coded, updates_coded),
        (&mut sum.updates_coded_bits, updates_coded_bits),
        (&mut sum.updates_spliced, updates_spliced),
        (&mut sum.updates_spliced_bits, updates_spliced_bits),
    ] {
        *total += count;
    }
}

fn add_inputs(sum: &mut Inputs, room: &Inputs) {
    let Inputs { on_time, late, early, double, missing, impossible } = room;
    for (total, count) in [
        (&mut sum.on_time, on_time),
        (&mut sum.late, late),
        (&mut sum.early, early),
        (&mut sum.double, double),
        (&mut sum.missing, missing),
        (&mut sum.impossible, impossible),
    ] {
        *total += count;
    }
}
