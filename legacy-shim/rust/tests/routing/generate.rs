//! Random maps, nasty on purpose: few names, so that rules share prefixes, collide and shadow each other; rules are often
//! made from an earlier one by a small change.

use std::collections::BTreeMap;

use flask_compat::Profile;
use serde_json::{Value as Json, json};

use super::case::{Case, Converter, Options, Rule};
use super::random::Random;
use super::requests::{asked, wanted};

const LITERALS: [&str; 18] = [
    "a", "b", "ab", "x", "new", "1", "12", "é", "日本", "a.b", "a b", "-", ".", "+", "a|b", "100%", "edit",
    "A",
];
const CONVERTERS: [&str; 30] = [
    "",
    "",
    "",
    "",
    "",
    "string:",
    "string(length=2):",
    "string(minlength=2):",
    "string(maxlength=3):",
    "string(2, 4):",
    "int:",
    "int:",
    "int:",
    "int(min=2):",
    "int(max=3):",
    "int(min=1, max=12):",
    "int(fixed_digits=2):",
    "int(2):",
    "int(signed=True):",
    "float:",
    "float(min=1, max=2.5):",
    "float(signed=True):",
    "path:",
    "path:",
    "path:",
    "uuid:",
    "any(a, ab, \"a,b\"):",
    "any(x, new, '1'):",
    "any(\"a/b\", b):",
    "string(minlength=0):",
];
const CUSTOM: [(&str, &str, i64, Option<bool>); 5] = [
    ("hex", "[0-9a-f]+", 100, None),
    ("list", "[a-z]+(?:,[a-z]+)*", 90, None),
    ("two", "[^/]+/[^/]+", 150, None),
    ("rest", ".*?", 200, Some(false)),
    ("digits", r"\d+", 50, None),
];
const NAMES: [&str; 6] = ["p", "q", "r", "s", "t", "u"];
const MANY_NAMES: [&str; 13] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m"];
const SUBDOMAINS: [&str; 7] = ["", "www", "a", "<sub>", "<sub>.a", "<int:sub>", "x-<sub>"];
const HOSTS: [&str; 7] =
    ["example.com", "www.example.com", "<sub>.example.com", "<sub>", "example.com:8080", "", "localhost"];

/// The case of a seed.
pub(super) fn case(profile: Profile, seed: u64) -> Case {
    let mut random = Random::new(seed);
    let options = options(&mut random);
    let mut rules: Vec<Rule> = Vec::new();
    for _ in 0..=random.below(9) {
        let rule = match random.below(3) {
            0 if !rules.is_empty() => {
                let earlier = random.pick(&rules).clone();
                changed(&mut random, earlier, &options)
            }
            1 if !rules.is_empty() => {
                let earlier = random.pick(&rules).clone();
                default_form(&mut random, earlier)
            }
            _ => rule(&mut random, &options),
        };
        rules.push(rule);
    }
    let requests = (0..40).map(|_| asked(&mut random, &rules, &options)).collect();
    let builds = (0..10).map(|_| wanted(&mut random, &rules)).collect();
    Case { profile: profile.to_string(), options, rules, requests, builds }
}

fn options(random: &mut Random) -> Options {
    let host_matching = random.percent(15);
    let server_name = random
        .percent(40)
        .then(|| random.text(&["example.com", "example.com", "Example.com:80", "b.example.com"]));
    Options {
        strict_slashes: random.percent(75),
        merge_slashes: random.percent(75),
        redirect_defaults: random.percent(85),
        host_matching,
        subdomain_matching: random.percent(40),
        default_subdomain: if !host_matching && random.percent(12) {
            "www".to_owned()
        } else {
            String::new()
        },
        server_name,
        converters: CUSTOM
            .iter()
            .map(|&(name, regex, weight, part_isolating)| {
                (name.to_owned(), Converter { regex: regex.to_owned(), weight, part_isolating })
            })
            .collect::<BTreeMap<_, _>>(),
    }
}

fn variable(random: &mut Random, free: &mut Vec<&str>) -> Option<String> {
    if free.is_empty() {
        return None;
    }
    let name = free.remove(random.below(free.len()));
    if random.percent(5) {
        return Some(format!("<{}:{name}>", random.pick(&CUSTOM).0));
    }
    Some(format!("<{}{name}>", random.pick(&CONVERTERS)))
}

/// Thirteen variables in one segment: their order differs between versions. The separators are not in the values, or Python
/// would search for hours.
fn wide_segment(random: &mut Random) -> String {
    let converter = random.text(&["", "int:", "string(length=1):"]);
    let variables: Vec<String> = MANY_NAMES.iter().map(|name| format!("<{converter}{name}>")).collect();
    variables.join(random.among(&["_", "~", "__"]))
}

/// Text that may or may not be a rule.
fn garbage(random: &mut Random) -> String {
    const PIECES: [&str; 44] = [
        "<",
        ">",
        "(",
        ")",
        ":",
        "=",
        ",",
        "\"",
        "'",
        "/",
        "int",
        "string",
        "any",
        "path",
        "x",
        "y",
        "min",
        "max",
        "length",
        "1",
        "2",
        "-5",
        "1.5",
        "True",
        "None",
        " ",
        "<x>",
        "<int:y>",
        "<int(",
        "):z>",
        "<any(a,b",
        "signed=True",
        "\\",
        "é",
        "_",
        "\n",
        "<path:",
        "minlength",
        "default",
        "uuid",
        "1_0",
        "nan",
        "<string(",
        "fixed_digits=2",
    ];
    let mut text = "/".to_owned();
    for _ in 0..1 + random.below(9) {
        text.push_str(random.among(&PIECES));
    }
    text
}

/// Random converter arguments in a well-formed variable.
fn garbage_arguments(random: &mut Random) -> String {
    const PIECES: [&str; 30] = [
        "a",
        "b",
        "1",
        "2",
        "12",
        "-",
        "1.5",
        "True",
        "False",
        "None",
        " ",
        ",",
        ",",
        ", ",
        "=",
        "min=",
        "max=",
        "signed=",
        "length=",
        "minlength=",
        "maxlength=",
        "fixed_digits=",
        "\"",
        "'",
        "\"a\"",
        "'b c'",
        "u'x'",
        "1_0",
        "inf",
        "é",
    ];
    let converter = random.text(&["int", "float", "string", "any", "path", "uuid"]);
    let arguments: String = (0..1 + random.below(5)).map(|_| *random.pick(&PIECES)).collect();
    format!("/<{converter}({arguments}):x>")
}

fn segment(random: &mut Random, free: &mut Vec<&str>) -> String {
    if random.percent(50) {
        return random.text(&LITERALS);
    }
    let mut text = String::new();
    let mixed = random.percent(30);
    for _ in 0..if mixed { 1 + random.below(3) } else { 1 } {
        if mixed && random.percent(50) {
            text.push_str(random.among(&["a", "f-", ".", "x", "1", "-"]));
        }
        text.push_str(&variable(random, free).unwrap_or_default());
    }
    if mixed && random.percent(50) {
        text.push_str(random.among(&[".json", "a", "-", "1", "x"]));
    }
    text
}

fn path(random: &mut Random) -> String {
    let mut free = NAMES.to_vec();
    let mut text = String::new();
    match random.below(100) {
        0 => return garbage(random),
        1 => return garbage_arguments(random),
        2 => return format!("/{}", wide_segment(random)),
        _ => {}
    }
    for _ in 0..random.below(5) {
        text.push('/');
        if random.percent(4) {
            text.push_str(random.among(&["/", "//"]));
        }
        text.push_str(&segment(random, &mut free));
    }
    if text.is_empty() || random.percent(40) {
        text.push('/');
        if random.percent(5) {
            text.push('/');
        }
    }
    text
}

fn methods(random: &mut Random) -> Option<Vec<String>> {
    if random.percent(45) {
        return None;
    }
    let count = if random.percent(2) { 0 } else { 1 + random.below(3) };
    Some(
        (0..count)
            .map(|_| random.text(&["GET", "POST", "PUT", "DELETE", "OPTIONS", "get", "HEAD"]))
            .collect(),
    )
}

fn rule(random: &mut Random, options: &Options) -> Rule {
    let websocket = random.percent(6);
    let optional = |random: &mut Random, percent: u64| random.percent(percent).then(|| random.percent(50));
    let mut rule = Rule {
        rule: path(random),
        endpoint: random.text(&["one", "two", "three"]),
        methods: if websocket { None } else { methods(random) },
        defaults: Vec::new(),
        host: (options.host_matching && random.percent(80)).then(|| random.text(&HOSTS)),
        subdomain: (options.server_name.is_some() && random.percent(40)).then(|| random.text(&SUBDOMAINS)),
        strict_slashes: optional(random, 10),
        merge_slashes: optional(random, 10),
        build_only: random.percent(4),
        redirect_to: None,
        alias: random.percent(5),
        websocket,
    };
    if websocket && random.percent(10) {
        rule.methods = methods(random);
    }
    if random.percent(5) {
        rule.redirect_to = Some(redirect_target(random, &rule));
    }
    if random.percent(8) {
        rule.defaults.push((random.text(&["p", "q", "extra"]), value(random)));
    }
    rule
}

fn redirect_target(random: &mut Random, rule: &Rule) -> String {
    let mut target = random.text(&[
        "x",
        "/x",
        "../x/",
        "a/b?c=d",
        "http://other/",
        "",
        "x;y",
        "//h/p",
        "./",
        "a/../b",
        "x#f",
        "q:r",
    ]);
    let names = names(&rule.rule);
    if !names.is_empty() && random.percent(60) {
        target.push_str(&format!("/<{}>", random.pick(&names)));
    }
    target
}

/// The names of the variables in a rule.
pub(super) fn names(rule: &str) -> Vec<String> {
    let variables = rule.split('<').skip(1).filter_map(|rest| rest.split('>').next());
    variables.map(|variable| variable.rsplit(':').next().unwrap_or_default().to_owned()).collect()
}

fn value(random: &mut Random) -> Json {
    match random.below(6) {
        0 => json!({ "s": random.text(&["a", "ab", "1", "", "a/b", "é x"]) }),
        1 => json!({ "f": random.text(&["1.0", "2.5", "-0.5"]) }),
        2 => json!({ "b": random.percent(50) }),
        3 => Json::Null,
        _ => json!({ "i": random.text(&["1", "2", "12", "-1", "7"]) }),
    }
}

/// An earlier rule with a small change.
fn changed(random: &mut Random, mut rule: Rule, options: &Options) -> Rule {
    match random.below(8) {
        0 => rule.rule = flip_slash(&rule.rule),
        1 if !rule.websocket => rule.methods = methods(random),
        2 => rule.endpoint = random.text(&["one", "two", "three"]),
        3 => rule.alias = !rule.alias,
        4 if !rule.rule.contains('\"') => {
            let mut segments: Vec<String> = rule.rule.split('/').map(str::to_owned).collect();
            let position = 1 + random.below(segments.len() - 1);
            segments[position] = random.text(&LITERALS);
            rule.rule = segments.join("/");
            rule.redirect_to = None;
        }
        5 => rule.rule = format!("{}/{}", rule.rule.trim_end_matches('/'), random.text(&LITERALS)),
        6 => {
            let name = *random.pick(&NAMES);
            if !names(&rule.rule).iter().any(|known| known == name) {
                rule.rule =
                    format!("{}/<{}{name}>", rule.rule.trim_end_matches('/'), random.pick(&CONVERTERS));
            }
        }
        _ => rule.host = options.host_matching.then(|| random.text(&HOSTS)),
    }
    rule
}

fn flip_slash(rule: &str) -> String {
    match rule.strip_suffix('/') {
        Some("") | None => format!("{rule}/"),
        Some(leaf) => leaf.to_owned(),
    }
}

/// The same endpoint with the last variable moved to the defaults.
fn default_form(random: &mut Random, mut rule: Rule) -> Rule {
    let Some(open) = rule.rule.rfind('<') else { return rule };
    let Some(name) = names(&rule.rule).pop() else { return rule };
    if rule.redirect_to.is_none() && random.percent(90) {
        rule.rule = rule.rule[..open].to_owned();
        if !rule.rule.ends_with('/') {
            rule.rule.push('/');
        }
    }
    if rule.defaults.iter().all(|(known, _)| *known != name) {
        rule.defaults.push((name, value(random)));
    }
    rule
}
