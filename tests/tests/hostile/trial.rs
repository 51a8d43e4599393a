//! One attack on a fresh server: players alone, players under attack, and what is left afterwards.

use std::fmt;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::players::{PLAYERS, Players};
use crate::served::{Entry, Holding, Served, value};
use crate::wire::Score;
use crate::{floods, frames, handshakes, lies, papers, silence};

/// What players must keep of their rate.
const KEPT_MIN: f64 = 0.97;
/// What an attack may cost while it lasts. Two hundred connections with all their buffers take less.
const MEMORY_KIB_MAX: u64 = 40 * 1024;
/// The head of the table.
pub(crate) const HEAD: &str = "\
| attack | tried | refused | worst player's frames per second, before and during | memory before, most, after (MiB) |
| --- | --- | --- | --- | --- |";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attack {
    SlowHandshakes,
    HeaderBombs,
    HandshakeFlood,
    GiantLengths,
    Fragments,
    Pings,
    MessagesBelow,
    MessagesAbove,
    Deflate,
    NeverReading,
    HalfOpen,
    Churn,
    WrongOrigin,
    BadTokens,
    StolenResume,
    ImpossibleInputs,
    FalseAcknowledgements,
    FalseViews,
}

impl Attack {
    pub(crate) const ALL: [Self; 18] = [
        Self::SlowHandshakes,
        Self::HeaderBombs,
        Self::HandshakeFlood,
        Self::GiantLengths,
        Self::Fragments,
        Self::Pings,
        Self::MessagesBelow,
        Self::MessagesAbove,
        Self::Deflate,
        Self::NeverReading,
        Self::HalfOpen,
        Self::Churn,
        Self::WrongOrigin,
        Self::BadTokens,
        Self::StolenResume,
        Self::ImpossibleInputs,
        Self::FalseAcknowledgements,
        Self::FalseViews,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::SlowHandshakes => "500 slow handshakes",
            Self::HeaderBombs => "heads of 64 KiB or 1,000 lines, 50/s",
            Self::HandshakeFlood => "upgrades without end from 4 addresses",
            Self::GiantLengths => "lengths up to 2^62 announced, 65/s",
            Self::Fragments => "1-byte fragments without end, 65/s",
            Self::Pings => "20 clients, 200 pings/s each",
            Self::MessagesBelow => "20 clients, 75 messages/s each (80 allowed)",
            Self::MessagesAbove => "20 clients, 400 messages/s each",
            Self::Deflate => "compression offered and used, 50/s",
            Self::NeverReading => "50 clients that never read",
            Self::HalfOpen => "200 half-open connections",
            Self::Churn => "connect and disconnect, 200/s",
            Self::WrongOrigin => "wrong origins, 50/s",
            Self::BadTokens => "forged, foreign, expired, unsigned (`alg=none`) or no access tokens, 50/s",
            Self::StolenResume => "players' resume tokens stolen or guessed, own ones replayed, 50/s",
            Self::ImpossibleInputs => "20 clients, impossible inputs",
            Self::FalseAcknowledgements => "20 clients, false acknowledgements",
            Self::FalseViews => "20 clients, shots aimed at moments outside the window",
        }
    }

    /// What the server asks of newcomers.
    fn entry(self) -> Entry {
        match self {
            Self::BadTokens | Self::StolenResume => Entry::ByToken,
            _ => Entry::Anybody,
        }
    }

    async fn run(self, served: &Served, players: &Players, time: Duration, score: Score) {
        let address = served.address;
        match self {
            Self::SlowHandshakes => handshakes::slow(address, time.max(SLOW_TIME), score).await,
            Self::HeaderBombs => handshakes::header_bombs(address, time, score).await,
            Self::HandshakeFlood => handshakes::flood(address, time, score).await,
            Self::GiantLengths => frames::giant_lengths(address, time, score).await,
            Self::Fragments => frames::fragments(address, time, score).await,
            Self::Pings => floods::pings(address, time, score).await,
            Self::MessagesBelow => floods::below(address, time, score).await,
            Self::MessagesAbove => floods::above(address, time, score).await,
            Self::Deflate => handshakes::deflate(address, time, score).await,
            Self::NeverReading => silence::never_reading(address, time, score).await,
            Self::HalfOpen => silence::half_open(address, time, score).await,
            Self::Churn => floods::churn(address, time.max(CHURN_TIME.min(2 * time)), score).await,
            Self::WrongOrigin => handshakes::wrong_origin(address, time, score).await,
            Self::BadTokens => papers::bad_access_tokens(address, time, score).await,
            Self::StolenResume => {
                papers::stolen_resume_tokens(address, time, players.tokens(), score).await;
            }
            Self::ImpossibleInputs => lies::impossible_inputs(address, time, score).await,
            Self::FalseAcknowledgements => lies::false_acknowledgements(address, time, score).await,
            Self::FalseViews => lies::false_views(address, time, score).await,
        }
    }

    /// What the server itself counted as refused, for attacks whose connections it keeps.
    fn refused_inside(self, metrics: &str) -> u64 {
        let of = |name: &str, label: &str, values: &[&str]| -> u64 {
            let total = |word: &&str| value(metrics, &format!("tickwire_{name}_total{{{label}=\"{word}\"}}"));
            values.iter().map(total).sum()
        };
        let drops = ["frames_per_s", "bytes_per_s", "pings_per_s"];
        match self {
            Self::Pings | Self::MessagesBelow | Self::MessagesAbove => {
                of("dropped_messages", "reason", &drops)
            }
            Self::ImpossibleInputs => of("inputs", "outcome", &["early", "late", "double", "impossible"]),
            Self::FalseAcknowledgements => value(metrics, "tickwire_false_acks_total"),
            Self::FalseViews => of("rewinds", "moment", &["capped", "future"]),
            _ => 0,
        }
    }

    /// The share of attempts that must be refused.
    fn refused_min(self) -> f64 {
        match self {
            Self::GiantLengths | Self::Deflate | Self::WrongOrigin | Self::HeaderBombs => 0.99,
            Self::Fragments | Self::BadTokens | Self::StolenResume => 0.99,
            Self::HandshakeFlood | Self::HalfOpen => 0.8,
            // Those beyond the first 256 have waited in the kernel, and their time is not over yet.
            Self::SlowHandshakes => 0.4,
            Self::MessagesAbove | Self::Pings => 0.7,
            Self::ImpossibleInputs | Self::FalseAcknowledgements => 0.2,
            // Whoever is dead does not fire.
            Self::FalseViews => 0.5,
            // Nothing is wrong with these but their number, or nothing can be told from outside.
            Self::MessagesBelow | Self::NeverReading | Self::Churn => 0.0,
        }
    }
}

/// Longer than the deadline of a request's head.
const SLOW_TIME: Duration = Duration::from_secs(8);
/// Of connecting and disconnecting, in the slow layer.
const CHURN_TIME: Duration = Duration::from_secs(20);

pub(crate) struct Report {
    attack: Attack,
    tried: u64,
    refused: u64,
    worst_before: f64,
    worst_during: f64,
    before: Holding,
    most_kib: u64,
    after: Holding,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |kib: u64| kib as f64 / 1024.0;
        write!(
            f,
            "| {} | {} | {} | {:.1}, {:.1} ({:.1} %) | {:.1}, {:.1}, {:.1} |",
            self.attack.name(),
            self.tried,
            self.refused,
            self.worst_before,
            self.worst_during,
            100.0 * self.worst_during / self.worst_before,
            mib(self.before.rss_kib),
            mib(self.most_kib),
            mib(self.after.rss_kib),
        )
    }
}

impl Report {
    pub(crate) fn verdict(&self) -> Result<(), String> {
        if self.worst_during < KEPT_MIN * self.worst_before {
            return Err(format!("a player fell from {:.1} to {:.1}", self.worst_before, self.worst_during));
        }
        if self.most_kib > self.before.rss_kib + MEMORY_KIB_MAX {
            return Err(format!("memory rose from {} to {} KiB", self.before.rss_kib, self.most_kib));
        }
        if (self.refused as f64) < self.attack.refused_min() * self.tried as f64 || self.tried == 0 {
            return Err(format!("{} of {} refused", self.refused, self.tried));
        }
        let (before, after) = (self.before, self.after);
        if after.files > before.files + 4 || after.tasks > before.tasks + 4 {
            return Err(format!("left behind: {before:?}, then {after:?}"));
        }
        Ok(())
    }
}

pub(crate) async fn trial(attack: Attack, time: Duration) -> Report {
    let served = Served::start(attack.entry());
    let players = Players::join(served.address, served.entry).await;
    let (worst_before, _) = watch(&served, &players, sleep(time)).await;
    let before = served.holding().await;
    // What the players did themselves is not the attack's.
    let inside_before = attack.refused_inside(&served.metrics().await);
    let score = Score::default();
    let (worst_during, most_kib) =
        watch(&served, &players, attack.run(&served, &players, time, score.clone())).await;
    let after = settle(&served, before).await;
    let inside = attack.refused_inside(&served.metrics().await) - inside_before;
    players.leave();
    let (tried, closed) = score.totals();
    let refused = closed.max(inside);
    Report { attack, tried, refused, worst_before, worst_during, before, most_kib, after }
}

/// The worst player's rate and the most memory while something goes on.
async fn watch(served: &Served, players: &Players, meanwhile: impl Future<Output = ()>) -> (f64, u64) {
    let (begun, counts) = (Instant::now(), players.counts());
    let mut most_kib = 0;
    tokio::pin!(meanwhile);
    loop {
        most_kib = most_kib.max(served.rss_kib());
        tokio::select! {
            () = &mut meanwhile => break,
            () = sleep(Duration::from_millis(100)) => {}
        }
    }
    (Players::worst(&counts, &players.counts(), begun.elapsed()), most_kib)
}

/// What is left once all connections of the attack have had the time that they are given.
async fn settle(served: &Served, before: Holding) -> Holding {
    let begun = Instant::now();
    loop {
        let now = served.holding().await;
        let back = now.files <= before.files + 1 && now.tasks <= before.tasks + 1;
        if back || begun.elapsed() > Duration::from_secs(25) {
            return now;
        }
        sleep(Duration::from_millis(500)).await;
    }
}

const _: () = assert!(PLAYERS == 50, "as the table says");

#[test]
fn a_verdict_can_be_bad() {
    let held = Holding { rss_kib: 8_000, files: 60, tasks: 110 };
    let good = || Report {
        attack: Attack::GiantLengths,
        tried: 100,
        refused: 100,
        worst_before: 30.0,
        worst_during: 29.5,
        before: held,
        most_kib: 9_000,
        after: held,
    };
    assert_eq!(good().verdict(), Ok(()));
    let leaky = Holding { tasks: 200, ..held };
    for (bad, word) in [
        (Report { worst_during: 28.0, ..good() }, "fell"),
        (Report { most_kib: 60_000, ..good() }, "memory"),
        (Report { refused: 90, ..good() }, "refused"),
        (Report { after: leaky, ..good() }, "left behind"),
    ] {
        assert!(bad.verdict().is_err_and(|why| why.contains(word)), "{bad}");
    }
}
