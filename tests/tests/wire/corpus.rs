//! Every input that a fuzzer found worth keeping, again.

use std::fs;
use std::path::Path;

use tickwire_tests::fuzzing;

fn replay(target: &str, run: impl Fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut count = 0;
    for entry in fs::read_dir(&folder).expect("a corpus").flatten() {
        run(&fs::read(entry.path()).expect("readable"));
        count += 1;
    }
    assert!(count >= 10, "only {count} inputs in {}", folder.display());
}

#[test]
fn frames() {
    replay("frame", fuzzing::frame);
}

#[test]
fn messages() {
    replay("message", fuzzing::message);
}

#[test]
fn operations() {
    replay("operations", fuzzing::operations);
}

#[test]
fn handshakes() {
    replay("handshake", fuzzing::handshake);
}

#[test]
fn sockets() {
    replay("socket", fuzzing::socket);
}

#[test]
fn sessions() {
    replay("session", fuzzing::session);
}
