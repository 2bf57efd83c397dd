//! The reference in docs/ names every key, default, command and flag there is.

use ficus::{route, settings};

use crate::ficus::{command, texts};

fn page(name: &str) -> String {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn ficus_toml_is_described_in_full() {
    let page = page("ficus-toml.md");
    for key in settings::KEYS {
        let variable = settings::variable(key.name);
        let default = if key.default.is_empty() { String::new() } else { format!("`{}`", key.default) };
        let row = page.lines().find(|line| line.starts_with(&format!("| `{}` |", key.name)));
        let row = row.unwrap_or_else(|| panic!("`{}` is not described", key.name));
        assert!(row.contains(&variable), "`{}` lacks its variable {variable}: {row}", key.name);
        assert!(row.contains(&default), "`{}` lacks its default {default}: {row}", key.name);
    }
}

#[test]
fn backends_are_described_in_full() {
    let page = page("ficus-toml.md");
    for (table, keys) in [("", settings::BACKEND), ("health.", settings::HEALTH)] {
        for key in keys {
            let start = format!("| `backends.NAME.{table}{}` |", key.name);
            let row = page.lines().find(|line| line.starts_with(&start));
            let row = row.unwrap_or_else(|| panic!("there is no line `{start}`"));
            let default = if key.default.is_empty() { String::new() } else { format!("`{}`", key.default) };
            assert!(row.contains(&default), "`{}` lacks its default {default}: {row}", key.name);
        }
    }
}

#[test]
fn routes_toml_is_described_in_full() {
    let page = page("routes-toml.md");
    let tables = [
        ("", route::keys::TOP),
        ("defaults.", route::keys::DEFAULTS),
        ("map.", route::keys::MAP),
        ("", route::keys::ROUTE),
        ("canary.", route::keys::CANARY),
        ("rate.", route::keys::RATE),
        ("shadow.", route::keys::SHADOW),
        ("shadow.ignore.", route::keys::IGNORE),
        ("guard.", route::keys::GUARD),
        ("plan.", route::keys::PLAN),
    ];
    for (table, keys) in tables {
        for key in keys {
            let row = format!("| `{table}{key}` |");
            assert!(page.contains(&row), "there is no line `{row}`");
        }
    }
}

#[test]
fn every_command_and_flag_is_described() {
    let page = page("cli.md");
    let directory = tempfile::tempdir().unwrap();
    let help = |arguments: &[&str]| texts(&command(directory.path()).args(arguments).output().unwrap()).0;
    for name in crate::transcripts::commands() {
        let name = name.as_str();
        assert!(page.contains(&format!("## ficus {name}\n")), "`{name}` is not described");
        for word in help(&[name, "--help"]).split_whitespace().filter(|word| word.starts_with("--")) {
            let flag = word.trim_end_matches([',', '.', ':', ')', '>']);
            assert!(page.contains(&format!("`{flag}")), "`{flag}` of `{name}` is not described");
        }
    }
}
