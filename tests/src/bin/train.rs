//! Trains coding tables and writes them to a file.
//!
//! `train --out FILE --recording FILE …` trains on recorded streams; without recordings it trains what ships with the
//! project: `train --out shared/src/wire/generic.tables --set generic`, and the arena's with `--set arena`.

use std::fs;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use tickwire_shared::wire::codec;
use tickwire_shared::wire::tables::{Counts, Tables};
use tickwire_shared::wire::training::{self, Recording};
use tickwire_tests::recordings;

#[derive(Parser)]
#[command(
    about = "Trains coding tables",
    after_help = "Example: train --out my.tables --recording match.recording"
)]
struct Arguments {
    /// Where to write the tables.
    #[arg(long)]
    out: PathBuf,
    /// Recorded streams to train on; without any, a set that ships with the project.
    #[arg(long)]
    recording: Vec<PathBuf>,
    /// Which set to train when there are no recordings.
    #[arg(long, value_enum, default_value_t = Set::Generic)]
    set: Set,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Set {
    /// Many kinds of movement.
    Generic,
    /// The demo game.
    Arena,
}

fn main() {
    let arguments = Arguments::parse();
    let streams =
        if arguments.recording.is_empty() { built_in(arguments.set) } else { read(&arguments.recording) };
    let mut counts = Counts::default();
    for (name, recording) in &streams {
        eprintln!("counting {name}: {} ticks", recording.ticks.len());
        training::count(recording, &mut counts);
    }
    let tables = counts.train();
    let generic = Tables::generic();
    println!(
        "{:<32} {:>12} {:>12}   bits per changed update, on what it was trained on",
        "", "these", "generic"
    );
    for (name, recording) in &streams {
        let (these, others) = (training::cost(recording, &tables), training::cost(recording, &generic));
        println!("{name:<32} {:>12.2} {:>12.2}", these.bits_per_changed(), others.bits_per_changed());
    }
    if let Err(error) = fs::write(&arguments.out, tables.to_bytes()) {
        eprintln!("cannot write {}: {error}", arguments.out.display());
        std::process::exit(1);
    }
    println!("wrote {}, version {:08x}", arguments.out.display(), tables.version());
}

/// Seeds from 100 on: nothing that is measured anywhere uses them.
fn built_in(set: Set) -> Vec<(String, Recording)> {
    let arena = |seed| (format!("arena, seed {seed}"), recordings::arena(seed, 80, 120, 900));
    match set {
        Set::Arena => (100..104).map(arena).collect(),
        Set::Generic => vec![
            arena(100),
            arena(101),
            ("scene, seed 100".to_owned(), recordings::scene(100, 400, 900)),
            ("scene, seed 101".to_owned(), recordings::scene(101, 400, 900)),
            ("rigid bodies, seed 100".to_owned(), recordings::rigid_bodies(100, 250, 900)),
            ("rigid bodies, seed 101".to_owned(), recordings::rigid_bodies(101, 250, 900)),
        ],
    }
}

fn read(paths: &[PathBuf]) -> Vec<(String, Recording)> {
    let read_one = |path: &PathBuf| -> Result<Recording, String> {
        let bytes = fs::read(path).map_err(|error| error.to_string())?;
        let recording: Recording = codec::decode_blob(&bytes).map_err(|error| error.to_string())?;
        recording.schema.check().map_err(|error| error.to_string())?;
        Ok(recording)
    };
    let read_named = |path: &PathBuf| match read_one(path) {
        Ok(recording) => (path.display().to_string(), recording),
        Err(error) => {
            eprintln!("{} is not a recording: {error}", path.display());
            std::process::exit(2);
        }
    };
    paths.iter().map(read_named).collect()
}
