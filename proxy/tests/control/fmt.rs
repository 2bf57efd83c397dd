//! `ficus fmt`: one form, with every comment, and never another meaning.

use proptest::prelude::*;

use ficus::route::canonical;

use crate::ficus::{Ficus, ROUTES, texts};

const UGLY: &str = "version=1\n# moved\n[[route]]\nserve='rust'   # CRM-812\nrule='/a'\nname='a'\n";
const NEAT: &str =
    "version = 1\n\n# moved\n[[route]]\nname = \"a\"\nrule = \"/a\"\nserve = \"rust\"  # CRM-812\n";

#[test]
fn a_file_is_checked_shown_and_written() {
    let ficus = Ficus::prepare();
    std::fs::write(ficus.routes(), UGLY).unwrap();
    let output = ficus.cli(&["fmt", "--check", "--diff"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(texts(&output).0.contains("+serve = \"rust\"  # CRM-812\n"), "{}", texts(&output).0);
    assert_eq!(ficus.routes_text(), UGLY);
    assert_eq!(ficus.json(&["fmt"])["written"], true);
    assert_eq!(ficus.routes_text(), NEAT);
    assert_eq!(ficus.ok(&["fmt", "--check"]), "`routes.toml` is in its canonical form\n");
    assert_eq!(ficus.json(&["fmt"])["canonical"], true);
}

#[test]
fn a_broken_file_stays_as_it_is() {
    let ficus = Ficus::prepare();
    std::fs::write(ficus.path("new.toml"), "version = 1\n[[route]\nname = \"a\"\n").unwrap();
    let output = ficus.cli(&["fmt", "new.toml"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(texts(&output).1.contains("--> new.toml:2:"), "{}", texts(&output).1);
    assert_eq!(ficus.cli(&["fmt", "missing.toml"]).status.code(), Some(1));
}

#[test]
fn mode_and_link_of_the_file_are_kept() {
    use std::os::unix::fs::PermissionsExt;
    let ficus = Ficus::prepare();
    let real = ficus.path("real.toml");
    std::fs::write(&real, UGLY).unwrap();
    std::fs::set_permissions(&real, PermissionsExt::from_mode(0o664)).unwrap();
    std::os::unix::fs::symlink("real.toml", ficus.routes()).unwrap();
    ficus.ok(&["fmt"]);
    assert!(std::fs::symlink_metadata(ficus.routes()).unwrap().is_symlink());
    assert_eq!(std::fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o664);
    assert_eq!(std::fs::read_to_string(real).unwrap(), NEAT);
}

#[test]
fn a_running_ficus_takes_the_new_form_without_a_flip() {
    let ficus = Ficus::start(&ROUTES.replace("serve = 'legacy' ", "serve = 'rust' "));
    let before = ficus.json(&["routes"])["routes"].clone();
    ficus.ok(&["fmt"]);
    ficus.ok(&["reload"]);
    assert_eq!(ficus.json(&["routes"])["routes"], before);
    assert_eq!(ficus.answered_by("/customers/"), "rust");
    assert_eq!(ficus.status()["file"]["ok"], true);
}

#[test]
fn the_files_of_this_repository_keep_their_meaning() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("../routes.toml")).unwrap();
    let once = canonical(&text).unwrap();
    assert_eq!(canonical(&once).unwrap(), once);
    // Every file that is TOML has a form; none is ever changed in what it says.
    let mut formed = 0;
    for entry in std::fs::read_dir(root.join("tests/broken")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let text = std::fs::read_to_string(&path).unwrap();
            if let Ok(once) = canonical(&text) {
                assert_eq!(canonical(&once).unwrap(), once, "{}", path.display());
                formed += 1;
            }
        }
    }
    assert!(formed > 40, "only {formed}");
}

/// White space, and now and then a comment.
fn gap() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        Just("\n".to_owned()),
        Just("\n\n\n".to_owned()),
        "# [a-z'\"#\\[\\]]{0,9}\n",
        "\n# [a-z ]{0,9}\n\n",
        "  \t# [a-z=]{0,9}  \n",
    ]
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        "'[a-z#\\\\\" ]{0,8}'",
        "\"[a-z#' ]{0,8}\"",
        Just("\"\"\"\ntwo # lines\n\"\"\"".to_owned()),
        Just("\"\\u00e9\\t\\\"'\"".to_owned()),
        Just("[ 'a',\"b\" ]".to_owned()),
        Just("[\n 'a', # first\n 'b'\n]".to_owned()),
        Just("{users=['7'],percent=5}".to_owned()),
        Just("{ ignore = [ {reason='r',path=\"json $.a\"} ], sample=0.5 }".to_owned()),
        Just("+1_000".to_owned()),
        Just("true".to_owned()),
    ]
}

const KEYS: [&str; 9] =
    ["name", "rule", "rules", "serve", "canary", "shadow", "timeout", "\"an odd key\"", "guard.window"];

fn table() -> impl Strategy<Value = String> {
    let line = (
        proptest::sample::select(&KEYS[..]),
        gap(),
        value(),
        prop_oneof![Just(""), Just(" # c"), Just("#d")],
    );
    let header = prop_oneof![Just("[[route]]"), Just("[[route]] # head"), Just("  [[ route ]]")];
    (gap(), header, proptest::collection::vec(line, 0..6), any::<bool>()).prop_map(
        |(before, header, lines, sub)| {
            let mut text = format!("{before}{header}\n");
            let mut seen = std::collections::BTreeSet::new();
            for (key, gap, value, comment) in lines {
                if seen.insert(key) {
                    text.push_str(&format!("{gap}{key}  ={value}{comment}\n"));
                }
            }
            if sub && !seen.contains("canary") {
                text.push_str("[route.canary]\nusers=['1']\npercent= 2\n");
            }
            text
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever a file looks like: it has a form, that form is its own, and its data and comments are the same
    /// (`canonical` refuses anything else).
    #[test]
    fn formatting_again_changes_nothing(
        head in gap(),
        version in prop_oneof![Just("version=1\n"), Just("version = 1 # v\n"), Just("")],
        tables in proptest::collection::vec(table(), 0..5),
        tail in gap(),
    ) {
        let text = format!("{head}{version}{}{tail}", tables.concat());
        let once = canonical(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        prop_assert_eq!(canonical(&once).unwrap(), once.clone(), "{}", text);
        prop_assert!(once.is_empty() || (once.ends_with('\n') && !once.ends_with("\n\n")), "{:?}", once);
        prop_assert!(!once.contains("\n\n\n") || text.contains("\"\"\""), "{:?}", once);
    }
}
