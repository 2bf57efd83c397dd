//! `MAX_CONTENT_LENGTH`, `MAX_FORM_MEMORY_SIZE` and `MAX_FORM_PARTS`, as far as the profile's release knows them.

use super::FormError;
use crate::Profile;

/// How large a form may be. Beyond, Flask answers 413.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FormLimits {
    /// `MAX_CONTENT_LENGTH`, in bytes.
    pub max_content_length: Option<u64>,
    /// `MAX_FORM_MEMORY_SIZE` (Flask 3.1; a class attribute of the request before), in bytes.
    pub max_form_memory_size: Option<usize>,
    /// `MAX_FORM_PARTS` (Flask 3.1; a class attribute of the request from Werkzeug 2.2.3 on).
    pub max_form_parts: Option<usize>,
    profile: Profile,
}

impl FormLimits {
    /// The profile's defaults: none with Werkzeug 1.0, 1,000 parts with 2.3, and 500,000 bytes of text besides with 3.1.
    #[must_use]
    pub fn new(profile: Profile) -> Self {
        let parts = (profile != Profile::Werkzeug10).then_some(1000);
        let memory = (profile == Profile::Werkzeug31).then_some(500_000);
        Self { max_content_length: None, max_form_memory_size: memory, max_form_parts: parts, profile }
    }

    /// Whether a request that announces this length is refused before its body is read.
    #[must_use]
    pub fn refuse(&self, content_length: Option<u64>) -> bool {
        content_length.zip(self.max_content_length).is_some_and(|(length, most)| length > most)
    }

    /// What Werkzeug reads of a body under a server that ends it by itself (gunicorn): from 2.3 on not more than
    /// `MAX_CONTENT_LENGTH`. Says whether the limit was reached, where the next look for more is a 413.
    pub(super) fn readable<'b>(&self, body: &'b [u8]) -> (&'b [u8], bool) {
        let most = self.max_content_length.filter(|_| self.profile != Profile::Werkzeug10);
        match most.and_then(|most| usize::try_from(most).ok()) {
            Some(most) if body.len() >= most => (&body[..most], true),
            _ => (body, false),
        }
    }

    /// Until 3.1 a URL-encoded form must fit in the memory for text, by its announced length.
    pub(super) fn check_urlencoded(&self, content_length: Option<u64>) -> Result<(), FormError> {
        let most = self.max_form_memory_size.filter(|_| self.profile != Profile::Werkzeug31);
        match content_length.zip(most) {
            Some((length, most)) if length > most as u64 => Err(FormError::TooLarge),
            _ => Ok(()),
        }
    }
}
