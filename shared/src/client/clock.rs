//! What time it is: which tick the server has reached as far as can be known here, which tick an input that leaves now
//! should be for, and which moment of the past is shown. Runs when frames and acknowledgements arrive and when somebody
//! asks; knows no entity.
//!
//! All three are the embedder's clock less an offset. A frame's offset says how late it came; the least one lately is the
//! server's time as it looks from here. Inputs lead it: each margin that the server reports says with which lead that input
//! would have come just in time. The view lies behind it by the interpolation delay. Offsets slew, so that none of the three times runs unevenly to the eye.

use super::lateness::Lateness;
use super::timeline::Timeline;
use crate::tick::{Micros, Tick, ViewTick};
use crate::wire::frame::InputAck;
use crate::wire::message::TimeDilation;

/// The least offset is that of a while this long and the one before it, so that a clock that ran ahead of a server that
/// had stopped is right again after two of them.
const WHILE_MICROS: u64 = 1_000_000;
/// Times run faster or slower by this share at most while they are corrected.
const SLEW_SHARE: f64 = 0.05;
/// The view runs slower by this share while the interpolation delay grows: rather that than nothing to show.
const DELAY_GROWTH_SHARE: f64 = 0.25;
/// What is off by more than this jumps.
const JUMP_MICROS: i64 = 250_000;
/// Until so many margins were reported, inputs follow at once.
const REPORTS_UNSETTLED: u32 = 8;
/// How early an input should come at the least, as a part of a tick.
const MARGIN_DIVISOR: i64 = 4;
/// Until a margin was reported, inputs leave earlier than a whole round trip by so many ticks.
const LEAD_TICKS_FIRST: i64 = 2;
/// The lead never grows past this.
const LEAD_MICROS_MAX: i64 = 1_000_000;

/// Estimates times from what arrives.
#[derive(Clone, Debug)]
pub struct Clock {
    timeline: Timeline,
    /// Ticks from one frame to the next.
    frame_ticks: i64,
    /// The least offset of this while, of the while before, and when this one began.
    least: Option<i64>,
    least_before: Option<i64>,
    /// Until a frame has come, Welcome's.
    first: i64,
    /// Until a margin was reported, how long before a tick its inputs leave.
    lead_first: i64,
    while_began: Micros,
    server: Slew,
    inputs: Slew,
    view: Slew,
    /// The moment that was shown last, in 256ths of a tick; the view never goes back.
    shown_parts: i64,
    margins: Margins,
    lateness: Lateness,
}

/// An offset on its way to where it should be.
#[derive(Clone, Copy, Debug)]
struct Slew {
    offset: i64,
    at: Micros,
    /// What a step of whole microseconds left over.
    rest: f64,
}

impl Slew {
    fn new(offset: i64, now: Micros) -> Self {
        Self { offset, at: now, rest: 0.0 }
    }

    /// Goes towards `target`. A larger offset is an earlier time, so the time slows down on the way there.
    fn towards(&mut self, target: i64, [slower, faster]: [f64; 2], now: Micros) {
        let passed = now.since(self.at) as f64;
        self.at = self.at.max(now);
        let off = target - self.offset;
        if off.abs() > JUMP_MICROS {
            (self.offset, self.rest) = (target, 0.0);
            return;
        }
        let reach = if off > 0 { passed * slower } else { passed * faster } + self.rest;
        let step = (reach as i64).min(off.abs());
        self.rest = if step == off.abs() { 0.0 } else { reach - step as f64 };
        self.offset += step * off.signum();
    }
}

/// How long before the server's time as it looks from here inputs would have had to leave to come just in time, lately.
#[derive(Clone, Debug, Default)]
struct Margins {
    /// The most of each of the last stretches, newest last.
    leads: Vec<i64>,
    began: Micros,
    reports: u32,
    /// The last margin as it was reported, in eighths of a tick.
    newest_eighths: Option<i8>,
}

/// Stretches that are remembered, and how long they are.
const STRETCHES: usize = 64;
const STRETCH_MICROS: u64 = 100_000;
/// Of so many stretches one may be worse than what is planned for.
const STRETCHES_PER_OUTLIER: usize = 24;
/// An input that would have had to leave earlier than planned by more than this was held up by a stall, for which nothing
/// can be planned.
const STALL_MICROS: i64 = 250_000;

impl Margins {
    fn report(&mut self, lead: i64, now: Micros) {
        if self.reports > 2 && self.needed().is_some_and(|needed| lead > needed + STALL_MICROS) {
            return;
        }
        self.reports = self.reports.saturating_add(1);
        match self.leads.last_mut() {
            Some(most) if now.since(self.began) < STRETCH_MICROS => *most = lead.max(*most),
            _ => {
                if self.leads.len() >= STRETCHES {
                    self.leads.remove(0);
                }
                self.leads.push(lead);
                self.began = now;
            }
        }
    }

    /// The lead with which all but outliers would have come in time.
    fn needed(&self) -> Option<i64> {
        // A frame asks for this: few are outliers, so the most are found without sorting all.
        let outliers = self.leads.len() / STRETCHES_PER_OUTLIER;
        let mut most = [i64::MIN; STRETCHES / STRETCHES_PER_OUTLIER + 1];
        for lead in &self.leads {
            let place = most.partition_point(|other| other >= lead);
            if place < most.len() {
                most[place..].rotate_right(1);
                most[place] = *lead;
            }
        }
        (!self.leads.is_empty()).then(|| most[outliers])
    }
}

impl Clock {
    /// From Welcome's tick rate, ticks from one frame to the next, and tick, received `now`, an answer to what left
    /// at `asked`.
    #[must_use]
    pub fn new(tick_hz: u16, frame_ticks: u32, tick: Tick, asked: Micros, now: Micros) -> Self {
        let timeline = Timeline::new(tick, tick_hz);
        let offset = now.0 as i64;
        let tick_micros = timeline.tick_micros();
        let round_trip = i64::try_from(now.since(asked)).unwrap_or(LEAD_MICROS_MAX).min(LEAD_MICROS_MAX);
        let lead_first = round_trip + LEAD_TICKS_FIRST * tick_micros;
        let frame_ticks = i64::from(frame_ticks);
        Self {
            timeline,
            frame_ticks,
            least: None,
            least_before: None,
            first: offset,
            lead_first,
            while_began: now,
            server: Slew::new(offset, now),
            inputs: Slew::new(offset - lead_first, now),
            view: Slew::new(offset + frame_ticks * tick_micros, now),
            shown_parts: -256,
            margins: Margins::default(),
            lateness: Lateness::default(),
        }
    }

    /// The room's time goes at another pace.
    pub fn dilate(&mut self, dilation: TimeDilation) {
        self.timeline.dilate(dilation);
    }

    /// Length of a tick at present: longer than the tick rate says while the room's time is dilated.
    #[must_use]
    pub fn tick_micros(&self) -> u64 {
        self.timeline.tick_micros() as u64
    }

    /// The least offset lately.
    fn least_offset(&self) -> i64 {
        self.least.into_iter().chain(self.least_before).min().unwrap_or(self.first)
    }

    /// A frame of `tick` arrived.
    pub fn frame(&mut self, tick: Tick, now: Micros) {
        let offset = self.offset(tick, now);
        self.least = Some(self.least.map_or(offset, |least| least.min(offset)));
        if now.since(self.while_began) > WHILE_MICROS {
            self.while_began = now;
            self.least_before = self.least.take();
        }
        let late = offset - self.least_offset();
        self.lateness.note(late.max(0) as u64);
    }

    /// How long after its tick a frame came, in microseconds, by clocks that have nothing to do with each other: only
    /// differences mean something.
    pub(super) fn offset(&self, tick: Tick, now: Micros) -> i64 {
        now.0 as i64 - self.timeline.micros_of(tick)
    }

    /// The server reported how early the input was that left at `sent` for `tick`.
    pub fn margin(&mut self, ack: &InputAck, (tick, sent): (Tick, Micros), now: Micros) {
        self.margins.newest_eighths = Some(ack.margin_eighths);
        if matches!(ack.margin_eighths, i8::MIN | i8::MAX) && self.margins.reports > 0 {
            // Beyond what can be said; the truth may be anywhere.
            return;
        }
        let early = i64::from(ack.margin_eighths) * self.timeline.tick_micros() / 8;
        let just_in_time = sent.0 as i64 - self.timeline.micros_of(tick) + early;
        self.margins.report(self.least_offset() - just_in_time, now);
    }

    /// Brings all times up to `now`.
    pub fn advance(&mut self, now: Micros) {
        let least = self.least_offset();
        self.server.towards(least, [SLEW_SHARE; 2], now);
        let tick_micros = self.timeline.tick_micros();
        let needed = self.margins.needed().map(|needed| needed + tick_micros / MARGIN_DIVISOR);
        let inputs = least - needed.unwrap_or(self.lead_first).clamp(0, LEAD_MICROS_MAX);
        if self.margins.reports <= REPORTS_UNSETTLED {
            self.inputs = Slew::new(inputs, now);
        } else {
            self.inputs.towards(inputs, [SLEW_SHARE; 2], now);
        }
        let view = least + self.delay_wanted_micros() as i64;
        self.view.towards(view, [DELAY_GROWTH_SHARE, SLEW_SHARE], now);
        let parts = self.timeline.parts_of(now.0 as i64 - self.view.offset);
        self.shown_parts = self.shown_parts.max(parts);
    }

    fn delay_wanted_micros(&self) -> u64 {
        (self.frame_ticks * self.timeline.tick_micros()) as u64 + self.lateness.planned_micros()
    }

    /// How far behind the server's time, as it looks from here, what is told of at every tick is shown.
    #[must_use]
    pub fn delay_micros(&self) -> u64 {
        (self.view.offset - self.server.offset).max(0) as u64
    }

    /// The moment that is shown of what is told of at every tick; what is told of at a longer cadence is shown later by
    /// as many ticks as its cadence is longer. As of the last [`Self::advance`].
    #[must_use]
    pub fn view_tick(&self) -> ViewTick {
        ViewTick::after(self.base(), self.shown_parts)
    }

    /// The same, in 256ths of a tick from [`Self::base`].
    pub(super) fn view_parts(&self) -> i64 {
        self.shown_parts
    }

    pub(super) fn base(&self) -> Tick {
        self.timeline.base()
    }

    /// The tick that the server has reached as it looks from here, and how far into it we are in microseconds.
    #[must_use]
    pub fn server_tick(&self, now: Micros) -> (Tick, u64) {
        self.tick_at(now, self.server.offset)
    }

    /// The tick that an input leaving `now` should be for.
    #[must_use]
    pub fn input_tick(&self, now: Micros) -> Tick {
        self.input_time(now).0
    }

    /// The same, and how far this tick has come, in microseconds.
    #[must_use]
    pub fn input_time(&self, now: Micros) -> (Tick, u64) {
        let (tick, into) = self.tick_at(now, self.inputs.offset);
        (tick.plus(1), into)
    }

    fn tick_at(&self, now: Micros, offset: i64) -> (Tick, u64) {
        self.timeline.tick_at(now.0 as i64 - offset)
    }

    /// How early the newest input was that the server told of, in ticks; negative is late.
    #[must_use]
    pub fn margin_ticks(&self) -> Option<f32> {
        self.margins.newest_eighths.map(|eighths| f32::from(eighths) / 8.0)
    }

    /// How early inputs are meant to come at the least, besides what the way there takes at its worst.
    #[must_use]
    pub fn margin_wanted_micros(&self) -> u64 {
        self.tick_micros() / MARGIN_DIVISOR as u64
    }

    /// How unevenly frames arrive: the mean of how much later than the quickest they come.
    #[must_use]
    pub fn jitter_micros(&self) -> u64 {
        self.lateness.mean_micros()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_is_what_sorting_says() {
        let mut margins = Margins::default();
        assert_eq!(margins.needed(), None);
        let mut number = 7_i64;
        for _ in 0..STRETCHES {
            // Few values, so that there are equal ones.
            number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            margins.leads.push((number >> 33) % 20 - 10);
            let mut sorted = margins.leads.clone();
            sorted.sort_unstable_by(|a, b| b.cmp(a));
            assert_eq!(margins.needed(), Some(sorted[sorted.len() / STRETCHES_PER_OUTLIER]), "{sorted:?}");
        }
    }

    const HZ: u16 = 20;
    const TICK_MICROS: u64 = 50_000;

    /// A server whose frames take 10 ms and a client whose inputs take 20 ms, for so many ticks from `from` on.
    fn run(clock: &mut Clock, ticks: std::ops::Range<u32>, late_micros: impl Fn(u32) -> u64) -> Vec<i64> {
        let mut margins = Vec::new();
        for tick in ticks {
            let arrival = Micros(u64::from(tick) * TICK_MICROS + 10_000 + late_micros(tick));
            clock.frame(Tick(tick), arrival);
            clock.advance(arrival);
            let stamped = clock.input_tick(arrival);
            let there = arrival.0 as i64 + 20_000;
            let margin = i64::from(stamped.0) * TICK_MICROS as i64 - there;
            // A server that had stopped makes its ticks later.
            let margin = margin + if late_micros(tick) >= 4_000_000 { 4_000_000 } else { 0 };
            margins.push(margin);
            let margin_eighths = (margin * 8 / TICK_MICROS as i64).clamp(-128, 127) as i8;
            let ack = InputAck { seq: 0, held_100us: 0, margin_eighths };
            clock.margin(&ack, (stamped, arrival), arrival);
        }
        margins
    }

    fn clock() -> Clock {
        Clock::new(HZ, 1, Tick(0), Micros(0), Micros(10_000))
    }

    #[test]
    fn jitter_does_not_move_the_servers_time() {
        let mut clock = clock();
        run(&mut clock, 1..400, |tick| if tick % 7 == 0 { 0 } else { u64::from(tick % 5) * 9_000 });
        let (tick, into) = clock.server_tick(Micros(400 * TICK_MICROS + 10_000));
        assert_eq!((tick, into), (Tick(400), 0));
    }

    #[test]
    fn inputs_come_in_time_and_not_much_earlier() {
        let mut clock = clock();
        let margins = run(&mut clock, 1..400, |tick| u64::from(tick * 7 % 5) * 5_000);
        for margin in &margins[60..] {
            assert!((0..3 * TICK_MICROS as i64).contains(margin), "{margin} µs early in {margins:?}");
        }
    }

    #[test]
    fn a_server_that_had_stopped_is_met_again() {
        let mut clock = clock();
        let stop = |tick| if tick < 100 { 0 } else { 4_000_000 };
        let margins = run(&mut clock, 1..100 + 2 * 20 + 12, stop);
        assert_eq!(clock.server_tick(Micros(200 * TICK_MICROS + 4_010_000)), (Tick(200), 0));
        let last = margins[margins.len() - 1];
        assert!((0..3 * TICK_MICROS as i64).contains(&last), "{last} µs early at the end of {margins:?}");
    }

    #[test]
    fn a_stall_and_its_burst_change_nothing() {
        let mut clock = clock();
        // Frames 100 to 139 come all at once.
        let burst =
            |tick: u32| if (100..140).contains(&tick) { u64::from(140 - tick) * TICK_MICROS } else { 0 };
        run(&mut clock, 1..100, burst);
        let before = (clock.server_tick(Micros(4_990_000)), clock.delay_micros());
        run(&mut clock, 100..150, burst);
        let after = clock.server_tick(Micros(4_990_000 + 50 * TICK_MICROS));
        assert_eq!((after.0, after.1), (before.0.0.plus(50), before.0.1));
        assert!(clock.delay_micros() <= before.1 + 5_000, "{before:?}, then {}", clock.delay_micros());
    }

    #[test]
    fn the_view_goes_on_evenly_and_never_back() {
        let mut clock = clock();
        let (mut last, mut slowest, mut fastest) = (i64::MIN, f64::MAX, 0.0_f64);
        for step in 0..4_000_u64 {
            let now = Micros(10_000 + step * 5_000);
            let tick = (step / 10) as u32;
            if step % 10 == 0 {
                // From the middle on frames come up to 60 ms late.
                let late = if tick > 200 { u64::from(tick * 7 % 13) * 5_000 } else { 0 };
                clock.frame(Tick(tick), now.plus(late));
            }
            clock.advance(now);
            let parts = clock.view_tick().since(Tick(0));
            assert!(parts >= last, "the view went back from {last} to {parts}");
            if step % 20 == 0 && step > 100 {
                last = parts;
            }
            if step > 100 && step % 200 == 0 {
                let rate = parts as f64 / (step as f64 / 10.0 * 256.0);
                (slowest, fastest) = (slowest.min(rate), fastest.max(rate));
            }
        }
        assert!(slowest > 0.85 && fastest < 1.05, "{slowest} to {fastest}");
        assert!((50_000..150_000).contains(&clock.delay_micros()), "{} µs of delay", clock.delay_micros());
    }

    #[test]
    fn offsets_slew_and_jump_only_beyond_the_bound() {
        let mut slew = Slew::new(0, Micros(0));
        slew.towards(100_000, [0.05, 0.05], Micros(1_000_000));
        assert_eq!(slew.offset, 50_000);
        (0..1000).for_each(|step| slew.towards(100_000, [0.05, 0.05], Micros(1_000_000 + step * 16)));
        assert_eq!(slew.offset, 50_000 + 999 * 16 / 20);
        slew.towards(JUMP_MICROS + 40_000, [0.05, 0.05], Micros(1_016_000));
        assert!(slew.offset < 60_000, "within the bound nothing jumps");
        slew.towards(-300_000, [0.05, 0.05], Micros(1_016_001));
        assert_eq!(slew.offset, -300_000);
    }
}
