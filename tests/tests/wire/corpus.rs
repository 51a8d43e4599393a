//! Every input that a fuzzer found worth keeping, again.

use std::cell::Cell;
use std::fs;
use std::path::Path;

use tickwire_server::host::Rewinds;
use tickwire_tests::fuzzing;

fn replay(target: &str, run: impl Fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let mut files: Vec<_> =
        fs::read_dir(&folder).expect("a corpus").flatten().map(|entry| entry.path()).collect();
    files.sort();
    files.iter().for_each(|file| run(&fs::read(file).expect("readable")));
    assert!(files.len() >= 10, "only {} inputs in {}", files.len(), folder.display());
}

#[test]
fn frames() {
    replay("frame", fuzzing::frame);
}

#[test]
fn messages() {
    let judged = Cell::new([0; 3]);
    replay("message", |bytes| {
        let Rewinds { within, capped, future, .. } = fuzzing::message(bytes);
        let [a, b, c] = judged.get();
        judged.set([a.max(within), b.max(capped), c.max(future)]);
    });
    assert!(judged.get().iter().all(|count| *count > 0), "nobody looks back to all moments: {judged:?}");
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
