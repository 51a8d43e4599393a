//! One client of a room: what it sent, what it was handed, and how it is doing.

use std::collections::VecDeque;

use tickwire_shared::limits::{COMMANDS_PENDING_MAX, EVENTS_PER_FRAME_MAX};
use tickwire_shared::wire::cadence::TIERS;
use tickwire_shared::wire::message::{Ack, Percent};
use tickwire_shared::{Micros, Protocol, Tick};

use super::counters::Counters;
use super::event::ClientStatus;
use crate::session::{AckOutcome, AckWindow, Allowance, InputBuffer, Outcome, Pace, Stamped, Verdict};
use crate::snapshot::{FRAMING_BYTES, PackCounts, Packed, QueuedEvent};

/// Events that may wait for a client; beyond, the oldest is dropped and counted.
const EVENTS_WAITING_MAX: usize = EVENTS_PER_FRAME_MAX;
/// A client's checksum rides along this often.
const CHECKSUM_SECONDS: u64 = 3;

/// The state of one session.
pub(super) struct Client<P: Protocol> {
    /// As it wants to be called.
    pub(super) name: String,
    pub(super) inputs: InputBuffer<P::Input>,
    pub(super) commands: VecDeque<P::Command>,
    pub(super) window: AckWindow,
    pub(super) pace: Pace,
    pub(super) allowance: Allowance,
    pub(super) packed: Packed,
    pub(super) events: VecDeque<QueuedEvent>,
    pub(super) writable: bool,
    pub(super) heard_at: Micros,
    /// When Welcome went out, until the client says something: that it has Welcome.
    welcomed_at: Option<Micros>,
    pub(super) sent_at: Micros,
    /// Tick of the last frame handed out.
    pub(super) newest: Option<Tick>,
    /// Tick of the last checksum.
    pub(super) checksum_at: u64,
    /// Tick at which it was last told everything anew because it asked.
    reset_at: Option<u64>,
    /// Since when nothing is packed for it, because its window is closed or its socket full.
    pub(super) paused_since: Option<Micros>,
    /// How often that has begun.
    pub(super) pauses: u32,
    /// Since when it has no connection.
    pub(super) away_since: Option<Micros>,
    /// At which pace it knows that time goes.
    pub(super) told_pace: Percent,
}

impl<P: Protocol> Client<P> {
    pub(super) fn new(packed: Packed, budget_bytes_per_s: u32, tick: u64, now: Micros) -> Self {
        Self {
            name: String::new(),
            inputs: InputBuffer::default(),
            commands: VecDeque::new(),
            window: AckWindow::default(),
            pace: Pace::new(budget_bytes_per_s, now),
            allowance: Allowance::new(budget_bytes_per_s, now),
            packed,
            events: VecDeque::new(),
            writable: true,
            heard_at: now,
            welcomed_at: None,
            sent_at: now,
            newest: None,
            checksum_at: tick,
            reset_at: None,
            paused_since: None,
            pauses: 0,
            away_since: None,
            told_pace: Percent::FULL,
        }
    }

    /// Touches what telling it of a tick reads, so that it comes from memory while others are touched too.
    pub(super) fn fetch(&self) -> u64 {
        let own =
            self.sent_at.0 ^ self.checksum_at ^ u64::from(self.pace.bytes_per_s()) ^ self.events.len() as u64;
        own ^ u64::from(self.writable) ^ self.packed.fetch()
    }

    /// Welcome is on its way.
    pub(super) fn welcomed(&mut self, name: &str, now: Micros) {
        name.trim().clone_into(&mut self.name);
        self.welcomed_at = Some(now);
    }

    /// It said something. Whether this was the first since Welcome.
    pub(super) fn heard(&mut self, now: Micros) -> bool {
        self.heard_at = now;
        let welcomed_at = self.welcomed_at.take();
        if let Some(welcomed_at) = welcomed_at {
            self.window.round_trip(now.since(welcomed_at), now);
        }
        welcomed_at.is_some()
    }

    pub(super) fn handle_input(
        &mut self,
        stamped: Stamped<P::Input>,
        next: Tick,
        until_next_eighths: i32,
        now: Micros,
        counters: &mut Counters,
    ) {
        let count = match self.inputs.push(stamped, next, until_next_eighths, now) {
            Outcome::OnTime => &mut counters.inputs.on_time,
            Outcome::Late => &mut counters.inputs.late,
            Outcome::Early => &mut counters.inputs.early,
            Outcome::Double => &mut counters.inputs.double,
        };
        *count += 1;
    }

    pub(super) fn handle_command(&mut self, command: P::Command, counters: &mut Counters) {
        if self.commands.len() >= COMMANDS_PENDING_MAX {
            counters.commands_dropped += 1;
        } else {
            self.commands.push_back(command);
        }
    }

    pub(super) fn handle_ack(&mut self, ack: &Ack, tick_hz: u16, now: Micros, counters: &mut Counters) {
        self.inputs.touch();
        match self.window.acknowledged(ack, self.newest, tick_hz, now) {
            AckOutcome::Fresh => self.packed.acknowledged(ack.applied),
            AckOutcome::Stale => {}
            AckOutcome::False => counters.false_acks += 1,
        }
        match self.window.take_verdict() {
            Some(Verdict::Queues { arriving_bytes_per_s, queue_micros })
                if self.pace.congested(arriving_bytes_per_s, now) =>
            {
                counters.rate_cuts += 1;
                // What queues was sent too early: nothing is, until it has arrived.
                let queued = u64::from(self.pace.bytes_per_s()) * queue_micros.min(1_000_000) * 5 / 4_000_000;
                self.allowance.spend(queued as usize);
            }
            Some(Verdict::Calm) => self.pace.calm(now),
            Some(Verdict::Longer) => self.pace.longer(now),
            Some(Verdict::Queues { .. }) | None => {}
        }
    }

    /// It wants everything anew, which costs many times a usual frame. An honest client asks after a checksum.
    pub(super) fn handle_resync(&mut self, tick: u64, tick_hz: u16) {
        let pause_ticks = checksum_ticks(tick_hz) / 2;
        if self.reset_at.is_none_or(|at| tick.saturating_sub(at) >= pause_ticks) {
            self.reset_at = Some(tick);
            self.packed.forget();
        }
    }

    /// A frame was packed for it.
    pub(super) fn handed_out(
        &mut self,
        tick: u64,
        bytes: usize,
        counts: &PackCounts,
        tick_hz: u16,
        now: Micros,
    ) {
        let number = Tick(tick as u32);
        let bytes = bytes + FRAMING_BYTES as usize;
        self.inputs.clear_ack();
        self.events.drain(..counts.events);
        self.sent_at = now;
        self.newest = Some(number);
        self.window.sent(number, bytes, now);
        self.allowance.spend(bytes);
        self.pace.sent(bytes, tick_hz);
    }

    pub(super) fn status(&self, tick_hz: u16) -> ClientStatus {
        let mut tiers = [0; TIERS];
        let slots = self.packed.roster().slots();
        slots.iter().filter(|slot| !slot.is_parked()).for_each(|slot| tiers[slot.tier.index()] += 1);
        ClientStatus {
            bytes_per_s: self.pace.bytes_per_s(),
            rtt_micros: self.window.rtt_micros(),
            window_frames: self.window.size(tick_hz),
            paused: self.paused_since.is_some(),
            tiers,
            parked: slots.len() - tiers.iter().sum::<usize>(),
            waiting: self.packed.waiting(),
            reach: self.packed.reach(),
        }
    }

    pub(super) fn is_checksum_due(&self, tick: u64, tick_hz: u16) -> bool {
        tick.saturating_sub(self.checksum_at) >= checksum_ticks(tick_hz)
    }

    pub(super) fn queue_event(&mut self, event: QueuedEvent, counters: &mut Counters) {
        if self.events.len() >= EVENTS_WAITING_MAX {
            self.events.pop_front();
            counters.events_dropped += 1;
        }
        self.events.push_back(event);
    }
}

fn checksum_ticks(tick_hz: u16) -> u64 {
    CHECKSUM_SECONDS * u64::from(tick_hz)
}
