//! The committed JSON Schemas are those that the binary prints. That they tell good files from bad ones is tested with a
//! validator, in `tests/schema`.
//!
//! `UPDATE_EXPECTED=1 cargo test -p ficus --test control editor_schemas` writes them anew.

use crate::ficus::{command, texts};

#[test]
fn the_committed_schemas_are_those_of_the_binary() {
    let directory = tempfile::tempdir().unwrap();
    for file in ["routes", "ficus"] {
        let output = command(directory.path()).args(["schema", file]).output().unwrap();
        assert!(output.status.success());
        let printed = texts(&output).0;
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../docs/reference")
            .join(format!("{file}.schema.json"));
        if std::env::var_os("UPDATE_EXPECTED").is_some() {
            std::fs::write(&path, &printed).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            printed == committed,
            "{} is not what `ficus schema {file}` prints; UPDATE_EXPECTED=1 writes it anew",
            path.display()
        );
    }
}
