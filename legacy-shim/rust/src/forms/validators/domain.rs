//! Host names: international labels to ASCII, and the shapes that WTForms and `email_validator` take for a domain.
//!
//! International labels go through UTS 46 with the letters, marks and digits of IDNA 2008. Python's packages have a table for
//! each code point and IDNA 2003 for addresses of pages, so that a rare label is judged differently: the cases of the vectors
//! that are marked `known` are of this kind.

use std::sync::LazyLock;

use regex::Regex;

use crate::forms::version::Version;

/// A domain in ASCII and lower case.
pub(super) fn to_ascii(domain: &str) -> Option<String> {
    if domain.is_ascii() && !domain.to_ascii_lowercase().split('.').any(|label| label.starts_with("xn--")) {
        return Some(domain.to_ascii_lowercase());
    }
    let ascii = idna::domain_to_ascii_strict(domain).ok()?;
    let (unicode, result) = idna::domain_to_unicode(&ascii);
    (result.is_ok() && is_all(&LABELS, &unicode)).then_some(ascii)
}

/// What IDNA 2008 lets stand in labels, without its rules about neighbours.
static LABELS: Expression = LazyLock::new(|| Regex::new(r"^[\p{L}\p{M}\p{Nd}.\-\u00b7\u200c\u200d]+$").ok());

/// A fixed expression; none never happens.
pub(super) type Expression = LazyLock<Option<Regex>>;

/// Whether a fixed expression matches.
pub(super) fn is_all(expression: &Expression, text: &str) -> bool {
    expression.as_ref().is_some_and(|expression| expression.is_match(text))
}

/// `HostnameValidation`.
pub(super) fn is_host_name(host: &str, require_tld: bool, version: Version) -> bool {
    let ascii = if host.is_ascii() { Some(host.to_owned()) } else { idna::domain_to_ascii(host).ok() };
    let Some(ascii) = ascii else { return false };
    if ascii.len() > 253 {
        return false;
    }
    let labels: Vec<&str> = ascii.split('.').collect();
    let sound = |label: &&str| !label.is_empty() && label.len() <= 63 && is_label(label, version);
    if !labels.iter().all(sound) {
        return false;
    }
    !require_tld || (labels.len() >= 2 && labels.last().is_some_and(|label| is_top_level(label)))
}

/// `^(xn-|[a-z0-9_]+)(-[a-z0-9_]+)*$` in WTForms 2, `^(xn-|[a-z0-9_]+)(-[a-z0-9_-]+)?$` in 3.
fn is_label(label: &str, version: Version) -> bool {
    let label = label.strip_suffix('\n').unwrap_or(label).to_ascii_lowercase();
    let is_word =
        |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let follows = |rest: &str| match version {
        Version::Two => {
            rest.is_empty() || rest.strip_prefix('-').is_some_and(|rest| rest.split('-').all(is_word))
        }
        Version::Three => {
            rest.is_empty()
                || rest.strip_prefix('-').is_some_and(|rest| {
                    !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b))
                })
        }
    };
    let word = label.find('-').unwrap_or(label.len());
    label.strip_prefix("xn-").is_some_and(follows) || (is_word(&label[..word]) && follows(&label[word..]))
}

/// `^([a-z]{2,20}|xn--([a-z0-9]+-)*[a-z0-9]+)$`.
fn is_top_level(label: &str) -> bool {
    let label = label.strip_suffix('\n').unwrap_or(label).to_ascii_lowercase();
    match label.strip_prefix("xn--") {
        Some(rest) => {
            rest.split('-').all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric()))
        }
        None => (2..=20).contains(&label.len()) && label.bytes().all(|b| b.is_ascii_lowercase()),
    }
}
