//! The systemd units of deploy/systemd: no complaint from `systemd-analyze verify`, and an exposure of at most 2.0.
//! Both run without systemd being in charge of this machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::problem::{Context, Outcome, Problem, bail};
use crate::workspace::Workspace;

/// In tenths, as `systemd-analyze security --threshold` wants it.
const MOST_EXPOSURE: &str = "--threshold=20";

/// Checks all units; all complaints at once.
pub(crate) fn check(workspace: &Workspace) -> Outcome<String> {
    let folder = workspace.path("deploy/systemd");
    let entries = fs::read_dir(&folder).context(|| format!("cannot read `{}`", folder.display()))?;
    let mut units: Vec<PathBuf> =
        entries.flatten().map(|entry| entry.path()).filter(|path| is_unit(path)).collect();
    units.sort();
    if units.is_empty() {
        bail!("there is no unit in `{}`", folder.display());
    }
    // Programs and users of the units are not on this machine: `verify` gets copies that name `/bin/true`.
    let copies = std::env::temp_dir().join(format!("ficus-units-{}", std::process::id()));
    let outcome = check_copies(&units, &copies);
    let _ = fs::remove_dir_all(&copies);
    outcome
}

fn is_unit(path: &Path) -> bool {
    path.extension()
        .is_some_and(|kind| ["service", "socket", "target", "timer"].iter().any(|known| kind == *known))
}

fn check_copies(units: &[PathBuf], folder: &Path) -> Outcome<String> {
    fs::create_dir_all(folder).context(|| format!("cannot make `{}`", folder.display()))?;
    let mut copies = Vec::new();
    for unit in units {
        let text = fs::read_to_string(unit).context(|| format!("cannot read `{}`", unit.display()))?;
        let copy = folder.join(unit.file_name().unwrap_or_default());
        fs::write(&copy, with_present_programs(&text))
            .context(|| format!("cannot write `{}`", copy.display()))?;
        copies.push(copy);
    }
    let mut complaints = Vec::new();
    let (good, told) = analyze(&["verify", "--man=no"], &copies)?;
    if !good || !told.trim().is_empty() {
        complaints.push(told);
    }
    let mut levels = Vec::new();
    for unit in units.iter().filter(|unit| unit.extension().is_some_and(|kind| kind == "service")) {
        let arguments = ["security", "--offline=true", "--no-pager", MOST_EXPOSURE];
        let (good, told) = analyze(&arguments, std::slice::from_ref(unit))?;
        let level = told.lines().find(|line| line.contains("Overall exposure level")).unwrap_or_default();
        levels.push(level.trim().trim_start_matches(|letter: char| !letter.is_ascii_alphabetic()).to_owned());
        if !good {
            complaints.push(told);
        }
    }
    if complaints.is_empty() { Ok(levels.join("\n")) } else { Err(Problem::new(complaints.join("\n"))) }
}

/// `ExecStart=/usr/bin/ficus serve` -> `ExecStart=/bin/true serve`.
fn with_present_programs(text: &str) -> String {
    let line = |line: &str| match line.split_once('=') {
        Some((key, value)) if key.starts_with("Exec") => {
            let arguments = value.split_once(' ').map_or("", |(_, arguments)| arguments);
            format!("{key}=/bin/true {arguments}")
        }
        _ => line.to_owned(),
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

fn analyze(arguments: &[&str], units: &[PathBuf]) -> Outcome<(bool, String)> {
    let mut command = Command::new("systemd-analyze");
    command
        .args(arguments)
        .args(units)
        .stdin(Stdio::null())
        .env("SYSTEMD_COLORS", "0")
        .env("LC_ALL", "C.UTF-8");
    let output = command.output().context(|| "cannot start `systemd-analyze`".into())?;
    let text = [output.stdout, output.stderr].concat();
    Ok((output.status.success(), String::from_utf8_lossy(&text).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_replaced_and_their_arguments_kept() {
        let text =
            "[Service]\nExecStart=/usr/bin/ficus serve --config x\nExecReload=/bin/kill $MAINPID\nUser=a";
        let want = "[Service]\nExecStart=/bin/true serve --config x\nExecReload=/bin/true $MAINPID\nUser=a";
        assert_eq!(with_present_programs(text), want);
    }
}
