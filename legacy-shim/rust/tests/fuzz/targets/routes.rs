//! Rules as somebody may write them, and any path against the map made of them.

use std::collections::HashSet;

use flask_compat::routing::{Map, MapOptions, Match, RuleSpec, UrlFor};

use super::PROFILES;

const MOST_RULES: usize = 8;
const MOST_PATHS: usize = 16;

/// Lines: rules until the first empty line, then paths (`host method path`, or just a path). A first line that starts with
/// `!` has options: `s` no strict slashes, `m` no merged slashes, `h` host matching (then a rule is `host path`).
pub(crate) fn rule(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (flags, text) = match text.strip_prefix('!') {
        Some(rest) => rest.split_once('\n').unwrap_or((rest, "")),
        None => ("", text.as_ref()),
    };
    let (rules, paths) = text.split_once("\n\n").unwrap_or((text, ""));
    let hosts = flags.contains('h');
    let specs: Vec<RuleSpec> = rules
        .split('\n')
        .take(MOST_RULES)
        .enumerate()
        .map(|(number, line)| spec(line, number, hosts))
        .collect();
    for profile in PROFILES {
        let options = MapOptions {
            strict_slashes: !flags.contains('s'),
            merge_slashes: !flags.contains('m'),
            host_matching: hosts,
            ..MapOptions::new(profile)
        };
        match Map::new(options, &specs) {
            Ok(map) => {
                paths.split('\n').chain(rules.split('\n')).take(MOST_PATHS).for_each(|path| ask(&map, path))
            }
            Err(errors) => {
                assert!(!errors.is_empty(), "refused without a reason");
                assert!(errors.iter().all(|error| !error.to_string().is_empty()));
            }
        }
    }
}

fn spec(line: &str, number: usize, hosts: bool) -> RuleSpec {
    let (host, rule) = match line.split_once(' ') {
        Some((host, rule)) if hosts => (Some(host.to_owned()), rule),
        _ => (None, line),
    };
    let methods: &[&str] = if number % 3 == 2 { &["POST", "DELETE"] } else { &["GET"] };
    // Two rules of one endpoint now and then, with a default: these redirect to each other.
    let spec = RuleSpec::new(rule, format!("endpoint{}", number / 2)).methods(methods.iter().copied());
    let spec = RuleSpec { host, ..spec };
    if number % 4 == 1 { spec.default_value("page", "1") } else { spec }
}

fn ask(map: &Map, line: &str) {
    let mut words = line.splitn(3, ' ');
    let (host, method, path) = match (words.next(), words.next(), words.next()) {
        (Some(host), Some(method), Some(path)) => (host, method, path),
        _ => ("example.com", "GET", line),
    };
    let found = map.find(host, method, path);
    assert_eq!(format!("{found:?}"), format!("{:?}", map.find(host, method, path)), "two answers");
    match found {
        Match::Rule(matched) => {
            assert!(matched.index() < map.len());
            let mut names = HashSet::new();
            let values: Vec<_> = matched.args().map(|(name, arg)| (name, arg.value())).collect();
            assert!(values.iter().all(|(name, _)| names.insert(*name)), "an argument twice");
            let _ = map.build(matched.endpoint(), &values, &UrlFor { host, ..UrlFor::default() });
        }
        Match::Redirect(redirect) => {
            assert!(!redirect.location.contains(['\r', '\n']), "a line break in {:?}", redirect.location);
        }
        Match::MethodNotAllowed { allow } => {
            assert!(!allow.is_empty(), "405 without `Allow`");
            assert!(!allow.contains(&method), "405 for a method that is allowed");
        }
        _ => {}
    }
}
