//! Percent-encoding by sets of safe characters, and the halfway forms that Werkzeug calls IRIs.

use std::fmt::Write as _;

use super::join::split;
use crate::Profile;

/// `urllib.parse.quote(bytes, safe)`: letters, digits, `_.-~` and `safe` stay.
pub(crate) fn quote_with(bytes: &[u8], safe: &str) -> String {
    let mut out = String::with_capacity(bytes.len());
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b"_.-~".contains(byte) || safe.as_bytes().contains(byte) {
            out.push(char::from(*byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// All percent escapes resolved; bytes that are not UTF-8 become U+FFFD.
pub(crate) fn percent_decode_lossy(text: &[u8]) -> String {
    String::from_utf8_lossy(&percent_decode(text, |_| true)).into_owned()
}

/// The wanted percent escapes resolved.
pub(crate) fn percent_decode(text: &[u8], wanted: impl Fn(u8) -> bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        if text[at] == b'%'
            && let Some(byte) = text.get(at + 1..at + 3).and_then(hex_byte)
            && wanted(byte)
        {
            out.push(byte);
            at += 3;
            continue;
        }
        out.push(text[at]);
        at += 1;
    }
    out
}

fn hex_byte(pair: &[u8]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok()
}

/// `url_unquote(text, errors="werkzeug.url_quote")`: resolves the wanted escapes; what is no UTF-8 then stays escaped.
pub(crate) fn unquote_some(text: &[u8], wanted: impl Fn(u8) -> bool) -> String {
    let bytes = percent_decode(text, wanted);
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        out.push_str(&quote_with(chunk.invalid(), ""));
    }
    out
}

/// The part of an address that a piece of text belongs to: each has its own characters that stay escaped.
#[derive(Clone, Copy)]
pub(crate) enum Part {
    Path,
    Query,
}

/// `uri_to_iri` for one part.
pub(crate) fn to_iri(text: &[u8], part: Part, profile: Profile) -> String {
    match profile {
        Profile::Werkzeug10 => {
            unquote_some(text, |byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || byte >= 0x80)
        }
        _ => {
            let keep: &[u8] = match part {
                Part::Path => b"/?#%\x7f",
                Part::Query => b"&=+#%\x7f",
            };
            unquote_some(text, |byte| byte > 32 && !keep.contains(&byte))
        }
    }
}

/// The `Location` that Werkzeug makes of the address given to `redirect()`: escaped; until 2.3 an address that is ASCII
/// without blanks is left alone.
#[must_use]
pub fn iri_to_uri(address: &str, profile: Profile) -> String {
    if profile < Profile::Werkzeug30
        && address.is_ascii()
        && address.split_ascii_whitespace().count() == 1
        && !address.contains(['\r', '\n'])
    {
        return address.to_owned();
    }
    let parts = split(address);
    let (path, query, fragment) = match profile {
        Profile::Werkzeug10 => (":/?#[]@!$&'()*+,;=%", ":/?#[]@!$&'()*+,;=%", ":/?#[]@!$&'()*+,;=%"),
        _ => ("%!$&'()*+,/:;=@", "%!$&'()*+,/:;=?@", "%!#$&'()*+,/:;=?@"),
    };
    let mut parts = parts;
    parts.path = quote_with(parts.path.as_bytes(), path);
    parts.query = quote_with(parts.query.as_bytes(), query);
    parts.fragment = quote_with(parts.fragment.as_bytes(), fragment);
    parts.unsplit()
}
