//! What a room counts. Plain numbers: whoever runs the room publishes them.

use std::collections::BTreeMap;

use tickwire_shared::CloseCode;

use crate::snapshot::{KindBits, PackCounts, PartBits};

/// Totals since the room began.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Ticks simulated.
    pub ticks: u64,
    /// Sessions that got a Welcome.
    pub welcomes: u64,
    /// Sessions that lost their connection and were held.
    pub held: u64,
    /// Sessions that went on over another connection.
    pub resumes: u64,
    /// Those of them whose clients had to be told everything anew.
    pub resumes_anew: u64,
    /// Sessions that were held in vain.
    pub grace_over: u64,
    /// Sessions closed by the room, by code.
    pub closes: BTreeMap<CloseCode, u64>,
    /// Newcomers that were not let in because the room had too much to do.
    pub joins_refused: u64,
    /// What became of inputs.
    pub inputs: Inputs,
    /// Shots for which the game looked back.
    pub rewinds: Rewinds,
    /// Commands handed to the game.
    pub commands: u64,
    /// Commands beyond the queue of their client.
    pub commands_dropped: u64,
    /// Frames packed.
    pub frames: u64,
    /// Frames without anything due, to show that the session lives.
    pub heartbeats: u64,
    /// Bytes of all messages handed out.
    pub sent_bytes: u64,
    /// Client-ticks for which nothing was due.
    pub idle_client_ticks: u64,
    /// Client-ticks skipped because the window of unacknowledged frames was closed or the socket full.
    pub paused_client_ticks: u64,
    /// Client-ticks skipped because the client had been sent more than its budget.
    pub budget_client_ticks: u64,
    /// Frames that brought a paused client back.
    pub resyncs: u64,
    /// Times that a client's rate was lowered because frames queued on the way to it.
    pub rate_cuts: u64,
    /// Entities that entered a client's view.
    pub enters: u64,
    /// Slots told of less often from then on, for lack of bandwidth or for their distance.
    pub demotions: u64,
    /// Slots told of more often from then on.
    pub promotions: u64,
    /// Slots parked for lack of bandwidth.
    pub parks: u64,
    /// Slots that came back from there.
    pub unparks: u64,
    /// Times that a client's radii were made smaller for lack of bandwidth.
    pub reach_shrinks: u64,
    /// Times that they were made larger again.
    pub reach_grows: u64,
    /// Checksums that a client said were different.
    pub state_mismatches: u64,
    /// Acknowledgements of frames that were never sent.
    pub false_acks: u64,
    /// Events that no longer fitted the queue of a paused client.
    pub events_dropped: u64,
    /// Panics of the game; the first ends the room.
    pub panics: u64,
    /// Entity updates coded, once for all clients.
    pub updates_coded: u64,
    /// Bits of these.
    pub updates_coded_bits: u64,
    /// Entity updates spliced into clients' frames.
    pub updates_spliced: u64,
    /// Bits of these.
    pub updates_spliced_bits: u64,
    /// All bits of frames.
    pub frame_bits: PartBits,
    /// Bits of updates by kind of entity and group of fields, weighed from some of them.
    pub kind_bits: KindBits,
}

impl Counters {
    /// Puts others on top. A field that is added does not compile until it is summed here.
    pub fn add(&mut self, others: &Self) {
        let sum = self;
        let Counters {
            ticks,
            welcomes,
            held,
            resumes,
            resumes_anew,
            grace_over,
            closes,
            joins_refused,
            inputs,
            rewinds,
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
            frame_bits,
            kind_bits,
        } = others;
        for (code, count) in closes {
            *sum.closes.entry(*code).or_default() += count;
        }
        sum.inputs.add(inputs);
        sum.rewinds.add(rewinds);
        add_bits(&mut sum.frame_bits, frame_bits);
        sum.kind_bits.add(kind_bits);
        for (total, count) in [
            (&mut sum.ticks, ticks),
            (&mut sum.welcomes, welcomes),
            (&mut sum.held, held),
            (&mut sum.resumes, resumes),
            (&mut sum.resumes_anew, resumes_anew),
            (&mut sum.grace_over, grace_over),
            (&mut sum.joins_refused, joins_refused),
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

    /// A frame was packed.
    pub(super) fn frame(&mut self, bytes: usize, counts: &PackCounts) {
        self.frames += 1;
        self.heartbeats += u64::from(!counts.due);
        self.resyncs += u64::from(counts.resync);
        self.updates_spliced += counts.updates;
        self.updates_spliced_bits += counts.update_bits;
        add_bits(&mut self.frame_bits, &counts.bits);
        self.sent_bytes += bytes as u64;
        self.enters += counts.enters;
        self.demotions += counts.demotions;
        self.promotions += counts.promotions;
        self.parks += counts.parks;
        self.unparks += counts.unparks;
        self.reach_shrinks += counts.shrinks;
        self.reach_grows += counts.grows;
    }
}

fn add_bits(sum: &mut PartBits, others: &PartBits) {
    let PartBits { header, private, events, edits, updates, resyncs, checksums } = others;
    for (total, count) in [
        (&mut sum.header, header),
        (&mut sum.private, private),
        (&mut sum.events, events),
        (&mut sum.edits, edits),
        (&mut sum.updates, updates),
        (&mut sum.resyncs, resyncs),
        (&mut sum.checksums, checksums),
    ] {
        *total += count;
    }
}

/// The named outcomes of inputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Inputs {
    /// Was there for its tick.
    pub on_time: u64,
    /// Its tick was over; used in the next one.
    pub late: u64,
    /// Stamped too far ahead; used as early as the bound allows.
    pub early: u64,
    /// A second one for a tick that said something else than the first, and replaced it.
    pub double: u64,
    /// Ticks for which a client had been silent for too long, so that its hands were taken off.
    pub missing: u64,
    /// Impossible values; the client was closed.
    pub impossible: u64,
}

impl Inputs {
    fn add(&mut self, others: &Self) {
        let sum = self;
        let Inputs { on_time, late, early, double, missing, impossible } = others;
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
}

/// By which moment shots were judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rewinds {
    /// By the one that the shooter said it was shown.
    pub within: u64,
    /// That was longer ago than the room looks back; by the oldest one.
    pub capped: u64,
    /// That was not over yet; by the newest one.
    pub future: u64,
    /// By the present: the shooter did not say what it was shown.
    pub unaimed: u64,
    /// Entities in the way of a shot that were shown with more delay than the room looks back; each by the oldest moment.
    pub targets_capped: u64,
    /// Entities in the way of a shot that its shooter was not shown.
    pub targets_unseen: u64,
}

impl Rewinds {
    fn add(&mut self, others: &Self) {
        let sum = self;
        let Rewinds { within, capped, future, unaimed, targets_capped, targets_unseen } = others;
        for (total, count) in [
            (&mut sum.within, within),
            (&mut sum.capped, capped),
            (&mut sum.future, future),
            (&mut sum.unaimed, unaimed),
            (&mut sum.targets_capped, targets_capped),
            (&mut sum.targets_unseen, targets_unseen),
        ] {
            *total += count;
        }
    }
}
