//! The tokens of the admin API: a secret that is shown once, and of which only a digest is kept.
//!
//! They are in a file of this node that only its owner can read, not in the store: at three in the morning, when the
//! database is away, a token still has to be good for a rollback. The file is read for every question, so that a token
//! that is revoked is gone at once, whichever process is asked. A secret has 256 random bits, so one pass of SHA-256
//! is enough: nobody can try them all.

use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::role::{Caller, Role};
use crate::control::token_author;

/// What every token begins with, so that programs that look for secrets find it.
const PREFIX: &str = "ficus_";
/// So long after its end a token is still listed.
const REMEMBERED: TimeDelta = TimeDelta::days(90);
/// Most tokens in the file.
const MOST: usize = 1_000;

/// A token, without what makes it one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Token {
    /// By which it is revoked; it is part of the token.
    pub id: String,
    /// What its owner calls it.
    pub name: String,
    /// The user of the system that it is for; absent: the one that it is named after, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// What it may do.
    pub role: Role,
    /// The routes that it may change; empty: all.
    #[serde(default)]
    pub routes: Vec<String>,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// By whom.
    pub author: String,
    /// When it ends.
    pub expires: DateTime<Utc>,
    /// When it was revoked; absent: it was not.
    #[serde(default)]
    pub revoked: Option<DateTime<Utc>>,
}

impl Token {
    /// Whoever comes with it.
    pub(super) fn caller(self) -> Caller {
        Caller { name: token_author(&self.name, self.user.as_deref()), role: self.role, routes: self.routes }
    }

    fn is_good(&self, now: DateTime<Utc>) -> bool {
        self.revoked.is_none() && now < self.expires
    }
}

/// What is asked for.
#[derive(Debug, Clone)]
pub(super) struct NewToken {
    pub(super) name: String,
    pub(super) user: Option<String>,
    pub(super) role: Role,
    pub(super) routes: Vec<String>,
    pub(super) author: String,
    pub(super) expires: DateTime<Utc>,
}

/// Why a token does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Denied {
    Unknown,
    Expired(DateTime<Utc>),
    Revoked,
    /// The file cannot be read.
    Unreadable(String),
}

impl Denied {
    /// For metrics.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Unknown => "unknown_token",
            Self::Expired(_) => "expired",
            Self::Revoked => "revoked",
            Self::Unreadable(_) => "unreadable",
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Entry {
    #[serde(flatten)]
    token: Token,
    /// SHA-256 of the whole token.
    digest: String,
}

/// Where tokens are kept.
#[derive(Debug)]
pub(super) struct ApiTokens {
    path: PathBuf,
    writing: Mutex<()>,
}

impl ApiTokens {
    /// Those of this directory.
    pub(super) fn new(directory: &Path) -> Self {
        Self { path: directory.join("tokens.json"), writing: Mutex::new(()) }
    }

    /// Whose token this is.
    pub(super) fn verify(&self, text: &str, now: DateTime<Utc>) -> Result<Token, Denied> {
        let entries = self.load().map_err(Denied::Unreadable)?;
        let digest = digest(text);
        let mut found = None;
        // Every one is looked at to its end, so that time tells nothing.
        for entry in entries {
            if bool::from(entry.digest.as_bytes().ct_eq(digest.as_bytes())) {
                found = Some(entry.token);
            }
        }
        match found {
            None => Err(Denied::Unknown),
            Some(token) if token.revoked.is_some() => Err(Denied::Revoked),
            Some(token) if now >= token.expires => Err(Denied::Expired(token.expires)),
            Some(token) => Ok(token),
        }
    }

    /// All of them, newest first.
    pub(super) fn list(&self) -> Result<Vec<Token>, String> {
        Ok(self.load()?.into_iter().rev().map(|entry| entry.token).collect())
    }

    /// A new one, and the text that nobody will see again.
    pub(super) fn create(&self, new: NewToken, now: DateTime<Utc>) -> Result<(Token, String), String> {
        let _guard = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut entries = self.load()?;
        entries.retain(|entry| {
            entry.token.revoked.unwrap_or(entry.token.expires).min(entry.token.expires) + REMEMBERED > now
        });
        if entries.iter().any(|entry| entry.token.name == new.name && entry.token.is_good(now)) {
            return Err(format!(
                "there is a token `{}` already: revoke it first, or take another name",
                new.name
            ));
        }
        if entries.len() >= MOST {
            return Err(format!("there are {MOST} tokens already"));
        }
        let id = random::<4>()?;
        let text = format!("{PREFIX}{id}_{}", random::<32>()?);
        let NewToken { name, user, role, routes, author, expires } = new;
        let token = Token { id, name, user, role, routes, created: now, author, expires, revoked: None };
        entries.push(Entry { token: token.clone(), digest: digest(&text) });
        self.save(&entries)?;
        Ok((token, text))
    }

    /// Ends one, by its id or its name; `None`: there is none that is good.
    pub(super) fn revoke(&self, which: &str, now: DateTime<Utc>) -> Result<Option<Token>, String> {
        let _guard = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut entries = self.load()?;
        let meant = |entry: &&mut Entry| {
            (entry.token.id == which || entry.token.name == which) && entry.token.is_good(now)
        };
        let Some(entry) = entries.iter_mut().find(meant) else { return Ok(None) };
        entry.token.revoked = Some(now);
        let token = entry.token.clone();
        self.save(&entries)?;
        Ok(Some(token))
    }

    fn load(&self) -> Result<Vec<Entry>, String> {
        let text = match std::fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(format!("cannot read `{}`: {error}", self.path.display())),
        };
        // What the parser would quote is not for anybody to see.
        serde_json::from_str(&text).map_err(|_| format!("`{}` is damaged", self.path.display()))
    }

    fn save(&self, entries: &[Entry]) -> Result<(), String> {
        let next = self.path.with_extension("json.next");
        let write = || -> std::io::Result<()> {
            let text = serde_json::to_string_pretty(entries)?;
            let _ = std::fs::remove_file(&next);
            let mut file =
                std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&next)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            std::fs::rename(&next, &self.path)
        };
        write().map_err(|error| format!("cannot write `{}`: {error}", self.path.display()))
    }
}

fn digest(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn random<const N: usize>() -> Result<String, String> {
    let mut bytes = [0; N];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut bytes))
        .map_err(|error| format!("cannot read random bytes from `/dev/urandom`: {error}"))?;
    Ok(hex(&bytes))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn new(name: &str, now: DateTime<Utc>) -> NewToken {
        let expires = now + TimeDelta::days(1);
        NewToken {
            name: name.to_owned(),
            user: None,
            role: Role::Operator,
            routes: Vec::new(),
            author: "ana".to_owned(),
            expires,
        }
    }

    #[test]
    fn a_token_is_good_until_it_ends_or_is_revoked() {
        let directory = tempfile::tempdir().unwrap();
        let (tokens, now) = (ApiTokens::new(directory.path()), Utc::now());
        let (token, text) = tokens.create(new("a", now), now).unwrap();
        assert_eq!(tokens.verify(&text, now), Ok(token.clone()));
        assert_eq!(tokens.verify(&text, token.expires), Err(Denied::Expired(token.expires)));
        assert!(tokens.create(new("a", now), now).is_err(), "two of one name");
        for wrong in ["", "ficus_", &text[..text.len() - 1], &format!("{text}0"), &text.to_uppercase()] {
            assert_eq!(tokens.verify(wrong, now), Err(Denied::Unknown), "{wrong}");
        }
        assert_eq!(tokens.revoke("a", now).unwrap().unwrap().id, token.id);
        assert_eq!(tokens.verify(&text, now), Err(Denied::Revoked));
        assert_eq!(tokens.revoke("a", now), Ok(None));
    }

    #[test]
    fn the_file_holds_no_secret_and_is_for_its_owner_only() {
        let directory = tempfile::tempdir().unwrap();
        let (tokens, now) = (ApiTokens::new(directory.path()), Utc::now());
        let (_, text) = tokens.create(new("a", now), now).unwrap();
        let path = directory.path().join("tokens.json");
        let file = std::fs::read_to_string(&path).unwrap();
        assert!(!file.contains(text.rsplit('_').next().unwrap()));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_damaged_file_lets_nobody_in_and_is_not_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let (tokens, now) = (ApiTokens::new(directory.path()), Utc::now());
        std::fs::write(directory.path().join("tokens.json"), "[{").unwrap();
        assert!(matches!(tokens.verify("ficus_x", now), Err(Denied::Unreadable(_))));
        assert!(tokens.create(new("a", now), now).is_err());
        assert_eq!(std::fs::read_to_string(directory.path().join("tokens.json")).unwrap(), "[{");
    }
}
