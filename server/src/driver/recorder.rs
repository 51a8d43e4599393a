//! The flight recorder's files: one thread writes for all rooms, each room hands it what it noted a few times per second
//! and never waits. When the disk is too slow, ticks are left out, counted, and the recording says so.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

use tickwire_shared::Micros;

use super::own_file;
use crate::config::{ConfigError, RecordingSection};
use crate::host::Room;
use crate::simulation::Game;

/// What was noted is handed over this often.
const HAND_OVER_MICROS: u64 = 250_000;
/// Bytes of one room that may wait for the disk.
const WAITING_BYTES_MAX: usize = 4 << 20;
/// Pieces of all rooms that may wait.
const WAITING_MAX: usize = 16_384;
/// After something was left out, this long until the room is written down anew.
const RETRY_MICROS: u64 = 1_000_000;
/// Ending of the files.
const EXTENSION: &str = "twrec";

/// Where recordings go, if anywhere. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Recordings(Option<Arc<Shelf>>);

struct Shelf {
    writer: mpsc::SyncSender<Piece>,
    settings: Settings,
    /// Recorders, and bytes of all of them on their way.
    open: AtomicUsize,
    waiting_bytes: Arc<AtomicUsize>,
    missed_ticks: AtomicU64,
    next: AtomicU64,
}

#[derive(Clone, Debug)]
struct Settings {
    dir: PathBuf,
    file_bytes_max: usize,
    dir_bytes_max: u64,
}

/// What both threads know of one room's recording.
struct Feed {
    number: u64,
    room: String,
    waiting_bytes: AtomicUsize,
    broken: AtomicBool,
}

/// To the writing thread.
struct Piece {
    feed: Arc<Feed>,
    bytes: Vec<u8>,
    /// Goes into a new file.
    anew: bool,
}

impl Recordings {
    /// Makes the folder and begins the writing thread, if anything is to be recorded.
    ///
    /// # Errors
    /// [`ConfigError::Unusable`] when that cannot be done.
    pub(super) fn open(section: &RecordingSection) -> Result<Self, ConfigError> {
        let Some(dir) = &section.dir else { return Ok(Self(None)) };
        let unusable = |why: std::io::Error| ConfigError::Unusable {
            key: "recording.dir",
            value: dir.display().to_string(),
            why: why.to_string(),
        };
        fs::create_dir_all(dir).map_err(unusable)?;
        let settings = Settings {
            dir: dir.clone(),
            file_bytes_max: section.room_bytes_max / 2,
            dir_bytes_max: section.dir_bytes_max as u64,
        };
        let (writer, pieces) = mpsc::sync_channel(WAITING_MAX);
        let waiting_bytes = Arc::new(AtomicUsize::new(0));
        let shelf = Shelf {
            writer,
            settings: settings.clone(),
            open: AtomicUsize::new(0),
            waiting_bytes: Arc::clone(&waiting_bytes),
            missed_ticks: AtomicU64::new(0),
            next: AtomicU64::new(0),
        };
        let write = move || Files { settings, waiting_bytes, open: HashMap::new() }.run(&pieces);
        std::thread::Builder::new().name("recorder".to_owned()).spawn(write).map_err(unusable)?;
        Ok(Self(Some(Arc::new(shelf))))
    }

    /// Whether no room records and everything is written.
    pub(super) fn is_idle(&self) -> bool {
        let Some(shelf) = &self.0 else { return true };
        shelf.open.load(Ordering::Acquire) == 0 && shelf.waiting_bytes.load(Ordering::Acquire) == 0
    }

    /// Ticks that were left out because the disk was too slow.
    pub(super) fn missed_ticks(&self) -> u64 {
        self.0.as_ref().map_or(0, |shelf| shelf.missed_ticks.load(Ordering::Relaxed))
    }

    /// Begins to record a room that is about to make a tick.
    pub(super) fn begin<G: Game>(&self, name: &str, room: &mut Room<G>) -> Recorder {
        let Some(shelf) = &self.0 else { return Recorder(None) };
        shelf.open.fetch_add(1, Ordering::AcqRel);
        let feed = Feed {
            number: shelf.next.fetch_add(1, Ordering::Relaxed),
            room: name.to_owned(),
            waiting_bytes: AtomicUsize::new(0),
            broken: AtomicBool::new(false),
        };
        let mut active = Active {
            shelf: Arc::clone(shelf),
            feed: Arc::new(feed),
            chunk: Vec::new(),
            chunk_ticks: 0,
            file_bytes: 0,
            anew: true,
            handed_at: Micros::default(),
            missed_ticks: 0,
            is_lost: false,
        };
        active.begin_file(room);
        Recorder(Some(active))
    }
}

/// One room's recorder. It does nothing while nothing is recorded.
pub(super) struct Recorder(Option<Active>);

struct Active {
    shelf: Arc<Shelf>,
    feed: Arc<Feed>,
    /// Not handed over yet, and how many ticks are in it.
    chunk: Vec<u8>,
    chunk_ticks: u64,
    /// Handed over for the present file.
    file_bytes: usize,
    /// The chunk begins another file.
    anew: bool,
    handed_at: Micros,
    /// Left out and not yet said.
    missed_ticks: u64,
    /// Nothing is noted until the room can be written down anew.
    is_lost: bool,
}

impl Recorder {
    /// The room has made a tick, or has ended.
    pub(super) fn ticked<G: Game>(&mut self, room: &mut Room<G>, now: Micros) {
        let Some(active) = &mut self.0 else { return };
        if active.feed.broken.load(Ordering::Relaxed) {
            room.end_recording();
            self.0 = None;
            return;
        }
        active.ticked(room, now);
    }

    /// The room has made its last tick for a while.
    pub(super) fn rests<G: Game>(&mut self, room: &mut Room<G>) {
        if let Some(active) = &mut self.0 {
            active.hand_over(room);
        }
    }
}

impl Active {
    fn ticked<G: Game>(&mut self, room: &mut Room<G>, now: Micros) {
        let is_over = room.status().ended;
        if self.is_lost {
            self.missed_ticks += 1;
            if now.since(self.handed_at) >= RETRY_MICROS && !is_over {
                self.is_lost = false;
                self.handed_at = now;
                room.begin_recording(std::mem::take(&mut self.missed_ticks), &mut self.chunk);
            }
            return;
        }
        room.poll_recording(&mut self.chunk);
        self.chunk_ticks += 1;
        let bytes_max = self.shelf.settings.file_bytes_max;
        // Before the end, so that the ticks of one more chunk fit.
        let is_full = self.file_bytes + self.chunk.len() >= bytes_max - bytes_max / 8;
        if is_over || is_full || now.since(self.handed_at) >= HAND_OVER_MICROS {
            self.handed_at = now;
            self.hand_over(room);
            if is_full && !self.is_lost && !is_over {
                self.begin_file(room);
            }
        }
    }

    fn begin_file<G: Game>(&mut self, room: &mut Room<G>) {
        (self.anew, self.file_bytes) = (true, 0);
        room.write_recording_header(&mut self.chunk);
        room.begin_recording(std::mem::take(&mut self.missed_ticks), &mut self.chunk);
        if self.chunk.len() > self.shelf.settings.file_bytes_max / 2 {
            tracing::error!(
                room = self.feed.room,
                bytes = self.chunk.len(),
                "the room alone fills half of a file: it is not recorded; raise recording.room_bytes_max"
            );
            self.feed.broken.store(true, Ordering::Relaxed);
            self.chunk.clear();
        }
    }

    fn hand_over<G: Game>(&mut self, room: &mut Room<G>) {
        if !self.pass_on() {
            room.end_recording();
        }
    }

    /// `false` when the chunk is lost.
    fn pass_on(&mut self) -> bool {
        let bytes = std::mem::take(&mut self.chunk);
        let (size, ticks) = (bytes.len(), std::mem::take(&mut self.chunk_ticks));
        if size == 0 || self.feed.broken.load(Ordering::Relaxed) {
            return true;
        }
        let waiting = self.feed.waiting_bytes.load(Ordering::Acquire);
        let fits = self.file_bytes + size <= self.shelf.settings.file_bytes_max
            && (waiting == 0 || waiting + size <= WAITING_BYTES_MAX);
        self.feed.waiting_bytes.fetch_add(size, Ordering::AcqRel);
        self.shelf.waiting_bytes.fetch_add(size, Ordering::AcqRel);
        let piece = Piece { feed: Arc::clone(&self.feed), bytes, anew: self.anew };
        if fits && self.shelf.writer.try_send(piece).is_ok() {
            self.file_bytes += size;
            self.anew = false;
            return true;
        }
        self.feed.waiting_bytes.fetch_sub(size, Ordering::AcqRel);
        self.shelf.waiting_bytes.fetch_sub(size, Ordering::AcqRel);
        if !self.is_lost {
            tracing::warn!(room = self.feed.room, ticks, "the recording cannot keep up: ticks are left out");
        }
        self.shelf.missed_ticks.fetch_add(ticks, Ordering::Relaxed);
        (self.is_lost, self.missed_ticks) = (true, self.missed_ticks + ticks);
        false
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        self.pass_on();
        self.shelf.open.fetch_sub(1, Ordering::AcqRel);
    }
}

/// The writing thread.
struct Files {
    settings: Settings,
    waiting_bytes: Arc<AtomicUsize>,
    open: HashMap<u64, (Arc<Feed>, File)>,
}

impl Files {
    fn run(mut self, pieces: &mpsc::Receiver<Piece>) {
        while let Ok(piece) = pieces.recv() {
            let (feed, size) = (Arc::clone(&piece.feed), piece.bytes.len());
            if !feed.broken.load(Ordering::Relaxed)
                && let Err(error) = self.write(piece)
            {
                tracing::error!(%error, room = feed.room, "the recording ends: its file cannot be written");
                feed.broken.store(true, Ordering::Relaxed);
                self.open.remove(&feed.number);
            }
            feed.waiting_bytes.fetch_sub(size, Ordering::AcqRel);
            self.waiting_bytes.fetch_sub(size, Ordering::AcqRel);
        }
    }

    fn write(&mut self, Piece { feed, bytes, anew }: Piece) -> std::io::Result<()> {
        if anew {
            self.open.remove(&feed.number);
            // Rooms that are gone: nobody else holds their feed.
            self.open.retain(|_, (feed, _)| Arc::strong_count(feed) > 1);
            let path = self.path(&feed.room);
            if path.exists() {
                fs::rename(&path, self.settings.dir.join(format!("{}.1.{EXTENSION}", feed.room)))?;
            }
            self.make_place();
            self.open.insert(feed.number, (Arc::clone(&feed), own_file::create(&path)?));
        }
        match self.open.get_mut(&feed.number) {
            Some((_, file)) => file.write_all(&bytes),
            None => Ok(()),
        }
    }

    fn path(&self, room: &str) -> PathBuf {
        self.settings.dir.join(format!("{room}.{EXTENSION}"))
    }

    /// Deletes the oldest files that nobody writes, until the folder is within its bound.
    fn make_place(&self) {
        let Ok(entries) = fs::read_dir(&self.settings.dir) else { return };
        let written: Vec<_> = self.open.values().map(|(feed, _)| self.path(&feed.room)).collect();
        let is_ours = |path: &Path| path.extension().is_some_and(|extension| extension == EXTENSION);
        let paths = entries.flatten().map(|entry| entry.path()).filter(|path| is_ours(path));
        let files = paths.filter_map(|path| {
            let about = fs::metadata(&path).ok()?;
            Some((about.modified().ok()?, about.len(), path))
        });
        let mut files: Vec<_> = files.collect();
        let mut total: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
        files.sort();
        for (_, bytes, path) in files.into_iter().filter(|(_, _, path)| !written.contains(path)) {
            if total <= self.settings.dir_bytes_max {
                break;
            }
            if fs::remove_file(&path).is_ok() {
                total -= bytes;
            }
        }
    }
}
