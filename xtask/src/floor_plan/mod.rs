//! The floor plan of proxy/src: which room may use which, and which room knows pingora, axum and sqlx. Read from the
//! source text, so that it runs without building anything. The plan itself is the table below; docs/architecture.md
//! explains it.

mod tokens;

use std::fs;
use std::path::{Path, PathBuf};

use crate::problem::{Context, Outcome, Problem, bail};
use crate::workspace::Workspace;

use tokens::{Token, tokens};

/// A room, and the rooms it may use.
const ROOMS: &[(&str, &[&str])] = &[
    ("diagnostic", &[]),
    ("settings", &["diagnostic"]),
    ("route", &["diagnostic"]),
    // What the Flask application says about itself; only commands ask.
    ("census", &["diagnostic", "settings", "route"]),
    ("identity", &["settings"]),
    ("decide", &["diagnostic", "route", "identity"]),
    ("store", &["route"]),
    ("control", &["diagnostic", "settings", "route", "store"]),
    ("upstream", &["settings", "route"]),
    ("observe", &["diagnostic", "settings", "route", "decide"]),
    ("shadow", &["route", "decide", "upstream", "observe", "store"]),
    // Not store and control: the store is never on the path of a request, and requests meet flips at the live table.
    ("gateway", &["settings", "route", "identity", "decide", "upstream", "observe", "shadow"]),
    ("rollout", &["diagnostic", "settings", "route", "store", "control", "observe", "shadow"]),
    (
        "admin",
        &[
            "diagnostic",
            "settings",
            "route",
            "identity",
            "decide",
            "store",
            "control",
            "upstream",
            "observe",
            "shadow",
            "rollout",
        ],
    ),
    (
        "server",
        &[
            "diagnostic",
            "settings",
            "route",
            "identity",
            "decide",
            "store",
            "control",
            "upstream",
            "observe",
            "shadow",
            "gateway",
            "rollout",
            "admin",
        ],
    ),
    // The command line is the control path: it starts the server, but never reaches into the gateway.
    (
        "cli",
        &[
            "diagnostic",
            "settings",
            "route",
            "census",
            "identity",
            "decide",
            "store",
            "control",
            "upstream",
            "observe",
            "shadow",
            "rollout",
            "admin",
            "server",
        ],
    ),
];

/// Which rooms may name a crate; `pingora` also stands for pingora_core and its sisters.
const CRATES: &[(&str, &[&str])] =
    &[("pingora", &["upstream", "gateway", "server"]), ("axum", &["admin"]), ("sqlx", &["store"])];

/// Checks every file; all offences at once.
pub(crate) fn check(workspace: &Workspace) -> Outcome<String> {
    let root = workspace.path("proxy/src");
    let mut files = Vec::new();
    rust_files(&root, &mut files)?;
    files.sort();
    let mut offences = Vec::new();
    for file in &files {
        let text = fs::read_to_string(file).context(|| format!("cannot read `{}`", file.display()))?;
        let relative = file.strip_prefix(&root).unwrap_or(file);
        offences
            .extend(offences_in(relative, &text).into_iter().map(|offence| format!("  proxy/src/{offence}")));
    }
    if files.is_empty() {
        bail!("there is no Rust file in `{}`", root.display());
    }
    if offences.is_empty() {
        return Ok(format!("{} files keep to the floor plan of {} rooms", files.len(), ROOMS.len()));
    }
    Err(Problem::new(format!("the floor plan is broken\n{}", offences.join("\n"))))
}

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) -> Outcome {
    let entries = fs::read_dir(folder).context(|| format!("cannot read `{}`", folder.display()))?;
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            rust_files(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

/// What is wrong in one file, as `gateway/mod.rs:12: ...`.
fn offences_in(file: &Path, text: &str) -> Vec<String> {
    let modules = module_path(file);
    let Some(room) = modules.first() else { return Vec::new() };
    let Some((_, allowed)) = ROOMS.iter().find(|(name, _)| name == room) else {
        return vec![format!(
            "{}:1: `{room}` is not a room: add it to the floor plan or move the file",
            file.display()
        )];
    };
    let tokens = tokens(text);
    let mut offences = Vec::new();
    for (line, used) in uses(&tokens, modules.len()) {
        let known = ROOMS.iter().any(|(name, _)| *name == used);
        if known && used != *room && !allowed.contains(&used.as_str()) {
            let list = if allowed.is_empty() { "no other room".into() } else { allowed.join(", ") };
            offences.push(format!(
                "{}:{line}: `{room}` may not use `{used}` (it may use {list})",
                file.display()
            ));
        }
    }
    for (line, name) in foreign(&tokens) {
        let rule = CRATES.iter().find(|(krate, _)| name == *krate || name.starts_with(&format!("{krate}_")));
        if let Some((krate, rooms)) = rule.filter(|(_, rooms)| !rooms.contains(&room.as_str())) {
            let rooms = rooms.join(", ");
            offences.push(format!(
                "{}:{line}: `{krate}` is known to {rooms} only, not to `{room}`",
                file.display()
            ));
        }
    }
    offences
}

/// `gateway/phases/mod.rs` -> gateway, phases; the crate's own lib.rs and main.rs belong to no room.
fn module_path(file: &Path) -> Vec<String> {
    let bare = file.with_extension("");
    let parts: Vec<String> = bare.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    match parts.as_slice() {
        [only] if only == "lib" || only == "main" => Vec::new(),
        [folders @ .., last] if last == "mod" => folders.to_vec(),
        all => all.to_vec(),
    }
}

/// The modules named right below the crate's root: through `crate::`, or through enough `super::`.
fn uses(tokens: &[Token], depth: usize) -> Vec<(usize, String)> {
    let words: Vec<&str> = tokens.iter().map(|(_, word)| word.as_str()).collect();
    let mut found = Vec::new();
    let mut at = 0;
    while at < words.len() {
        let supers =
            words.get(at..).unwrap_or_default().chunks(2).take_while(|two| *two == ["super", "::"]).count();
        let start = match words.get(at..at + 2) {
            Some(["crate", "::"]) => Some(at + 2),
            _ if supers > 0 && supers >= depth => Some(at + 2 * supers),
            _ => None,
        };
        if let Some(start) = start {
            found.extend(heads(tokens, start));
        }
        at = start.unwrap_or(at + 1).max(at + 2 * supers).max(at + 1);
    }
    found
}

/// `route` -> route; `{route::{Table, Live}, settings}` -> route, settings.
fn heads(tokens: &[Token], start: usize) -> Vec<(usize, String)> {
    let rest = tokens.get(start..).unwrap_or_default();
    if rest.first().is_none_or(|(_, word)| word != "{") {
        return rest.first().cloned().into_iter().collect();
    }
    let mut level = 0;
    let mut found = Vec::new();
    let mut head_next = false;
    for token in rest {
        match token.1.as_str() {
            "{" => {
                level += 1;
                head_next = level == 1;
            }
            "}" => level -= 1,
            "," => head_next = level == 1,
            _ if head_next => {
                found.push(token.clone());
                head_next = false;
            }
            _ => {}
        }
        if level == 0 {
            break;
        }
    }
    found
}

/// Words that can only name a crate: followed by `::` but not preceded by it, or a whole `use` of it.
fn foreign(tokens: &[Token]) -> Vec<Token> {
    let word = |index: Option<usize>| {
        index.and_then(|index| tokens.get(index)).map_or("", |(_, word)| word.as_str())
    };
    let within_path = |at: usize| {
        let before = word(at.checked_sub(2));
        word(at.checked_sub(1)) == "::"
            && before.ends_with(|letter: char| letter.is_alphanumeric() || "_>".contains(letter))
    };
    let names_crate =
        |at: usize| !within_path(at) && (word(Some(at + 1)) == "::" || word(at.checked_sub(1)) == "use");
    tokens.iter().enumerate().filter(|(at, _)| names_crate(*at)).map(|(_, token)| token.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARCHITECTURE: &str = include_str!("../../../docs/architecture.md");

    fn offences(file: &str, text: &str) -> Vec<String> {
        offences_in(Path::new(file), text)
    }

    #[test]
    fn every_room_uses_only_rooms_of_the_plan() {
        for (room, allowed) in ROOMS {
            for used in *allowed {
                let place = |name: &str| ROOMS.iter().position(|(own, _)| *own == name).unwrap();
                assert!(place(used) < place(room), "`{room}` would use `{used}`, which is below it");
            }
        }
    }

    #[test]
    fn the_request_path_and_the_control_path_never_meet() {
        for low in ["control", "admin", "rollout", "cli", "store"] {
            let found = offences("gateway/mod.rs", &format!("use crate::{low}::Thing;"));
            assert_eq!(found.len(), 1, "{found:?}");
        }
        for control in ["control", "admin", "rollout", "cli"] {
            let found = offences(&format!("{control}/mod.rs"), "use crate::gateway::Gateway;");
            assert_eq!(found.len(), 1, "{found:?}");
        }
    }

    #[test]
    fn an_offence_names_file_line_and_what_is_allowed() {
        let found = offences("decide/mod.rs", "//! Top.\n\nuse crate::store::Store;\n");
        assert_eq!(
            found,
            ["decide/mod.rs:3: `decide` may not use `store` (it may use diagnostic, route, identity)"]
        );
    }

    #[test]
    fn finds_uses_in_groups_in_paths_and_through_super() {
        let text =
            "use crate::{route::{Live, store}, control, decide as d};\nfn f() { crate::admin::serve() }";
        let found = offences("gateway/mod.rs", text);
        assert_eq!(found.len(), 2, "{found:?}");
        assert_eq!(offences("gateway/phases.rs", "use super::super::control::Control;").len(), 1);
        assert_eq!(offences("gateway/phases.rs", "use super::control::Control;").len(), 0);
        assert_eq!(offences("gateway/mod.rs", "use super::{control, route};").len(), 1);
    }

    #[test]
    fn comments_and_texts_do_not_count() {
        let text = "// use crate::control;\n/* crate::control */\nconst A: &str = \"crate::control\";\n\
                    const B: &str = r#\"sqlx::query \" crate::admin\"#;\nlet q = '\"'; // crate::admin\nfn f<'a>(x: &'a str) {}";
        assert_eq!(offences("gateway/mod.rs", text), Vec::<String>::new());
        assert_eq!(offences("gateway/mod.rs", "let q = '\"'; use crate::control; let p = '\"';").len(), 1);
    }

    #[test]
    fn crates_stay_in_their_rooms() {
        assert_eq!(offences("route/mod.rs", "use pingora::prelude::*;").len(), 1);
        assert_eq!(offences("route/mod.rs", "fn f(x: pingora_core::Error) {}").len(), 1);
        assert_eq!(offences("gateway/mod.rs", "use pingora::prelude::*;").len(), 0);
        assert_eq!(offences("control/mod.rs", "use sqlx;").len(), 1);
        assert_eq!(offences("store/mod.rs", "sqlx::query(text)").len(), 0);
        assert_eq!(offences("server/mod.rs", "async fn f() { axum::serve(a, b) }").len(), 1);
        assert_eq!(offences("observe/mod.rs", "enum Kind { Axum }\nlet axum = 1;").len(), 0);
    }

    /// What the page on the architecture says of each room: its name, and the rooms that it may use.
    fn documented() -> Vec<(&'static str, Vec<&'static str>)> {
        let (_, page) = ARCHITECTURE.split_once("| room | what it is | may use |").unwrap();
        let rows = page.lines().skip(2).take_while(|line| line.starts_with('|'));
        let mut rooms: Vec<(&str, Vec<&str>)> = Vec::new();
        for row in rows {
            let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
            let [room, _, list] = cells[..] else { panic!("`{row}` has not three cells") };
            let may = match list.strip_prefix("all above but ") {
                Some(not) => {
                    let not: Vec<&str> = not.split(", ").collect();
                    rooms.iter().map(|(above, _)| *above).filter(|above| !not.contains(above)).collect()
                }
                // flask-compat is a crate, and `-` is nobody.
                None => list.split(", ").filter(|word| !["-", "flask-compat"].contains(word)).collect(),
            };
            rooms.push((room, may));
        }
        rooms
    }

    #[test]
    fn the_documented_plan_is_this_one() {
        let ours: Vec<_> = ROOMS.iter().map(|(room, may)| (*room, may.to_vec())).collect();
        assert_eq!(documented(), ours);
    }

    #[test]
    fn every_place_that_the_architecture_names_exists() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut missing = Vec::new();
        for row in ARCHITECTURE.lines().filter(|line| line.starts_with("| ") && line.contains("/src/")) {
            let mut folder = String::new();
            for place in row.split('`').skip(1).step_by(2).filter(|word| !word.contains(['<', ' '])) {
                // `apply.rs` beside `proxy/src/control/plan.rs` is in the same folder.
                let path = if place.contains('/') { place.to_owned() } else { format!("{folder}{place}") };
                if place.contains('/') || place.ends_with(".rs") || place.ends_with(".json") {
                    folder = path[..=path.rfind('/').unwrap()].to_owned();
                    let found = root.join(&path).exists();
                    missing.extend((!found).then_some(path));
                }
            }
        }
        assert_eq!(missing, Vec::<String>::new());
    }

    #[test]
    fn a_folder_that_is_no_room_is_an_offence() {
        let found = offences("helpers/mod.rs", "");
        assert!(found[0].contains("`helpers` is not a room"), "{found:?}");
        assert!(offences("lib.rs", "pub mod gateway;").is_empty());
    }
}
