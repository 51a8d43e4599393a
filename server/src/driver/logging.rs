//! The log of the process: text for people or JSON for programs, on standard error, with a bound on how often one
//! place of the program may repeat itself. For binaries; whoever embeds the server has a log of their own.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::collections::HashMap;
use std::io::IsTerminal;
use std::panic::PanicHookInfo;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tracing::callsite::Identifier;
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

#[cfg(feature = "otlp")]
use super::spans::Spans;
use crate::config::{LogFormat, LogSection};

/// Where it is said what was left out; these lines are never left out themselves.
const LEFT_OUT: &str = "tickwire_server::left_out";
/// How often that is.
const REPORT_EVERY: Duration = Duration::from_secs(60);

/// The log, for as long as the process runs.
pub struct Logging {
    filter: reload::Handle<EnvFilter, Registry>,
    sampler: Arc<Sampler>,
    /// The environment said what is written (`RUST_LOG`).
    pinned: bool,
    #[cfg(feature = "otlp")]
    spans: Option<Spans>,
}

impl Logging {
    /// To be called inside the runtime. Begins the log. What the process logged before is lost; a log that was begun before stays.
    #[must_use]
    pub fn start(section: &LogSection) -> Self {
        let given = EnvFilter::try_from_default_env().ok();
        let pinned = given.is_some();
        let filter = given.unwrap_or_else(|| EnvFilter::new(&section.level));
        let (filter, handle) = reload::Layer::new(filter);
        let sampler = Arc::new(Sampler::new(section.lines_per_minute));
        let colours = std::io::stderr().is_terminal();
        let text = (section.format == LogFormat::Text)
            .then(|| fmt::layer().with_ansi(colours).with_writer(std::io::stderr));
        let json = (section.format == LogFormat::Json)
            .then(|| fmt::layer().json().with_span_list(false).with_writer(std::io::stderr));
        #[cfg(feature = "otlp")]
        let (spans, why_not) = Spans::configured(section);
        let layers = tracing_subscriber::registry().with(filter);
        #[cfg(feature = "otlp")]
        let layers = layers.with(spans.as_ref().map(Spans::layer));
        // Fails when this process has one.
        let _ = layers.with(Sampling(Arc::clone(&sampler))).with(text).with(json).try_init();
        std::panic::set_hook(Box::new(log_panic));
        #[cfg(feature = "otlp")]
        if let Some(error) = why_not {
            tracing::error!(error, "spans are sent nowhere");
        }
        Self {
            filter: handle,
            sampler,
            pinned,
            #[cfg(feature = "otlp")]
            spans,
        }
    }

    /// Another level from now on, unless the environment has said which.
    pub fn set_level(&self, level: &str) {
        if self.pinned {
            return;
        }
        if let Ok(filter) = EnvFilter::try_new(level) {
            // Fails when the log is over.
            let _ = self.filter.reload(filter);
        }
    }

    /// Sends what is still on its way somewhere else than to standard error.
    pub fn end(&self) {
        #[cfg(feature = "otlp")]
        if let Some(spans) = &self.spans {
            spans.end();
        }
    }

    /// Says once a minute what was left out. Never returns.
    pub async fn report(self: Arc<Self>) {
        loop {
            tokio::time::sleep(REPORT_EVERY).await;
            for (place, lines) in self.sampler.next_minute() {
                tracing::warn!(
                    target: LEFT_OUT,
                    place,
                    lines,
                    "lines left out: more than log.lines_per_minute from one place"
                );
            }
        }
    }
}

/// A panic is a line like any other: programs can read it, and whoever can cause one fills no disk with it.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let said = panic.payload_as_str().unwrap_or("something without words");
    let place = panic.location().map(ToString::to_string);
    let thread = std::thread::current();
    let backtrace = Backtrace::capture();
    let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
    tracing::error!(thread = thread.name(), place, backtrace, "panic: {said}");
}

/// Counts lines by the place that they come from.
struct Sampler {
    lines_per_minute: u32,
    places: Mutex<HashMap<Identifier, Place>>,
}

struct Place {
    name: String,
    lines: u32,
}

impl Sampler {
    fn new(lines_per_minute: u32) -> Self {
        Self { lines_per_minute, places: Mutex::default() }
    }

    /// Whether one more line may be written in this minute.
    fn admits(&self, from: &tracing::Metadata<'static>) -> bool {
        if self.lines_per_minute == 0 || from.target() == LEFT_OUT {
            return true;
        }
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let place = places.entry(from.callsite()).or_insert_with(|| Place {
            name: format!("{}:{}", from.file().unwrap_or(from.target()), from.line().unwrap_or(0)),
            lines: 0,
        });
        place.lines = place.lines.saturating_add(1);
        place.lines <= self.lines_per_minute
    }

    /// What was left out in the minute that ends.
    fn next_minute(&self) -> Vec<(String, u32)> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let over = |place: &Place| place.lines.saturating_sub(self.lines_per_minute);
        let mut left_out: Vec<_> = places
            .drain()
            .map(|(_, place)| (over(&place), place.name))
            .filter(|(lines, _)| *lines > 0)
            .collect();
        left_out.sort();
        left_out.into_iter().map(|(lines, name)| (name, lines)).collect()
    }
}

/// The sampler in the way of lines.
struct Sampling(Arc<Sampler>);

impl<S: Subscriber> Layer<S> for Sampling {
    fn event_enabled(&self, event: &Event<'_>, _context: Context<'_, S>) -> bool {
        self.0.admits(event.metadata())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts what gets through.
    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u32>>>);

    impl<S: Subscriber> Layer<S> for Written {
        fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
            self.0.lock().expect("written").push(event.metadata().line().expect("a line"));
        }
    }

    #[test]
    fn a_place_that_repeats_itself_is_counted_and_others_are_heard() {
        let (sampler, written) = (Arc::new(Sampler::new(3)), Written::default());
        // Outermost what is asked first, as in the log.
        let layers = Registry::default().with(Sampling(Arc::clone(&sampler))).with(written.clone());
        let repeat = || (0..10).for_each(|_| tracing::info!(target: "elsewhere", "again"));
        tracing::subscriber::with_default(layers, || {
            repeat();
            tracing::info!(target: "elsewhere", "once");
            (0..10).for_each(|_| tracing::info!(target: LEFT_OUT, "of the log itself"));
            let left_out = sampler.next_minute();
            assert!(matches!(&left_out[..], [(place, 7)] if place.contains("logging.rs:")), "{left_out:?}");
            repeat();
        });
        assert_eq!(written.0.lock().expect("written").len(), 3 + 1 + 10 + 3);
        assert_eq!(Sampler::new(0).next_minute(), []);
    }
}
