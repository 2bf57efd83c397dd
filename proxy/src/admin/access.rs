//! Who was refused, and what became of tokens: lines in a file of this node, bounded in number and in size.
//!
//! The audit proves what was changed; this shows who tried. No token and no address is in it.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// So many refusals are written down in one window, and as many unknown tokens get a plain answer.
const MOST: u32 = 10;
/// How long a window lasts.
pub(super) const WINDOW: Duration = Duration::from_secs(60);
/// A file that is longer makes room.
const LONGEST: u64 = 1024 * 1024;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// When.
    pub(super) at: DateTime<Utc>,
    /// `refused`, `created` or `revoked`.
    pub(super) event: String,
    /// Who, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) who: Option<String>,
    /// What it was about: an endpoint, or a token's name and id.
    pub(super) what: String,
    /// Why it was refused, in a word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
}

/// The file.
#[derive(Debug)]
pub(super) struct Access {
    path: PathBuf,
    window: Mutex<Window>,
}

#[derive(Debug)]
struct Window {
    since: Instant,
    refused: u32,
}

impl Access {
    /// In this directory.
    pub(super) fn new(directory: &Path) -> Self {
        let window = Mutex::new(Window { since: Instant::now(), refused: 0 });
        Self { path: directory.join("access.jsonl"), window }
    }

    /// Whether there were too many refusals lately.
    pub(super) fn is_too_much(&self) -> bool {
        self.window.lock().unwrap_or_else(PoisonError::into_inner).is_full(Instant::now())
    }

    /// Counts a refusal, and writes it down unless there were too many.
    pub(super) fn refused(&self, what: &str, reason: &str) -> bool {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        let full = window.is_full(Instant::now());
        window.refused = window.refused.saturating_add(1);
        drop(window);
        if !full {
            self.write(&Entry {
                at: Utc::now(),
                event: "refused".to_owned(),
                who: None,
                what: what.to_owned(),
                reason: Some(reason.to_owned()),
            });
        }
        !full
    }

    /// Writes a line down; a disk that refuses is said in the log.
    pub(super) fn write(&self, entry: &Entry) {
        let write = || -> std::io::Result<()> {
            if std::fs::metadata(&self.path).is_ok_and(|metadata| metadata.len() > LONGEST) {
                std::fs::rename(&self.path, self.path.with_extension("jsonl.1"))?;
            }
            let mut file = OpenOptions::new().create(true).append(true).mode(0o600).open(&self.path)?;
            file.write_all((serde_json::to_string(entry)? + "\n").as_bytes())
        };
        if let Err(error) = write() {
            tracing::warn!(%error, "cannot write `{}`", self.path.display());
        }
    }

    /// The last lines, newest first.
    pub(super) fn last(&self, limit: usize) -> Vec<Entry> {
        let text = std::fs::read_to_string(&self.path).unwrap_or_default();
        text.lines().rev().filter_map(|line| serde_json::from_str(line).ok()).take(limit).collect()
    }
}

impl Window {
    fn is_full(&mut self, now: Instant) -> bool {
        if now.duration_since(self.since) >= WINDOW {
            *self = Self { since: now, refused: 0 };
        }
        self.refused >= MOST
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_written_down_up_to_a_bound() {
        let directory = tempfile::tempdir().unwrap();
        let access = Access::new(directory.path());
        for number in 0..3 * MOST {
            assert_eq!(access.refused("GET /v1/status", "no_token"), number < MOST);
        }
        assert!(access.is_too_much());
        assert_eq!(access.last(1_000).len(), MOST as usize);
    }

    #[test]
    fn a_window_ends() {
        let now = Instant::now();
        let mut window = Window { since: now, refused: MOST };
        assert!(window.is_full(now) && !window.is_full(now + WINDOW));
    }
}
