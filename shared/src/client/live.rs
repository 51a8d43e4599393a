//! What there is of a session only after Welcome: which inputs left, which are known to have arrived, and whether one is
//! due. Runs with every frame and whenever something may be sent.

use std::collections::VecDeque;

use super::account::Happening;
use super::clock::Clock;
use super::presentation::Presentation;
use super::replica::{FrameSummary, Replica};
use super::unacknowledged::Unacknowledged;
use crate::protocol::Protocol;
use crate::tick::{Micros, Tick, ViewTick};
use crate::wire::codec;
use crate::wire::message::{Ack, ClientMessage, ViewAge, Welcome};

/// What there is only after Welcome.
pub(super) struct Live<P: Protocol> {
    pub(super) welcome: Welcome,
    pub(super) setup: P::Setup,
    pub(super) replica: Replica<P::Spawn>,
    pub(super) clock: Clock,
    /// There once somebody looks.
    pub(super) presentation: Option<Box<Presentation<P>>>,
    seq: u16,
    /// The newest input that took part in a step, as far as is known.
    pub(super) seq_used: Option<u16>,
    pub(super) sent: P::Input,
    /// The tick of the last input that left, and of the last one that had changed.
    sent_tick: Option<Tick>,
    changed_tick: Option<Tick>,
    sent_at: Option<Micros>,
    /// Changed inputs on their way: seq and when they were set.
    in_flight: VecDeque<(u16, Micros)>,
    unacknowledged: Unacknowledged,
    pub(super) applied: Option<(Tick, Micros)>,
    /// The tick of the last applied frame; before the first one, a tick of which there is none.
    pub(super) resume_at: Tick,
    pub(super) rtt_micros: Option<u64>,
    /// For which tick and when each of the last inputs was sent.
    sent_times: VecDeque<(u16, (Tick, Micros))>,
}

/// When the clock goes back by more than this, the ticks of inputs go back with it.
const CORRECTION_TICKS_MAX: i32 = 8;
/// Inputs whose sending time is remembered.
const SENT_TIMES_MAX: usize = 64;

impl<P: Protocol> Live<P> {
    /// A new session; nothing has come but Welcome.
    pub(super) fn new(
        welcome: Welcome,
        setup: P::Setup,
        replica: Replica<P::Spawn>,
        clock: Clock,
        now: Micros,
    ) -> Self {
        Self {
            resume_at: welcome.tick.minus(1),
            welcome,
            setup,
            replica,
            clock,
            presentation: None,
            seq: 0,
            seq_used: None,
            sent: P::Input::default(),
            sent_tick: None,
            changed_tick: None,
            sent_at: None,
            in_flight: VecDeque::new(),
            unacknowledged: Unacknowledged::new(now),
            applied: None,
            rtt_micros: None,
            sent_times: VecDeque::new(),
        }
    }

    /// Whoever begins to look must know what left before.
    pub(super) fn note_last_input(&mut self) {
        if let Some(tick) = self.sent_tick {
            self.note_input(self.seq, tick);
        }
    }

    pub(super) fn tick_hz(&self) -> u16 {
        self.welcome.tick_hz
    }

    /// What was on its way is lost, or is not answered any more; the input is to be sent again, changed or not.
    pub(super) fn lose_connection(&mut self) {
        self.unacknowledged.clear();
        (self.sent_tick, self.changed_tick, self.sent_at) = (None, None, None);
        self.forget_inputs();
        self.in_flight.clear();
        self.sent_times.clear();
    }

    /// A frame was applied.
    pub(super) fn handle_frame(
        &mut self,
        (summary, bytes): (&FrameSummary, usize),
        now: Micros,
        happenings: &mut VecDeque<Happening<P>>,
    ) {
        self.applied = Some((summary.tick, now));
        self.resume_at = summary.tick;
        self.unacknowledged.frame(self.clock.offset(summary.tick, now), bytes, now);
        self.clock.frame(summary.tick, now);
        self.handle_input_ack(summary, now, happenings);
    }

    fn handle_input_ack(
        &mut self,
        summary: &FrameSummary,
        now: Micros,
        happenings: &mut VecDeque<Happening<P>>,
    ) {
        let Some(ack) = summary.ack else { return };
        while let Some((seq, (tick, at))) = self.sent_times.front().copied() {
            let distance = ack.seq.wrapping_sub(seq) as i16;
            if distance < 0 {
                break;
            }
            self.sent_times.pop_front();
            if distance == 0 {
                self.clock.margin(&ack, (tick, at), now);
                let sample = now.since(at).saturating_sub(u64::from(ack.held_100us) * 100);
                self.rtt_micros = Some(self.rtt_micros.map_or(sample, |old| (old * 7 + sample) / 8));
            }
        }
        while let Some((seq, set)) = self.in_flight.front().copied() {
            if (ack.seq.wrapping_sub(seq) as i16) < 0 {
                break;
            }
            self.in_flight.pop_front();
            happenings.push_back(Happening::InputSeen(now.since(set)));
        }
    }

    /// What is shown by who shows the newest states. Where nothing moves no frames come.
    fn newest(&self, now: Micros) -> ViewTick {
        let (tick, held) = (self.clock.server_tick(now).0, self.replica.tick());
        let tick = if tick.since(held) > CORRECTION_TICKS_MAX { tick } else { held };
        ViewTick { tick, fraction: 0 }
    }

    /// Whether a changed input for `tick` may leave: there is one for each tick at the most. One that only repeats another does
    /// not count, or a press would wait for a whole tick because of it.
    pub(super) fn is_fresh(&self, tick: Tick) -> bool {
        self.changed_tick.is_none_or(|changed| !is_covered(tick, changed))
    }

    /// What an input for `tick` is stamped with: ticks of inputs do not run backwards when the clock is corrected a little.
    pub(super) fn stamp(&self, tick: Tick) -> Tick {
        self.sent_tick.filter(|sent| is_covered(tick, *sent)).unwrap_or(tick)
    }

    /// An input is due when it changed (once per tick at most), when frames wait for their acknowledgement, or
    /// when nothing was sent for a while.
    pub(super) fn poll_input(
        &mut self,
        input: &P::Input,
        shown: Option<ViewTick>,
        input_set: &mut Option<Micros>,
        now: Micros,
    ) -> Option<Vec<u8>> {
        self.clock.advance(now);
        let tick = self.clock.input_tick(now);
        let changed = *input != self.sent && self.is_fresh(tick);
        let acknowledge = self.unacknowledged.is_due(self.welcome.ack_every, now);
        let refresh_after = self.unacknowledged.refresh_after(self.welcome.ack_every, now);
        let refresh = self.sent_at.is_none_or(|at| now.since(at) >= refresh_after);
        if !(changed || acknowledge || refresh) {
            return None;
        }
        let ack = self.unacknowledged.any().then_some(self.applied).flatten().map(|(applied, at)| Ack {
            applied,
            held_ms: u16::try_from(now.since(at) / 1000).unwrap_or(u16::MAX),
        });
        self.unacknowledged.clear();
        if !changed && !refresh {
            let message = ClientMessage::<P::Input, P::Command>::Ack(ack?);
            return Some(codec::encode(&message));
        }
        self.seq = self.seq.wrapping_add(1);
        let tick = self.stamp(tick);
        if changed {
            push_bounded(&mut self.in_flight, (self.seq, input_set.take().unwrap_or(now)));
            self.sent = input.clone();
            self.changed_tick = Some(tick);
        }
        self.sent_tick = Some(tick);
        self.sent_at = Some(now);
        push_bounded(&mut self.sent_times, (self.seq, (tick, now)));
        self.note_input(self.seq, tick);
        let (seq, input) = (self.seq, self.sent.clone());
        let message = if P::aims(&input) {
            let view = shown.unwrap_or_else(|| self.newest(now));
            ClientMessage::<P::Input, P::Command>::Aimed {
                seq,
                tick,
                ack,
                view: ViewAge::of(view, tick),
                input,
            }
        } else {
            ClientMessage::Input { seq, tick, ack, input }
        };
        Some(codec::encode(&message))
    }
}

/// Whether what was sent for one tick is for this one too, or for one a little after it.
fn is_covered(tick: Tick, sent: Tick) -> bool {
    // Far behind: the server had stopped, and what was sent was for ticks that are still to come.
    (-CORRECTION_TICKS_MAX..=0).contains(&tick.since(sent))
}

/// Remembers the newest few.
fn push_bounded<T>(times: &mut VecDeque<(u16, T)>, newest: (u16, T)) {
    if times.len() >= SENT_TIMES_MAX {
        times.pop_front();
    }
    times.push_back(newest);
}
