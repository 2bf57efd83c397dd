//! Recorded sessions as text: what was asked, in which order, and what was answered, without anybody's secrets.
//!
//! One file for each session (`text` reads and writes it). What stands in place of a secret says where it comes from
//! (`{{csrf}}`, `{{login NAME}}`, `{{password NAME}}`, `{{token NAME}}`, `{{field NAME}}`, `{{cookie}}`); what stands in
//! place of personal data is a mask: the same one for the same value (`mask`); what stands in place of a file is made when it
//! is sent (`synthetic`). Playing a session is in `journey`.

mod conditions;
mod manifest;
mod mask;
mod mask_body;
mod mask_form;
mod mask_html;
mod multipart;
mod synthetic;
mod text;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

pub(in crate::shadow) use conditions::CONDITIONS;
pub use manifest::{Ended, MANIFEST, Manifest};
pub use mask::{Masker, is_secret_name};
pub(in crate::shadow) use mask_form::{encode, pairs};
pub(in crate::shadow) use mask_html::attribute;
pub(in crate::shadow) use multipart::{boundary, is_multipart, read as read_parts, write as write_parts};
pub(in crate::shadow) use synthetic::file;
pub use text::{Misread, read, write};

/// What a file of a corpus is called: `NAME.http`.
pub const EXTENSION: &str = "http";
/// The words of the application in the folder of a corpus.
pub const VOCABULARY: &str = "vocabulary.txt";

/// The exchanges of one session, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Session {
    /// The file's name, without its extension.
    pub name: String,
    /// Who was logged in already when it began, if somebody was.
    pub user: Option<String>,
    /// In their order.
    pub exchanges: Vec<Exchange>,
}

/// One request, and what was answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exchange {
    /// For people; unique in its file.
    pub title: String,
    /// Line of its title, from 1; 0 if it was not read.
    pub line: usize,
    /// The route, if one was found.
    pub route: Option<String>,
    /// The backend that gave the recorded answer, if that is known.
    pub served: Option<String>,
    /// The method.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// The headers.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// The status that is expected where no answer was recorded.
    pub expect: Option<u16>,
    /// What was answered.
    pub answer: Option<Recorded>,
}

/// A recorded answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recorded {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Exchange {
    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Whether its body is a form of names and values.
    pub fn is_form(&self) -> bool {
        self.header("content-type").is_some_and(|value| value.contains("urlencoded"))
    }
}

/// Reads a corpus: a file, or a folder with files, in the order of their names.
///
/// # Errors
/// A sentence with file and line.
pub fn load(path: &Path) -> Result<Vec<Session>, String> {
    let cannot = |path: &Path, error: &std::io::Error| format!("cannot read `{}`: {error}", path.display());
    let mut files: Vec<PathBuf> = Vec::new();
    if path.is_dir() {
        for entry in std::fs::read_dir(path).map_err(|error| cannot(path, &error))? {
            let file = entry.map_err(|error| cannot(path, &error))?.path();
            if file.extension().is_some_and(|extension| extension == EXTENSION) {
                files.push(file);
            }
        }
        files.sort();
    } else {
        files.push(path.to_owned());
    }
    if files.is_empty() {
        return Err(format!("`{}` holds no session: no file is named NAME.{EXTENSION}", path.display()));
    }
    let mut sessions = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).map_err(|error| cannot(&file, &error))?;
        let name = file.file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let session = read(&name, &text).map_err(|misread| format!("{}:{misread}", file.display()))?;
        sessions.push(session);
    }
    Ok(sessions)
}

/// The words of an application: all words of a file, or of all files below a folder that are text.
///
/// # Errors
/// When a file or folder cannot be read.
pub fn words(path: &Path) -> std::io::Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    let mut waiting = vec![path.to_owned()];
    while let Some(next) = waiting.pop() {
        if next.is_dir() {
            for entry in std::fs::read_dir(&next)? {
                waiting.push(entry?.path());
            }
        } else if let Ok(text) = String::from_utf8(std::fs::read(&next)?) {
            let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
            found.extend(words.map(str::to_lowercase));
        }
    }
    Ok(found)
}
