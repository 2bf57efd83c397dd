//! A small file of this node with what it knows of its routes, by their names.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// What is written there. A file that makes no sense is none: every route begins anew.
pub(super) fn load<T: DeserializeOwned>(path: &Path) -> BTreeMap<String, T> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    serde_json::from_str(&text).unwrap_or_default()
}

/// Writes it: whole, or not at all. A process and its successor may do so at the same time.
///
/// # Errors
/// When the disk refuses.
pub(super) fn save<T: Serialize>(path: &Path, book: &BTreeMap<String, T>) -> io::Result<()> {
    let next = path.with_extension(format!("{}.next", std::process::id()));
    let written = std::fs::write(&next, serde_json::to_string(book)?);
    written.and_then(|()| std::fs::rename(&next, path)).inspect_err(|_| {
        let _ = std::fs::remove_file(&next);
    })
}
