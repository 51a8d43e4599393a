//! Folders for what servers read and leave behind.

use std::path::{Path, PathBuf};

/// A folder that is gone when the test is.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("tickwire-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let file = self.0.join(name);
        std::fs::write(&file, text).expect("a file");
        file
    }

    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(&self.0).expect("a folder").flatten();
        let mut files: Vec<_> = entries.map(|entry| entry.path()).collect();
        files.sort();
        files
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.files().iter().filter_map(|path| Some(std::fs::metadata(path).ok()?.len())).sum()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left is in the system's own folder for such things.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
