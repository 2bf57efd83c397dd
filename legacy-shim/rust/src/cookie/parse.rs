//! The request's `Cookie` header, read the way the chosen Werkzeug reads it (names, values, duplicates, garbage).

use std::borrow::Cow;

use crate::Profile;

/// The cookies of one request, in the order of the header.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cookies {
    pairs: Vec<(String, String)>,
}

impl Cookies {
    /// Reads a `Cookie` header. Several header lines must be joined with `"; "` before.
    ///
    /// Source: `request.cookies` of the profile's release. Bytes outside ASCII: Werkzeug 1.0 reads UTF-8 (with U+FFFD for
    /// what is not), later ones take every byte for a character of its own, except in `\\ooo` escapes.
    #[must_use]
    pub fn parse(header: &[u8], profile: Profile) -> Self {
        let pairs = match profile {
            Profile::Werkzeug10 => parse_loose(header, true),
            Profile::Werkzeug23 | Profile::Werkzeug30 => parse_loose(&widen(header), false),
            Profile::Werkzeug31 => parse_strict(&widen(header)),
        };
        Self { pairs }
    }

    /// The first cookie of this name, as `request.cookies.get(name)` gives it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// All pairs, repeated names included.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

/// Werkzeug up to 2.3: `key = value ;` with almost anything in between.
/// In 1.0 a key has at least one character (a leading `=` is skipped) and may be quoted itself.
fn parse_loose(header: &[u8], old: bool) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    let mut rest = header;
    while !rest.is_empty() {
        if old {
            let skip = rest.iter().position(|byte| !matches!(byte, b'=' | b';')).unwrap_or(rest.len());
            rest = &rest[skip..];
            if rest.is_empty() {
                break;
            }
        }
        let key_end = rest.iter().position(|byte| matches!(byte, b'=' | b';')).unwrap_or(rest.len());
        let key = rest[..key_end].trim_ascii();
        rest = &rest[key_end..];
        let value = if rest.first() == Some(&b'=') {
            let (value, after) = loose_value(rest[1..].trim_ascii_start());
            rest = after;
            value
        } else {
            rest = rest.get(1..).unwrap_or_default();
            &[]
        };
        let key = if old { unquote(key) } else { key.to_vec() };
        if !key.is_empty() {
            pairs.push((text(&key), text(&unquote(value))));
        }
    }
    pairs
}

/// The value at the start of `rest` and what follows its semicolon.
fn loose_value(rest: &[u8]) -> (&[u8], &[u8]) {
    if let Some(end) = quoted_end(rest) {
        let after = rest[end..].trim_ascii_start();
        match after.first() {
            None => return (&rest[..end], &[]),
            Some(b';') => return (&rest[..end], &after[1..]),
            Some(_) => {}
        }
    }
    let end = rest.iter().position(|byte| *byte == b';').unwrap_or(rest.len());
    (rest[..end].trim_ascii_end(), rest.get(end + 1..).unwrap_or_default())
}

/// Werkzeug 3.1: a pair with a bare space, a quote in the middle or an unclosed quote is dropped.
fn parse_strict(header: &[u8]) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    let mut rest = header;
    while !rest.is_empty() {
        if let Some((key, value, after)) = strict_pair(rest) {
            pairs.push((text(key), text(&unquote(value))));
            rest = after;
        } else {
            let Some(end) = rest.iter().position(|byte| *byte == b';') else { break };
            rest = &rest[end + 1..];
        }
    }
    pairs
}

fn strict_pair(rest: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let rest = skip_blank(rest);
    let key_end = rest.iter().position(|byte| b" \t=\";".contains(byte)).unwrap_or(rest.len());
    let (key, after) = rest.split_at(key_end);
    if key.is_empty() {
        return None;
    }
    let after = skip_blank(after);
    let (value, after) = match after.strip_prefix(b"=") {
        None => (&[][..], after),
        Some(after) => {
            let after = skip_blank(after);
            let end = quoted_end(after).unwrap_or_else(|| {
                after.iter().position(|byte| b" \t\";".contains(byte)).unwrap_or(after.len())
            });
            after.split_at(end)
        }
    };
    match skip_blank(after) {
        [] => Some((key, value, &[])),
        [b';', after @ ..] => Some((key, value, after)),
        _ => None,
    }
}

fn skip_blank(bytes: &[u8]) -> &[u8] {
    let start = bytes.iter().position(|byte| !matches!(byte, b' ' | b'\t')).unwrap_or(bytes.len());
    &bytes[start..]
}

/// Where a quoted string at the start of `bytes` ends (behind its closing quote).
fn quoted_end(bytes: &[u8]) -> Option<usize> {
    if bytes.first() != Some(&b'"') {
        return None;
    }
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    None
}

/// Takes the quotes off and resolves `\ooo` and `\x`; what is not quoted stays as it is.
fn unquote(value: &[u8]) -> Vec<u8> {
    let [b'"', inner @ .., b'"'] = value else { return value.to_vec() };
    let mut out = Vec::with_capacity(inner.len());
    let mut at = 0;
    while at < inner.len() {
        match &inner[at..] {
            [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', ..] => {
                out.push((a - b'0') * 64 + (b - b'0') * 8 + (c - b'0'));
                at += 4;
            }
            [b'\\', byte, ..] => {
                out.push(*byte);
                at += 2;
            }
            [byte, ..] => {
                out.push(*byte);
                at += 1;
            }
            [] => break,
        }
    }
    out
}

/// The header as the text that WSGI makes of it (latin-1), in UTF-8.
fn widen(header: &[u8]) -> Cow<'_, [u8]> {
    if header.is_ascii() {
        return Cow::Borrowed(header);
    }
    Cow::Owned(header.iter().map(|byte| char::from(*byte)).collect::<String>().into_bytes())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
