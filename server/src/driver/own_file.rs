//! Files that hold what players do and write: nobody but the server's own user may read them.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

/// A new file, or an old one that begins anew.
pub(super) fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
