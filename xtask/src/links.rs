//! Every relative link in every Markdown file of the repository leads somewhere, headings included. Links to other
//! machines are not followed.

use std::fs;
use std::path::{Path, PathBuf};

use crate::problem::{Context, Outcome, Problem, bail};
use crate::workspace::Workspace;

/// Folders that are not part of the repository.
const FOREIGN: &[&str] = &["target", ".git", ".demo", "state", "node_modules"];

/// Checks all files; all dead links at once.
pub(crate) fn check(workspace: &Workspace) -> Outcome<String> {
    let mut files = Vec::new();
    markdown_files(workspace.root(), &mut files)?;
    files.sort();
    let mut dead = Vec::new();
    let mut number = 0;
    for file in &files {
        let text = fs::read_to_string(file).context(|| format!("cannot read `{}`", file.display()))?;
        for (line, link) in links(&text) {
            number += 1;
            if let Some(why) = problem(file, &text, &link) {
                dead.push(format!("  {}:{line}: `{link}` {why}", workspace.short(file)));
            }
        }
    }
    if files.is_empty() {
        bail!("there is no Markdown file");
    }
    if dead.is_empty() {
        return Ok(format!("{number} relative links in {} files lead somewhere", files.len()));
    }
    Err(Problem::new(format!("{} of {number} relative links are dead\n{}", dead.len(), dead.join("\n"))))
}

fn markdown_files(folder: &Path, files: &mut Vec<PathBuf>) -> Outcome {
    let entries = fs::read_dir(folder).context(|| format!("cannot read `{}`", folder.display()))?;
    for entry in entries.flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_folder && !FOREIGN.contains(&name.as_str()) && !name.starts_with('.') {
            markdown_files(&path, files)?;
        } else if !is_folder && name.ends_with(".md") {
            files.push(path);
        }
    }
    Ok(())
}

/// `[text](target)` and `[name]: target` outside code, with their lines; only relative targets.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut fenced = false;
    for (index, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        let plain = without_code(line);
        let inline = plain.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
        let named =
            plain.strip_prefix('[').and_then(|rest| rest.split_once("]: ")).map(|(_, target)| target.trim());
        let targets = inline.chain(named).filter(|target| !target.is_empty() && !elsewhere(target));
        found.extend(targets.map(|target| (index + 1, target.to_owned())));
    }
    found
}

/// Has a scheme: another machine, or mail.
fn elsewhere(target: &str) -> bool {
    target.contains("://") || target.starts_with("mailto:")
}

/// The line without what stands between backticks.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join("``")
}

fn problem(file: &Path, text: &str, link: &str) -> Option<&'static str> {
    let (path, heading) = link.split_once('#').unwrap_or((link, ""));
    let target = file.with_file_name(path);
    if !path.is_empty() && !target.exists() {
        return Some("does not exist");
    }
    let other =
        if path.is_empty() { text.to_owned() } else { fs::read_to_string(&target).unwrap_or_default() };
    let is_markdown = path.is_empty() || path.ends_with(".md");
    (is_markdown && !heading.is_empty() && !headings(&other).any(|own| own == heading))
        .then_some("has no such heading")
}

/// The anchors of a file's headings, as the usual renderers make them.
fn headings(text: &str) -> impl Iterator<Item = String> {
    let titles =
        text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    titles.map(|title| {
        let letters = title.chars().filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
        letters.flat_map(char::to_lowercase).map(|letter| if letter == ' ' { '-' } else { letter }).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_relative_links_outside_code() {
        let text = "[a](b.md) and [c](https://x.test/y) and `[d](e)`\n```\n[f](g)\n```\n[h]: i/j.md\n![k](l.png \"t\")\n";
        let found = links(text);
        let want = [(1, "b.md"), (5, "i/j.md"), (6, "l.png")].map(|(line, link)| (line, link.to_owned()));
        assert_eq!(found, want);
    }

    #[test]
    fn anchors_follow_headings() {
        let text = "# One `two` & three!\n## 4. A_b\n";
        assert_eq!(headings(text).collect::<Vec<_>>(), ["one-two--three", "4-a_b"]);
        assert_eq!(problem(Path::new("/x/y.md"), text, "#4-a_b"), None);
        assert_eq!(problem(Path::new("/x/y.md"), text, "#nowhere"), Some("has no such heading"));
        assert_eq!(problem(Path::new("/x/y.md"), text, "z.md"), Some("does not exist"));
    }
}
