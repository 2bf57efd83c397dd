//! The routing file on disk: read whole, replaced whole.
//!
//! Steps 4 and 6 of a flip. A reader sees the old text or the new one, never half of either. What the text means is not
//! here.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::store::step;

/// Why a file was not replaced. Its text is unchanged.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Nobody may write it.
    #[error("`{}` is read-only", .0.display())]
    ReadOnly(PathBuf),
    /// A bind-mounted file cannot be replaced by a rename.
    #[error("`{}` is a mount point of its own and cannot be replaced: mount the directory it is in", .0.display())]
    MountPoint(PathBuf),
    /// Anything else.
    #[error("cannot write `{}`: {source}", path.display())]
    Other {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Reads the file.
pub(super) fn read(path: &Path) -> std::io::Result<String> {
    std::fs::read_to_string(path)
}

/// A short name for a text: the first 16 hexadecimal digits of its SHA-256.
pub(super) fn hash(text: &str) -> String {
    use std::fmt::Write as _;
    Sha256::digest(text.as_bytes()).iter().take(8).fold(String::new(), |mut hash, byte| {
        let _ = write!(hash, "{byte:02x}");
        hash
    })
}

/// Replaces the file's text: a new file beside it, on disk, renamed over it. Mode and owner are kept, a symbolic
/// link stays one.
///
/// # Errors
/// When it cannot be written; the old text is still there.
pub fn replace(path: &Path, text: &str) -> Result<(), WriteError> {
    prepare(path, text)?.finish()
}

/// A text that lies beside the file and has its room: what is left to do hardly ever fails. Dropped, it is removed.
#[derive(Debug)]
pub(super) struct Prepared {
    target: PathBuf,
    next: PathBuf,
    file: Option<File>,
}

/// Writes a text beside the file, without waiting for the disk.
pub(super) fn prepare(path: &Path, text: &str) -> Result<Prepared, WriteError> {
    let target = std::fs::canonicalize(path).map_err(|source| other(path, source))?;
    let metadata = std::fs::metadata(&target).map_err(|source| other(&target, source))?;
    // Root may write anything; a file without any write bit says that nobody should.
    if metadata.permissions().mode() & 0o222 == 0 {
        return Err(WriteError::ReadOnly(target));
    }
    let mountinfo = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    if is_mount_point(&target, &mountinfo) {
        return Err(WriteError::MountPoint(target));
    }
    let next = beside(&target);
    let mut prepared = Prepared { target, next, file: None };
    match write_beside(&prepared.next, text, &metadata) {
        Ok(file) => prepared.file = Some(file),
        Err(source) => return Err(prepared.failed(source)),
    }
    Ok(prepared)
}

impl Prepared {
    /// Puts it in the place of the file, and waits for the disk.
    pub(super) fn finish(mut self) -> Result<(), WriteError> {
        let Some(file) = self.file.take() else { return Ok(()) };
        let renamed = file.sync_all().and_then(|()| {
            step("beside");
            std::fs::rename(&self.next, &self.target)
        });
        step("renamed");
        renamed.map_err(|source| self.failed(source))?;
        sync_directory(&self.target);
        Ok(())
    }

    fn failed(&self, source: std::io::Error) -> WriteError {
        let _ = std::fs::remove_file(&self.next);
        match source.kind() {
            ErrorKind::ResourceBusy => WriteError::MountPoint(self.target.clone()),
            ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied => {
                WriteError::ReadOnly(self.target.clone())
            }
            _ => other(&self.target, source),
        }
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        if self.file.is_some() {
            let _ = std::fs::remove_file(&self.next);
        }
    }
}

fn other(path: &Path, source: std::io::Error) -> WriteError {
    WriteError::Other { path: path.to_owned(), source }
}

/// `.routes.toml.1234.next`: in the same directory, so that the rename cannot cross file systems.
fn beside(target: &Path) -> PathBuf {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    target.with_file_name(format!(".{name}.{}.next", std::process::id()))
}

/// Removes what a process that was killed left beside the file.
pub(super) fn sweep(path: &Path) {
    let Ok(target) = std::fs::canonicalize(path) else { return };
    let prefix = format!(".{}.", target.file_name().unwrap_or_default().to_string_lossy());
    let entries = target.parent().and_then(|directory| std::fs::read_dir(directory).ok());
    for entry in entries.into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let pid = name.strip_prefix(&prefix).and_then(|rest| rest.strip_suffix(".next")?.parse::<u32>().ok());
        if pid.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

fn write_beside(next: &Path, text: &str, old: &Metadata) -> std::io::Result<File> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(next)?;
    let (first, second) = text.as_bytes().split_at(text.len() / 2);
    file.write_all(first)?;
    step("half_beside");
    file.write_all(second)?;
    keep_owner(next, old)?;
    file.set_permissions(old.permissions())?;
    Ok(file)
}

/// Without the right to give a file away, the group at least is kept if we belong to it.
fn keep_owner(next: &Path, old: &Metadata) -> std::io::Result<()> {
    let new = std::fs::metadata(next)?;
    if (new.uid(), new.gid()) == (old.uid(), old.gid()) {
        return Ok(());
    }
    if chown(next, Some(old.uid()), Some(old.gid())).is_err() && chown(next, None, Some(old.gid())).is_err() {
        tracing::warn!(path = %next.display(), "cannot keep the owner of the routing file");
    }
    Ok(())
}

/// Writes a small file of our own state the same way. After a power cut it is the old one or, if it was
/// to be durable, surely the new one.
pub(super) fn write_state(path: &Path, text: &str, durable: bool) -> std::io::Result<()> {
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)?;
    }
    let next = beside(path);
    let written = write_state_beside(&next, text).and_then(|()| {
        step("state_beside");
        std::fs::rename(&next, path)
    });
    if written.is_err() {
        let _ = std::fs::remove_file(&next);
    } else if durable {
        sync_directory(path);
    }
    written
}

fn write_state_beside(next: &Path, text: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o640).open(next)?;
    file.write_all(text.as_bytes())?;
    give_to_owner_of_directory(next);
    file.sync_all()
}

/// When root rolls back offline, the proxy must still be able to read what was written.
fn give_to_owner_of_directory(path: &Path) {
    let owner = path.parent().and_then(|directory| std::fs::metadata(directory).ok());
    if let Some(owner) = owner {
        let _ = chown(path, Some(owner.uid()), Some(owner.gid()));
    }
}

/// The rename itself is on disk only when the directory is. Some file systems cannot do this; the text is whole
/// either way.
fn sync_directory(path: &Path) {
    if let Some(directory) = path.parent() {
        let _ = File::open(directory).and_then(|directory| directory.sync_all());
    }
}

/// Whether the file is a mount point of its own, by the text of `/proc/self/mountinfo`.
pub(super) fn is_mount_point(path: &Path, mountinfo: &str) -> bool {
    let Ok(target) = std::fs::canonicalize(path) else {
        return false;
    };
    mountinfo.lines().filter_map(|line| line.split(' ').nth(4)).any(|point| Path::new(point) == target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mode_and_link_are_kept() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("real.toml");
        let link = directory.path().join("routes.toml");
        std::fs::write(&target, "old").unwrap();
        std::fs::set_permissions(&target, PermissionsExt::from_mode(0o664)).unwrap();
        std::os::unix::fs::symlink("real.toml", &link).unwrap();
        replace(&link, "new").unwrap();
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "new");
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(std::fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o664);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 2, "something was left behind");
    }

    #[test]
    fn what_was_only_prepared_leaves_nothing_behind() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("routes.toml");
        std::fs::write(&path, "old").unwrap();
        drop(prepare(&path, "new").unwrap());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "something was left behind");
        prepare(&path, "new").unwrap().finish().unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
    }

    #[test]
    fn a_file_without_write_bits_is_not_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("routes.toml");
        std::fs::write(&path, "old").unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o444)).unwrap();
        assert!(matches!(replace(&path, "new"), Err(WriteError::ReadOnly(_))));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
    }

    #[test]
    fn only_what_the_dead_left_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("routes.toml");
        let dead = directory.path().join(format!(".routes.toml.{}.next", u32::MAX));
        let alive = directory.path().join(format!(".routes.toml.{}.next", std::process::id()));
        for file in [&path, &dead, &alive] {
            std::fs::write(file, "").unwrap();
        }
        sweep(&path);
        assert_eq!((path.exists(), dead.exists(), alive.exists()), (true, false, true));
    }

    #[test]
    fn a_mounted_file_is_seen() {
        let directory = tempfile::tempdir().unwrap();
        let path = std::fs::canonicalize(directory.path()).unwrap().join("routes.toml");
        std::fs::write(&path, "").unwrap();
        let info = format!("36 35 98:0 /x {} rw - ext4 /dev/sda1 rw\n", path.display());
        assert!(is_mount_point(&path, &info));
        assert!(!is_mount_point(&path, "36 35 98:0 /x / rw - ext4 /dev/sda1 rw\n"));
    }
}
