//! `Email()`: the rules of the packages `email_validator` 1.1.2 (WTForms 2) and 2.4.0 (WTForms 3), without the DNS question
//! that WTForms switches off.

use std::sync::LazyLock;

use regex::Regex;

use super::domain::{Expression, is_all, to_ascii};
use crate::forms::version::Version;

/// Names that cannot have mail: 2.4.0 refuses them and everything below them.
const RESERVED: [&str; 6] = ["arpa", "invalid", "local", "localhost", "onion", "test"];
const LONGEST: usize = 254;
const LONGEST_LOCAL_PART: usize = 64;
const LONGEST_DOMAIN: usize = 253;

/// Whether the package takes the address.
pub(super) fn is_valid(address: &str, version: Version) -> bool {
    let Some((local, domain)) = address.split_once('@') else { return false };
    if address.len() > LONGEST || domain.contains('@') || !is_dot_atom(local) {
        return false;
    }
    let local_fits = match version {
        Version::Two => local.chars().count() <= LONGEST_LOCAL_PART,
        Version::Three => is_all(&SAFE, local),
    };
    let Some(ascii) = ascii_domain(domain, version) else { return false };
    local_fits && local.len() + 1 + ascii.len() <= LONGEST
}

/// The domain in ASCII, if mail can go there.
fn ascii_domain(domain: &str, version: Version) -> Option<String> {
    if version == Version::Three && (domain.chars().count() > LONGEST_DOMAIN || !is_all(&SAFE, domain)) {
        return None;
    }
    let ascii = to_ascii(domain)?;
    let labels: Vec<&str> = ascii.split('.').collect();
    let ends_with_letter = ascii.ends_with(|c: char| c.is_ascii_alphabetic());
    let sound = ascii.len() <= LONGEST_DOMAIN
        && labels.len() >= 2
        && labels.iter().all(|label| is_label(label))
        && ends_with_letter;
    let reserved = version == Version::Three && labels.last().is_some_and(|last| RESERVED.contains(last));
    (sound && !reserved).then_some(ascii)
}

/// Letters, digits and hyphens; no hyphen at an end or at the third and fourth place, unless it is Punycode.
fn is_label(label: &str) -> bool {
    let bytes = label.as_bytes();
    !label.is_empty()
        && label.len() <= 63
        && !label.starts_with('-')
        && !label.ends_with('-')
        && (label.starts_with("xn--") || bytes.get(2..4) != Some(b"--"))
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
}

/// Words of the permitted characters, with single points between them.
fn is_dot_atom(text: &str) -> bool {
    let is_atom =
        |c: char| c.is_ascii_alphanumeric() || "_!#$%&'*+-/=?^`{|}~".contains(c) || u32::from(c) >= 0x80;
    text.split('.').all(|word| !word.is_empty() && word.chars().all(is_atom))
}

/// Letters, numbers, punctuation and symbols, and marks that stand on something: no blanks, control, format, private or
/// unassigned characters.
static SAFE: Expression =
    LazyLock::new(|| Regex::new(r"^[\p{L}\p{N}\p{P}\p{S}][\p{L}\p{N}\p{P}\p{S}\p{M}]*$").ok());
