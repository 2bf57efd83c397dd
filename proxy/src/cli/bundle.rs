//! `ficus support-bundle`: what somebody needs who helps, in one archive. What is masked, and how, is in `masks`; what is
//! not known to be harmless is left out.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::Args;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::Method;
use serde_json::{Value, json};

use super::Done;
use super::arguments::Common;
use super::client::Client;
use super::exit::Exit;
use super::masks::{Masks, log_line, routes_text, settings_text};
use super::{archive, screen};
use crate::settings::{self, AccessLog};

/// `support-bundle`.
#[derive(Debug, Args)]
#[command(after_help = "\
In it: status, routes, history, audit, incidents, differences without samples, metrics, both files, the last lines of the \
access log, versions. Not in it: secrets, cookies, bodies, paths and queries that clients sent, user ids, addresses, \
names of people (they are numbered). Reasons are in it as they were written.

Examples:
  ficus support-bundle
  ficus support-bundle --output /tmp/ficus.tar.gz")]
pub(super) struct SupportBundle {
    /// Where to put it [default: ficus-support-TIME.tar.gz in this directory]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Documents of the API and what they are called in the archive.
const DOCUMENTS: &[(&str, &str)] = &[
    ("status.json", "/v1/status"),
    ("routes.json", "/v1/routes"),
    ("history.json", "/v1/history?limit=200"),
    ("audit.json", "/v1/audit?limit=200"),
    ("incidents.json", "/v1/incidents"),
    ("diffs.json", "/v1/diffs"),
    ("difference.json", "/v1/diff"),
];
/// Incidents that come with everything.
const INCIDENTS: usize = 20;
/// Lines of the access log.
const LINES: usize = 200;

/// What is in the archive, and what is not.
#[derive(Debug, Default)]
struct Bundle {
    files: Vec<(String, Vec<u8>)>,
    missing: Vec<(String, String)>,
    masks: Masks,
}

pub(super) fn run(common: &Common, flags: &SupportBundle) -> Done {
    let mut bundle = Bundle::default();
    bundle.ask(&Client::new(common));
    bundle.read(common);
    bundle.versions();
    bundle.explain();
    let name = format!("ficus-support-{}.tar.gz", chrono::Utc::now().format("%Y%m%d-%H%M%S"));
    let path = flags.output.clone().unwrap_or_else(|| PathBuf::from(name));
    bundle
        .write(&path)
        .map_err(|error| Exit::failed(format!("cannot write `{}`: {error}", path.display())))?;
    bundle.tell(common.json, &path);
    Ok(())
}

impl Bundle {
    fn add(&mut self, name: &str, text: impl Into<Vec<u8>>) {
        self.files.push((name.to_owned(), text.into()));
    }

    fn lacks(&mut self, name: &str, why: impl Into<String>) {
        self.missing.push((name.to_owned(), why.into()));
    }

    fn add_document(&mut self, name: &str, mut document: Value) {
        self.masks.document(&mut document);
        self.add(name, format!("{document:#}\n"));
    }

    /// What the running ficus knows.
    fn ask(&mut self, client: &Client) {
        for (name, path) in DOCUMENTS {
            match client.get(path) {
                Ok(document) => {
                    if *name == "incidents.json" {
                        self.incidents(client, &document);
                    }
                    self.add_document(name, document);
                }
                Err(exit) => self.lacks(name, exit.first_line()),
            }
        }
        match client.text(&Method::GET, "/metrics", None) {
            Ok(text) => self.add("metrics.txt", text.to_vec()),
            Err(exit) => self.lacks("metrics.txt", exit.first_line()),
        }
    }

    fn incidents(&mut self, client: &Client, document: &Value) {
        let ids = document["incidents"].as_array().into_iter().flatten().filter_map(|i| i["id"].as_u64());
        for id in ids.take(INCIDENTS) {
            match client.get(&format!("/v1/incidents/{id}")) {
                Ok(incident) => self.add_document(&format!("incidents/{id}.json"), incident),
                Err(exit) => self.lacks(&format!("incidents/{id}.json"), exit.first_line()),
            }
        }
    }

    /// What lies on disk.
    fn read(&mut self, common: &Common) {
        let mut inputs = common.inputs();
        inputs.secrets_optional = true;
        match inputs.config_path() {
            Some(path) => self.file("ficus.toml", &path, settings_text),
            None => self.lacks("ficus.toml", "there is none"),
        }
        let (settings, report) = settings::load(&inputs);
        let Some(settings) = settings else {
            self.lacks("routes.toml", format!("the settings have {}", report.summary()));
            return;
        };
        match &settings.routes {
            Some(path) => self.file("routes.toml", path, routes_text),
            None => self.lacks("routes.toml", "there is none"),
        }
        match &settings.log.access {
            AccessLog::File(path) => self.file("access.log", path, last_lines),
            _ => self.lacks("access.log", "it is not written to a file"),
        }
    }

    fn file(&mut self, name: &str, path: &Path, mask: fn(&str) -> Result<String, String>) {
        let text = std::fs::read_to_string(path).map_err(|error| error.to_string());
        match text.and_then(|text| mask(&text)) {
            Ok(text) => self.add(name, text),
            Err(why) => self.lacks(name, why),
        }
    }

    fn versions(&mut self) {
        let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let versions = json!({
            "schema": 1,
            "ficus": env!("CARGO_PKG_VERSION"),
            "system": std::env::consts::OS,
            "machine": std::env::consts::ARCH,
            "kernel": kernel.trim(),
            "at": chrono::Utc::now(),
        });
        self.add("versions.json", format!("{versions:#}\n"));
    }

    fn explain(&mut self) {
        let mut text = String::from(
            "Made by `ficus support-bundle`. Masked: secrets, user ids, addresses and networks, names of people (numbered), \
             paths and queries that clients sent, comments in files. Reasons of changes are as they were written.\n\n",
        );
        for (name, bytes) in &self.files {
            text.push_str(&format!("{name}  {} bytes\n", bytes.len()));
        }
        for (name, why) in &self.missing {
            text.push_str(&format!("{name}  missing: {why}\n"));
        }
        self.add("README.txt", text);
    }

    fn write(&self, path: &Path) -> std::io::Result<()> {
        let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        let mut gzip = GzEncoder::new(file, Compression::default());
        let now = chrono::Utc::now().timestamp().unsigned_abs();
        for (name, bytes) in &self.files {
            archive::entry(&mut gzip, &format!("ficus-support/{name}"), bytes, now)?;
        }
        archive::end(&mut gzip)?;
        gzip.finish()?.flush()
    }

    fn tell(&self, json: bool, path: &Path) {
        let names: Vec<&str> = self.files.iter().map(|(name, _)| name.as_str()).collect();
        if json {
            let missing: serde_json::Map<String, Value> =
                self.missing.iter().map(|(name, why)| (name.clone(), json!(why))).collect();
            let file = path.display().to_string();
            screen::print_json(&json!({ "schema": 1, "file": file, "holds": names, "missing": missing }));
            return;
        }
        screen::print(&format!("{}\nholds {}\n", path.display(), names.join(", ")));
        for (name, why) in &self.missing {
            screen::print(&format!("lacks {name}: {why}\n"));
        }
        screen::print(
            "secrets, user ids, addresses, names and paths are masked; look through it before you send it\n",
        );
    }
}

fn last_lines(text: &str) -> Result<String, String> {
    let lines: Vec<&str> = text.lines().collect();
    let last = &lines[lines.len().saturating_sub(LINES)..];
    let masked: Vec<String> = last.iter().filter_map(|line| log_line(line)).collect();
    if masked.is_empty() && !last.is_empty() {
        return Err("its lines are not JSON, so nobody knows what is in them".to_owned());
    }
    Ok(masked.join("\n") + "\n")
}
