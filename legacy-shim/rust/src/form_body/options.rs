//! `parse_options_header`: a value with `key=value` options behind it, read in the way of each release.

use std::sync::LazyLock;

use indexmap::IndexMap;
use regex::{Captures, Regex};

use super::charset::Charset;
use super::{FormError, Stop};
use crate::Profile;
use crate::python::strip;
use crate::url::percent_decode;

/// What stands between quotes, with escapes, up to Werkzeug 2.2.
const QUOTED_10: &str = r#""[^"\\]*(?:\\.[^"\\]*)*""#;
/// Python's white space.
const SPACE: &str = r"\s\x1c-\x1f";
/// Characters of a token, from Werkzeug 2.3 on.
const TOKEN: &str = r"0-9A-Za-z_!#$%&'*+\-.^`|~";
/// The same without `'`, in front of which a charset stands.
const CHARSET: &str = r"0-9A-Za-z_!#$%&*+\-.^`|~";

/// No client writes a longer one; with some of these expressions the work grows with its square.
const LONGEST: usize = 16 << 10;

/// Options by name; one without value has `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Options(IndexMap<String, Option<String>>);

impl Options {
    /// The option's value, if it has one.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.raw(name).flatten()
    }

    /// Whether the option is there, and its value.
    pub(super) fn raw(&self, name: &str) -> Option<Option<&str>> {
        self.0.get(name).map(Option::as_deref)
    }

    fn set(&mut self, name: &str, value: Option<String>) {
        self.0.insert(name.to_owned(), value);
    }

    /// Adds to the option's text; false if it is there without one.
    fn append(&mut self, name: &str, text: &str) -> bool {
        let value = self.0.entry(name.to_owned()).or_insert_with(|| Some(String::new()));
        value.as_mut().map(|known| known.push_str(text)).is_some()
    }

    fn remove(&mut self, name: &str) -> Option<String> {
        self.0.swap_remove(name)?
    }
}

/// The Content-Type of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentType {
    mimetype: String,
    options: Options,
    profile: Profile,
}

impl ContentType {
    /// Reads the header. `None`: one that only Python can read, or over which Werkzeug itself stumbles.
    #[must_use]
    pub fn parse(header: &[u8], profile: Profile) -> Option<Self> {
        let header: String = header.iter().map(|byte| char::from(*byte)).collect();
        let (mimetype, options) = parse(&header, profile).ok()?;
        // For forms, Werkzeug 1.0 takes it as it is written.
        let mimetype = if profile == Profile::Werkzeug10 { mimetype } else { mimetype.to_lowercase() };
        Some(Self { mimetype, options, profile })
    }

    /// The type without its options, as it decides about forms.
    #[must_use]
    pub fn mimetype(&self) -> &str {
        &self.mimetype
    }

    /// Whether `request.form` looks at such a body.
    #[must_use]
    pub fn is_form(&self) -> bool {
        match self.mimetype.as_str() {
            "multipart/form-data" | "application/x-www-form-urlencoded" => true,
            "application/x-url-encoded" => self.profile < Profile::Werkzeug30,
            _ => false,
        }
    }

    pub(super) fn is_multipart(&self) -> bool {
        self.mimetype == "multipart/form-data"
    }

    pub(super) fn boundary(&self) -> Option<&str> {
        self.options.get("boundary")
    }

    pub(super) fn profile(&self) -> Profile {
        self.profile
    }
}

/// The value and its options.
pub(super) fn parse(header: &str, profile: Profile) -> Result<(String, Options), Stop> {
    if header.len() > LONGEST {
        return Err(FormError::Unsupported.into());
    }
    match profile {
        Profile::Werkzeug10 => parse_10(header),
        Profile::Werkzeug23 | Profile::Werkzeug30 => Ok(parse_23(header, profile)),
        Profile::Werkzeug31 => Ok(parse_31(header)),
    }
}

fn expression(pattern: &str) -> Option<Regex> {
    Regex::new(pattern).ok()
}

fn parse_10(header: &str) -> Result<(String, Options), Stop> {
    static START: LazyLock<Option<Regex>> =
        LazyLock::new(|| expression(&format!(r"\A,[{SPACE}]*([^;,{SPACE}]+)([;,][{SPACE}]*.+)?")));
    static PIECE: LazyLock<Option<Regex>> = LazyLock::new(|| {
        expression(&format!(
            r"\A;[{SPACE}]*,?[{SPACE}]*(?P<key>{QUOTED_10}|[^{SPACE};,=*]+)(?:\*(?P<count>\d+))?[{SPACE}]*(?:(?:\*[{SPACE}]*=[{SPACE}]*(?:(?P<encoding>[^{SPACE}]+?)'(?P<language>[^{SPACE}]*?)')?|=[{SPACE}]*)(?P<value>{QUOTED_10}|[^;,]+)?)?[{SPACE}]*"
        ))
    });
    let (Some(start), Some(piece)) = (&*START, &*PIECE) else {
        return Err(Stop::Error(FormError::Unsupported));
    };
    let text = format!(",{}", header.replace('\n', ","));
    let mut options = Options::default();
    let Some(found) = start.captures(&text).filter(|_| !header.is_empty()) else {
        return Ok((String::new(), options));
    };
    let mimetype = found.get(1).map_or("", |value| value.as_str()).to_owned();
    let mut rest = found.get(2).map_or("", |rest| rest.as_str());
    let mut continued: Option<String> = None;
    while let Some(found) = piece.captures(rest) {
        option_10(&found, &mut continued, &mut options)?;
        rest = &rest[found.get(0).map_or(rest.len(), |whole| whole.end())..];
    }
    Ok((mimetype, options))
}

fn option_10(
    found: &Captures<'_>,
    continued: &mut Option<String>,
    options: &mut Options,
) -> Result<(), Stop> {
    let group = |name: &str| found.name(name).map(|text| text.as_str());
    let (count, mut encoding) = (group("count"), group("encoding").map(str::to_owned));
    if count.is_some() {
        encoding = encoding.or(continued.take());
        continued.clone_from(&encoding);
    } else {
        *continued = None;
    }
    let key = unquote_10(group("key").unwrap_or_default(), false);
    let value = match group("value") {
        None => None,
        Some(value) => {
            let value = unquote_10(value, key == "filename");
            Some(match encoding {
                None => value,
                Some(encoding) => {
                    let charset = Charset::of_python(&encoding).ok_or(FormError::Unsupported)?;
                    charset
                        .decode_strictly(&percent_decode(value.as_bytes(), |_| true))
                        .ok_or(Stop::Broken)?
                }
            })
        }
    };
    if count.is_none() {
        options.set(&key, value);
        return Ok(());
    }
    // Where Python adds text to `None`.
    let value = value.ok_or(FormError::Unsupported)?;
    if options.append(&key, &value) { Ok(()) } else { Err(FormError::Unsupported.into()) }
}

fn unquote_10(value: &str, is_filename: bool) -> String {
    let Some(inner) = in_quotes(value) else { return value.to_owned() };
    if is_filename && inner.starts_with(r"\\") {
        return inner.to_owned();
    }
    inner.replace(r"\\", r"\").replace("\\\"", "\"")
}

/// What is between the quotes; a single quote counts as both.
fn in_quotes(value: &str) -> Option<&str> {
    let inner = value.strip_prefix('"')?;
    if inner.is_empty() { Some(inner) } else { inner.strip_suffix('"') }
}

/// What 2.3 and 3.0 do with the options once they are found; finding them differs.
fn parse_23(header: &str, profile: Profile) -> (String, Options) {
    static VALUE: LazyLock<Option<Regex>> =
        LazyLock::new(|| expression(&format!(r"\A([{CHARSET}]*)'[{CHARSET}]*'([{TOKEN}]+)")));
    static CONTINUED: LazyLock<Option<Regex>> = LazyLock::new(|| expression(r"\*[0-9]+$"));
    let (value, rest) = header.split_once(';').unwrap_or((header, ""));
    let (value, rest) = (strip(value).to_owned(), strip(rest));
    let mut options = Options::default();
    let (Some(charset_value), Some(continuation)) = (&*VALUE, &*CONTINUED) else {
        return (value, options);
    };
    if value.is_empty() || rest.is_empty() {
        return (value, options);
    }
    let text = format!(";{rest}");
    let parts = if profile == Profile::Werkzeug23 { parts_23(&text) } else { parts_30(rest, profile) };
    // Both outlive their option, as in Werkzeug.
    let (mut encoding, mut continued): (Option<String>, Option<String>) = (None, None);
    for (mut key, given) in parts {
        let mut given = given.to_owned();
        if key.ends_with('*') {
            key.pop();
            if let Some(found) = charset_value.captures(&given) {
                encoding = Some(found[1].to_lowercase());
                given = found[2].to_owned();
            }
            if encoding.as_deref().unwrap_or_default().is_empty() {
                encoding.clone_from(&continued);
            }
            if let Some(charset) = encoding.as_deref().and_then(Charset::listed) {
                continued.clone_from(&encoding);
                given = unquote(&given, charset);
            }
        }
        if let Some(inner) = in_quotes(&given) {
            given = inner.replace(r"\\", r"\").replace("\\\"", "\"").replace("%22", "\"");
        }
        match continuation.find(&key).map(|mark| mark.start()) {
            Some(start) => drop(options.append(&key[..start], &given)),
            None => options.set(&key, Some(given)),
        }
    }
    (value, options)
}

/// The `key=value` pairs of 2.3, which searches for them in `;` and the rest: keys in lower case, values as written.
fn parts_23(text: &str) -> Vec<(String, &str)> {
    static PARAMETER: LazyLock<Option<Regex>> = LazyLock::new(|| {
        expression(&format!(
            r#"[ \t\n\r\x0b\x0c]*;[ \t\n\r\x0b\x0c]*(?:([{TOKEN}]+)=([{TOKEN}]+|"(?:\\\\|\\"|.)*?"))?"#
        ))
    });
    let found = PARAMETER.iter().flat_map(|parameter| parameter.captures_iter(text));
    found.filter_map(|found| Some((found.get(1)?.as_str().to_lowercase(), found.get(2)?.as_str()))).collect()
}

/// `urllib.parse.unquote(text, encoding)`: escapes between characters that are ASCII.
fn unquote(text: &str, charset: Charset) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|c: char| c.is_ascii() != first.is_ascii()).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        if first.is_ascii() {
            out.push_str(&charset.decode(&percent_decode(run.as_bytes(), |_| true)));
        } else {
            out.push_str(run);
        }
        rest = after;
    }
    out
}

fn parse_31(header: &str) -> (String, Options) {
    static MARK: LazyLock<Option<Regex>> = LazyLock::new(|| expression(r"(?:\*([0-9]+))?(\*)?$"));
    static VALUE: LazyLock<Option<Regex>> =
        LazyLock::new(|| expression(&format!(r"\A([{CHARSET}]*)'[{CHARSET}]*'([{TOKEN}]+)\z")));
    let blank = [' ', '\t'];
    let (value, rest) = header.split_once(';').unwrap_or((header, ""));
    let (value, rest) = (value.trim_matches(blank).to_owned(), rest.trim_matches(blank));
    let (Some(mark), Some(charset_value)) = (&*MARK, &*VALUE) else { return (value, Options::default()) };
    if value.is_empty() || rest.is_empty() {
        return (value, Options::default());
    }
    let (mut options, mut continuations, mut encodings) =
        (Options::default(), Options::default(), Options::default());
    for (key, given) in parts_30(rest, Profile::Werkzeug31) {
        let found = mark.captures(&key);
        let part = |number| found.as_ref().and_then(|found| found.get(number));
        let (continues, has_charset) = (part(1).is_some(), part(2).is_some());
        let key = &key[..part(0).map_or(key.len(), |mark| mark.start())];
        let mut encoding: Option<String> = None;
        let mut text = given.to_owned();
        if has_charset {
            if let Some(found) = charset_value.captures(given) {
                encoding = Some(found[1].to_lowercase());
                text = found[2].to_owned();
            }
            if encoding.as_deref().unwrap_or_default().is_empty() && continues {
                encoding = encodings.get(key).map(str::to_owned);
            }
            if let Some(charset) = encoding.as_deref().and_then(Charset::listed) {
                text = unquote(&text, charset);
            }
        } else {
            text = unquote_31(&text).replace("%22", "\"");
        }
        if continues {
            options.remove(key);
            continuations.append(key, &text);
            if let Some(encoding) = encoding.filter(|encoding| !encoding.is_empty()) {
                encodings.set(key, Some(encoding));
            }
        } else {
            if continuations.remove(key).is_some() {
                encodings.remove(key);
            }
            options.set(key, Some(text));
        }
    }
    for (key, text) in continuations.0 {
        options.set(&key, text);
    }
    (value, options)
}

/// The `key=value` pairs from 3.0 on, which reads them in order. Behind a quote that nothing closes, 3.0 goes on at the next
/// semicolon, and 3.1 ends.
fn parts_30(rest: &str, profile: Profile) -> Vec<(String, &str)> {
    let blank = |c: char| {
        if profile == Profile::Werkzeug30 { c.is_whitespace() } else { matches!(c, ' ' | '\t') }
    };
    let token = |c: char| c.is_ascii_alphanumeric() || "_!#$%&'*+-.^`|~".contains(c);
    let token_end = |from: usize| from + rest[from..].find(|c| !token(c)).unwrap_or(rest.len() - from);
    let mut parts = Vec::new();
    let mut at = 0;
    while at < rest.len() {
        let key_end = token_end(at);
        if key_end > at && rest[key_end..].starts_with('=') {
            let key = rest[at..key_end].to_lowercase();
            at = key_end + 1;
            let value_end = token_end(at);
            if value_end > at {
                parts.push((key, &rest[at..value_end]));
            } else if rest[at..].starts_with('"') {
                match quote_end(rest, at) {
                    Some(end) => {
                        parts.push((key, &rest[at..end]));
                        at = end;
                    }
                    None if profile == Profile::Werkzeug30 => {}
                    None => break,
                }
            }
        }
        let Some(next) = rest[at..].find(';') else { break };
        at += next + 1;
        at += rest[at..].find(|c| !blank(c)).unwrap_or(rest.len() - at);
    }
    parts
}

/// Behind the quote that closes the one at `start`.
fn quote_end(text: &str, start: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = start + 1;
    while at < bytes.len() {
        match &bytes[at..] {
            [b'\\', b'\\' | b'"', ..] => at += 2,
            [b'"', ..] => return Some(at + 1),
            _ => at += 1,
        }
    }
    None
}

/// Quotes off, and the backslash in front of any character but a line feed.
fn unquote_31(value: &str) -> String {
    let inner = value.strip_prefix('"').and_then(|inner| inner.strip_suffix('"'));
    let Some(inner) = inner else { return value.to_owned() };
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.clone().next() {
            Some(next) if next != '\n' => {
                out.push(next);
                chars.next();
            }
            _ => out.push(c),
        }
    }
    out
}
