//! What the plots show: the connection's figures of the last half minute, ten times a second. Runs once per drawn frame.

use std::collections::VecDeque;

use tickwire_shared::Micros;

use super::scene::Scene;

/// How often figures are kept, and for how long.
const EVERY_MICROS: u64 = 100_000;
pub(super) const SECONDS: usize = 30;
const SAMPLES_MAX: usize = SECONDS * 1_000_000 / EVERY_MICROS as usize;

/// One figure with a plot of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Figure {
    RoundTrip,
    Jitter,
    Margin,
    Delay,
    Bytes,
    BitsPerEntity,
    Snapshots,
    PredictionError,
    Visible,
    Pauses,
}

pub(super) const FIGURES: usize = 10;

impl Figure {
    /// From top to bottom.
    pub(super) const ALL: [Self; FIGURES] = [
        Self::RoundTrip,
        Self::Jitter,
        Self::Margin,
        Self::Delay,
        Self::PredictionError,
        Self::Bytes,
        Self::BitsPerEntity,
        Self::Snapshots,
        Self::Visible,
        Self::Pauses,
    ];

    /// What it is, in few words and with its unit.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::RoundTrip => "round trip, ms",
            Self::Jitter => "jitter, ms",
            Self::Margin => "input margin, ticks",
            Self::Delay => "interpolation delay, ms",
            Self::Bytes => "received, kB/s",
            Self::BitsPerEntity => "bits per entity",
            Self::Snapshots => "snapshots per s",
            Self::PredictionError => "prediction error, cm",
            Self::Visible => "visible entities",
            Self::Pauses => "pauses and resyncs",
        }
    }

    /// What it says, for whoever points at it.
    pub(super) fn explanation(self) -> &'static str {
        match self {
            Self::RoundTrip => "From here to the server and back, without its own time.",
            Self::Jitter => "How much later frames come than the quickest ones, on average.",
            Self::Margin => "How early your inputs reach the server. Below 0 they are late.",
            Self::Delay => "How far in the past others are shown, so that there is always a next state.",
            Self::Bytes => "What the server sends you.",
            Self::BitsPerEntity => "Bits for one entity that changed.",
            Self::Snapshots => "Frames that arrived and were applied.",
            Self::PredictionError => {
                "How far the server's word was from what was predicted. Hits knock you back."
            }
            Self::Visible => "How many others you are told of.",
            Self::Pauses => "Times in which nothing came, and catchings up after them, since the beginning.",
        }
    }

    fn of(self, scene: &Scene) -> f32 {
        let figures = &scene.net.figures;
        let ms = |micros: u64| micros as f32 / 1e3;
        match self {
            Self::RoundTrip => figures.rtt_micros.map_or(f32::NAN, ms),
            Self::Jitter => ms(figures.jitter_micros),
            Self::Margin => figures.margin_ticks.unwrap_or(f32::NAN),
            Self::Delay => ms(figures.delay_micros[0]),
            Self::Bytes => figures.received_bytes_per_s as f32 / 1e3,
            Self::BitsPerEntity => figures.bits_per_update as f32,
            Self::Snapshots => figures.snapshots_per_s as f32,
            Self::PredictionError => scene.net.prediction_error_cm(),
            Self::Visible => figures.visible as f32,
            Self::Pauses => (scene.net.pauses + figures.stats.resyncs) as f32,
        }
    }
}

/// The last half minute.
#[derive(Clone, Debug, Default)]
pub(super) struct History {
    samples: VecDeque<[f32; FIGURES]>,
    taken: Option<Micros>,
    /// The largest error since the last sample: what lasts for one snapshot only is to be seen too.
    error_cm: f32,
}

impl History {
    /// Looks at the scene that is shown.
    pub(super) fn note(&mut self, scene: &Scene) {
        self.error_cm = self.error_cm.max(scene.net.prediction_error_cm());
        if self.taken.is_some_and(|taken| scene.now.since(taken) < EVERY_MICROS) {
            return;
        }
        self.taken = Some(scene.now);
        if self.samples.len() == SAMPLES_MAX {
            self.samples.pop_front();
        }
        let mut sample = Figure::ALL.map(|figure| figure.of(scene));
        let error = Figure::ALL.iter().position(|figure| *figure == Figure::PredictionError);
        if let Some(error) = error {
            sample[error] = std::mem::take(&mut self.error_cm);
        }
        self.samples.push_back(sample);
    }

    /// The newest of the figure at a place of [`Figure::ALL`].
    pub(super) fn newest(&self, place: usize) -> Option<f32> {
        self.samples.back().map(|sample| sample[place]).filter(|value| value.is_finite())
    }

    /// All of them: seconds before now, and the value.
    pub(super) fn points(&self, place: usize) -> impl Iterator<Item = [f64; 2]> {
        let newest = self.samples.len().saturating_sub(1);
        let seconds = EVERY_MICROS as f64 / 1e6;
        self.samples
            .iter()
            .enumerate()
            .map(move |(at, sample)| [(at as f64 - newest as f64) * seconds, f64::from(sample[place])])
            .filter(|[_, value]| value.is_finite())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounded_and_no_error_is_missed() {
        let mut history = History::default();
        let error = Figure::ALL.iter().position(|figure| *figure == Figure::PredictionError).unwrap();
        for step in 0..(SAMPLES_MAX as u64 + 50) * 6 {
            let mut scene = Scene { now: Micros(step * 16_700), ..Scene::default() };
            scene.net.figures.corrections.newest = if step % 60 == 20 { 0.25 } else { 0.0 };
            history.note(&scene);
        }
        assert_eq!(history.samples.len(), SAMPLES_MAX);
        let errors = history.points(error).filter(|[_, value]| *value == 25.0).count();
        assert!((25..=35).contains(&errors), "one a second: {errors}");
        let first = history.points(error).next().unwrap();
        assert!((first[0] + SECONDS as f64).abs() < 0.2, "{first:?}");
        assert_eq!(history.points(0).count(), 0, "no round trip is known");
    }
}
