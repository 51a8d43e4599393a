//! From a compiled program to the files that a browser loads: the program with its bindings, and what is around it; for a page that
//! the server serves also a compressed copy of each.

use std::error::Error;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use brotli::enc::BrotliEncoderParams;
use flate2::Compression;
use flate2::write::GzEncoder;
use wasm_bindgen_cli_support::Bindgen;

/// What a browser may have to load at most, compressed, in MiB.
const TRANSFER_MIB_MAX: f64 = 1.5;
/// The best that brotli does, over all that it may look back.
const BROTLI_QUALITY: i32 = 11;
const BROTLI_WINDOW: i32 = 24;

/// How large the files of a folder are together on their way to the player, in bytes.
#[derive(Default)]
struct Transfer {
    gzip: usize,
    brotli: usize,
}

/// Fills `folder` with the page. Says how much a browser that knows gzip only loads, in MiB.
pub(crate) fn page(program: &Path, around: &Path, folder: &Path) -> Result<f64, Box<dyn Error>> {
    begin(folder)?;
    bind(Bindgen::new().typescript(false).out_name("demo"), program, folder)?;
    for file in files(around)? {
        fs::copy(around.join(&file), folder.join(&file))?;
    }
    let mut total = Transfer::default();
    for file in files(folder)? {
        let (gzip, brotli) = total.count(folder, &file)?;
        fs::write(folder.join(format!("{file}.gz")), gzip)?;
        fs::write(folder.join(format!("{file}.br")), brotli)?;
    }
    let mib = total.print();
    if mib > TRANSFER_MIB_MAX {
        return Err(format!("the page is larger than the {TRANSFER_MIB_MAX} MiB that it may be").into());
    }
    Ok(mib)
}

/// Fills `folder` with the package for JavaScript, with these files beside the program and its types.
pub(crate) fn package(program: &Path, beside: &[PathBuf], folder: &Path) -> Result<(), Box<dyn Error>> {
    begin(folder)?;
    // It finds its program beside itself, as bundlers understand it.
    let mut bindgen = Bindgen::new();
    bindgen.typescript(true).omit_default_module_path(false).out_name("tickwire");
    bind(&mut bindgen, program, folder)?;
    let mut total = Transfer::default();
    for file in files(folder)?.iter().filter(|file| !file.ends_with(".d.ts")) {
        total.count(folder, file)?;
    }
    total.print();
    for file in beside {
        let name = file.file_name().ok_or("a file has a name")?;
        fs::copy(file, folder.join(name)).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    Ok(())
}

/// An empty folder, but for what git is told in it.
fn begin(folder: &Path) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(folder)?;
    for file in files(folder)? {
        fs::remove_file(folder.join(file))?;
    }
    Ok(())
}

fn bind(bindgen: &mut Bindgen, program: &Path, folder: &Path) -> Result<(), Box<dyn Error>> {
    bindgen.remove_name_section(true).remove_producers_section(true);
    bindgen.input_path(program).web(true).map_err(words)?;
    Ok(bindgen.generate(folder).map_err(words)?)
}

impl Transfer {
    /// Counts a file, and gives it compressed by gzip and by brotli.
    fn count(&mut self, folder: &Path, file: &str) -> Result<(Vec<u8>, Vec<u8>), Box<dyn Error>> {
        let plain = fs::read(folder.join(file))?;
        let (gzip, brotli) = (gzipped(&plain)?, brotlied(&plain)?);
        println!("{file:>16}: {:>8} bytes, gzip {:>8}, brotli {:>8}", plain.len(), gzip.len(), brotli.len());
        self.gzip += gzip.len();
        self.brotli += brotli.len();
        Ok((gzip, brotli))
    }

    /// Says so, and gives what it is by gzip, in MiB.
    fn print(&self) -> f64 {
        let mib = |bytes: usize| bytes as f64 / f64::from(1 << 20);
        println!("to transfer: {:.2} MiB with gzip, {:.2} MiB with brotli", mib(self.gzip), mib(self.brotli));
        mib(self.gzip)
    }
}

/// The files that are no secret of git's.
fn files(folder: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    let names = fs::read_dir(folder)?.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| !name.starts_with('.')).collect();
    names.sort();
    Ok(names)
}

fn gzipped(plain: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain)?;
    encoder.finish()
}

fn brotlied(plain: &[u8]) -> std::io::Result<Vec<u8>> {
    let parameters = BrotliEncoderParams {
        quality: BROTLI_QUALITY,
        lgwin: BROTLI_WINDOW,
        size_hint: plain.len(),
        ..BrotliEncoderParams::default()
    };
    let mut packed = Vec::new();
    brotli::BrotliCompress(&mut &plain[..], &mut packed, &parameters)?;
    Ok(packed)
}

fn words(error: impl std::fmt::Display) -> String {
    format!("wasm-bindgen: {error:#}")
}
