//! The programs of the benchmark: the other proxies from `peers`, the load generator h2load from the machine or out of
//! Debian's packages, Ficus and bare pingora from cargo.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::build::cargo;
use crate::debian::{self, on_path};
use crate::peers::{self, Peers};
use crate::problem::{Context, Outcome, bail};
use crate::supervise::run_logged;
use crate::workspace::Workspace;

/// h2load's package, and the libraries that a small machine may lack.
const PACKAGES: &[&str] =
    &["nghttp2-client", "libev4", "libicu72", "libjansson4", "libjemalloc2", "libnghttp2-14", "libxml2"];

/// Where everything is.
#[derive(Clone, Debug)]
pub(super) struct Programs {
    peers: Peers,
    load: PathBuf,
    unpacked: PathBuf,
    built: PathBuf,
}

impl Programs {
    /// Finds, unpacks, installs and builds what is needed.
    pub(super) fn gather(workspace: &Workspace, profile: &str) -> Outcome<Self> {
        for needed in ["taskset", "openssl"] {
            if on_path(needed).is_none() {
                bail!("`{needed}` is missing; {}", debian::line(&["util-linux", "openssl"]));
            }
        }
        eprintln!("bench-proxy: nginx, HAProxy, Envoy and h2load (fetched once)");
        let peers = peers::ensure(workspace)?;
        let unpacked = workspace.path("target/bench-proxy/debian");
        let load = match on_path("h2load") {
            Some(installed) => installed,
            None => unpack(workspace, &unpacked)?,
        };
        eprintln!("bench-proxy: building Ficus and bare pingora, profile {profile}");
        let built = build(workspace, profile)?;
        Ok(Self { peers, load, unpacked, built })
    }

    pub(super) fn nginx(&self) -> String {
        self.peers.nginx.display().to_string()
    }

    pub(super) fn haproxy(&self) -> String {
        self.peers.haproxy.display().to_string()
    }

    pub(super) fn envoy(&self) -> String {
        self.peers.envoy.display().to_string()
    }

    pub(super) fn h2load(&self) -> &Path {
        &self.load
    }

    /// For `LD_LIBRARY_PATH` of what was unpacked.
    pub(super) fn libraries(&self) -> String {
        let own = self.unpacked.join("usr/lib").join(format!("{}-linux-gnu", std::env::consts::ARCH));
        format!("{}:{}", self.peers.libraries.display(), own.display())
    }

    pub(super) fn ficus(&self) -> String {
        self.built.join("ficus").display().to_string()
    }

    pub(super) fn bare(&self) -> String {
        self.built.join("examples/bare-pingora").display().to_string()
    }
}

/// Debian's h2load below `to`.
fn unpack(workspace: &Workspace, to: &Path) -> Outcome<PathBuf> {
    let program = to.join("usr/bin/h2load");
    if program.is_file() {
        return Ok(program);
    }
    if !debian::here() {
        bail!("this needs h2load on PATH, or Debian to take it from");
    }
    let archives = to.with_file_name("archives");
    let _ = fs::remove_dir_all(&archives);
    fs::create_dir_all(&archives).context(|| format!("cannot make `{}`", archives.display()))?;
    let log = workspace.log("bench-proxy-debian")?;
    run_logged(Command::new("apt-get").arg("download").args(PACKAGES).current_dir(&archives), &log)?;
    let entries = fs::read_dir(&archives).context(|| format!("cannot read `{}`", archives.display()))?;
    for archive in entries.flatten() {
        run_logged(Command::new("dpkg").arg("-x").arg(archive.path()).arg(to), &log)?;
    }
    if program.is_file() { Ok(program) } else { bail!("Debian's packages have no h2load") }
}

/// A target folder of its own: the profile of the tests stays as it is.
fn build(workspace: &Workspace, profile: &str) -> Outcome<PathBuf> {
    let target = workspace.path("target/bench");
    let mut command = cargo();
    command.args(["build", "--profile", profile, "-p", "ficus", "--bin", "ficus"]);
    command.args(["--example", "bare-pingora", "--target-dir"]).arg(&target);
    command.current_dir(workspace.root());
    run_logged(&mut command, &workspace.log("bench-proxy-build")?)?;
    Ok(target.join(profile))
}
