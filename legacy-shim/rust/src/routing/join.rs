//! Joining a redirect target to the root of the application.
//!
//! Source: `url_join` of werkzeug/urls.py 1.0.1 (up to 2.2); `urllib.parse.urljoin` of CPython 3.11 (from 2.3). The base is
//! always `scheme://host/script/`.

use crate::Profile;

/// A URL in pieces.
#[derive(Debug, Default, Clone, PartialEq)]
struct Parts<'a> {
    scheme: String,
    netloc: &'a str,
    path: &'a str,
    query: &'a str,
    fragment: &'a str,
}

/// Joins; the error is what Python would raise.
pub(super) fn url_join(base: &str, url: &str, profile: Profile) -> Result<String, String> {
    if url.is_empty() {
        return Ok(base.to_owned());
    }
    let standard = profile != Profile::Werkzeug10;
    let cleaned;
    let target = if standard {
        cleaned = clean(url);
        cleaned.as_str()
    } else {
        url
    };
    let base_parts = split(base, "", standard)?;
    let parts = split(target, &base_parts.scheme, standard)?;
    let known = ["http", "https", "ws", "wss", ""];
    if parts.scheme != base_parts.scheme || (standard && !known.contains(&parts.scheme.as_str())) {
        return Ok(url.to_owned());
    }
    if !parts.netloc.is_empty() {
        let (path, parameters) = split_parameters(parts.path, standard && parts.scheme.starts_with("http"));
        return Ok(unsplit(&parts, parts.netloc, &format!("{path}{parameters}"), (parts.query, standard)));
    }
    let query = if parts.path.is_empty() && parts.query.is_empty() { base_parts.query } else { parts.query };
    let path = if standard {
        join_standard(base_parts.path, parts.path, parts.scheme.starts_with("http"))
    } else {
        join_10(base_parts.path, parts.path)
    };
    Ok(unsplit(&parts, base_parts.netloc, &path, (query, standard)))
}

/// What `urlsplit` throws away: control characters and spaces before the URL, tabs and newlines in it.
fn clean(url: &str) -> String {
    url.trim_start_matches(|c: char| c <= ' ').chars().filter(|c| !matches!(c, '\t' | '\r' | '\n')).collect()
}

fn split<'a>(url: &'a str, default_scheme: &str, standard: bool) -> Result<Parts<'a>, String> {
    let mut parts = Parts { scheme: default_scheme.to_owned(), ..Parts::default() };
    let mut rest = url;
    if let Some((scheme, after)) =
        url.split_once(':').filter(|(scheme, after)| is_scheme(scheme, after, standard))
    {
        parts.scheme = scheme.to_ascii_lowercase();
        rest = after;
    }
    if let Some(after) = rest.strip_prefix("//") {
        let end = after.find(['/', '?', '#']).unwrap_or(after.len());
        (parts.netloc, rest) = after.split_at(end);
        if parts.netloc.contains('[') != parts.netloc.contains(']') {
            return Err("the redirect target has a malformed IPv6 address".to_owned());
        }
    }
    if let Some((before, fragment)) = rest.split_once('#') {
        (rest, parts.fragment) = (before, fragment);
    }
    (parts.path, parts.query) = rest.split_once('?').unwrap_or((rest, ""));
    Ok(parts)
}

/// Whether the text before the first colon is a scheme; Werkzeug takes `host:80` for a path.
fn is_scheme(scheme: &str, after: &str, standard: bool) -> bool {
    if standard {
        return scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    }
    let port = !after.is_empty() && after.bytes().all(|b| b.is_ascii_digit());
    // The class `[a-zA-Z0-9+-.]` holds the range from plus to point, comma included.
    !scheme.is_empty()
        && !port
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || (b'+'..=b'.').contains(&b))
}

fn unsplit(parts: &Parts<'_>, netloc: &str, path: &str, (query, standard): (&str, bool)) -> String {
    let slash = if path.is_empty() || path.starts_with('/') { "" } else { "/" };
    // `urlunsplit` takes a path that begins with two slashes for one that has its authority already.
    let marks = if standard && netloc.is_empty() && path.starts_with("//") { "" } else { "//" };
    let mut url = format!("{}:{marks}{netloc}{slash}{path}", parts.scheme);
    for (mark, text) in [('?', query), ('#', parts.fragment)] {
        if !text.is_empty() {
            url.push(mark);
            url.push_str(text);
        }
    }
    url
}

/// `url_join` of Werkzeug.
fn join_10(base: &str, path: &str) -> String {
    let mut segments: Vec<&str> = if path.starts_with('/') {
        path.split('/').collect()
    } else {
        let mut segments: Vec<&str> = base.split('/').collect();
        if !path.is_empty() {
            segments.pop();
            segments.extend(path.split('/'));
        }
        segments
    };
    if let Some(last) = segments.last_mut().filter(|last| **last == ".") {
        *last = "";
    }
    segments.retain(|segment| *segment != ".");
    let removable = |segments: &[&str]| {
        (1..segments.len().saturating_sub(1))
            .find(|&i| segments[i] == ".." && !matches!(segments[i - 1], "" | ".."))
    };
    while let Some(i) = removable(&segments) {
        segments.drain(i - 1..=i);
    }
    while segments.len() > 1 && segments[0].is_empty() && segments[1] == ".." {
        segments.remove(1);
    }
    segments.join("/")
}

/// Parameters behind `;` in the last segment, with their semicolon; Python drops a semicolon with nothing behind it.
fn split_parameters(path: &str, has_parameters: bool) -> (&str, &str) {
    let last = path.rfind('/').map_or(0, |slash| slash + 1);
    let Some(found) = path[last..].find(';').filter(|_| has_parameters) else { return (path, "") };
    let (path, parameters) = path.split_at(last + found);
    (path, if parameters == ";" { "" } else { parameters })
}

/// The path of `urljoin`; parameters behind `;`, which http has and ws has not, stay with the last segment and hide its
/// dots.
fn join_standard(base: &str, path: &str, has_parameters: bool) -> String {
    let (path, parameters) = split_parameters(path, has_parameters);
    if path.is_empty() && parameters.is_empty() {
        return base.to_owned();
    }
    let mut segments: Vec<&str> = Vec::new();
    if path.starts_with('/') {
        segments.extend(path.split('/'));
    } else {
        segments.extend(base.split('/'));
        if segments.last().is_some_and(|last| !last.is_empty()) {
            segments.pop();
        }
        segments.extend(path.split('/'));
        let count = segments.len();
        let mut position = 0;
        segments.retain(|segment| {
            position += 1;
            position == 1 || position == count || !segment.is_empty()
        });
    }
    let mut resolved: Vec<&str> = Vec::new();
    for segment in &segments {
        match *segment {
            ".." => {
                resolved.pop();
            }
            "." => {}
            other => resolved.push(other),
        }
    }
    if matches!(segments.last(), Some(&("." | ".."))) {
        resolved.push("");
    }
    let joined = resolved.join("/");
    let joined = if joined.is_empty() { "/".to_owned() } else { joined };
    joined + parameters
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_relative_and_absolute_targets() {
        for profile in Profile::ALL {
            let join = |url: &str| url_join("http://h/app/", url, profile).unwrap();
            assert_eq!(join("a/b"), "http://h/app/a/b");
            assert_eq!(join("/a"), "http://h/a");
            assert_eq!(join("../a?x=1"), "http://h/a?x=1");
            assert_eq!(join("https://x/y"), "https://x/y");
            assert_eq!(join("//x/y"), "http://x/y");
            assert_eq!(join(""), "http://h/app/");
        }
        let nowhere = |url: &str| url_join("http:///", url, Profile::Werkzeug31).unwrap();
        assert_eq!((nowhere("////").as_str(), nowhere("///").as_str()), ("http://", "http:///"));
        let join = |base: &str| url_join(base, "x/;", Profile::Werkzeug31).unwrap();
        assert_eq!(url_join("http://h/", "//x/;", Profile::Werkzeug31).as_deref(), Ok("http://x/"));
        assert_eq!((join("http://h/").as_str(), join("ws://h/").as_str()), ("http://h/x/", "ws://h/x/;"));
    }
}
