//! Embeds the browser build of the demo client, where `cargo xtask page` has left one in `page/`: a table of its files, with their
//! compressed copies. It builds nothing itself, so that a server never waits for a second toolchain.

use std::error::Error;
use std::fmt::Write;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

/// What a page is made of, by the end of its name.
const TYPES: [(&str, &str); 5] = [
    ("html", "text/html; charset=utf-8"),
    ("js", "text/javascript; charset=utf-8"),
    ("css", "text/css; charset=utf-8"),
    ("wasm", "application/wasm"),
    ("svg", "image/svg+xml"),
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=page");
    println!("cargo::rerun-if-changed=build.rs");
    let folder = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?).join("page");
    let mut names: Vec<String> = Vec::new();
    if let Ok(entries) = fs::read_dir(&folder) {
        names.extend(entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()));
    }
    names.sort();
    let mut table = String::from("static BUILT: &[File] = &[\n");
    for name in &names {
        let end = name.rsplit('.').next().unwrap_or_default();
        let Some((_, content_type)) = TYPES.iter().find(|(known, _)| *known == end) else { continue };
        let bytes = |path: &Path| format!("include_bytes!({:?})", path.display().to_string());
        let packed = |ending: &str| {
            let path = folder.join(format!("{name}.{ending}"));
            if path.is_file() { format!("Some({})", bytes(&path)) } else { "None".to_owned() }
        };
        let plain = folder.join(name);
        let mut hasher = DefaultHasher::new();
        fs::read(&plain)?.hash(&mut hasher);
        let path = if name == "index.html" { "/".to_owned() } else { format!("/{name}") };
        writeln!(
            table,
            "    File {{ path: {path:?}, content_type: {content_type:?}, hash: \"{:016x}\", plain: {}, gzip: {}, \
             brotli: {} }},",
            hasher.finish(),
            bytes(&plain),
            packed("gz"),
            packed("br"),
        )?;
    }
    table.push_str("];\n");
    fs::write(PathBuf::from(std::env::var("OUT_DIR")?).join("page.rs"), table)?;
    Ok(())
}
