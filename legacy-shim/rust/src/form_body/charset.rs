//! The charsets that a part or a header's parameter may name.

use super::FormError;
use super::options::Options;
use crate::Profile;

/// A charset that this crate decodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Charset {
    Ascii,
    Utf8,
    Latin1,
}

impl Charset {
    /// The four names that Werkzeug 2.3 and later know, in lower case.
    pub(super) fn listed(name: &str) -> Option<Self> {
        match name {
            "ascii" | "us-ascii" => Some(Charset::Ascii),
            "utf-8" => Some(Charset::Utf8),
            "iso-8859-1" => Some(Charset::Latin1),
            _ => None,
        }
    }

    /// Python's usual names for them; it knows hundreds of others.
    pub(super) fn of_python(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().replace('_', "-").as_str() {
            "ascii" | "us-ascii" => Some(Charset::Ascii),
            "utf-8" | "utf8" => Some(Charset::Utf8),
            "iso-8859-1" | "iso8859-1" | "latin-1" | "latin1" => Some(Charset::Latin1),
            _ => None,
        }
    }

    /// `bytes.decode(charset, "replace")`.
    pub(super) fn decode(self, bytes: &[u8]) -> String {
        match self {
            Charset::Utf8 => String::from_utf8_lossy(bytes).into_owned(),
            Charset::Latin1 => bytes.iter().map(|byte| char::from(*byte)).collect(),
            Charset::Ascii => {
                let shown = |byte: &u8| if byte.is_ascii() { char::from(*byte) } else { '\u{fffd}' };
                bytes.iter().map(shown).collect()
            }
        }
    }

    /// `bytes.decode(charset)`: `None` where Python raises.
    pub(super) fn decode_strictly(self, bytes: &[u8]) -> Option<String> {
        match self {
            Charset::Utf8 => String::from_utf8(bytes.to_vec()).ok(),
            Charset::Ascii if !bytes.is_ascii() => None,
            _ => Some(self.decode(bytes)),
        }
    }
}

/// The charset of a text field, from the options of its Content-Type.
pub(super) fn of_part(options: &Options, profile: Profile) -> Result<Charset, FormError> {
    match (options.raw("charset"), profile) {
        (None, _) => Ok(Charset::Utf8),
        (Some(named), Profile::Werkzeug10) => {
            named.and_then(Charset::of_python).ok_or(FormError::Unsupported)
        }
        (Some(named), _) => {
            let named = named.unwrap_or_default().to_lowercase();
            Ok(Charset::listed(&named).unwrap_or(Charset::Utf8))
        }
    }
}
