//! The files of a recording: one for each session, only ever added to, entry by entry. An entry that the disk does not take whole
//! is taken back. Everything is for the eyes of ficus' own user.

use std::collections::BTreeSet;
use std::fs::{DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::shadow::corpus::{EXTENSION, Exchange, Manifest, Session, VOCABULARY, write};

/// A recording on disk.
#[derive(Debug)]
pub(super) struct Tape {
    folder: PathBuf,
}

impl Tape {
    /// A new folder, named by the time.
    pub(super) fn create(
        parent: &Path,
        manifest: &Manifest,
        vocabulary: &BTreeSet<String>,
    ) -> Result<Self, String> {
        let name = manifest.started.format("%Y%m%d-%H%M%S%.3f").to_string();
        let folder = parent.join(name);
        let make = || {
            DirBuilder::new().recursive(true).mode(0o700).create(parent)?;
            DirBuilder::new().mode(0o700).create(&folder)?;
            let words: Vec<&str> = vocabulary.iter().map(String::as_str).collect();
            let mut file =
                OpenOptions::new().write(true).create_new(true).mode(0o600).open(folder.join(VOCABULARY))?;
            file.write_all((words.join("\n") + "\n").as_bytes())?;
            manifest.write(&folder)
        };
        match make() {
            Ok(()) => Ok(Self { folder: folder.canonicalize().unwrap_or(folder) }),
            Err(error) => {
                let error = format!("cannot write `{}`: {error}", folder.display());
                let _ = std::fs::remove_dir_all(&folder);
                Err(error)
            }
        }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Adds an exchange, masked, to a session; how many bytes it takes.
    pub(super) fn add(
        &self,
        number: usize,
        user: Option<String>,
        exchange: Exchange,
    ) -> std::io::Result<u64> {
        let path = self.folder.join(format!("{:05}.{EXTENSION}", number + 1));
        let text = write(&Session { user, exchanges: vec![exchange], ..Session::default() });
        let mut file = OpenOptions::new().append(true).create(true).mode(0o600).open(&path)?;
        let before = file.metadata()?.len();
        if let Err(error) = file.write_all(text.as_bytes()) {
            // No half of an entry stays.
            file.set_len(before)?;
            if before == 0 {
                std::fs::remove_file(&path)?;
            }
            return Err(error);
        }
        Ok(text.len() as u64)
    }
}

/// All recordings in a folder, the oldest first.
pub(super) fn recordings(parent: &Path) -> Vec<(PathBuf, Manifest)> {
    let folders = std::fs::read_dir(parent).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found: Vec<_> =
        folders.filter_map(|folder| Some((folder.clone(), Manifest::read(&folder).ok()??))).collect();
    found.sort_by(|one, other| one.0.cmp(&other.0));
    found
}

/// What is in the files, where nobody wrote down how much that is.
pub(super) fn count(folder: &Path, manifest: &mut Manifest) {
    let Ok(sessions) = crate::shadow::corpus::load(folder) else { return };
    manifest.sessions = sessions.len() as u64;
    manifest.requests = sessions.iter().map(|session| session.exchanges.len() as u64).sum();
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::shadow::corpus::load;

    #[test]
    fn sessions_grow_entry_by_entry_and_are_for_nobody_else() {
        let directory = tempfile::tempdir().unwrap();
        let parent = directory.path().join("state/recordings");
        let manifest = Manifest { started: chrono::Utc::now(), ..Manifest::default() };
        let tape = Tape::create(&parent, &manifest, &["customers".to_owned()].into()).unwrap();
        let exchange = |title: &str| Exchange {
            title: title.to_owned(),
            method: "GET".to_owned(),
            target: "/".to_owned(),
            ..Exchange::default()
        };
        tape.add(0, Some("id:7".to_owned()), exchange("1 a")).unwrap();
        tape.add(1, None, exchange("1 b")).unwrap();
        tape.add(0, None, exchange("2 c")).unwrap();
        let sessions = load(tape.folder()).unwrap();
        let shown: Vec<_> =
            sessions.iter().map(|s| (s.name.as_str(), s.user.as_deref(), s.exchanges.len())).collect();
        assert_eq!(shown, [("00001", Some("id:7"), 2), ("00002", None, 1)]);
        for entry in std::fs::read_dir(tape.folder()).unwrap() {
            let mode = entry.unwrap().metadata().unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        let mode = std::fs::metadata(tape.folder()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        let mut counted = Manifest::default();
        count(tape.folder(), &mut counted);
        assert_eq!((counted.sessions, counted.requests), (2, 3));
        assert_eq!(recordings(&parent).len(), 1);
    }
}
