//! `URL()`: a regular expression in WTForms 2, `urllib.parse.urlparse` in WTForms 3, and a look at the host name.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::domain::is_host_name;
use crate::forms::version::Version;
use crate::url::split;

/// Whether WTForms takes the address.
pub(super) fn is_valid(address: &str, require_tld: bool, version: Version) -> bool {
    let host = match version {
        Version::Two => host_by_pattern(address),
        Version::Three => host_by_parts(address),
    };
    host.is_some_and(|host| is_ip(&host) || is_host_name(&host, require_tld, version))
}

/// `^[a-z]+://(?P<host>[^\/\?:]+)(?P<port>:[0-9]+)?(?P<path>\/.*?)?(?P<query>\?.*)?$`, ignoring case.
fn host_by_pattern(address: &str) -> Option<String> {
    let (scheme, rest) = address.split_once("://")?;
    // With `re.IGNORECASE` Python takes these two for `s` and `k`, and dotless and dotted `i` for each other.
    let is_letter =
        |c: char| c.is_ascii_alphabetic() || matches!(c, '\u{17f}' | '\u{212a}' | '\u{130}' | '\u{131}');
    if scheme.is_empty() || !scheme.chars().all(is_letter) {
        return None;
    }
    let end = rest.find(['/', '?', ':']).unwrap_or(rest.len());
    let (host, mut rest) = rest.split_at(end);
    if let Some(after) = rest.strip_prefix(':') {
        let digits = after.bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            return None;
        }
        rest = &after[digits..];
    }
    // `$` also stands before a newline at the end, the point matches no newline.
    let rest = rest.strip_suffix('\n').unwrap_or(rest);
    let tail = rest.is_empty() || rest.starts_with(['/', '?']);
    (!host.is_empty() && tail && !rest.contains('\n')).then(|| host.to_owned())
}

/// Scheme http or https, no user, a sound port: then `urlparse(address).hostname`.
fn host_by_parts(address: &str) -> Option<String> {
    let address: String = address
        .trim_start_matches(|c: char| c <= ' ')
        .chars()
        .filter(|c| !matches!(c, '\t' | '\r' | '\n'))
        .collect();
    let parts = split(&address);
    if !matches!(parts.scheme.as_str(), "http" | "https") || splits_after_nfkc(&parts.netloc) {
        return None;
    }
    let (user, host) = parts.netloc.rsplit_once('@').unwrap_or(("", &parts.netloc));
    let has_user = !matches!(user, "" | ":");
    let (name, port) = split_port(host)?;
    let port_fits =
        port.is_empty() || (port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok());
    (!has_user && port_fits && !name.is_empty()).then(|| name.to_lowercase())
}

/// Host and port; brackets must hold an IPv6 address.
fn split_port(host: &str) -> Option<(&str, &str)> {
    if !host.contains(['[', ']']) {
        return Some(host.split_once(':').unwrap_or((host, "")));
    }
    let (name, after) = host.strip_prefix('[')?.split_once(']')?;
    let port = if after.is_empty() { "" } else { after.strip_prefix(':')? };
    is_ipv6(name).then_some((name, port))
}

/// `urllib` refuses hosts in which compatibility characters hide a separator.
fn splits_after_nfkc(netloc: &str) -> bool {
    netloc.contains([
        '\u{2100}', '\u{2101}', '\u{2105}', '\u{2106}', '\u{2048}', '\u{2049}', '\u{2047}', '\u{ff03}',
        '\u{ff0f}', '\u{ff1a}', '\u{ff1f}', '\u{ff20}', '\u{fe13}', '\u{fe16}', '\u{fe55}', '\u{fe56}',
        '\u{fe5f}', '\u{fe6b}', '\u{2a74}',
    ])
}

fn is_ip(host: &str) -> bool {
    host.parse::<Ipv4Addr>().is_ok() || is_ipv6(host)
}

/// `ipaddress` takes a scope behind `%`.
fn is_ipv6(host: &str) -> bool {
    let (address, scope) = host.split_once('%').unwrap_or((host, "0"));
    !scope.is_empty() && !scope.contains('%') && address.parse::<Ipv6Addr>().is_ok()
}
