//! The routing file of this node, brought to what the fleet runs. An edit that nobody has taken is kept beside it.

use std::path::{Path, PathBuf};

use super::super::{Control, Running, file};

impl Control {
    /// Writes what is running into the routing file. `before` is the hash of the text that was running before: a file that
    /// is neither is somebody's edit. A file that cannot be written is no reason not to follow; a warning.
    pub(in crate::control) fn put_on_disk(&self, running: &mut Running, before: &str) -> Option<String> {
        let path = self.path.clone()?;
        let known = running.state.fleet.get_or_insert_default();
        let on_disk = file::read(&path).ok();
        let hash = on_disk.as_deref().map(file::hash);
        if hash.as_ref() == Some(&running.hash) {
            known.unwritten = None;
            running.reload.failure = None;
            return None;
        }
        let ours = hash.as_deref() == Some(before) || (hash.is_some() && hash == known.unwritten);
        if let Some(text) = on_disk.as_ref().filter(|_| !ours) {
            match keep_aside(&path, text) {
                Ok(aside) => {
                    tracing::error!(
                        path = %path.display(),
                        aside = %aside.display(),
                        revision = running.state.revision,
                        "the routing file had been edited, and the fleet has moved on: the edit is kept aside"
                    );
                    known.aside = Some(aside.display().to_string());
                }
                Err(error) => {
                    known.unwritten = hash;
                    return Some(format!(
                        "the routing file was edited, and the edit cannot be kept aside: {error}"
                    ));
                }
            }
        }
        match file::replace(&path, &running.state.text) {
            Ok(()) => {
                known.unwritten = None;
                running.reload.failure = None;
                None
            }
            Err(error) => {
                tracing::error!(%error, "the routing file does not say what is running here");
                known.unwritten = hash;
                Some(error.to_string())
            }
        }
    }

    /// What somebody should know of the file: it does not say what is running, or an edit lost against the fleet.
    pub(super) fn drift_on_disk(running: &Running) -> Option<String> {
        let known = running.state.fleet.as_ref()?;
        if known.unwritten.is_some() {
            return Some(format!(
                "the routing file cannot be written and does not say what revision {} says",
                running.state.revision
            ));
        }
        let aside = known.aside.as_ref().filter(|path| Path::new(path).exists())?;
        Some(format!(
            "an edit of the routing file lost against somebody else's change: kept in `{aside}`; `ficus apply` it, or remove it"
        ))
    }
}

/// Copies a text beside the routing file, durably.
fn keep_aside(path: &Path, text: &str) -> std::io::Result<PathBuf> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let aside = path.with_file_name(format!("{name}.edit-{}", &file::hash(text)[..8]));
    file::write_state(&aside, text, true)?;
    Ok(aside)
}
