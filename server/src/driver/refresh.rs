//! Watches files that may be replaced while the server runs: certificates and keys. Looks at them now and then,
//! and at once when the process is told to (SIGHUP).

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Files that belong together, and what to do when one of them is another.
pub(super) struct Watch<F> {
    pub(super) files: Vec<PathBuf>,
    pub(super) every: Duration,
    pub(super) reload: F,
}

/// When a file was written, and its size; nothing when it is not there.
type Stamp = Option<(SystemTime, u64)>;

impl<F: FnMut()> Watch<F> {
    /// Runs until the future that holds it is dropped.
    pub(super) async fn run(mut self) {
        let mut hangup = Hangup::listen();
        let mut seen = self.stamps();
        loop {
            let told = tokio::select! {
                () = tokio::time::sleep(self.every) => false,
                () = hangup.received() => true,
            };
            let stamps = self.stamps();
            if told || stamps != seen {
                seen = stamps;
                (self.reload)();
            }
        }
    }

    fn stamps(&self) -> Vec<Stamp> {
        self.files.iter().map(|file| stamp(file)).collect()
    }
}

fn stamp(file: &Path) -> Stamp {
    let about = std::fs::metadata(file).ok()?;
    Some((about.modified().ok()?, about.len()))
}

/// The signal that asks for another look, where there is one.
pub(super) struct Hangup {
    #[cfg(unix)]
    signal: Option<tokio::signal::unix::Signal>,
}

impl Hangup {
    pub(super) fn listen() -> Self {
        Self {
            #[cfg(unix)]
            signal: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).ok(),
        }
    }

    pub(super) async fn received(&mut self) {
        #[cfg(unix)]
        if let Some(signal) = &mut self.signal
            && signal.recv().await.is_some()
        {
            return;
        }
        std::future::pending().await
    }
}
