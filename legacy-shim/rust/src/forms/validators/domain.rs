//! Host names: international labels to ASCII, and the shapes that WTForms and `email_validator` take for a domain.

use crate::forms::version::Version;

/// A domain in ASCII and lower case. International labels follow UTS 46 with the letters, marks and digits of IDNA 2008;
/// Python's `idna` has a table for each code point, so that unassigned and exceptional ones may be judged differently.
pub(super) fn to_ascii(domain: &str) -> Option<String> {
    if domain.is_ascii() && !domain.to_ascii_lowercase().split('.').any(|label| label.starts_with("xn--")) {
        return Some(domain.to_ascii_lowercase());
    }
    let ascii = idna::domain_to_ascii_strict(domain).ok()?;
    let (unicode, result) = idna::domain_to_unicode(&ascii);
    let usual = |c: char| c.is_alphanumeric() || matches!(c, '-' | '.' | '\u{b7}') || is_mark(c);
    (result.is_ok() && unicode.chars().all(usual)).then_some(ascii)
}

/// Combining marks of the blocks that domain labels use; scripts keep theirs beside their letters.
fn is_mark(c: char) -> bool {
    matches!(u32::from(c), 0x300..=0x36f | 0x483..=0x487 | 0x591..=0x5bd | 0x5bf..=0x5c7 | 0x610..=0x61a | 0x64b..=0x65f
        | 0x900..=0xdff | 0xe31..=0xe4e | 0xeb1..=0xecd | 0xf18..=0xfc6 | 0x102b..=0x109d | 0x1712..=0x17dd | 0x3099..=0x309a
        | 0x200c..=0x200d)
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
    let is_word = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
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
        Some(rest) => rest
            .split('-')
            .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric())),
        None => (2..=20).contains(&label.len()) && label.bytes().all(|b| b.is_ascii_lowercase()),
    }
}
