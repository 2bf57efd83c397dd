//! The commands that ask the application, as transcripts: what is typed, what is printed, how it ends.

use crate::site::{FLASKS, SHOP, Site};

/// `$ ficus ARGUMENTS` for `shop:create_app`, what it printed and its exit code.
fn transcript(site: &Site, arguments: &str) -> String {
    let words: Vec<&str> = arguments.split(' ').collect();
    let done = site.run(&words);
    format!("$ ficus {arguments} --flask shop:create_app\n{}{}[exit {}]\n", done.out, done.err, done.code)
}

/// Compares with a file of the transcripts; `UPDATE_EXPECTED=1` writes it anew.
pub(crate) fn compare(name: &str, said: &str) {
    let path =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/census/transcripts/{name}.txt"));
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, said).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(said == expected, "{name}: expected\n{expected}\nsaid\n{said}");
}

#[test]
fn a_first_morning_with_an_application() {
    let site = Site::new(FLASKS[1], SHOP);
    let mut said = vec![
        transcript(&site, "init"),
        transcript(&site, "init"),
        transcript(&site, "census --exit-code"),
        transcript(&site, "prove-routes --count 2000 --seed 1"),
        transcript(&site, "check-templates"),
    ];
    site.edit("shop.py", "\"/new\"", "\"/add\"");
    said.push(transcript(&site, "census --exit-code"));
    said.push(transcript(&site, "prove-routes --count 2000 --seed 1"));
    compare("first_morning", &said.join("\n"));
}
