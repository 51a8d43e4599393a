//! From a compiled program to the files that a browser loads: the program with its bindings, the page around it, and a compressed
//! copy of each.

use std::error::Error;
use std::fs;
use std::io::Write;
use std::path::Path;

use brotli::enc::BrotliEncoderParams;
use flate2::Compression;
use flate2::write::GzEncoder;
use wasm_bindgen_cli_support::Bindgen;

/// What a browser may have to load at most, compressed, in MiB.
const TRANSFER_MIB_MAX: f64 = 1.5;
/// The best that brotli does, over all that it may look back.
const BROTLI_QUALITY: i32 = 11;
const BROTLI_WINDOW: i32 = 24;

/// Fills `folder` with the page. Says how much a browser that knows gzip only loads, in MiB.
pub(crate) fn make(program: &Path, around: &Path, folder: &Path) -> Result<f64, Box<dyn Error>> {
    fs::create_dir_all(folder)?;
    for file in files(folder)? {
        if !file.starts_with('.') {
            fs::remove_file(folder.join(file))?;
        }
    }
    let mut bindgen = Bindgen::new();
    bindgen.remove_name_section(true).remove_producers_section(true);
    bindgen.input_path(program).out_name("demo").typescript(false).web(true).map_err(words)?;
    bindgen.generate(folder).map_err(words)?;
    for file in files(around)? {
        fs::copy(around.join(&file), folder.join(&file))?;
    }
    let (mut gzip_total, mut brotli_total) = (0, 0);
    for file in files(folder)?.into_iter().filter(|file| !file.starts_with('.')) {
        let plain = fs::read(folder.join(&file))?;
        let (gzip, brotli) = (gzipped(&plain)?, brotlied(&plain)?);
        println!("{file:>14}: {:>8} bytes, gzip {:>8}, brotli {:>8}", plain.len(), gzip.len(), brotli.len());
        gzip_total += gzip.len();
        brotli_total += brotli.len();
        fs::write(folder.join(format!("{file}.gz")), gzip)?;
        fs::write(folder.join(format!("{file}.br")), brotli)?;
    }
    let mib = |bytes: usize| bytes as f64 / f64::from(1 << 20);
    println!("to transfer: {:.2} MiB with gzip, {:.2} MiB with brotli", mib(gzip_total), mib(brotli_total));
    if mib(gzip_total) > TRANSFER_MIB_MAX {
        return Err(format!("the page is larger than the {TRANSFER_MIB_MAX} MiB that it may be").into());
    }
    Ok(mib(gzip_total))
}

fn files(folder: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    let mut names: Vec<String> =
        fs::read_dir(folder)?.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
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
