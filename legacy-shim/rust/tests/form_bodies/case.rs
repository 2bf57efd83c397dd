//! One case: a body with its headers and limits; and its answer, ours or Werkzeug's. The JSON is the oracle's.

use flask_compat::Profile;
use flask_compat::form_body::{ContentType, FormError, FormLimits, Upload, read};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Case {
    pub(super) content_type: String,
    pub(super) content_length: Option<u64>,
    /// Bytes as latin-1.
    pub(super) body: String,
    pub(super) limits: Limits,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Limits {
    pub(super) content_length: Option<u64>,
    pub(super) memory: Option<usize>,
    pub(super) parts: Option<usize>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Answer {
    pub(super) error: Option<String>,
    pub(super) form: Vec<(String, String)>,
    pub(super) files: Vec<(String, String, String, String)>,
}

fn bytes(text: &str) -> Vec<u8> {
    text.chars().map(|c| c as u8).collect()
}

fn latin1(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| char::from(*byte)).collect()
}

impl Case {
    /// Ours.
    pub(super) fn answer(&self, profile: Profile) -> Answer {
        let unsupported = Answer { error: Some("unsupported".to_owned()), ..Answer::default() };
        let Some(kind) = ContentType::parse(&bytes(&self.content_type), profile) else { return unsupported };
        let mut limits = FormLimits::new(profile);
        limits.max_content_length = self.limits.content_length;
        limits.max_form_memory_size = self.limits.memory;
        limits.max_form_parts = self.limits.parts.filter(|_| profile != Profile::Werkzeug10);
        match read(&kind, self.content_length, &bytes(&self.body), &limits) {
            Ok(form) => Answer {
                error: None,
                form: grouped(&form.form.0, |(name, _)| name),
                files: grouped(&form.files.into_iter().map(shown).collect::<Vec<_>>(), |(name, ..)| name),
            },
            Err(FormError::TooLarge) => Answer { error: Some("too large".to_owned()), ..Answer::default() },
            Err(FormError::Unsupported) => unsupported,
        }
    }

    pub(super) fn short(&self) -> String {
        cut(&format!("{self:?}"))
    }
}

fn shown((name, file): (String, Upload)) -> (String, String, String, String) {
    (name, file.filename, file.content_type, latin1(&file.content))
}

/// A `MultiDict` lists the values of a name together.
fn grouped<T: Clone>(items: &[T], name: impl Fn(&T) -> &String) -> Vec<T> {
    let mut names: Vec<String> = Vec::new();
    for item in items {
        if !names.contains(name(item)) {
            names.push(name(item).clone());
        }
    }
    let mut found = Vec::new();
    for wanted in &names {
        found.extend(items.iter().filter(|item| name(item) == wanted).cloned());
    }
    found
}

impl Answer {
    /// What we leave to Flask agrees with everything: with its exceptions and parts without name for certain.
    pub(super) fn agrees_with(&self, theirs: &Answer) -> bool {
        self.error.as_deref() == Some("unsupported") || self == theirs
    }

    pub(super) fn has_content(&self) -> bool {
        !self.form.is_empty() || !self.files.is_empty()
    }

    /// The answer from shortly before where it differs from another one.
    pub(super) fn unlike(&self, other: &Answer) -> String {
        let (text, other) = (format!("{self:?}"), format!("{other:?}"));
        let same = text.chars().zip(other.chars()).take_while(|(one, two)| one == two).count();
        let skipped = same.saturating_sub(100);
        let shown: String = text.chars().skip(skipped).take(300).collect();
        format!("(after {skipped} equal letters, {} in all) {shown}", text.chars().count())
    }
}

fn cut(text: &str) -> String {
    text.chars().take(2500).collect()
}
