//! A text that was read, and a place in it.

use std::ops::Range;
use std::sync::Arc;

/// A text that was read: a file, an environment variable, a command-line flag.
#[derive(Debug)]
pub struct Source {
    name: String,
    text: String,
    /// Where each line begins: every entry of a long file is asked for its line.
    lines: Vec<usize>,
}

impl Source {
    /// A text with the name that people know it by.
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Arc<Self> {
        let text = text.into();
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Arc::new(Self { name: name.into(), text, lines })
    }

    /// The name that people know it by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text as it may be shown: same length, secrets replaced by asterisks.
    ///
    /// Secrets do not belong into these files. Someone who writes one there by mistake gets an error, and an error
    /// shows the line.
    pub fn shown(&self) -> String {
        let mut shown = String::with_capacity(self.text.len());
        for line in self.text.split_inclusive('\n') {
            match secret_in(line) {
                Some(secret) => {
                    shown.push_str(&line[..secret.start]);
                    shown.extend(std::iter::repeat_n('*', secret.len()));
                    shown.push_str(&line[secret.end..]);
                }
                None => shown.push_str(line),
            }
        }
        shown
    }
}

/// The part of a line that must not be shown: a literal `secret_key`, or the password of a URL.
fn secret_in(line: &str) -> Option<Range<usize>> {
    let body = line.trim_end();
    // Also inside `flask = { secret_key = "…" }`; the key may be quoted.
    let lower = body.to_ascii_lowercase();
    let named = |name: &str| lower.find(name).map(|at| at + name.len());
    if let Some(end) = named("secret_key").or_else(|| named("password")) {
        let rest = body[end..].trim_start_matches(['"', '\'']).trim_start();
        let value = rest.strip_prefix('=').map(str::trim_start).unwrap_or_default();
        if !value.is_empty() && !value.starts_with('{') {
            return Some(body.len() - value.len()..body.len());
        }
    }
    let scheme = body.find("://")? + 3;
    let host = scheme + body[scheme..].find('@')?;
    let user = &body[scheme..host];
    (!user.contains(['/', '"', ' ']) && !user.is_empty()).then_some(scheme..host)
}

/// A place in a text.
#[derive(Debug, Clone)]
pub struct Place {
    source: Arc<Source>,
    span: Range<usize>,
}

impl Place {
    /// The bytes of `span` in a text.
    pub fn new(source: &Arc<Source>, span: Range<usize>) -> Self {
        let end = span.end.min(source.text.len());
        Self { source: Arc::clone(source), span: span.start.min(end)..end }
    }

    /// A whole text.
    pub fn whole(source: &Arc<Source>) -> Self {
        Self::new(source, 0..source.text.len())
    }

    /// The very beginning of a text: what is missing is reported there.
    pub fn start(source: &Arc<Source>) -> Self {
        Self::new(source, 0..0)
    }

    /// The text it is in.
    pub fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// The bytes.
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// The text at this place.
    pub fn text(&self) -> &str {
        self.source.text.get(self.span.clone()).unwrap_or_default()
    }

    /// Line and column of its beginning, both from 1; the column counts characters.
    pub fn line_and_column(&self) -> (usize, usize) {
        let line = self.source.lines.partition_point(|begin| *begin <= self.span.start).max(1);
        let begin = self.source.lines.get(line - 1).copied().unwrap_or_default();
        let before = self.source.text.get(begin..self.span.start).unwrap_or_default();
        (line, before.chars().count() + 1)
    }

    /// The place of a part of a quoted string; the whole string if its text is not verbatim what is meant (escapes).
    #[must_use]
    pub fn inside_quotes(&self, content: &str, part: Range<usize>) -> Self {
        let quotes = usize::from(self.text().len() == content.len() + 2);
        let start = self.span.start + quotes;
        let verbatim = self.source.text.get(start..start + content.len()) == Some(content);
        if !verbatim || part.end > content.len() || part.start > part.end {
            return self.clone();
        }
        Self::new(&self.source, start + part.start..start + part.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_from_one() {
        let source = Source::new("x.toml", "a = 1\nbé = 2\n");
        assert_eq!(Place::new(&source, 0..1).line_and_column(), (1, 1));
        assert_eq!(Place::new(&source, 12..13).line_and_column(), (2, 6));
        assert_eq!(Place::new(&source, 5..6).line_and_column(), (1, 6), "the end of a line belongs to it");
        assert_eq!(Place::new(&source, 6..6).line_and_column(), (2, 1));
        assert_eq!(Place::new(&source, 14..99).line_and_column(), (3, 1), "behind the last line");
        assert_eq!(Place::start(&Source::new("empty", "")).line_and_column(), (1, 1));
    }

    #[test]
    fn a_part_of_a_string_is_found_inside_its_quotes() {
        let source = Source::new("x.toml", r#"rule = "/a/<b>""#);
        let place = Place::new(&source, 7..15);
        assert_eq!(place.inside_quotes("/a/<b>", 3..6).text(), "<b>");
        assert_eq!(place.inside_quotes("other", 3..6).text(), r#""/a/<b>""#);
    }

    #[test]
    fn secrets_are_not_shown() {
        let shown = |text: &str| Source::new("x", text).shown();
        assert_eq!(shown("secret_key = \"abc\"\n"), "secret_key = *****\n");
        assert_eq!(shown("FICUS_FLASK_SECRET_KEY=abc"), "FICUS_FLASK_SECRET_KEY=***");
        assert_eq!(shown("flask = { secret_key = \"abc\" }"), "flask = { secret_key = *******");
        assert_eq!(shown("\"secret_key\" = 'abc'"), "\"secret_key\" = *****");
        assert_eq!(shown("secret_key = { env = \"X\" }"), "secret_key = { env = \"X\" }");
        assert_eq!(shown("FICUS_FLASK_SECRET_KEY_FILE=/x"), "FICUS_FLASK_SECRET_KEY_FILE=/x");
        assert_eq!(shown("secret_key = { env = \"K\" }"), "secret_key = { env = \"K\" }");
        assert_eq!(shown("password = \"abc\"\n"), "password = *****\n");
        assert_eq!(shown("FICUS_STORE_PASSWORD=abc"), "FICUS_STORE_PASSWORD=***");
        assert_eq!(shown("url = \"postgres://u:pw@db/x\""), "url = \"postgres://****@db/x\"");
        assert_eq!(shown("legacy = \"http://127.0.0.1:5000\""), "legacy = \"http://127.0.0.1:5000\"");
    }
}
