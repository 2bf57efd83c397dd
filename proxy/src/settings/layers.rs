//! Where a value comes from: flag, else environment, else file.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::diagnostic::{Document, Place, Report, Section, Source, Value};

use super::keys::{self, KEYS, OTHER_VARIABLES};

/// What settings are made from. Nothing else is looked at, so that tests and `ficus check` can bring their own.
#[derive(Debug, Clone, Default)]
pub struct Inputs {
    /// ficus.toml, if somebody named one.
    pub config: Option<PathBuf>,
    /// The environment.
    pub environment: BTreeMap<String, String>,
    /// Flags, as key, flag and value: `("listen.http", "--listen", "127.0.0.1:80")`.
    pub flags: Vec<(String, String, String)>,
    /// A secret that cannot be had is worth a warning only: for commands that look at files and serve nobody.
    pub secrets_optional: bool,
}

impl Inputs {
    /// The environment of this process and no flags.
    pub fn from_process() -> Self {
        let text =
            |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
        Self { environment: std::env::vars_os().filter_map(text).collect(), ..Self::default() }
    }

    /// The ficus.toml that is read, if there is one.
    pub fn config_path(&self) -> Option<PathBuf> {
        self.config_file().map(|(path, _)| path)
    }

    /// ficus.toml: named by a flag, else by `FICUS_CONFIG`, else the one in the working directory if there is one.
    pub(super) fn config_file(&self) -> Option<(PathBuf, bool)> {
        let variable =
            || self.environment.get("FICUS_CONFIG").filter(|path| !path.is_empty()).map(PathBuf::from);
        let named = self.config.clone().or_else(variable);
        match named {
            Some(path) => Some((path, true)),
            None => Path::new("ficus.toml").exists().then(|| (PathBuf::from("ficus.toml"), false)),
        }
    }
}

/// The three layers, to be asked for one key at a time.
pub(super) struct Layers<'d> {
    inputs: &'d Inputs,
    root: Option<Section<'d>>,
    base: PathBuf,
}

impl<'d> Layers<'d> {
    pub(super) fn new(inputs: &'d Inputs, document: Option<&'d Document<'d>>, report: &mut Report) -> Self {
        let root = document.map(|document| document.root(&keys::names_in(""), report));
        if let Some(root) = &root {
            reject_unknown(root, report);
        }
        let file = inputs.config_file().map(|(path, _)| path);
        let base = file.and_then(|path| path.parent().map(Path::to_owned)).unwrap_or_default();
        Self { inputs, root, base }
    }

    /// The value that counts for a key; `None`: nobody set it.
    pub(super) fn value(&self, name: &str) -> Option<Value<'d>> {
        self.flag(name).or_else(|| self.variable(name, &keys::variable(name))).or_else(|| self.in_file(name))
    }

    fn flag(&self, name: &str) -> Option<Value<'d>> {
        let (_, flag, text) = self.inputs.flags.iter().rev().find(|(key, _, _)| key == name)?;
        Some(Value::from_text(name, &format!("{flag} "), text))
    }

    pub(super) fn variable(&self, name: &str, variable: &str) -> Option<Value<'d>> {
        let text = self.inputs.environment.get(variable).filter(|text| !text.is_empty())?;
        Some(Value::from_text(name, &format!("{variable}="), text))
    }

    fn in_file(&self, name: &str) -> Option<Value<'d>> {
        let root = self.root.as_ref()?;
        let mut ignored = Report::default();
        let mut parts = name.split('.').peekable();
        let mut section = root.clone();
        while let Some(part) = parts.next() {
            let value = section.get(part)?;
            if parts.peek().is_none() {
                return Some(value);
            }
            section = value.free_section(&mut ignored)?;
        }
        None
    }

    /// Any variable of the environment, such as the one that holds the secret key.
    pub(super) fn environment(&self, variable: &str) -> Option<&'d str> {
        self.inputs.environment.get(variable).map(String::as_str).filter(|text| !text.is_empty())
    }

    /// A path: those in the file are relative to the file, all others to the working directory.
    pub(super) fn path(&self, value: &Value<'_>, text: &str) -> PathBuf {
        if value.is_from_file() { self.base.join(text) } else { PathBuf::from(text) }
    }

    /// Reports a secret that cannot be had.
    pub(super) fn no_secret(&self, place: &Place, message: String, report: &mut Report) {
        if self.inputs.secrets_optional {
            report.warning(place, message).label("identities cannot be read here");
        } else {
            report.error(place, message);
        }
    }

    /// The directory of the file.
    pub(super) fn base(&self) -> &Path {
        &self.base
    }

    /// Every backend that anybody names.
    pub(super) fn backends(&self, report: &mut Report) -> BTreeMap<String, NamedBackend<'d>> {
        let mut found = BTreeMap::<String, NamedBackend<'d>>::new();
        if let Some(section) = self.root.as_ref().and_then(|root| root.get("backends")?.free_section(report))
        {
            for (name, value) in section.entries() {
                let Some(backend) = value.section(&keys::names(keys::BACKEND), report) else { continue };
                match backend.get("upstreams") {
                    Some(upstreams) => {
                        let place = value.key().clone();
                        found.insert(name, NamedBackend { place, upstreams, section: Some(backend) });
                    }
                    None => drop(report.error(value.key(), format!("backend `{name}` has no `upstreams`"))),
                }
            }
        }
        let prefix = "FICUS_BACKENDS_";
        for variable in self.inputs.environment.keys().filter(|name| name.starts_with(prefix)) {
            let plain = variable[prefix.len()..].to_ascii_lowercase().replace('_', "-");
            let name = found.keys().find(|name| name.replace('_', "-") == plain).cloned().unwrap_or(plain);
            if let Some(value) = self.variable(&format!("backends.{name}"), variable) {
                override_upstreams(&mut found, &name, value);
            }
        }
        for (key, _, _) in &self.inputs.flags {
            if let (Some(name), Some(value)) = (key.strip_prefix("backends."), self.flag(key)) {
                override_upstreams(&mut found, name, value);
            }
        }
        found
    }

    /// Variables that look like ours but are not. Only a warning: a platform may set names such as
    /// `FICUS_SERVICE_HOST` for its own reasons.
    pub(super) fn warn_of_unknown_variables(&self, report: &mut Report) {
        let known: BTreeSet<String> = KEYS
            .iter()
            .map(|key| keys::variable(key.name))
            .chain(OTHER_VARIABLES.iter().map(|name| (*name).to_owned()))
            .collect();
        let ours = |name: &&String| name.starts_with("FICUS_") && !name.starts_with("FICUS_BACKENDS_");
        for name in self.inputs.environment.keys().filter(ours).filter(|name| !known.contains(*name)) {
            let near: Vec<&str> = known.iter().map(String::as_str).collect();
            let near = crate::diagnostic::nearest(name, &near);
            let value = Value::from_text(name, &format!("{name}="), "");
            let warning =
                report.warning(value.place(), format!("unknown environment variable `{name}` is ignored"));
            if let Some(first) = near.first() {
                warning.help(format!("did you mean `{first}`?"));
            }
        }
    }
}

/// A backend that somebody named.
pub(super) struct NamedBackend<'d> {
    pub(super) place: Place,
    pub(super) upstreams: Value<'d>,
    /// Its table, if it stands in the file.
    pub(super) section: Option<Section<'d>>,
}

/// A variable or a flag says where a backend is; how it is treated stays as in the file.
fn override_upstreams<'d>(found: &mut BTreeMap<String, NamedBackend<'d>>, name: &str, upstreams: Value<'d>) {
    let place = upstreams.key().clone();
    let section = found.remove(name).and_then(|named| named.section);
    found.insert(name.to_owned(), NamedBackend { place, upstreams, section });
}

/// Unknown keys in the tables below the top level; backends are looked at where they are read.
fn reject_unknown(root: &Section<'_>, report: &mut Report) {
    let tables = [
        "listen",
        "admin",
        "flask",
        "canary",
        "control",
        "store",
        "fleet",
        "limits",
        "timeouts",
        "shadow",
        "log",
        "telemetry",
        "webhooks",
    ];
    for table in tables {
        let Some(section) = root.get(table).and_then(|value| value.section(&keys::names_in(table), report))
        else {
            continue;
        };
        if let Some(https) = section.get("https").filter(|_| table == "listen") {
            https.section(&keys::names_in("listen.https"), report);
        }
    }
}

/// Reads a file, or says why not.
pub(super) fn read_file(path: &Path, report: &mut Report) -> Option<Arc<Source>> {
    let name = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => Some(Source::new(name, text)),
        Err(error) => {
            let source = Source::new(name.clone(), "");
            report.error(&Place::start(&source), format!("cannot read `{name}`: {error}"));
            None
        }
    }
}
