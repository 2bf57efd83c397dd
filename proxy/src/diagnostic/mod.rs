//! Errors and warnings in TOML files, environment variables and flags: where, what, what instead.
//!
//! Both files are read the same way: parse with spans, walk the tables (`document`), collect everything that is
//! wrong in one [`Report`], render it like rustc does (`render`). What the keys mean is not here: that is
//! `settings` and `route`.

mod document;
mod network;
mod place;
mod render;
mod suggest;
mod units;

use std::fmt;

pub use document::{Document, Section, Value};
pub use network::Network;
pub use place::{Place, Source};
pub use suggest::{did_you_mean, nearest};
pub use units::{bytes, duration, percent};

/// Whether a file with this finding may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It may not.
    Error,
    /// It may; somebody should look.
    Warning,
}

impl Severity {
    /// The word for people and machines.
    pub fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

/// One finding.
#[derive(Debug, Clone)]
pub struct Diagnostic {
    severity: Severity,
    message: String,
    place: Place,
    label: String,
    help: Option<String>,
    related: Option<(Place, String)>,
    absence: bool,
}

impl Diagnostic {
    /// Whether the file may be used.
    pub fn severity(&self) -> Severity {
        self.severity
    }

    /// What is wrong, in one line.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Where.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// What to do instead, if that is known.
    pub fn help_text(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// Adds the words that stand beside the marked text.
    pub fn label(&mut self, label: impl Into<String>) -> &mut Self {
        self.label = label.into();
        self
    }

    /// Adds what to do instead.
    pub fn help(&mut self, help: impl Into<String>) -> &mut Self {
        self.help = Some(help.into());
        self
    }

    /// Adds "did you mean" if one of the candidates is near to `word`, else the list of candidates if it is short.
    pub fn suggest<'c>(&mut self, word: &str, candidates: impl IntoIterator<Item = &'c str>) -> &mut Self {
        let candidates: Vec<&str> = candidates.into_iter().collect();
        if let Some(help) = did_you_mean(word, &candidates) {
            self.help = Some(help);
        }
        self
    }

    /// Says that something is missing. In a file with wrong syntax it may only be unreadable, and is not reported.
    pub fn absence(&mut self) -> &mut Self {
        self.absence = true;
        self
    }

    /// Points at a second place that has to do with it.
    pub fn related(&mut self, place: Place, label: impl Into<String>) -> &mut Self {
        self.related = Some((place, label.into()));
        self
    }
}

/// `FILE:LINE:COLUMN: error: MESSAGE`, for logs.
impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, column) = self.place.line_and_column();
        write!(
            f,
            "{}:{line}:{column}: {}: {}",
            self.place.source().name(),
            self.severity.word(),
            self.message
        )?;
        match &self.help {
            Some(help) => write!(f, " ({help})"),
            None => Ok(()),
        }
    }
}

/// Everything that was found.
#[derive(Debug, Clone, Default)]
pub struct Report {
    findings: Vec<Diagnostic>,
}

impl Report {
    /// Adds an error; the file may not be used.
    pub fn error(&mut self, place: &Place, message: impl Into<String>) -> &mut Diagnostic {
        self.push(Severity::Error, place, message.into())
    }

    /// Adds a warning.
    pub fn warning(&mut self, place: &Place, message: impl Into<String>) -> &mut Diagnostic {
        self.push(Severity::Warning, place, message.into())
    }

    fn push(&mut self, severity: Severity, place: &Place, message: String) -> &mut Diagnostic {
        let place = place.clone();
        self.findings.push(Diagnostic {
            severity,
            message,
            place,
            label: String::new(),
            help: None,
            related: None,
            absence: false,
        });
        let last = self.findings.len() - 1;
        &mut self.findings[last]
    }

    /// Whether any finding is an error.
    pub fn has_errors(&self) -> bool {
        self.count(Severity::Error) > 0
    }

    /// How many findings have this severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }

    /// All findings, by file and position.
    pub fn findings(&self) -> &[Diagnostic] {
        &self.findings
    }

    /// Takes over the findings of another report.
    pub fn extend(&mut self, other: Report) {
        self.findings.extend(other.findings);
    }

    /// Forgets what is said to be missing.
    pub fn forget_absences(&mut self) {
        self.findings.retain(|finding| !finding.absence);
    }

    /// Puts the findings in reading order.
    #[must_use]
    pub fn sorted(mut self) -> Self {
        self.findings
            .sort_by_key(|finding| (finding.place.source().name().to_owned(), finding.place.span().start));
        self
    }

    /// `2 errors, 1 warning`, or `no errors`.
    pub fn summary(&self) -> String {
        let counted = |severity: Severity| match self.count(severity) {
            0 => None,
            1 => Some(format!("1 {}", severity.word())),
            n => Some(format!("{n} {}s", severity.word())),
        };
        let parts: Vec<String> =
            [Severity::Error, Severity::Warning].into_iter().filter_map(counted).collect();
        if parts.is_empty() { "no errors".to_owned() } else { parts.join(", ") }
    }

    /// All findings as text for people, with the lines they are about.
    pub fn render(&self, colour: bool) -> String {
        render::render(&self.findings, colour)
    }
}
