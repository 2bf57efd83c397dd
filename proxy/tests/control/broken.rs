//! Broken files: each has the expected message beside it, and none of them ever replaces a running table.
//!
//! `UPDATE_EXPECTED=1 cargo test -p ficus --test control broken` writes the expected messages anew; read the difference.

use std::path::{Path, PathBuf};

use crate::ficus::{Ficus, ROUTES, command, texts};

fn examples(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder);
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    files.sort();
    files
}

/// Compares what `ficus check` says with the text beside the example.
fn compare(example: &Path, flag: &str) -> Result<(), String> {
    let name = example.file_name().unwrap().to_str().unwrap();
    let output = command(example.parent().unwrap())
        .env("FICUS_BACKENDS_RUST", "unix:/run/handlers.sock")
        .args(["check", flag, name])
        .output()
        .unwrap();
    let (out, err) = texts(&output);
    let said = format!("{err}{out}");
    let expected = example.with_extension("txt");
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        std::fs::write(&expected, &said).unwrap();
    }
    let expected = std::fs::read_to_string(&expected).unwrap_or_default();
    if output.status.code() != Some(1) {
        return Err(format!("{name}: exit {:?}\n{said}", output.status.code()));
    }
    if said == expected { Ok(()) } else { Err(format!("{name}: expected\n{expected}\nsaid\n{said}")) }
}

fn compare_all(folder: &str, flag: &str, least: usize) {
    let examples = examples(folder);
    assert!(examples.len() >= least, "only {} examples", examples.len());
    let wrong: Vec<String> = examples.iter().filter_map(|example| compare(example, flag).err()).collect();
    assert!(wrong.is_empty(), "{} of {} examples:\n{}", wrong.len(), examples.len(), wrong.join("\n"));
}

#[test]
fn every_broken_routing_file_is_explained() {
    compare_all("broken", "--routes", 40);
}

#[test]
fn every_broken_settings_file_is_explained() {
    compare_all("broken_settings", "--config", 10);
}

#[test]
fn no_secret_is_printed() {
    for example in examples("broken_settings") {
        let said = std::fs::read_to_string(example.with_extension("txt")).unwrap();
        for secret in ["hunter2", "correct horse"] {
            assert!(!said.contains(secret), "{} shows a secret", example.display());
        }
    }
}

#[test]
fn no_broken_routing_file_replaces_the_running_table() {
    let good = ROUTES.replace("serve = 'legacy' ", "serve = 'rust' ");
    let ficus = Ficus::start(&good);
    assert_eq!(ficus.answered_by("/customers/"), "rust");
    let revision = ficus.revision();
    let mut failed_at = serde_json::Value::Null;
    for example in examples("broken") {
        ficus.edit(&std::fs::read_to_string(&example).unwrap());
        let name = example.file_name().unwrap().to_str().unwrap().to_owned();
        let mut status = serde_json::Value::Null;
        ficus.wait(&format!("{name} is seen"), |ficus| {
            status = ficus.status();
            status["file"]["ok"] == false && status["file"]["failed_at"] != failed_at
        });
        failed_at = status["file"]["failed_at"].clone();
        assert_eq!(status["revision"], revision, "{name} became a revision");
        assert!(
            !status["file"]["findings"].as_array().unwrap().is_empty(),
            "{name} has no findings in the status"
        );
        assert_eq!(ficus.answered_by("/customers/"), "rust", "{name} replaced the table");
    }
    assert!(ficus.http(ficus.admin_port, "/metrics").1.contains("ficus_config_last_reload_successful 0"));
    ficus.edit(&good);
    ficus.wait("the good file is taken again", |ficus| ficus.status()["file"]["ok"] == true);
    assert_eq!(ficus.revision(), revision);
    assert!(ficus.http(ficus.admin_port, "/metrics").1.contains("ficus_config_last_reload_successful 1"));
}
