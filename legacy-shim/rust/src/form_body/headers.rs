//! The headers of a part.

use super::Stop;
use crate::Profile;
use crate::python::strip;

/// Names and values in order.
#[derive(Debug, Default)]
pub(super) struct Headers(Vec<(String, String)>);

impl Headers {
    /// The first value of this name, whatever its case.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key.to_lowercase() == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn push(&mut self, name: &str, value: &str) {
        self.0.push((name.to_owned(), value.to_owned()));
    }

    /// Werkzeug 1.0: a line that continues the last value. False: there is none.
    pub(super) fn continue_last(&mut self, text: &str) -> bool {
        let Some((_, value)) = self.0.last_mut() else { return false };
        value.push_str("\n ");
        value.push_str(text);
        true
    }

    /// Werkzeug 2.3 and later: all headers of a part, without the blank line.
    pub(super) fn parse(block: &[u8], profile: Profile) -> Result<Self, Stop> {
        let mut headers = Headers::default();
        for line in lines(&joined(block)) {
            let line = trim(line, profile);
            if line.is_empty() {
                continue;
            }
            let line = std::str::from_utf8(line).map_err(|_| Stop::Broken)?;
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            let (name, value) = match profile {
                Profile::Werkzeug31 => (name.trim_matches([' ', '\t']), value.trim_matches([' ', '\t'])),
                _ => (strip(name), strip(value)),
            };
            headers.push(name, value);
        }
        Ok(headers)
    }
}

/// `bytes.strip()`, or that of blanks only.
fn trim(line: &[u8], profile: Profile) -> &[u8] {
    let blank = |byte: &u8| match profile {
        Profile::Werkzeug31 => matches!(byte, b' ' | b'\t'),
        _ => matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c),
    };
    let start = line.iter().position(|byte| !blank(byte)).unwrap_or(line.len());
    let end = line.iter().rposition(|byte| !blank(byte)).map_or(start, |last| last + 1);
    &line[start..end]
}

/// Lines that begin with a blank belong to the one before: the break and one blank become one blank.
fn joined(block: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(block.len());
    let mut at = 0;
    while at < block.len() {
        let wide = match &block[at..] {
            [b'\r', b'\n', b' ' | b'\t', ..] => 3,
            [b'\r' | b'\n', b' ' | b'\t', ..] => 2,
            _ => 0,
        };
        if wide > 0 {
            out.push(b' ');
            at += wide;
        } else {
            out.push(block[at]);
            at += 1;
        }
    }
    out
}

/// `bytes.splitlines()`.
fn lines(block: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = block;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n')).unwrap_or(rest.len());
        let (line, after) = rest.split_at(end);
        rest = match after {
            [b'\r', b'\n', after @ ..] | [b'\r' | b'\n', after @ ..] => after,
            _ => after,
        };
        Some(line)
    })
}
