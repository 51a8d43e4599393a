//! Every input that a fuzzer found worth keeping, again.

use std::cell::Cell;
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
    let resumes = Cell::new(0);
    replay("operations", |bytes| resumes.set(resumes.get() + fuzzing::operations(bytes)));
    assert!(resumes.get() >= 20, "only {} sessions went on over another connection", resumes.get());
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
