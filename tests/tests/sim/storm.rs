//! A thousand clients whose server goes away and comes again: by the policy alone, in virtual time, they are spread.

use std::collections::BTreeMap;

use tickwire_shared::client::{Ended, Next, Reconnect};
use tickwire_shared::{Close, CloseCode, Micros};
use tickwire_tests::seeds::Dice;

const CLIENTS: usize = 1_000;
const SECOND: u64 = 1_000_000;
/// Attempts are counted in steps of this.
const STEP: u64 = 100_000;

/// What came of it.
struct Storm {
    /// Attempts in each step of a tenth of a second, failed ones included.
    attempts: BTreeMap<u64, usize>,
    /// When each client was back, counted from the time when the server was.
    back: Vec<u64>,
}

/// All connections end at once, with `first` for a reason; the server answers again after `down` and takes everybody.
fn storm(first: Ended<'_>, down: u64) -> Storm {
    let (mut attempts, mut back) = (BTreeMap::new(), Vec::new());
    for client in 0..CLIENTS {
        let mut dice = Dice::new(client as u64);
        let mut reconnect = Reconnect::default();
        reconnect.welcomed(Micros(0));
        let begin = Micros(100 * SECOND);
        let (mut now, mut ended) = (begin, first);
        let at = loop {
            let Next::At(due) = reconnect.ended(ended, dice.word(), now) else {
                panic!("{ended:?} is final")
            };
            assert!(due >= now);
            (now, ended) = (due, Ended::Lost);
            *attempts.entry(due.since(begin) / STEP).or_default() += 1;
            if due.since(begin) >= down {
                break due.since(begin) - down;
            }
        };
        back.push(at);
    }
    back.sort_unstable();
    Storm { attempts, back }
}

#[test]
fn a_restart_with_a_goodbye_is_spread() {
    let close = Close::retry_after(CloseCode::GoingAway, 2_000);
    let first = Ended::Closed { code: close.code.number(), reason: &close.reason };
    let Storm { attempts, back } = storm(first, 0);
    let most = attempts.values().copied().max().unwrap_or(0);
    eprintln!(
        "goodbye: at most {most} of {CLIENTS} in a tenth of a second, the last after {} ms",
        back[CLIENTS - 1] / 1000
    );
    assert!(back[0] >= 2 * SECOND, "nobody comes before it was told to");
    assert!(back[CLIENTS - 1] <= 4 * SECOND);
    assert!(most <= CLIENTS * 8 / 100, "{most}");
}

#[test]
fn a_crash_is_spread_and_the_longer_it_lasts_the_more() {
    let mut least = CLIENTS;
    for seconds in [0, 1, 5, 20, 60] {
        let Storm { attempts, back } = storm(Ended::Lost, seconds * SECOND);
        let after = attempts.range(seconds * 10..).map(|(_, count)| *count).max().unwrap_or(0);
        let (half, last) = (back[CLIENTS / 2], back[CLIENTS - 1]);
        eprintln!(
            "down for {seconds} s: at most {after} of {CLIENTS} in a tenth of a second, half back after {} ms, all after {} ms",
            half / 1000,
            last / 1000
        );
        assert!(after <= CLIENTS * 14 / 100, "{after} at once after {seconds} s");
        assert!(after <= least + CLIENTS / 50, "{after} at once after {seconds} s, {least} after less");
        assert!(half <= (seconds + 1).min(16) * SECOND, "half of them were away for {half} µs more");
        assert!(last <= 30 * SECOND, "somebody came after {last} µs");
        least = after.min(least);
    }
}
