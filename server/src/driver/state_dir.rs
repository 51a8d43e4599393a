//! Rooms that outlive the process: each is written to a file of its own when the server goes away, and is there again at
//! the next start. A file stays until its room is over, so that what a server that crashes began with is not lost either.
//!
//! A file is put in place only when all of it is on the disk. What cannot be read is set aside, never overwritten.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tickwire_shared::wire::codec;

use super::board::Order;
use super::{own_file, wanted};
use crate::config::ConfigError;
use crate::host::digest;

/// What a file begins with; the digest of what follows stands behind it.
const MAGIC: &[u8; 8] = b"TWROOM1\n";
/// Endings: of a room, of one that is being written, and of one that could not be read.
const EXTENSION: &str = "twroom";
const UNFINISHED: &str = "twroom-new";
const REFUSED: &str = "twroom-refused";

/// Where rooms are kept, if anywhere. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct StateDir(Option<Arc<Folder>>);

struct Folder {
    dir: PathBuf,
    written: Mutex<Vec<Written>>,
}

/// A room that is in its file, or is not.
struct Written {
    name: String,
    bytes: io::Result<usize>,
}

/// A room from its file.
pub(super) struct Kept {
    pub(super) order: Order,
    /// By [`Room::save`](crate::host::Room::save).
    pub(super) room: Vec<u8>,
}

/// What became of the rooms.
#[derive(Debug, Default)]
pub struct RoomsSaved {
    /// Name and bytes of each that is in its file.
    pub saved: Vec<(String, usize)>,
    /// Name of each that is not, and why.
    pub failed: Vec<(String, io::Error)>,
}

/// [`Order`], as a file has it.
#[derive(Serialize, Deserialize)]
struct Label {
    name: String,
    capacity: u64,
    tick_hz: u16,
    seed: u64,
    code: Option<String>,
    /// As JSON text.
    metadata: String,
    disposable: bool,
}

impl StateDir {
    /// Makes the folder.
    ///
    /// # Errors
    /// [`ConfigError::Unusable`] when nothing can be written there.
    pub(super) fn open(dir: Option<&Path>) -> Result<Self, ConfigError> {
        let Some(dir) = dir else { return Ok(Self(None)) };
        let probe = dir.join(format!(".{UNFINISHED}"));
        let usable = fs::create_dir_all(dir)
            .and_then(|()| fs::write(&probe, b""))
            .and_then(|()| fs::remove_file(&probe));
        usable.map_err(|why| ConfigError::Unusable {
            key: "state_dir",
            value: dir.display().to_string(),
            why: why.to_string(),
        })?;
        Ok(Self(Some(Arc::new(Folder { dir: dir.to_owned(), written: Mutex::default() }))))
    }

    /// The rooms of the last run, by name. What is no room of ours is set aside.
    pub(super) fn load(&self) -> Vec<Kept> {
        let Some(folder) = &self.0 else { return Vec::new() };
        let Ok(entries) = fs::read_dir(&folder.dir) else { return Vec::new() };
        let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
        paths.retain(|path| path.extension().is_some_and(|extension| extension == EXTENSION));
        paths.sort();
        paths.into_iter().filter_map(|path| read_or_set_aside(&path)).collect()
    }

    /// Writes a room beside its file; [`Self::finish`] puts it in place.
    pub(super) fn write(&self, order: &Order, room: impl FnOnce() -> Vec<u8>) {
        let Some(folder) = &self.0 else { return };
        let file = encode(order, &room());
        let bytes = own_file::create(&folder.path(&order.name, UNFINISHED))
            .and_then(|mut open| open.write_all(&file))
            .map(|()| file.len());
        folder.written().push(Written { name: order.name.clone(), bytes });
    }

    /// Puts what was written in its place, on the disk and not only on its way there. Takes its time.
    pub(super) fn finish(&self) -> RoomsSaved {
        let mut report = RoomsSaved::default();
        let Some(folder) = &self.0 else { return report };
        for Written { name, bytes } in folder.written().drain(..) {
            let from = folder.path(&name, UNFINISHED);
            let place = || {
                File::open(&from)?.sync_all()?;
                fs::rename(&from, folder.path(&name, EXTENSION))
            };
            match bytes.and_then(|bytes| place().map(|()| bytes)) {
                Ok(bytes) => report.saved.push((name, bytes)),
                Err(error) => report.failed.push((name, error)),
            }
        }
        // The names themselves. Not every system knows how to.
        let _ = File::open(&folder.dir).and_then(|dir| dir.sync_all());
        report
    }

    /// The room is over: it does not come again.
    pub(super) fn forget(&self, name: &str) {
        if let Some(folder) = &self.0 {
            // Mostly there is none.
            let _ = fs::remove_file(folder.path(name, EXTENSION));
        }
    }

    /// The room that was read is none of this game's.
    pub(super) fn refuse(&self, name: &str) {
        if let Some(folder) = &self.0 {
            set_aside(&folder.path(name, EXTENSION));
        }
    }
}

impl Folder {
    fn path(&self, name: &str, extension: &str) -> PathBuf {
        self.dir.join(format!("{name}.{extension}"))
    }

    fn written(&self) -> MutexGuard<'_, Vec<Written>> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read_or_set_aside(path: &Path) -> Option<Kept> {
    let read = fs::read(path).map_err(|error| error.to_string());
    let kept = read.and_then(|file| decode(&file).ok_or_else(|| "it is damaged".to_owned()));
    // Otherwise a copy of a file would be the same room twice.
    let named =
        kept.and_then(|kept| match path.file_stem().is_some_and(|stem| stem == kept.order.name.as_str()) {
            true => Ok(kept),
            false => Err(format!("it holds the room `{}`", kept.order.name)),
        });
    named
        .inspect_err(|why| {
            tracing::error!(file = %path.display(), why, "a saved room cannot be read: it begins anew");
            set_aside(path);
        })
        .ok()
}

fn set_aside(path: &Path) {
    let aside = path.with_extension(REFUSED);
    if let Err(error) = fs::rename(path, &aside) {
        tracing::error!(file = %path.display(), %error, "it cannot be set aside either");
    }
}

fn encode(order: &Order, room: &[u8]) -> Vec<u8> {
    let Order { name, capacity, tick_hz, seed, code, metadata, disposable } = order.clone();
    let metadata = metadata.to_string();
    let label = Label { name, capacity: capacity as u64, tick_hz, seed, code, metadata, disposable };
    let body = codec::encode_blob(&(label, room));
    [MAGIC.as_slice(), &digest(&body).to_le_bytes(), &body].concat()
}

fn decode(file: &[u8]) -> Option<Kept> {
    let (sum, body) = file.strip_prefix(MAGIC)?.split_first_chunk::<8>()?;
    if digest(body) != u64::from_le_bytes(*sum) {
        return None;
    }
    let (label, room): (Label, Vec<u8>) = codec::decode_blob(body).ok()?;
    let Label { name, capacity, tick_hz, seed, code, metadata, disposable } = label;
    let in_bounds = wanted::check_name(&name).is_ok() && (1..=240).contains(&tick_hz) && capacity > 0;
    let metadata = serde_json::from_str(&metadata).ok()?;
    let capacity = usize::try_from(capacity).ok()?;
    in_bounds
        .then_some(Kept { order: Order { name, capacity, tick_hz, seed, code, metadata, disposable }, room })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_whole_or_nothing() {
        let order = Order {
            name: "den".to_owned(),
            capacity: 7,
            tick_hz: 60,
            seed: 9,
            code: Some("abcdefgh".to_owned()),
            metadata: serde_json::json!({ "map": "ice" }),
            disposable: true,
        };
        let file = encode(&order, b"the room");
        let Kept { order: again, room } = decode(&file).expect("whole");
        assert_eq!((format!("{again:?}"), room.as_slice()), (format!("{order:?}"), b"the room".as_slice()));
        for length in 0..file.len() {
            assert!(decode(&file[..length]).is_none(), "{length} bytes of {}", file.len());
        }
        for index in 0..file.len() {
            let mut other = file.clone();
            other[index] ^= 4;
            assert!(decode(&other).is_none(), "byte {index} differs");
        }
        for foreign in [
            b"".as_slice(),
            b"TWROOM2
",
            b"TWROOM1
12345678",
        ] {
            assert!(decode(foreign).is_none());
        }
    }
}
