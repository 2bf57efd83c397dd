//! The proxies that Ficus is compared with: nginx and HAProxy of the machine, else out of Debian's packages, unpacked
//! below `target` and not installed (installing would start them); Envoy out of a wheel.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::debian::{self, on_path};
use crate::problem::{Context, Outcome, bail};
use crate::python;
use crate::supervise::{ask, run_logged};
use crate::workspace::Workspace;

/// The packages, and the libraries that a small machine may lack.
const PACKAGES: &[&str] = &[
    "nginx",
    "haproxy",
    "liblua5.3-0",
    "libopentracing-c-wrapper0",
    "libopentracing1",
    "libpcre2-8-0",
    "libsystemd0",
];

/// Where everything is.
#[derive(Clone, Debug)]
pub(crate) struct Peers {
    pub(crate) nginx: PathBuf,
    pub(crate) haproxy: PathBuf,
    pub(crate) envoy: PathBuf,
    /// For `LD_LIBRARY_PATH` of what was unpacked.
    pub(crate) libraries: PathBuf,
}

impl Peers {
    /// How the tests are told.
    pub(crate) fn variables(&self) -> [(&'static str, &Path); 4] {
        [
            ("PEER_NGINX", &self.nginx),
            ("PEER_HAPROXY", &self.haproxy),
            ("PEER_ENVOY", &self.envoy),
            ("PEER_LIBRARIES", &self.libraries),
        ]
    }
}

/// Finds the peers, and fetches what is missing.
pub(crate) fn ensure(workspace: &Workspace) -> Outcome<Peers> {
    let unpacked = workspace.path("target/peers/debian");
    let programs = || found(&unpacked, "nginx").zip(found(&unpacked, "haproxy"));
    if programs().is_none() {
        unpack(workspace, &unpacked)?;
    }
    let Some((nginx, haproxy)) = programs() else {
        bail!("Debian's packages have no nginx and haproxy in {}", unpacked.display());
    };
    let python = python::ensure(workspace, "envoy")?.join("python");
    // The wheel's `envoy` is a Python script around the binary.
    let place = "import envoy, os; print(os.path.join(list(envoy.__path__)[0], '_bin', 'envoy'))";
    let envoy = PathBuf::from(ask(python, &["-c", place]).unwrap_or_default());
    if !envoy.is_file() {
        bail!("the wheel of Envoy has no binary at `{}`", envoy.display());
    }
    let libraries = unpacked.join("usr/lib").join(format!("{}-linux-gnu", std::env::consts::ARCH));
    Ok(Peers { nginx, haproxy, envoy, libraries })
}

/// The machine's own program, else the unpacked one.
fn found(unpacked: &Path, name: &str) -> Option<PathBuf> {
    on_path(name).or_else(|| Some(unpacked.join("usr/sbin").join(name)).filter(|path| path.is_file()))
}

fn unpack(workspace: &Workspace, to: &Path) -> Outcome {
    if !debian::here() {
        bail!("this needs nginx and haproxy on PATH, or Debian to take them from");
    }
    eprintln!("fetching nginx and HAProxy from Debian");
    let archives = to.with_file_name("archives");
    let _ = fs::remove_dir_all(&archives);
    fs::create_dir_all(&archives).context(|| format!("cannot make `{}`", archives.display()))?;
    let log = workspace.log("peers")?;
    if debian::root() {
        run_logged(Command::new("apt-get").args(["update", "-q"]), &log)?;
    }
    run_logged(Command::new("apt-get").arg("download").args(PACKAGES).current_dir(&archives), &log)?;
    let entries = fs::read_dir(&archives).context(|| format!("cannot read `{}`", archives.display()))?;
    for archive in entries.flatten() {
        run_logged(Command::new("dpkg").arg("-x").arg(archive.path()).arg(to), &log)?;
    }
    Ok(())
}
