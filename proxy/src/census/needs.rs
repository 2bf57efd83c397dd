//! What the shim says about one view: its lines, what only it uses, and who in the source needs it. Facts only.

use serde::{Deserialize, Serialize};

/// What would go with a view, and who needs it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Needs {
    /// Whether the application has the endpoint.
    pub known: bool,
    /// Where the view is written; absent: not in the application's own files, or nobody can tell.
    pub view: Option<Lines>,
    /// Its decorators, as written.
    pub decorators: Vec<String>,
    /// Calls and imports that register it.
    pub registered: Vec<Line>,
    /// Places that use its function or class otherwise.
    pub uses: Vec<Line>,
    /// Endpoints that the same function or class answers.
    pub shared_with: Vec<String>,
    /// Functions and classes that nothing else uses.
    pub only: Vec<Lines>,
    /// Templates that it renders.
    pub templates: Vec<Template>,
    /// Whether it renders one whose name only runs can tell.
    pub templates_unknown: bool,
    /// Views that do.
    pub templates_unknown_of: Vec<String>,
    /// Places that name the endpoint.
    pub references: Vec<Reference>,
    /// Files that could not be read.
    pub unread: Vec<Unread>,
    /// Its rules.
    pub rules: Vec<NeededRule>,
}

/// Lines of a file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Lines {
    /// The file.
    pub file: String,
    /// First line.
    pub from: u64,
    /// Last line.
    pub to: u64,
    /// What is defined there.
    pub name: String,
    /// `function` or `class`.
    pub kind: String,
}

/// A statement.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Line {
    /// The file.
    pub file: String,
    /// First line.
    pub from: u64,
    /// Last line.
    pub to: u64,
    /// What stands there.
    pub text: String,
    /// Whether it is a test.
    #[serde(default)]
    pub test: bool,
}

/// A template.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Template {
    /// Its name.
    pub name: String,
    /// Its file, if it is the application's own.
    pub file: Option<String>,
    /// Whether no other Python view renders it, and no other template needs it.
    pub only: bool,
}

/// A place that names the endpoint.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Reference {
    /// `url_for`, `template`, `name` (a text that is its name) or `unknown` (a url_for that may mean it).
    pub kind: String,
    /// The file.
    pub file: String,
    /// The line.
    pub line: u64,
    /// What stands there.
    pub text: String,
    /// Whether it is a test.
    pub test: bool,
}

/// A file that could not be read.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Unread {
    /// The file.
    pub file: String,
    /// Why.
    pub why: String,
}

/// A rule and its methods.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NeededRule {
    /// As written.
    pub rule: String,
    /// Without those that Flask adds; `*`: any.
    pub methods: Vec<String>,
}
