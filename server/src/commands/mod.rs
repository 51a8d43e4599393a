//! The larger commands of the binary, and how all of them end badly.

use std::process::ExitCode;

pub(crate) mod flags;

pub(crate) mod serve;

pub(crate) mod healthcheck;

/// Bad usage or configuration.
pub(crate) const EXIT_USAGE: u8 = 2;

pub(crate) fn refuse(error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("tickwire-server: {error}");
    ExitCode::from(EXIT_USAGE)
}

pub(crate) fn fail(error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("tickwire-server: {error}");
    ExitCode::FAILURE
}
