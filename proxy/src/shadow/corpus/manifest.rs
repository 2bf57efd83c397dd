//! What a folder of recorded users' traffic says about itself: `recording.json`. A replay needs to know how it was masked,
//! and of which programs the answers are.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// The file.
pub const MANIFEST: &str = "recording.json";

/// What is known about a recording.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Manifest {
    /// Version of this document.
    pub schema: u32,
    /// When it began.
    pub started: DateTime<Utc>,
    /// When it ends at the latest.
    pub until: DateTime<Utc>,
    /// The routes, as they were named: `customers.list`, `customers.*`, `*`.
    pub routes: Vec<String>,
    /// The host that was asked.
    pub host: Option<String>,
    /// Tells the key of the masks from others.
    pub key: String,
    /// What the programs behind the backends said they are, by the names of the backends.
    pub programs: BTreeMap<String, String>,
    /// Requests that were recorded.
    pub requests: u64,
    /// Visitors that they belong to.
    pub sessions: u64,
    /// Bytes of all sessions.
    pub bytes: u64,
    /// Requests of these routes that were not recorded, by reason.
    pub dropped: BTreeMap<String, u64>,
    /// How it ended; absent: it goes on, or the process that made it is gone.
    pub ended: Option<Ended>,
}

/// The end of a recording.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// When.
    pub at: DateTime<Utc>,
    /// Why, in one sentence.
    pub why: String,
}

impl Manifest {
    /// Reads that of a folder; `None`: it is no recording of users' traffic.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn read(folder: &Path) -> Result<Option<Self>, String> {
        let path = folder.join(MANIFEST);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(format!("cannot read `{}`: {error}", path.display())),
        };
        serde_json::from_str(&text).map(Some).map_err(|error| format!("`{}`: {error}", path.display()))
    }

    /// Writes it, whole or not at all.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn write(&self, folder: &Path) -> std::io::Result<()> {
        let (path, new) = (folder.join(MANIFEST), folder.join("recording.json.new"));
        let mut file =
            std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        let text = serde_json::to_string_pretty(self)? + "\n";
        let written = file.write_all(text.as_bytes()).and_then(|()| std::fs::rename(&new, &path));
        if written.is_err() {
            let _ = std::fs::remove_file(&new);
        }
        written
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again_and_a_folder_without_it_is_none() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Manifest::read(folder.path()), Ok(None));
        let manifest =
            Manifest { schema: 1, requests: 7, routes: vec!["*".to_owned()], ..Manifest::default() };
        manifest.write(folder.path()).unwrap();
        assert_eq!(Manifest::read(folder.path()), Ok(Some(manifest)));
        std::fs::write(folder.path().join(MANIFEST), "{").unwrap();
        assert!(Manifest::read(folder.path()).is_err());
    }
}
