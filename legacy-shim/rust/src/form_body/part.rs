//! One part of a multipart body: a text field or a file, being collected.

use super::charset::{self, Charset};
use super::headers::Headers;
use super::{FormError, RequestForm, Stop};
use crate::Profile;

/// A file of `request.files`: Werkzeug's `FileStorage`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// `file.filename`: as the client says, unchecked; empty if nothing was chosen.
    pub filename: String,
    /// `file.content_type`: empty if the client says none.
    pub content_type: String,
    /// `file.read()`.
    pub content: Vec<u8>,
}

/// A part whose headers were read.
pub(super) struct Part {
    name: String,
    /// A file: its name.
    filename: Option<String>,
    headers: Headers,
    content: Vec<u8>,
}

impl Part {
    /// From its headers.
    pub(super) fn new(headers: Headers, profile: Profile) -> Result<Self, Stop> {
        let disposition = headers.get("content-disposition").ok_or(Stop::Broken)?;
        let options = super::options::parse(disposition, profile)?.1;
        let filename = options.get("filename").map(|name| match profile {
            Profile::Werkzeug10 => without_folder(name).to_owned(),
            _ => name.to_owned(),
        });
        // Werkzeug files it under `None`, where CSRFProtect stumbles over it.
        let name = options.get("name").ok_or(FormError::Unsupported)?.to_owned();
        Ok(Self { name, filename, headers, content: Vec::new() })
    }

    pub(super) fn headers(&self) -> &Headers {
        &self.headers
    }

    pub(super) fn is_file(&self) -> bool {
        self.filename.is_some()
    }

    pub(super) fn push(&mut self, data: &[u8]) {
        self.content.extend_from_slice(data);
    }

    /// The part is complete: into the form.
    pub(super) fn finish(self, form: &mut RequestForm, profile: Profile) -> Result<(), Stop> {
        let content_type = self.headers.get("content-type").unwrap_or_default();
        if let Some(filename) = self.filename {
            let content_type = content_type.to_owned();
            form.files.push((self.name, Upload { filename, content_type, content: self.content }));
            return Ok(());
        }
        let charset = if content_type.is_empty() {
            Charset::Utf8
        } else {
            charset::of_part(&super::options::parse(content_type, profile)?.1, profile)?
        };
        form.form.0.push((self.name, charset.decode(&self.content)));
        Ok(())
    }
}

/// Internet Explorer 6 sent whole paths; Werkzeug 1.0 takes the last part of what looks like one of Windows.
fn without_folder(filename: &str) -> &str {
    let drive = filename.chars().nth(1) == Some(':') && filename.chars().nth(2) == Some('\\');
    if drive || filename.starts_with("\\\\") {
        filename.rsplit('\\').next().unwrap_or_default()
    } else {
        filename
    }
}
