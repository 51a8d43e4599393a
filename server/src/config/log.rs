//! What is written to the log, and how.

use serde::{Deserialize, Serialize};

use super::{ConfigError, refuse, within};

/// The section `[log]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogSection {
    /// For people or for programs.
    pub format: LogFormat,
    /// The least level that is written, or several for parts of the program: `warn,tickwire_server::auth=debug`.
    /// `RUST_LOG` beats it.
    pub level: String,
    /// Lines per minute from one place of the program; the rest is counted, and the count is a line. 0 writes all.
    pub lines_per_minute: u32,
    /// Where spans of sessions go, by OTLP over HTTP: `http://127.0.0.1:4318/v1/traces`. For builds with the feature
    /// `otlp`.
    pub otlp_endpoint: Option<String>,
}

/// How a line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One object per line.
    Json,
}

impl Default for LogSection {
    fn default() -> Self {
        Self { format: LogFormat::Text, level: "info".to_owned(), lines_per_minute: 120, otlp_endpoint: None }
    }
}

impl LogSection {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        let is_level = |word: &str| {
            ["off", "error", "warn", "info", "debug", "trace"].contains(&word.to_lowercase().as_str())
        };
        // Without `=`, what is no level would be taken for the name of a part, and nothing would be written.
        let level_of = |part: &str| part.rsplit_once('=').map_or(part, |(_, level)| level).trim().to_owned();
        let fits = self.level.split(',').all(|part| is_level(&level_of(part)));
        if !fits || tracing_subscriber::EnvFilter::try_new(&self.level).is_err() {
            let allowed =
                "it must be off, error, warn, info, debug or trace, or part=level, with commas between them";
            return Err(refuse("log.level", &self.level, allowed));
        }
        if let Some(endpoint) = &self.otlp_endpoint {
            if !cfg!(feature = "otlp") {
                let allowed = "this build sends no spans: leave it out, or build with --features otlp";
                return Err(refuse("log.otlp_endpoint", endpoint, allowed));
            }
            if !endpoint.starts_with("http://") {
                let allowed =
                    "it must be like http://127.0.0.1:4318/v1/traces: a collector nearby, without TLS";
                return Err(refuse("log.otlp_endpoint", endpoint, allowed));
            }
        }
        within("log.lines_per_minute", self.lines_per_minute, 0, 1_000_000)
    }
}
