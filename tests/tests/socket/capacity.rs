//! `tickwire-server bench capacity`: real processes, an answer, an exit code. How much it is, is not asked here.

use std::process::Command;

use crate::command_line::tickwire;

/// The swarm's binary, beside the server's.
fn build_bots() {
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--package", "tickwire-demo", "--bin", "tickwire-demo"])
        .args((!cfg!(debug_assertions)).then_some("--release"))
        .status()
        .expect("cargo");
    assert!(status.success(), "the swarm builds");
}

/// Limits that any machine keeps.
const GENEROUS: [&str; 6] = ["--p99", "5s", "--lateness-p99", "5s", "--staleness-p99", "30s"];

#[test]
fn it_measures_and_says_whether_that_is_enough() {
    build_bots();
    let results = std::env::temp_dir().join(format!("tickwire-capacity-{}.json", std::process::id()));
    let (json, plot) = (results.clone(), results.with_extension("svg"));
    for (at_least, passes) in [("20", true), ("21", false)] {
        let mut command = tickwire();
        command.args(["bench", "capacity", "--clients", "20", "--seconds", "2", "--at-least", at_least]);
        command.args(GENEROUS).arg("--json").arg(&json).arg("--plot").arg(&plot);
        let output = command.output().expect("it ran");
        let (said, progress) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(if passes { 0 } else { 1 }), "{said}{progress}");
        assert!(said.contains("20 clients are fine"), "{said}");
        assert!(progress.contains("at most") && progress.contains("20 clients ..."), "{progress}");
    }
    let text = std::fs::read_to_string(&json).expect("results");
    let read: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!((&read["clients_max"], &read["passed"]), (&20.into(), &false.into()));
    let swarm = &read["probes"][0]["measured"]["swarm"];
    assert_eq!((&swarm["connected"], &swarm["mismatches"]), (&20.into(), &0.into()), "{text}");
    assert!(read["probes"][0]["measured"]["tick_ms"]["whole"]["p99"].as_f64() > Some(0.0), "{text}");
    assert!(std::fs::read_to_string(&plot).expect("a plot").contains("tick p99"));
    std::fs::remove_file(json).and_then(|()| std::fs::remove_file(plot)).expect("own files");
}

#[test]
fn without_a_swarm_it_says_how_to_get_one() {
    let output = tickwire().args(["bench", "capacity", "--bots", "/no/such/bots"]).output().expect("it ran");
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("cargo build --release -p tickwire-demo"), "{said}");
}
