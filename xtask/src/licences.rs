//! The licence of every dependency against the list in deny.toml. cargo-deny does the same and more, but takes minutes
//! to build; `cargo tree` is on every machine and works offline.

use std::collections::BTreeSet;
use std::fs;
use std::process::Stdio;

use crate::build::cargo;
use crate::problem::{Context, Outcome, Problem, bail};
use crate::workspace::Workspace;

/// Checks what is built for this machine, tests included; all offenders at once.
pub(crate) fn check(workspace: &Workspace) -> Outcome<String> {
    let file = workspace.path("deny.toml");
    let text = fs::read_to_string(&file).context(|| format!("cannot read `{}`", file.display()))?;
    let allowed = allowed(&text);
    if allowed.is_empty() {
        bail!("`deny.toml` allows no licence at all");
    }
    let arguments =
        ["tree", "--workspace", "--prefix", "none", "--edges", "normal,build,dev", "--format", "{p}|{l}"];
    let mut tree = cargo();
    tree.args(arguments).args(["--offline", "--locked"]).current_dir(workspace.root()).stdin(Stdio::null());
    let output = tree.output().context(|| "cannot start cargo".into())?;
    if !output.status.success() {
        bail!("`cargo tree` failed\n{}", String::from_utf8_lossy(&output.stderr));
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let packages: BTreeSet<(&str, &str)> = text.lines().filter_map(package).collect();
    let bad: Vec<String> = packages
        .iter()
        .filter(|(_, licence)| !accepts(licence, &allowed))
        .map(|(name, licence)| format!("  {name}: `{licence}` is not allowed by deny.toml"))
        .collect();
    if packages.is_empty() || !bad.is_empty() {
        return Err(Problem::new(format!(
            "{} of {} packages\n{}",
            bad.len(),
            packages.len(),
            bad.join("\n")
        )));
    }
    Ok(format!("{} packages, all under one of {} licences", packages.len(), allowed.len()))
}

/// `serde v1.0.0 (proc-macro)|MIT OR Apache-2.0 (*)` -> name and licence.
fn package(line: &str) -> Option<(&str, &str)> {
    let (name, licence) = line.rsplit_once('|')?;
    let mut words = name.splitn(3, ' ');
    let length = words.next()?.len() + 1 + words.next()?.len();
    Some((name.get(..length)?, licence.trim_end_matches(" (*)").trim()))
}

/// The texts of `allow = [ .. ]` below `[licenses]`.
fn allowed(deny: &str) -> Vec<String> {
    let Some((_, section)) = deny.split_once("\n[licenses]") else { return Vec::new() };
    let section = section.split("\n[").next().unwrap_or_default();
    let lines: Vec<&str> = section.lines().map(|line| line.split('#').next().unwrap_or_default()).collect();
    let section = lines.join("\n");
    let Some((_, list)) = section.split_once("allow") else { return Vec::new() };
    let list = list.split(']').next().unwrap_or_default();
    list.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Whether an SPDX expression can be satisfied with the allowed licences.
fn accepts(expression: &str, allowed: &[String]) -> bool {
    // Old manifests write MIT/Apache-2.0.
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    !words.is_empty() && any(&words, &mut at, allowed) && at == words.len()
}

fn any(words: &[&str], at: &mut usize, allowed: &[String]) -> bool {
    let mut good = all(words, at, allowed);
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        // Both sides are read, whatever the first one said.
        let other = all(words, at, allowed);
        good = good || other;
    }
    good
}

fn all(words: &[&str], at: &mut usize, allowed: &[String]) -> bool {
    let mut good = one(words, at, allowed);
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        let other = one(words, at, allowed);
        good = good && other;
    }
    good
}

fn one(words: &[&str], at: &mut usize, allowed: &[String]) -> bool {
    let Some(word) = words.get(*at) else { return false };
    *at += 1;
    if *word == "(" {
        let good = any(words, at, allowed);
        *at += 1;
        return good;
    }
    let mut name = (*word).to_owned();
    if words.get(*at) == Some(&"WITH") {
        name = format!("{name} WITH {}", words.get(*at + 1).unwrap_or(&""));
        *at += 2;
    }
    allowed.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_list_of_deny_toml() {
        let text = "[graph]\nall-features = true\n\n[licenses]\n# x\nallow = [\n  \"MIT\", # \"GPL-3.0\"\n  \"Zlib\",\n]\n[bans]\nallow = [\"x\"]\n";
        assert_eq!(allowed(text), ["MIT", "Zlib"]);
    }

    #[test]
    fn understands_expressions() {
        let list: Vec<String> =
            ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "ISC"].map(String::from).into();
        for good in [
            "MIT",
            "GPL-3.0 OR MIT",
            "MIT/Apache-2.0",
            "(MIT OR GPL-3.0) AND ISC",
            "Apache-2.0 WITH LLVM-exception",
        ] {
            assert!(accepts(good, &list), "{good}");
        }
        for bad in ["GPL-3.0", "MIT AND GPL-3.0", "", "ISC WITH Something", "(MIT OR GPL-3.0) AND GPL-3.0"] {
            assert!(!accepts(bad, &list), "{bad}");
        }
    }

    #[test]
    fn reads_a_line_of_cargo_tree() {
        let line = "serde_derive v1.0.228 (proc-macro)|MIT OR Apache-2.0 (*)";
        assert_eq!(package(line), Some(("serde_derive v1.0.228", "MIT OR Apache-2.0")));
        assert_eq!(
            package("ficus v0.1.0 (/x/proxy)|MIT OR Apache-2.0"),
            Some(("ficus v0.1.0", "MIT OR Apache-2.0"))
        );
    }
}
