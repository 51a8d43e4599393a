//! The swarm against a real server: what it does besides playing, and that it counts honestly what it has seen.

use std::time::Duration;

use tickwire_demo::bots::{self, BotsConfig, Style};
use tickwire_demo::link::Stall;

use crate::server::{config, metric, start};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_leave_come_back_stall_and_read_as_much_as_they_should() {
    let server = start(config()).await;
    let report = bots::run(BotsConfig {
        endpoint: server.public_addr().to_string().parse().expect("an endpoint"),
        clients: 12,
        duration: Duration::from_secs(6),
        styles: vec![Style::Wander, Style::Crowd, Style::Fight, Style::Idle],
        changes_per_s: Some(4.0),
        decode_share: 0.5,
        churn_per_s: Some(4.0),
        stall: Some(Stall { length_micros: 300_000, period_micros: 2_000_000 }),
        ..BotsConfig::default()
    })
    .await
    .expect("a report");
    assert_eq!(
        (report.clients_connected, report.clients_decoding, report.clients_failed),
        (12, 6, 0),
        "{report}"
    );
    assert!(report.clients_left > 3 && report.clients_stalled > 12, "{report}");
    // Who leaves says goodbye: nothing is lost or closed, and nobody's session is held.
    assert_eq!(
        (report.ended_early(), report.sessions_resumed, report.sessions_begun_anew),
        (0, 0, 0),
        "{report}"
    );
    assert!(metric(&server, "tickwire_sessions_total") > 15, "{report}");
    assert_eq!(report.state_mismatches, 0, "{report}");
    assert!(report.checksums_verified > 0 && report.checksums_skipped > 0, "{report}");
    // Some stood still for 300 ms, and everybody else did not.
    assert!(report.staleness_ms.max.is_some_and(|max| max >= 290.0), "{report}");
    assert!(report.staleness_ms.p50.is_some_and(|p50| p50 < 200.0), "{report}");
    let counted: u64 = report.staleness_ms.histogram.iter().map(|(_, count)| count).sum();
    assert!(counted > 300, "{counted} states");
    assert!(report.input_to_visible_ms.p50 > Some(report.input_margin_ms), "{report}");
}
