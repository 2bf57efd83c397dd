//! Records on their way to the database, one JSON line each, in a file of this node.
//!
//! A record is on disk here before the routing file changes, so that a crash right after a flip loses no audit.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};

use super::Record;

/// The file.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
}

impl Journal {
    pub(super) fn new(directory: &Path) -> Self {
        Self { path: directory.join("journal.jsonl") }
    }

    /// What is still waiting. A line cut off by a crash is not a record.
    pub(super) fn read(&self) -> Vec<Record> {
        let text = std::fs::read_to_string(&self.path).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Adds a record and waits until it is on disk.
    pub(super) fn append(&self, record: &Record) -> std::io::Result<()> {
        if let Some(directory) = self.path.parent() {
            std::fs::create_dir_all(directory)?;
        }
        let mut line = serde_json::to_string(record)?;
        line.push('\n');
        let mut file = OpenOptions::new().create(true).append(true).open(&self.path)?;
        file.write_all(line.as_bytes())?;
        give_to_owner_of_directory(&self.path);
        file.sync_data()
    }

    /// Replaces the content: what is left after some records reached the database or never came to hold. Nobody waits
    /// for the disk: a record that comes back after a crash is known to the database, or to be void.
    pub(super) fn replace<'r>(&self, records: impl IntoIterator<Item = &'r Record>) -> std::io::Result<()> {
        let mut text = String::new();
        for record in records {
            text.push_str(&serde_json::to_string(record)?);
            text.push('\n');
        }
        if text.is_empty() && !self.path.exists() {
            return Ok(());
        }
        let next = self.path.with_extension("jsonl.next");
        let mut file = File::create(&next)?;
        file.write_all(text.as_bytes())?;
        give_to_owner_of_directory(&next);
        std::fs::rename(&next, &self.path)
    }
}

/// When root rolls back offline, the proxy must still be able to go on writing.
pub(super) fn give_to_owner_of_directory(path: &Path) {
    let owner = path.parent().and_then(|directory| std::fs::metadata(directory).ok());
    if let Some(owner) = owner {
        let _ = chown(path, Some(owner.uid()), Some(owner.gid()));
    }
}
