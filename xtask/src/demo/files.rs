//! The demo's own folder `.demo`: secrets made at its first start, the routing table that its flips change, its
//! ficus.toml, logs and sockets. Nothing outside that folder is written, but for the database when `.demo` lies where
//! PostgreSQL's account cannot go.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::postgres::{home_for, own_uid};
use crate::problem::{Context, Outcome, Problem};
use crate::processes::Record;
use crate::workspace::Workspace;

use super::stack::Ports;

/// `.demo`, and where the cluster lives.
#[derive(Clone, Debug)]
pub(super) struct Home {
    folder: PathBuf,
    /// Has the folder `pg` in it; usually `.demo` itself.
    pub(super) postgres: PathBuf,
}

impl Home {
    /// Makes the folders that are missing.
    pub(super) fn open(workspace: &Workspace) -> Outcome<Self> {
        let folder = workspace.path(".demo");
        let otherwise = format!("/tmp/ficus-demo-{}-{:016x}", own_uid(), fingerprint(workspace.root()));
        let postgres = home_for(&folder, Path::new(&otherwise))?;
        for folder in
            [folder.join("logs"), folder.join("uploads"), folder.join("cache"), folder.join("state")]
        {
            fs::create_dir_all(&folder).context(|| format!("cannot make `{}`", folder.display()))?;
        }
        Ok(Self { folder, postgres })
    }

    /// Removes everything and starts with empty folders.
    pub(super) fn wipe(self, workspace: &Workspace) -> Outcome<Self> {
        for folder in [&self.postgres, &self.folder] {
            if folder.exists() {
                fs::remove_dir_all(folder).context(|| format!("cannot remove `{}`", folder.display()))?;
            }
        }
        Self::open(workspace)
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A Unix socket's path; the kernel allows 107 bytes.
    pub(super) fn socket(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        if path.as_os_str().len() < 100 { path } else { self.postgres.join(name) }
    }

    pub(super) fn record(&self) -> Record {
        Record::at(self.path("processes"))
    }

    /// An empty log file.
    pub(super) fn log(&self, name: &str) -> Outcome<PathBuf> {
        let path = self.path("logs").join(format!("{name}.log"));
        fs::write(&path, "").context(|| format!("cannot write `{}`", path.display()))?;
        Ok(path)
    }

    /// The secrets, made at the first start, readable by the owner alone.
    pub(super) fn secrets(&self) -> Outcome<Vec<(String, String)>> {
        let path = self.path("env");
        if !path.exists() {
            let text = format!(
                "FLASK_SECRET_KEY={}\nCRM_FERNET_KEYS={}\nCRM_WEBHOOK_SECRET={}\n",
                random()?,
                random()?,
                random()?
            );
            let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
            file.and_then(|mut file| file.write_all(text.as_bytes()))
                .context(|| format!("cannot write `{}`", path.display()))?;
        }
        let text = fs::read_to_string(&path).context(|| format!("cannot read `{}`", path.display()))?;
        let pair = |line: &str| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
        Ok(text.lines().filter_map(pair).collect())
    }

    /// The demo's copy of routes.toml: flips must not dirty the checkout.
    pub(super) fn routes(&self, workspace: &Workspace) -> Outcome<PathBuf> {
        let path = self.path("routes.toml");
        if !path.exists() {
            let original = workspace.path("routes.toml");
            fs::copy(&original, &path).context(|| format!("cannot copy `{}`", original.display()))?;
        }
        Ok(path)
    }

    /// ficus.toml for this start's ports.
    pub(super) fn settings(&self, ports: Ports) -> Outcome<PathBuf> {
        let path = self.path("ficus.toml");
        let text = format!(
            "# Written by `cargo demo` at every start.
[listen]
http = \"127.0.0.1:{}\"
admin = \"127.0.0.1:{}\"
admin_socket = \"{}\"
reveal = true

[backends]
legacy = {{ upstreams = [\"http://127.0.0.1:{}\"] }}
rust = {{ upstreams = [\"unix:{}\"] }}

[flask]
secret_key = {{ env = \"FLASK_SECRET_KEY\" }}

[store]
url = \"sqlite:{}\"

[log]
access = \"{}\"
",
            ports.http,
            ports.admin,
            self.socket("admin.sock").display(),
            ports.legacy,
            self.socket("handlers.sock").display(),
            self.path("state/ficus.db").display(),
            self.path("logs/access.log").display(),
        );
        fs::write(&path, text).context(|| format!("cannot write `{}`", path.display()))?;
        Ok(path)
    }
}

/// 32 random bytes in URL-safe base64, which is also what a Fernet key looks like.
fn random() -> Outcome<String> {
    let mut bytes = [0; 32];
    let read = File::open("/dev/urandom").and_then(|mut source| source.read_exact(&mut bytes));
    read.context(|| "cannot read `/dev/urandom`".into())?;
    Ok(base64(&bytes))
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for group in bytes.chunks(3) {
        let bits =
            group.iter().chain([0, 0].iter()).take(3).fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte));
        for place in 0..4 {
            let index = (bits >> (18 - 6 * place)) & 63;
            let letter = LETTERS.get(index as usize).copied().unwrap_or(b'=');
            text.push(if place <= group.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

/// Tells checkouts apart in a shared temporary folder (FNV-1a).
fn fingerprint(root: &Path) -> u64 {
    let bytes = root.as_os_str().as_encoded_bytes();
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The value of a secret.
pub(super) fn value(secrets: &[(String, String)], name: &str) -> Outcome<String> {
    let found = secrets.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone());
    found.ok_or_else(|| {
        Problem::new(format!("`.demo/env` lacks {name}: `cargo demo --reset` makes a new one"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_padded_and_url_safe() {
        assert_eq!(base64(b"fig"), "Zmln");
        assert_eq!(base64(b"figs"), "Zmlncw==");
        assert_eq!(base64(&[0xfb, 0xff]), "-_8=");
        assert_eq!(base64(&[7; 32]).len(), 44);
    }
}
