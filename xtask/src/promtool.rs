//! `promtool`, which judges the metrics: taken out of Debian's package `prometheus`, without installing it.
//!
//! Installing it would start a Prometheus on this machine; the one program needs nothing but libc.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::debian::{self, on_path};
use crate::problem::{Context, Outcome, bail};
use crate::supervise::run_logged;
use crate::workspace::Workspace;

const INSIDE: &str = "./usr/bin/promtool";

/// The program; fetched if this machine has none.
pub(crate) fn ensure(workspace: &Workspace) -> Outcome<PathBuf> {
    if let Some(found) = on_path("promtool") {
        return Ok(found);
    }
    let folder = workspace.path("target/promtool");
    let program = folder.join("promtool");
    if program.is_file() {
        return Ok(program);
    }
    if !debian::here() {
        bail!("there is no `promtool` on this machine: install Prometheus' tools");
    }
    fs::create_dir_all(&folder).context(|| format!("cannot make `{}`", folder.display()))?;
    let log = workspace.log("promtool")?;
    download(&folder, &log)?;
    let package = package(&folder)?;
    unpack(&package, &folder)?;
    let _ = fs::remove_file(package);
    if program.is_file() { Ok(program) } else { bail!("Debian's package has no `{INSIDE}`") }
}

/// Lists of packages may be missing on a fresh machine; only root may fetch them.
fn download(folder: &Path, log: &Path) -> Outcome {
    let download =
        || run_logged(Command::new("apt-get").args(["download", "prometheus"]).current_dir(folder), log);
    if download().is_ok() {
        return Ok(());
    }
    if debian::root() {
        run_logged(Command::new("apt-get").args(["update", "-q"]), log)?;
    }
    download()
}

fn package(folder: &Path) -> Outcome<PathBuf> {
    let entries = fs::read_dir(folder).context(|| format!("cannot read `{}`", folder.display()))?;
    let mut packages = entries.flatten().map(|entry| entry.path());
    let found = packages.find(|path| path.extension().is_some_and(|kind| kind == "deb"));
    found.map_or_else(|| bail!("apt-get left no package in `{}`", folder.display()), Ok)
}

/// One file of the package; renamed into place when it is complete.
fn unpack(package: &Path, folder: &Path) -> Outcome {
    let partial = folder.join("partial");
    fs::create_dir_all(&partial).context(|| format!("cannot make `{}`", partial.display()))?;
    let mut archive = Command::new("dpkg-deb");
    archive.arg("--fsys-tarfile").arg(package).stdout(Stdio::piped());
    let mut archive = archive.spawn().context(|| "cannot start `dpkg-deb`".to_owned())?;
    let mut tar = Command::new("tar");
    tar.args(["-xf", "-", "--strip-components=3", "-C"]).arg(&partial).arg(INSIDE);
    tar.stdin(archive.stdout.take().map_or_else(Stdio::null, Stdio::from));
    let unpacked = tar.status().context(|| "cannot start `tar`".to_owned())?;
    let _ = archive.wait();
    if !unpacked.success() {
        bail!("cannot unpack `{}`", package.display());
    }
    let from = partial.join("promtool");
    fs::rename(&from, folder.join("promtool")).context(|| format!("cannot move `{}`", from.display()))?;
    let _ = fs::remove_dir(partial);
    Ok(())
}
