//! Requests and `build` calls for a map: mostly instances of its rules with small damage.

use serde_json::{Value as Json, json};

use super::case::{Asked, Options, Rule, Wanted};
use super::generate::names;
use super::random::Random;

const HOSTS: [&str; 19] = [
    "example.com",
    "example.com",
    "www.example.com",
    "a.example.com",
    "EXAMPLE.com",
    "example.com:80",
    "example.com:443",
    "example.com:8080",
    "a.b.example.com",
    "7.example.com",
    "x-1.example.com",
    "localhost",
    "127.0.0.1:5000",
    "[::1]:8080",
    "example.com.",
    "",
    "bad host",
    "a..example.com",
    "ex_ample.com",
];
const METHODS: [&str; 11] =
    ["GET", "GET", "GET", "GET", "POST", "POST", "HEAD", "PUT", "OPTIONS", "get", "FOO"];
const TEXTS: [&str; 16] =
    ["a", "ab", "abc", "x", "new", "1", "12", "a-b", "a.b", "é", "a\n", " ", "x.json", "日本", "a|b", "100%"];
const INTEGERS: [&str; 12] =
    ["1", "2", "3", "12", "007", "0", "-1", "-0", "٣", "1234567890123456789012345", "4", "12a"];
const FLOATS: [&str; 9] =
    ["1.0", "1.50", "-2.5", "0.10", "1", "1.", "٣.٥", "100000000000000000000.0", "2.50"];
const PATHS: [&str; 12] =
    ["a", "a/b", "a//b", "a/", "a/b/", "/a", "x/y/z", "a\nb", "a\n", "1/2", "é/x", "a/b/c/d"];
const UUIDS: [&str; 3] = [
    "12345678-1234-1234-1234-123456789abc",
    "ABCDEFAB-1234-1234-1234-123456789ABC",
    "12345678-1234-1234-1234-123456789ab",
];

/// A request.
pub(super) fn asked(random: &mut Random, rules: &[Rule], options: &Options) -> Asked {
    let rule = random.pick(rules).clone();
    let host = if random.percent(70) { fitting_host(random, &rule, options) } else { random.text(&HOSTS) };
    let alone = rules.iter().all(|rule| rule.rule.matches('<').count() < 2);
    let mut path = instance(random, &rule.rule, alone);
    if random.percent(5) {
        let other = random.pick(rules).clone();
        path.push_str(&instance(random, &other.rule, false));
    }
    if random.percent(40) {
        path = damaged(random, &path);
    }
    let scheme = if rule.websocket && random.percent(70) {
        "ws"
    } else {
        random.pick(&["http", "http", "http", "http", "https", "ws", "wss"])
    };
    Asked {
        host,
        method: random.text(&METHODS),
        path: encoded(random, &path),
        query: random.text(&["", "", "", "a=1&b=%20", "x"]),
        scheme: (*scheme).to_owned(),
        script_name: random.text(&["/", "/", "/", "", "/app", "/app/"]),
    }
}

/// A host that the rule may be meant for.
fn fitting_host(random: &mut Random, rule: &Rule, options: &Options) -> String {
    if options.host_matching {
        let host = instance(random, rule.host.as_deref().unwrap_or_default(), false);
        return if sendable(&host) { host } else { random.text(&HOSTS) };
    }
    let subdomain = instance(random, rule.subdomain.as_deref().unwrap_or(&options.default_subdomain), false);
    let name = options.server_name.as_deref().unwrap_or("example.com");
    if subdomain.is_empty() || !sendable(&subdomain) {
        name.to_owned()
    } else {
        format!("{subdomain}.{name}")
    }
}

/// Hosts that no server passes on are answered with `BadHost`, whatever Werkzeug would do.
fn sendable(host: &str) -> bool {
    host.bytes().all(|b| b.is_ascii() && !b.is_ascii_control() && b != b'|')
}

/// A text for each variable of the rule; `alone` if no rule of the map has several variables.
fn instance(random: &mut Random, rule: &str, alone: bool) -> String {
    let (mut text, mut rest) = (String::new(), rule);
    while let Some(open) = rest.find('<') {
        text.push_str(&rest[..open]);
        let Some(close) = rest[open..].find('>') else { break };
        let inner = &rest[open + 1..open + close];
        text.push_str(&variable(random, inner, alone));
        rest = &rest[open + close + 1..];
    }
    text + rest
}

fn variable(random: &mut Random, inner: &str, alone: bool) -> String {
    if random.percent(12) {
        return random.text(&TEXTS);
    }
    // Longer with several variables Python would search for hours.
    if alone && random.percent(1) {
        return random.text(&["1", "0", "٣"]).repeat(*random.pick(&[4300, 4301]));
    }
    let kind = inner.split(['(', ':']).next().unwrap_or_default();
    match kind {
        "int" | "digits" => random.text(&INTEGERS),
        "float" => random.text(&FLOATS),
        "path" | "two" | "rest" => random.text(&PATHS),
        "uuid" => random.text(&UUIDS),
        "any" => random.text(&["a", "ab", "a,b", "x", "new", "1", "a/b", "b"]),
        "hex" => random.text(&["ff", "0a", "fg"]),
        "list" => random.text(&["a,b", "a", "a,"]),
        _ => random.text(&TEXTS),
    }
}

fn damaged(random: &mut Random, path: &str) -> String {
    let mut chars: Vec<char> = path.chars().collect();
    let position = random.below(chars.len() + 1);
    match random.below(11) {
        0 | 1 => chars.insert(position, '/'),
        2 if path.ends_with('/') => {
            chars.pop();
        }
        2 | 3 => chars.push('/'),
        4 => chars.push('\n'),
        5 => chars.insert(0, '/'),
        6 => chars
            .insert(position, *random.pick(&['a', '1', '.', '-', '\n', 'é', '%', '|', '+', ';', '&', '@'])),
        7 if !chars.is_empty() => {
            chars.remove(position.min(chars.len() - 1));
        }
        8 => chars.extend(random.pick(&["//", "/x", "/a/b", "\n\n", "/\n"]).chars()),
        9 => chars.splice(position..position, "//".chars()).for_each(drop),
        _ => chars.truncate(position),
    }
    chars.into_iter().collect()
}

/// Percent escapes where they must be, and sometimes where they need not be.
fn encoded(random: &mut Random, path: &str) -> String {
    let mut out = String::new();
    let eager = random.percent(20);
    for c in path.chars() {
        let plain = c.is_ascii_graphic() && !matches!(c, '%' | '?' | '#');
        if plain && !(eager && random.percent(25)) {
            out.push(c);
            continue;
        }
        let mut buffer = [0; 4];
        for byte in c.encode_utf8(&mut buffer).bytes() {
            out.push_str(&if random.percent(50) { format!("%{byte:02X}") } else { format!("%{byte:02x}") });
        }
    }
    if random.percent(2) {
        out.push_str(random.among(&["%ff", "%", "%zz", "%00", "%E2%82", "%C3%A9"]));
    }
    out
}

/// A `build` call.
pub(super) fn wanted(random: &mut Random, rules: &[Rule]) -> Wanted {
    let rule = random.pick(rules).clone();
    let mut values = Vec::new();
    let domain = rule.subdomain.clone().or(rule.host.clone()).unwrap_or_default();
    for name in names(&rule.rule).into_iter().chain(names(&domain)) {
        if random.percent(95) {
            values.push((name, value(random)));
        }
    }
    for (name, default) in &rule.defaults {
        if random.percent(50) && values.iter().all(|(known, _)| known != name) {
            values.push((name.clone(), if random.percent(70) { default.clone() } else { value(random) }));
        }
    }
    if random.percent(30) {
        for name in ["zeta", "alpha b", "é&"].into_iter().take(1 + random.below(3)) {
            values.push((name.to_owned(), query_value(random)));
        }
    }
    Wanted {
        endpoint: if random.percent(97) { rule.endpoint } else { "nowhere".to_owned() },
        values,
        host: random.text(&HOSTS),
        scheme: random.text(&["http", "http", "https", "ws", "wss"]),
        script_name: random.text(&["/", "/", "", "/app"]),
        request_method: random.text(&METHODS),
        method: random.percent(20).then(|| random.text(&METHODS)),
        external: random.percent(30),
        append_unknown: random.percent(90),
    }
}

fn value(random: &mut Random) -> Json {
    match random.below(8) {
        0..=2 => {
            json!({ "s": random.text(&["a", "ab", "x", "a b", "a/b", "é", "1", " 12 ", "1.5", "!$&'()*+,/:;=@~?#[]|%", "new", "a,b", "1_0"]) })
        }
        3 | 4 => json!({ "i": random.text(&["1", "2", "12", "-1", "7", "123456789012"]) }),
        5 => json!({ "f": random.text(&["1.0", "2.5", "-0.5", "1e16", "1e-05", "inf", "nan"]) }),
        6 => json!({ "u": UUIDS[0] }),
        _ => json!({ "b": random.percent(50) }),
    }
}

fn query_value(random: &mut Random) -> Json {
    match random.below(5) {
        0 => json!({ "l": [value(random), Json::Null, value(random)] }),
        1 => json!({ "l": [] }),
        2 => Json::Null,
        _ => value(random),
    }
}
