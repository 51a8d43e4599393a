//! The header as C99 reads it, the C examples over the golden vectors and against a server, and what the border makes of nonsense.
//! Needs `cc`, which Rust's own linking needs too.

mod live;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, ptr};

use tickwire::{Bytes, SessionOptions};

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The newest static library beside this test.
fn library() -> PathBuf {
    let mut folder = env::current_exe().expect("a path");
    folder.pop();
    let built = fs::read_dir(&folder).expect("a folder").flatten().map(|entry| entry.path());
    let is_ours = |path: &PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with("libtickwire") && !name.starts_with("libtickwire_") && name.ends_with(".a")
    };
    let age = |path: &PathBuf| fs::metadata(path).and_then(|about| about.modified()).ok();
    built.filter(is_ours).max_by_key(age).expect("cargo builds the library beside its test")
}

/// An example, compiled; to be deleted after it has run.
fn compiled(example: &str) -> PathBuf {
    let program = env::temp_dir().join(format!("tickwire-{example}-{}", std::process::id()));
    let compiled = Command::new("cc")
        .args(["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-I"])
        .arg(here().join("include"))
        .arg(here().join(format!("examples/{example}.c")))
        .arg(library())
        .args(["-lpthread", "-ldl", "-lm", "-o"])
        .arg(&program)
        .output()
        .expect("a C compiler, as cc");
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    program
}

#[test]
fn the_example_in_c_holds_the_golden_states() {
    let program = compiled("vectors");
    let vectors = here().join("../vectors");
    let played = Command::new(&program)
        .args([vectors.join("arena_schema.json"), here().join("../src/arena/arena.tables")])
        .arg(vectors.join("arena_messages.txt"))
        .output()
        .expect("it was just compiled");
    fs::remove_file(&program).expect("it was just run");
    let words = String::from_utf8_lossy(&played.stderr);
    assert!(played.status.success(), "{words}");
    let states = String::from_utf8(played.stdout).expect("text");
    let golden = fs::read_to_string(vectors.join("arena_states.txt")).expect("the vectors are there");
    let first = states.lines().zip(golden.lines()).find(|(now, then)| now != then);
    assert_eq!(first, None);
    assert_eq!(states.len(), golden.len());
    assert!(words.contains("player ") && words.contains("checksums right"), "{words}");
}

fn empty() -> Bytes {
    Bytes { data: ptr::null(), len: 0 }
}

fn of(bytes: &[u8]) -> Bytes {
    Bytes { data: bytes.as_ptr(), len: bytes.len() }
}

fn options(schema: Bytes) -> SessionOptions {
    let [tables, input, name, room, token] = [empty(); 5];
    SessionOptions { schema, tables, input, name, room, token, budget_bytes_per_s: 0 }
}

/// Opens a session, and says what the words for its failure are.
fn open(options: *const SessionOptions, room: usize) -> (*mut tickwire::Held, String) {
    let mut words = vec![0x7F_u8; 256];
    // SAFETY: there is that much room.
    let kit = unsafe { tickwire::tickwire_new(options, words.as_mut_ptr().cast(), room) };
    assert!(words[room..].iter().all(|byte| *byte == 0x7F), "it wrote behind the room");
    let end = words.iter().position(|byte| *byte == 0 || *byte == 0x7F).unwrap_or(0);
    (kit, String::from_utf8_lossy(&words[..end]).into_owned())
}

#[test]
fn nonsense_is_refused_in_words() {
    let (kit, words) = open(ptr::null(), 256);
    assert!(kit.is_null() && words.contains("null"), "{words}");
    let (kit, words) = open(&options(of(b"{}")), 256);
    assert!(kit.is_null() && words.starts_with("schema: "), "{words}");
    let (kit, words) = open(&options(of(b"{}")), 8);
    assert!(kit.is_null() && words == "schema:", "{words}");
    let (kit, words) = open(&options(of(b"{}")), 0);
    assert!(kit.is_null() && words.is_empty());
    let (kit, words) = open(&options(Bytes { data: ptr::null(), len: 5 }), 256);
    assert!(kit.is_null() && words.contains("length"), "{words}");
}

#[test]
fn nothing_that_is_not_there_is_read_or_written() {
    let schema = fs::read(here().join("../vectors/arena_schema.json")).expect("the vectors are there");
    let (kit, words) = open(&options(of(&schema)), 256);
    assert!(!kit.is_null(), "{words}");
    let (mut value, mut column) = (7.0, 7);
    // SAFETY: the session is open until it is freed; all other pointers are null or to what is there.
    unsafe {
        assert_eq!(tickwire::tickwire_receive(ptr::null_mut(), ptr::null(), 0, 0), -1);
        assert_eq!(tickwire::tickwire_count(ptr::null()), -1);
        assert_eq!(tickwire::tickwire_receive(kit, ptr::null(), 3, 0), -1);
        assert_eq!(tickwire::tickwire_transmit(kit, 0, ptr::null_mut()), -1);
        assert_eq!((tickwire::tickwire_count(kit), tickwire::tickwire_tick(kit)), (0, 0));
        assert_eq!(tickwire::tickwire_get_draining(ptr::null(), ptr::null_mut()), -1);
        assert_eq!(tickwire::tickwire_get_draining(kit, ptr::null_mut()), 0);
        for index in [-1, 0, i32::MAX, i32::MIN] {
            assert_eq!(tickwire::tickwire_get(kit, index, ptr::null_mut()), -1);
            assert_eq!(tickwire::tickwire_columns(kit, index, &mut column, 1), -1);
            assert_eq!(tickwire::tickwire_values(kit, index, index, &mut value, 1), -1);
            assert_eq!(tickwire::tickwire_shown_values(kit, index, index, &mut value, 1), -1);
        }
        assert_eq!(tickwire::tickwire_look(kit, 5, ptr::null_mut(), ptr::null_mut()), 0);
        assert_eq!(tickwire::tickwire_kind(kit, ptr::null()), -1);
        assert_eq!(tickwire::tickwire_kind(kit, c"Drone".as_ptr()), 1);
        assert_eq!(tickwire::tickwire_kind(kit, c"Dragon".as_ptr()), -1);
        assert_eq!(tickwire::tickwire_field(kit, 1, c"hp".as_ptr()), 2);
        assert_eq!(tickwire::tickwire_field(kit, -1, c"velocity".as_ptr()), 1);
        assert_eq!(tickwire::tickwire_field(kit, 99, c"hp".as_ptr()), -1);
        assert_eq!(tickwire::tickwire_ended(ptr::null_mut(), 0, ptr::null(), 5, 0, ptr::null_mut()), -1);
        let mut due = 0;
        let away = c"server going away; retry_after_ms=2000".as_ptr();
        assert_eq!(tickwire::tickwire_ended(kit, 1001, away, 5, 7, &mut due), 1);
        assert!(due >= 2_000_007, "{due}");
        assert_eq!(tickwire::tickwire_ended(kit, -7, ptr::null(), 0, 7, &mut due), 1);
        assert_eq!((due, tickwire::tickwire_state(kit, 7)), (7, 0));
        assert_eq!(tickwire::tickwire_receive(kit, [9, 9].as_ptr(), 2, 0), -2);
        assert_ne!(*tickwire::tickwire_error(kit), 0);
        assert_eq!(tickwire::tickwire_state(kit, 7), 4);
        assert_eq!(tickwire::tickwire_ended(kit, 0, ptr::null(), 0, 7, ptr::null_mut()), 0);
        tickwire::tickwire_free(kit);
        tickwire::tickwire_free(ptr::null_mut());
    }
    assert_eq!((value, column), (7.0, 7));
}
