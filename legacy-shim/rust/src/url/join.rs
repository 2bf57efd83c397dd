//! Splitting and joining addresses as Python's `urllib.parse` does.

/// The five parts of an address. Empty means absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SplitUrl {
    /// Lower case.
    pub scheme: String,
    /// Host, port and user as written.
    pub netloc: String,
    /// Path.
    pub path: String,
    /// Without `?`.
    pub query: String,
    /// Without `#`.
    pub fragment: String,
}

/// `urlsplit(address)`.
#[must_use]
pub fn split(address: &str) -> SplitUrl {
    let mut parts = SplitUrl::default();
    let mut rest = address;
    if let Some((scheme, after)) = rest.split_once(':')
        && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    {
        parts.scheme = scheme.to_ascii_lowercase();
        rest = after;
    }
    if let Some(after) = rest.strip_prefix("//") {
        let end = after.find(['/', '?', '#']).unwrap_or(after.len());
        parts.netloc = after[..end].to_owned();
        rest = &after[end..];
    }
    if let Some((before, fragment)) = rest.split_once('#') {
        parts.fragment = fragment.to_owned();
        rest = before;
    }
    if let Some((before, query)) = rest.split_once('?') {
        parts.query = query.to_owned();
        rest = before;
    }
    parts.path = rest.to_owned();
    parts
}

impl SplitUrl {
    /// `urlunsplit(parts)`.
    #[must_use]
    pub fn unsplit(&self) -> String {
        let mut out = String::new();
        if !self.scheme.is_empty() {
            out.push_str(&self.scheme);
            out.push(':');
        }
        if !self.netloc.is_empty() || self.path.starts_with("//") {
            out.push_str("//");
            out.push_str(&self.netloc);
            if !self.path.is_empty() && !self.path.starts_with('/') {
                out.push('/');
            }
        }
        out.push_str(&self.path);
        for (mark, part) in [('?', &self.query), ('#', &self.fragment)] {
            if !part.is_empty() {
                out.push(mark);
                out.push_str(part);
            }
        }
        out
    }

    /// `parts.hostname`: lower case, without user and port.
    pub(crate) fn hostname(&self) -> Option<String> {
        let host = self.host_and_port();
        let name = match host.strip_prefix('[') {
            Some(rest) => rest.split(']').next().unwrap_or_default(),
            None => host.split(':').next().unwrap_or_default(),
        };
        (!name.is_empty()).then(|| name.to_lowercase())
    }

    /// `parts.port`: `Err` where Python raises.
    pub(crate) fn port(&self) -> Result<Option<u16>, ()> {
        let host = self.host_and_port();
        let after = host.rsplit_once(']').map_or(host, |(_, after)| after);
        match after.split_once(':') {
            None | Some((_, "")) => Ok(None),
            Some((_, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
                port.parse().map(Some).map_err(|_| ())
            }
            Some(_) => Err(()),
        }
    }

    fn host_and_port(&self) -> &str {
        self.netloc.rsplit_once('@').map_or(self.netloc.as_str(), |(_, host)| host)
    }
}

/// `urljoin(base, address)` for a base of the form `scheme://host/path`.
#[must_use]
pub fn join(base: &str, address: &str) -> String {
    if address.is_empty() {
        return base.to_owned();
    }
    let base = split(base);
    let mut parts = split(address);
    if !parts.scheme.is_empty() && parts.scheme != base.scheme {
        return address.to_owned();
    }
    parts.scheme.clone_from(&base.scheme);
    if !parts.netloc.is_empty() {
        return parts.unsplit();
    }
    parts.netloc.clone_from(&base.netloc);
    if parts.path.is_empty() {
        parts.path.clone_from(&base.path);
        if parts.query.is_empty() {
            parts.query.clone_from(&base.query);
        }
        return parts.unsplit();
    }
    if !parts.path.starts_with('/') {
        let folder = base.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        parts.path = format!("{folder}/{}", parts.path);
    }
    parts.path = without_dots(&parts.path);
    parts.unsplit()
}

fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let last = segments.peek().is_none();
        match segment {
            "." => {}
            ".." => {
                kept.pop();
            }
            _ => kept.push(segment),
        }
        if last && matches!(segment, "." | "..") {
            kept.push("");
        }
    }
    format!("/{}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_like_python() {
        let base = "http://h:5000/a/b";
        for (address, joined) in [
            ("/x?y=1", "http://h:5000/x?y=1"),
            ("leaf", "http://h:5000/a/leaf"),
            ("../up", "http://h:5000/up"),
            ("./", "http://h:5000/a/"),
            ("?q", "http://h:5000/a/b?q"),
            ("//other/x", "http://other/x"),
            ("https://other/x", "https://other/x"),
            ("mailto:a@b", "mailto:a@b"),
            ("", "http://h:5000/a/b"),
        ] {
            assert_eq!(join(base, address), joined);
        }
    }
}
