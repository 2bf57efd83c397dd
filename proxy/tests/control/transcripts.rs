//! Transcripts of the commands that `cli` has no story for, and the test that no command is without one.

use std::path::Path;

use crate::cli::{compare, transcript};
use crate::ficus::{Ficus, ROUTES, command, texts};

/// Every command, as the help lists them.
pub(crate) fn commands() -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let help = texts(&command(directory.path()).arg("--help").output().unwrap()).0;
    let listed =
        help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let named = listed.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names: Vec<String> =
        named.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect();
    assert!(names.len() > 25 && names.contains(&"rollback".to_owned()), "{names:?}");
    names.into_iter().filter(|name| name != "help").collect()
}

#[test]
fn no_command_is_without_a_transcript() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut said = String::new();
    for folder in ["control/transcripts", "census/transcripts"] {
        for entry in std::fs::read_dir(tests.join(folder)).unwrap() {
            said.push_str(&std::fs::read_to_string(entry.unwrap().path()).unwrap());
        }
    }
    let without: Vec<String> = commands()
        .into_iter()
        .filter(|name| !said.lines().any(|line| line.split(' ').take(3).eq(["$", "ficus", name])))
        .collect();
    assert!(without.is_empty(), "no transcript shows {without:?}");
}

#[test]
fn no_command_is_without_examples() {
    let directory = tempfile::tempdir().unwrap();
    for name in commands() {
        let help = texts(&command(directory.path()).args([&name, "--help"]).output().unwrap()).0;
        assert!(help.contains("Example") && help.contains(&format!("  ficus {name}")), "{name}:\n{help}");
    }
}

#[test]
fn files_and_reports() {
    let ficus = Ficus::start(ROUTES);
    // Not the running one: nobody knows when a hand edit of that is seen.
    std::fs::write(ficus.path("new.toml"), ROUTES).unwrap();
    let commands = [
        "check",
        "fmt new.toml --check --diff",
        "fmt new.toml",
        "fmt new.toml",
        "fmt missing.toml",
        "reload",
        "routes detail",
        "routes nothing",
        "shadow customers.list 25% --reason CRM-812",
        "shadow customers.list off",
        "diffs",
        "record start customers.list",
        "record status",
        "record stop",
        "capsule 31",
        "incident",
        "incident 3",
        "progress --days 1",
        "hold customers.list",
        "progress --days 7 --format md",
        "schema toml",
        "completions tcsh",
        "man flipp",
        "man fmt",
        "serve --legacy nonsense",
    ];
    let said: Vec<String> = commands.iter().map(|arguments| transcript(&ficus, arguments)).collect();
    compare("files", &said.join("\n"));
}

#[test]
fn nobody_there() {
    let ficus = Ficus::prepare();
    std::fs::write(ficus.routes(), ROUTES).unwrap();
    let commands = [
        "upgrade",
        "reload",
        "progress",
        "fleet",
        "noise customers.list",
        "certificate customers.list",
        "token list",
        "watch --sinc 1",
        "capture status",
        "replay sessions --against legacy",
        "twin twin.toml",
        "support-bundle --outptu bundle.tar.gz",
        "rollback customers.list --offline",
        "status",
    ];
    let said: Vec<String> = commands.iter().map(|arguments| transcript(&ficus, arguments)).collect();
    compare("nobody", &said.join("\n"));
}
