//! Which compiler builds for wasm, and how: rustup's target where it is installed, else Debian's second toolchain, else a sentence
//! that names both.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{cargo, run};

const TARGET: &str = "wasm32-unknown-unknown";
const PROFILE: &str = "web-release";
/// What every browser of the last years has.
const FEATURES: &str = "-Ctarget-feature=+simd128,+bulk-memory,+nontrapping-fptoint";
/// Where Debian puts its second compiler and linker.
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_LINKER: &str = "/usr/bin/wasm-ld";

const MISSING: &str = "\
no compiler for wasm32-unknown-unknown is installed. Either
  rustup target add wasm32-unknown-unknown
or, on Debian,
  apt-get install --no-install-recommends rustc-web rust-web-src lld
and then this command again.";

/// What is to be built.
pub(crate) struct Program {
    /// A package with a library.
    pub(crate) package: &'static str,
    /// Features of it.
    pub(crate) features: &'static str,
}

/// A compiler that can build for browsers.
pub(crate) enum Toolchain {
    /// The compiler at hand has the target's library.
    Target,
    /// Debian's, which builds that library from its source.
    Debian,
}

/// What is installed.
pub(crate) fn find() -> Result<Toolchain, Box<dyn Error>> {
    let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let library = printed(Command::new(compiler).args(["--print", "target-libdir", "--target", TARGET]));
    if library.is_some_and(|library| Path::new(&library).is_dir()) {
        return Ok(Toolchain::Target);
    }
    let sysroot = printed(Command::new(DEBIAN_RUSTC).args(["--print", "sysroot"]));
    let has_source = |sysroot: String| Path::new(&sysroot).join("lib/rustlib/src/rust/library/std").is_dir();
    if sysroot.is_some_and(has_source) && Path::new(DEBIAN_LINKER).is_file() {
        return Ok(Toolchain::Debian);
    }
    Err(MISSING.into())
}

fn printed(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

impl Toolchain {
    /// Builds a program; says where it is.
    pub(crate) fn build(&self, program: &Program, root: &Path) -> Result<PathBuf, Box<dyn Error>> {
        let mut command = cargo();
        // The library alone: with an rlib beside it there would be no link-time optimisation.
        command.args(["rustc", "-p", program.package, "--lib", "--crate-type", "cdylib"]);
        command.args(["--features", program.features, "--profile", PROFILE, "--target", TARGET]);
        // Flags meant for this machine would replace those for the target.
        command.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
        command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", FEATURES);
        if matches!(self, Self::Debian) {
            command.env("RUSTC", DEBIAN_RUSTC).env("RUSTC_BOOTSTRAP", "1");
            command.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", DEBIAN_LINKER);
            command.args(["-Z", "build-std=std,panic_abort"]);
        }
        run(&mut command)?;
        let folder = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        let file = format!("{}.wasm", program.package.replace('-', "_"));
        Ok(root.join(folder).join(TARGET).join(PROFILE).join(file))
    }
}
