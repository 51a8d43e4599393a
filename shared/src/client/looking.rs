//! A session as it is looked at: which moment is shown, the own avatar ahead, everything else between its states. Nothing of
//! this is kept until somebody looks, so that a session that nobody draws costs nothing more.

use super::account::Happening;
use super::between;
use super::clock::Clock;
use super::figures::Figures;
use super::live::Live;
use super::prediction::Prediction;
use super::presentation::Presentation;
use super::replica::FrameSummary;
use super::session::Session;
use super::staged::Staged;
use super::view::{self, OwnView, Smoothing, View};
use crate::limits::COLUMNS_MAX;
use crate::protocol::Protocol;
use crate::schema::{Replicate, View as Seen};
use crate::tick::{Micros, Tick, ViewTick};
use crate::wire::cadence::Tier;

impl<P: Protocol> Session<P> {
    /// What to draw at `now`, once a frame was applied. To be asked once per drawn frame, after
    /// [`set_input`](Self::set_input): what the hands do is in it already. However long ago the last call was, it costs about
    /// the same.
    pub fn view(&mut self, now: Micros) -> Option<View<'_, P>> {
        let live = self.live.as_mut().filter(|live| live.applied.is_some())?;
        live.look(self.smoothing);
        live.clock.advance(now);
        let shown = if self.smoothing.interpolation {
            live.clock.view_tick()
        } else {
            ViewTick { tick: live.replica.tick(), fraction: 0 }
        };
        // Who shows the newest states is judged by those.
        self.shown = self.smoothing.interpolation.then_some(shown);
        let own = live.own_view(&self.input, self.smoothing, now)?;
        let presentation = live.presentation.as_deref()?;
        Some(View { replica: &live.replica, presentation, smoothing: self.smoothing, shown, own })
    }

    /// The next event that the view has reached, with the tick at which it happened; in order. The same events are told as
    /// [`Happening::Game`] when they arrive. To be called until it gives none.
    pub fn poll_shown_event(&mut self) -> Option<(Tick, P::Event)> {
        self.live.as_mut()?.presentation.as_mut()?.poll_event()
    }

    /// The moment that is shown of what is told of at every tick, once [`Self::view`] was called.
    #[must_use]
    pub fn view_tick(&self) -> Option<ViewTick> {
        self.shown
    }

    /// What is smoothed from now on.
    pub fn set_smoothing(&mut self, smoothing: Smoothing) {
        self.smoothing = smoothing;
    }

    /// What is smoothed.
    #[must_use]
    pub fn smoothing(&self) -> Smoothing {
        self.smoothing
    }

    /// How the session is doing, in numbers, for whoever shows them.
    #[must_use]
    pub fn figures(&self, now: Micros) -> Figures {
        let mut figures = Figures { state: self.state(now), stats: self.stats, ..Figures::default() };
        let rates = self.meter.rates();
        (figures.received_bytes_per_s, figures.sent_bytes_per_s) = (rates.received, rates.sent);
        (figures.snapshots_per_s, figures.bits_per_update) = (rates.frames, rates.bits_per_update);
        figures.rtt_micros = self.rtt_micros();
        let Some(live) = &self.live else { return figures };
        live.clock_figures(&mut figures);
        for slot in live.replica.slots() {
            figures.visible += 1;
            match slot.parked {
                Some(_) => figures.parked += 1,
                None => figures.visible_by_tier[slot.tier.index()] += 1,
            }
        }
        if let Some(prediction) = live.presentation.as_ref().and_then(|shown| shown.prediction.as_ref()) {
            figures.corrections = prediction.account;
            figures.correction_shown = prediction.blended(&live.replica.plan().private, now);
            figures.ticks_ahead = live.clock.input_tick(now).since(live.replica.tick()).max(0) as u32;
        }
        figures
    }
}

impl<P: Protocol> Live<P> {
    fn clock_figures(&self, figures: &mut Figures) {
        let clock: &Clock = &self.clock;
        figures.jitter_micros = clock.jitter_micros();
        figures.margin_ticks = clock.margin_ticks();
        let cadences = self.replica.cadences();
        for tier in Tier::ALL {
            let later = u64::from(cadences.period(tier) - cadences.period(Tier::FAST)) * clock.tick_micros();
            figures.delay_micros[tier.index()] = clock.delay_micros() + later;
        }
    }

    /// Begins to keep what drawing needs.
    fn look(&mut self, smoothing: Smoothing) {
        if self.presentation.is_none() {
            let hz = self.tick_hz();
            let prediction = P::predictor(&self.setup, hz).map(Prediction::new);
            let mut presentation =
                Presentation::new(self.replica.plan().stride, self.clock.base(), prediction);
            presentation.after(&self.replica);
            self.presentation = Some(Box::new(presentation));
            let (tick, state) = (self.replica.tick(), self.replica.private().to_vec());
            self.note_last_input();
            self.tell_own(tick, None, &state);
        }
        let parts = self.clock.view_parts();
        let Some(presentation) = &mut self.presentation else { return };
        presentation.advance(parts, self.replica.cadences());
        if let Some(prediction) = &mut presentation.prediction {
            prediction.reconciles = smoothing.reconciliation;
        }
    }

    /// Applies a frame; what is shown follows it.
    pub(super) fn commit(&mut self, staged: Staged<P::Spawn>) -> FrameSummary {
        let Some(mut presentation) = self.presentation.take() else { return self.replica.commit(staged) };
        presentation.before(&staged);
        let mut before = [0; COLUMNS_MAX];
        let own = self.replica.private();
        before[..own.len()].copy_from_slice(own);
        let columns = own.len();
        let summary = self.replica.commit(staged);
        presentation.after(&self.replica);
        self.presentation = Some(presentation);
        let state = self.replica.private().to_vec();
        self.tell_own(summary.tick, (!summary.resync).then_some(&before[..columns]), &state);
        summary
    }

    fn tell_own(&mut self, tick: Tick, before: Option<&[i32]>, state: &[i32]) {
        let seq = self.seq_used;
        let Some(presentation) = &mut self.presentation else { return };
        presentation.own_told(tick, before, state);
        if let Some(prediction) = &mut presentation.prediction {
            prediction.told(&self.replica.plan().private, tick, P::Private::restore(state), seq);
        }
    }

    /// What came with a frame.
    pub(super) fn present(&mut self, events: &[Happening<P>]) {
        let Some(presentation) = &mut self.presentation else { return };
        for event in events {
            if let Happening::Game(tick, event) = event {
                presentation.push_event(*tick, event.clone());
            }
        }
    }

    /// An input left.
    pub(super) fn note_input(&mut self, seq: u16, tick: Tick) {
        let prediction = self.presentation.as_mut().and_then(|shown| shown.prediction.as_mut());
        if let Some(prediction) = prediction {
            prediction.sent(seq, tick, self.sent.clone());
        }
    }

    /// What was on its way may never arrive.
    pub(super) fn forget_inputs(&mut self) {
        if let Some(prediction) = self.presentation.as_mut().and_then(|shown| shown.prediction.as_mut()) {
            prediction.lose_connection();
        }
    }

    fn own_view(&mut self, input: &P::Input, smoothing: Smoothing, now: Micros) -> Option<OwnView<P>> {
        let (tick, into) = self.clock.input_time(now);
        // Between two ticks of the avatar's own time, which runs ahead by as much as an input needs.
        let share = into as f64 / self.clock.tick_micros() as f64;
        let leaves = *input != self.sent && self.is_fresh(tick) && self.stamp(tick) == tick;
        let unsent = leaves.then_some(input);
        let kind = &self.replica.plan().private;
        let told = P::Private::restore(self.replica.private());
        let presentation = self.presentation.as_mut()?;
        let predicted = match &mut presentation.prediction {
            Some(prediction) if smoothing.prediction => {
                prediction.show(kind, (tick, share.min(1.0)), unsent, now)
            }
            _ => None,
        };
        let state = match predicted {
            Some(columns) => view::own::<P>(&columns),
            None if smoothing.interpolation => {
                let at = (presentation.base(), presentation.parts());
                view::own::<P>(&presentation.own.at(kind, Seen::Owner, at, 1).0)
            }
            None => view::own::<P>(&between::told(self.replica.private())),
        };
        Some(OwnView { id: self.replica.avatar(), state, told, told_tick: self.replica.tick() })
    }
}
