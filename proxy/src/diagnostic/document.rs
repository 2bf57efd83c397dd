//! Walking a TOML document with spans: tables with known keys, values of known types.
//!
//! A value may also come from an environment variable or a flag; it is then plain text, read by the same rules.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Place, Report, Source};

/// A parsed TOML text.
#[derive(Debug)]
pub struct Document<'d> {
    source: &'d Arc<Source>,
    table: Spanned<DeTable<'d>>,
    broken: bool,
}

impl<'d> Document<'d> {
    /// Parses a text; every syntax error is reported, and what could be read anyhow is there to be checked.
    pub fn parse(source: &'d Arc<Source>, report: &mut Report) -> Self {
        let (table, errors) = DeTable::parse_recoverable(source.text());
        let mut lines = BTreeSet::new();
        for error in &errors {
            let place = Place::new(source, error.span().unwrap_or(0..0));
            let line = place.line_and_column().0;
            if lines.insert(line) {
                syntax_error(&place, error.message(), line, report);
            }
        }
        Self { source, table, broken: !errors.is_empty() }
    }

    /// Whether the syntax was wrong somewhere; what is then missing may only be unreadable.
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    /// Every key below the top level with its value as it is written, such as `listen.http` and `"127.0.0.1:80"`.
    pub fn written(&self) -> BTreeMap<String, String> {
        let mut written = BTreeMap::new();
        self.write_table("", self.table.get_ref(), &mut written);
        written
    }

    fn write_table(&self, prefix: &str, table: &DeTable<'_>, written: &mut BTreeMap<String, String>) {
        for (key, value) in table {
            let path = format!("{prefix}{}", key.get_ref());
            match value.get_ref() {
                DeValue::Table(table) => self.write_table(&format!("{path}."), table, written),
                _ => {
                    let text = self.source.text().get(value.span()).unwrap_or_default();
                    written.insert(path, text.to_owned());
                }
            }
        }
    }

    /// The top level, with the keys it may have.
    pub fn root(&self, known: &[&'static str], report: &mut Report) -> Section<'_> {
        let section = Section {
            source: self.source,
            path: String::new(),
            place: Place::start(self.source),
            table: self.table.get_ref(),
        };
        section.reject_unknown(known, report);
        section
    }
}

/// One syntax error; of several in one line only the first one says anything.
fn syntax_error(place: &Place, message: &str, line: usize, report: &mut Report) {
    let text = place.source().text().lines().nth(line - 1).unwrap_or_default();
    let error = report.error(place, message.to_owned());
    if ["<<<<<<<", "=======", ">>>>>>>"].iter().any(|mark| text.starts_with(mark)) {
        error.help("a merge conflict was left here");
    }
}

/// One table of a document.
#[derive(Debug, Clone)]
pub struct Section<'d> {
    source: &'d Arc<Source>,
    path: String,
    place: Place,
    table: &'d DeTable<'d>,
}

impl<'d> Section<'d> {
    fn reject_unknown(&self, known: &[&'static str], report: &mut Report) {
        for (key, value) in self.table {
            let name = key.get_ref().as_ref();
            if known.contains(&name) {
                continue;
            }
            let kind = if matches!(value.get_ref(), DeValue::Table(_)) { "table" } else { "key" };
            let of = if self.path.is_empty() { String::new() } else { format!(" in `{}`", self.path) };
            report
                .error(&Place::new(self.source, key.span()), format!("unknown {kind} `{name}`{of}"))
                .suggest(name, known.iter().copied());
        }
    }

    /// Where the table begins.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The value of a key, if it is there.
    pub fn get(&self, key: &str) -> Option<Value<'d>> {
        let (name, value) = self.table.iter().find(|(name, _)| name.get_ref() == key)?;
        Some(self.value(name, value))
    }

    /// All keys with their values.
    pub fn entries(&self) -> Vec<(String, Value<'d>)> {
        self.table.iter().map(|(name, value)| (name.get_ref().to_string(), self.value(name, value))).collect()
    }

    fn value(&self, name: &Spanned<std::borrow::Cow<'_, str>>, value: &'d Spanned<DeValue<'d>>) -> Value<'d> {
        let dot = if self.path.is_empty() { "" } else { "." };
        Value {
            source: self.source.clone(),
            path: format!("{}{dot}{}", self.path, name.get_ref()),
            key: Place::new(self.source, name.span()),
            place: Place::new(self.source, value.span()),
            raw: Raw::Toml(self.source, value.get_ref()),
        }
    }
}

/// One value, and where it came from.
#[derive(Debug, Clone)]
pub struct Value<'d> {
    source: Arc<Source>,
    path: String,
    key: Place,
    place: Place,
    raw: Raw<'d>,
}

#[derive(Debug, Clone)]
enum Raw<'d> {
    Toml(&'d Arc<Source>, &'d DeValue<'d>),
    Text(String),
}

impl<'d> Value<'d> {
    /// A value given as plain text: an environment variable (`NAME=`) or a flag (`--name `).
    pub fn from_text(path: &str, origin: &str, text: &str) -> Self {
        let source = Source::new(origin_name(origin), format!("{origin}{text}"));
        let place = Place::new(&source, origin.len()..origin.len() + text.len());
        Self { key: place.clone(), place, path: path.to_owned(), raw: Raw::Text(text.to_owned()), source }
    }

    /// The key's full name, such as `listen.http`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Where the value is.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Where its key is.
    pub fn key(&self) -> &Place {
        &self.key
    }

    /// Whether it was written in a file, not in the environment or on the command line.
    pub fn is_from_file(&self) -> bool {
        matches!(self.raw, Raw::Toml(..))
    }

    /// The place of a part of a string value.
    pub fn part(&self, content: &str, part: Range<usize>) -> Place {
        self.place.inside_quotes(content, part)
    }

    fn wrong_type(&self, expected: &str, report: &mut Report) {
        let found = match &self.raw {
            Raw::Toml(_, value) => value.type_str(),
            Raw::Text(_) => "text",
        };
        report
            .error(&self.place, format!("`{}` must be {expected}", self.path))
            .label(format!("expected {expected}, found {found}"));
    }

    /// A string.
    pub fn text(&self, report: &mut Report) -> Option<String> {
        match &self.raw {
            Raw::Toml(_, DeValue::String(text)) => Some(text.to_string()),
            Raw::Text(text) => Some(text.clone()),
            Raw::Toml(..) => {
                self.wrong_type("a string", report);
                None
            }
        }
    }

    /// A string, read further by `read`, whose error is a sentence.
    pub fn parsed<T>(&self, report: &mut Report, read: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let text = self.text(report)?;
        match read(&text) {
            Ok(value) => Some(value),
            Err(message) => {
                report.error(&self.place, format!("bad value for `{}`", self.path)).label(message);
                None
            }
        }
    }

    /// A time longer than nothing, such as `5s`.
    pub fn duration(&self, report: &mut Report) -> Option<Duration> {
        if let Some(number) = self.number_text().filter(|_| !self.is_text()) {
            report
                .error(&self.place, format!("`{}` needs a unit", self.path))
                .help(format!("write `\"{number}s\"` or `\"{number}ms\"`"));
            return None;
        }
        self.parsed(report, |text| match super::duration(text)? {
            Duration::ZERO => Err("must be longer than nothing".to_owned()),
            time => Ok(time),
        })
    }

    /// `true` or `false`.
    pub fn boolean(&self, report: &mut Report) -> Option<bool> {
        match &self.raw {
            Raw::Toml(_, DeValue::Boolean(value)) => Some(*value),
            Raw::Text(text) if text == "true" || text == "false" => Some(text == "true"),
            _ => {
                self.wrong_type("true or false", report);
                None
            }
        }
    }

    /// The text of a number, as written; `None` if it is something else.
    pub fn number_text(&self) -> Option<String> {
        match &self.raw {
            Raw::Toml(_, DeValue::Integer(number)) if number.radix() == 10 => {
                Some(number.as_str().replace('_', ""))
            }
            Raw::Toml(_, DeValue::Float(number)) => Some(number.as_str().replace('_', "")),
            Raw::Text(text) if text.starts_with(|c: char| c.is_ascii_digit()) => Some(text.clone()),
            _ => None,
        }
    }

    /// Whether it is a string (or plain text).
    pub fn is_text(&self) -> bool {
        matches!(self.raw, Raw::Toml(_, DeValue::String(_)) | Raw::Text(_))
    }

    /// Whether it is a table.
    pub fn is_table(&self) -> bool {
        matches!(self.raw, Raw::Toml(_, DeValue::Table(_)))
    }

    /// A whole number of at least `least`.
    pub fn integer(&self, least: u64, report: &mut Report) -> Option<u64> {
        let Some(text) = self.number_text() else {
            self.wrong_type("a whole number", report);
            return None;
        };
        match text.trim_start_matches('+').parse::<u64>() {
            Ok(number) if number >= least => Some(number),
            _ => {
                let label = format!("must be a whole number of at least {least}");
                report.error(&self.place, format!("bad value for `{}`", self.path)).label(label);
                None
            }
        }
    }

    /// A number between `least` and `most`.
    pub fn number(&self, least: f64, most: f64, report: &mut Report) -> Option<f64> {
        let Some(text) = self.number_text() else {
            self.wrong_type("a number", report);
            return None;
        };
        match text.parse::<f64>() {
            Ok(number) if number >= least && number <= most => Some(number),
            _ => {
                let label = format!("must be between {least} and {most}");
                report.error(&self.place, format!("bad value for `{}`", self.path)).label(label);
                None
            }
        }
    }

    /// The items of a list; plain text is split at commas.
    pub fn list(&self, report: &mut Report) -> Option<Vec<Value<'d>>> {
        match &self.raw {
            Raw::Toml(source, DeValue::Array(items)) => {
                Some(items.iter().map(|item| self.item(source, item)).collect())
            }
            Raw::Text(text) => Some(self.split(text)),
            Raw::Toml(..) => {
                self.wrong_type("a list", report);
                None
            }
        }
    }

    fn item(&self, source: &'d Arc<Source>, item: &'d Spanned<DeValue<'d>>) -> Value<'d> {
        let place = Place::new(source, item.span());
        Value {
            source: self.source.clone(),
            path: self.path.clone(),
            key: place.clone(),
            place,
            raw: Raw::Toml(source, item.get_ref()),
        }
    }

    fn split(&self, text: &str) -> Vec<Value<'d>> {
        let mut at = self.place.span().start;
        let mut items = Vec::new();
        for piece in text.split(',') {
            let trimmed = piece.trim();
            let start = at + (piece.len() - piece.trim_start().len());
            let place = Place::new(&self.source, start..start + trimmed.len());
            at += piece.len() + 1;
            if !trimmed.is_empty() {
                let raw = Raw::Text(trimmed.to_owned());
                items.push(Value { place: place.clone(), key: place, raw, ..self.clone() });
            }
        }
        items
    }

    /// The strings of a list, each with its place.
    pub fn texts(&self, report: &mut Report) -> Option<Vec<(String, Value<'d>)>> {
        let items = self.list(report)?;
        Some(items.into_iter().filter_map(|item| Some((item.text(report)?, item))).collect())
    }

    /// A table with the keys it may have.
    pub fn section(&self, known: &[&'static str], report: &mut Report) -> Option<Section<'d>> {
        let section = self.free_section(report)?;
        section.reject_unknown(known, report);
        Some(section)
    }

    /// A table with keys of the writer's choice.
    pub fn free_section(&self, report: &mut Report) -> Option<Section<'d>> {
        match &self.raw {
            Raw::Toml(source, DeValue::Table(table)) => {
                Some(Section { source, path: self.path.clone(), place: self.place.clone(), table })
            }
            _ => {
                self.wrong_type("a table", report);
                None
            }
        }
    }
}

/// How a flag or variable is named in the header of an error.
fn origin_name(origin: &str) -> &'static str {
    if origin.starts_with('-') { "command line" } else { "environment" }
}
