//! Debian packages: whether this machine has apt and lets us use it, installing, and keeping Debian from creating
//! and starting a database cluster of its own. What is needed at all is decided in `doctor`.

use std::env;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::problem::{Context, Outcome, bail};
use crate::supervise::run_logged;

const CREATECLUSTER: &str = "/etc/postgresql-common/createcluster.conf";

/// Whether this is Debian or something close enough to have its packages.
pub(crate) fn here() -> bool {
    Path::new("/etc/debian_version").exists() && on_path("apt-get").is_some()
}

/// Whether we are root.
pub(crate) fn root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// The program, searched for as a shell would.
pub(crate) fn on_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// The one line that installs these packages by hand.
pub(crate) fn line(packages: &[&str]) -> String {
    let sudo = if root() { "" } else { "sudo " };
    format!("{sudo}apt-get update && {sudo}apt-get install -y --no-install-recommends {}", packages.join(" "))
}

/// Installs packages without asking anything; output goes to the log.
pub(crate) fn install(packages: &[&str], log: &Path) -> Outcome {
    if packages.contains(&"postgresql") {
        forbid_main_cluster()?;
    }
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive").args(arguments);
        run_logged(&mut command, log)
    };
    apt(&["update", "-q"])?;
    let mut install = vec!["install", "-q", "-y", "--no-install-recommends"];
    install.extend(packages);
    apt(&install)
}

/// Whether Debian's `postgresql` can be installed without a system cluster being created and started.
pub(crate) fn postgresql_is_safe_to_install() -> bool {
    match fs::read_to_string(CREATECLUSTER) {
        Ok(text) => says_no_main_cluster(&text),
        Err(_) => !Path::new("/usr/share/postgresql-common").exists(),
    }
}

/// Says so before the package is there; a file that exists belongs to somebody and stays as it is.
fn forbid_main_cluster() -> Outcome {
    if !postgresql_is_safe_to_install() {
        bail!(
            "installing `postgresql` would create a system cluster: set create_main_cluster = false in {CREATECLUSTER}"
        );
    }
    if Path::new(CREATECLUSTER).exists() {
        return Ok(());
    }
    let folder = Path::new(CREATECLUSTER).parent().unwrap_or(Path::new("/etc"));
    fs::create_dir_all(folder).context(|| format!("cannot make `{}`", folder.display()))?;
    let text = "# Written by cargo demo / cargo ci: they run clusters of their own and want no system cluster.\n\
                create_main_cluster = false\n";
    fs::write(CREATECLUSTER, text).context(|| format!("cannot write `{CREATECLUSTER}`"))
}

fn says_no_main_cluster(text: &str) -> bool {
    let setting = |line: &str| {
        let (key, value) = line.split('#').next()?.split_once('=')?;
        let value = value.trim().trim_matches('\'').to_owned();
        (key.trim() == "create_main_cluster").then_some(value)
    };
    let last = text.lines().filter_map(setting).next_back();
    last.is_some_and(|value| ["false", "off", "no", "0"].contains(&value.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_debians_cluster_setting() {
        assert!(says_no_main_cluster("ssl = on\ncreate_main_cluster = false # ours\n"));
        assert!(!says_no_main_cluster("#create_main_cluster = false\n"));
        assert!(!says_no_main_cluster("create_main_cluster = true\n"));
        assert!(!says_no_main_cluster(""));
    }
}
