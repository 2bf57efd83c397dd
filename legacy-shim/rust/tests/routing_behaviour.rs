//! The router's known cases, one by one: what differs between Werkzeug versions, what a lookup costs, what rules are
//! refused. `tests/routing` compares with the real Werkzeug at large.

#![allow(clippy::unwrap_used, reason = "maps of a test that are wrong fail it")]

use flask_compat::Profile;
use flask_compat::routing::{ConverterSpec, Map, MapOptions, Match, Request, RuleSpec, UrlFor, Value};

const OLD: Profile = Profile::Werkzeug10;
const NEW: Profile = Profile::Werkzeug23;
const NEWEST: Profile = Profile::Werkzeug31;

/// A map whose endpoints are the rules themselves.
fn map(profile: Profile, rules: &[&str]) -> Map {
    let specs: Vec<RuleSpec> = rules.iter().map(|rule| RuleSpec::new(*rule, *rule)).collect();
    Map::new(MapOptions::new(profile), &specs).unwrap()
}

/// The answer as a short text.
fn find(map: &Map, method: &str, path: &str) -> String {
    match map.find("h", method, path) {
        Match::Rule(matched) => {
            let args: Vec<String> =
                matched.args().map(|(name, arg)| format!(" {name}={}", arg.text())).collect();
            format!("{}{}", matched.endpoint(), args.concat())
        }
        Match::Redirect(redirect) => format!("-> {}", redirect.location),
        Match::MethodNotAllowed { allow } => format!("405 {}", allow.join(",")),
        Match::NotFound => "404".to_owned(),
        other => format!("{other:?}"),
    }
}

#[test]
fn leaf_beside_branch_redirects_only_up_to_2_1() {
    let rules = ["/b/", "/b"];
    assert_eq!(find(&map(OLD, &rules), "GET", "/b"), "-> http://h/b/");
    assert_eq!(find(&map(NEW, &rules), "GET", "/b"), "/b");
}

#[test]
fn slash_redirect_with_another_method_is_405_or_404() {
    let specs = [RuleSpec::new("/dir/", "dir").methods(["GET"])];
    let answer = |profile| find(&Map::new(MapOptions::new(profile), &specs).unwrap(), "POST", "/dir");
    assert_eq!(answer(OLD), "405 GET,HEAD");
    assert_eq!(answer(NEW), "404");
}

#[test]
fn static_prefix_or_longer_rule_first() {
    let rules = ["/a/<x>/c/d", "/a/b/<path:rest>"];
    assert_eq!(find(&map(OLD, &rules), "GET", "/a/b/c/d"), "/a/<x>/c/d x=b");
    assert_eq!(find(&map(NEW, &rules), "GET", "/a/b/c/d"), "/a/b/<path:rest> rest=c/d");
}

#[test]
fn a_refused_value_tries_the_next_rule_only_up_to_2_1() {
    let rules = ["/a/<int(max=3):n>", "/a/<x>"];
    assert_eq!(find(&map(OLD, &rules), "GET", "/a/9"), "/a/<x> x=9");
    assert_eq!(find(&map(NEW, &rules), "GET", "/a/9"), "404");
}

#[test]
fn several_slashes_before_a_variable() {
    let rules = ["/a/<x>"];
    assert_eq!(find(&map(OLD, &rules), "GET", "/a///v"), "-> http://h/a/v");
    assert_eq!(find(&map(NEW, &rules), "GET", "/a///v"), "404");
    assert_eq!(find(&map(NEWEST, &rules), "GET", "/a///v"), "-> http://h/a/v");
}

#[test]
fn a_trailing_newline_matched_until_2_0() {
    assert_eq!(find(&map(OLD, &["/a"]), "GET", "/a%0A"), "/a");
    assert_eq!(find(&map(NEW, &["/a"]), "GET", "/a%0A"), "404");
}

#[test]
fn redirects_escape_other_characters_since_2_3() {
    assert_eq!(find(&map(OLD, &["/<x>/"]), "GET", "/a&b;c"), "-> http://h/a%26b%3Bc/");
    assert_eq!(find(&map(NEW, &["/<x>/"]), "GET", "/a&b;c"), "-> http://h/a&b;c/");
}

#[test]
fn methods_fall_through_and_unite() {
    let specs = [
        RuleSpec::new("/x/new", "new").methods(["POST"]),
        RuleSpec::new("/x/<n>", "item").methods(["GET"]).automatic_options(),
    ];
    for profile in Profile::ALL {
        let map = Map::new(MapOptions::new(profile), &specs).unwrap();
        assert_eq!(find(&map, "GET", "/x/new"), "item n=new");
        assert_eq!(find(&map, "HEAD", "/x/new"), "item n=new");
        assert_eq!(find(&map, "OPTIONS", "/x/new"), "item n=new");
        assert_eq!(find(&map, "PUT", "/x/new"), "405 GET,HEAD,OPTIONS,POST");
        assert_eq!(map.allowed_methods("h", "/x/1"), ["GET", "HEAD", "OPTIONS"]);
    }
}

#[test]
fn an_escaped_slash_is_a_slash() {
    for profile in Profile::ALL {
        assert_eq!(find(&map(profile, &["/s/<x>/<y>"]), "GET", "/s/a%2Fb"), "/s/<x>/<y> x=a y=b");
        assert_eq!(find(&map(profile, &["/s/<x>"]), "GET", "//s/%ff"), "/s/<x> x=\u{fffd}");
    }
}

#[test]
fn defaults_redirect_and_keep_the_query() {
    let specs = [
        RuleSpec::new("/all/", "all").default_value("page", 1),
        RuleSpec::new("/all/page/<int:page>", "all"),
    ];
    for profile in Profile::ALL {
        let map = Map::new(MapOptions::new(profile), &specs).unwrap();
        let request = Request { query: "q=%20", ..Request::new("h:5000", "GET", "/all/page/1") };
        let Match::Redirect(redirect) = map.find_request(&request) else { panic!("no redirect") };
        assert_eq!(redirect.location, "http://h:5000/all/?q=%20");
        assert_eq!(find(&map, "GET", "/all/page/2"), "all page=2");
        assert_eq!(find(&map, "GET", "/all/"), "all page=1");
    }
}

#[test]
fn values_are_typed() {
    let map = map(OLD, &["/<int:n>/<float:f>/<x>"]);
    let Match::Rule(matched) = map.find("h", "GET", "/0%D9%A3/1.50/a%20b") else { panic!("no match") };
    assert_eq!(matched.arg("n").unwrap().as_i64(), Some(3));
    assert_eq!(matched.arg("n").unwrap().text(), "0٣");
    assert_eq!(matched.arg("f").unwrap().as_f64(), Some(1.5));
    assert_eq!(matched.arg("x").unwrap().value(), Value::from("a b"));
    assert!(matched.arg("y").is_none());
}

#[test]
fn an_integer_of_4301_digits_breaks_flask_before_3_1() {
    let path = format!("/{}", "1".repeat(4301));
    for profile in [OLD, NEW] {
        assert!(matches!(
            map(profile, &["/<int:n>"]).find("h", "GET", &path),
            Match::ServerError { rule: 0, .. }
        ));
    }
    assert_eq!(find(&map(NEWEST, &["/<int:n>"]), "GET", &path), "404");
}

#[test]
fn builds_urls() {
    let specs = [RuleSpec::new("/c/<int:id>/<name>", "c").methods(["GET"]), RuleSpec::new("/c/", "c")];
    let map = Map::new(MapOptions::new(OLD), &specs).unwrap();
    let here = UrlFor { host: "h", anchor: Some("top é"), ..UrlFor::default() };
    let values = [("name", "a b/c".into()), ("id", 7.into()), ("q", "x y".into()), ("none", Value::None)];
    assert_eq!(map.build("c", &values, &here).unwrap(), "/c/7/a%20b/c?q=x+y#top%20%C3%A9");
    let external =
        UrlFor { external: true, scheme: "https", script_name: "/app", host: "h:8443", ..UrlFor::default() };
    assert_eq!(map.build("c", &[("page", 2.into())], &external).unwrap(), "https://h:8443/app/c/?page=2");
    let error = map.build("d", &[], &here).unwrap_err();
    assert_eq!(error.to_string(), "no rule has the endpoint `d`");
    let error = map.build("c", &[("id", "x".into()), ("name", "y".into())], &here).unwrap_err();
    assert_eq!(error.to_string(), "cannot build a URL for `c`: `x` is not an integer");
}

#[test]
fn all_errors_of_all_rules_are_reported() {
    let specs = [
        RuleSpec::new("a/<integer:id>/<int id>", "one"),
        RuleSpec::new("/<id>/<id>/<slugg:x>/<strin:y>", "two"),
        RuleSpec { redirect_to: Some("/new/<nr>".to_owned()), ..RuleSpec::new("/old/<id>", "three") },
        RuleSpec::new("/<int:page>", "four").default_value("page", "x"),
    ];
    for profile in Profile::ALL {
        let errors = Map::new(MapOptions::new(profile), &specs).unwrap_err();
        let shown: Vec<String> = errors
            .iter()
            .map(|error| format!("{} {}..{} {error}", error.index, error.span.start, error.span.end))
            .collect();
        let expected = [
            "0 2..14 unknown converter `integer`, did you mean `<int:id>`".replace("2..14", "3..10"),
            "0 15..23 malformed variable `<int id>`, did you mean `<int:id>`".to_owned(),
            "0 0..1 rule `a/<integer:id>/<int id>` must start with a slash, did you mean `/a/<integer:id>/<int id>`".to_owned(),
            "1 6..10 variable `id` is used twice".to_owned(),
            "1 12..17 unknown converter `slugg`".to_owned(),
            "1 22..27 unknown converter `strin`, did you mean `<string:y>`".to_owned(),
            "2 5..9 redirect target `/new/<nr>`: the rule has no variable `nr`".to_owned(),
            "3 0..0 the default of `page` does not fit its converter: `x` is not an integer".to_owned(),
        ];
        for expected in &expected {
            assert!(shown.iter().any(|line| line.starts_with(expected.as_str())), "{expected}\n{shown:#?}");
        }
        assert_eq!(shown.len(), expected.len(), "{shown:#?}");
    }
}

#[test]
fn a_common_lookup_allocates_nothing() {
    let rules = [
        "/",
        "/customers/",
        "/customers/<int:id>",
        "/customers/<int:id>/edit",
        "/static/<path:file>",
        "/<a>-<b>.csv",
    ];
    let paths = [
        "/",
        "/customers/",
        "/customers/47",
        "/customers/47/edit",
        "/static/css/a.css",
        "/x-y.csv",
        "/no/such",
    ];
    for profile in Profile::ALL {
        let map = map(profile, &rules);
        for path in paths {
            let count = allocation_counter::measure(|| {
                let found = map.find("crm.example.com", "GET", path);
                if let Match::Rule(matched) = &found {
                    assert!(matched.args().all(|(_, arg)| !arg.text().is_empty()));
                }
            });
            assert_eq!(count.count_total, 0, "{profile} {path}");
        }
    }
}

/// The same among thousands of rules, wherever in the map the rule stands.
#[test]
fn a_lookup_in_a_large_map_allocates_nothing() {
    let shapes =
        ["/{}/", "/{}/<int:id>", "/{}/<slug>/edit", "/{}/files/<path:name>", "/{}/report-<year>.<kind>"];
    for (profile, resources) in
        Profile::ALL.into_iter().flat_map(|profile| [(profile, 200), (profile, 2_000)])
    {
        let fill = |shape: &str, number: usize| shape.replace("{}", &format!("resource{number}"));
        let rules: Vec<String> =
            (0..resources).flat_map(|number| shapes.map(|shape| fill(shape, number))).collect();
        let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
        let map = map(profile, &rules);
        let paths = [
            "/{}/",
            "/{}/4711",
            "/{}/a-slug/edit",
            "/{}/files/a/b.css",
            "/{}/report-2024.csv",
            "/{}/no/such",
        ];
        for number in [0, resources / 2, resources - 1] {
            for path in paths.map(|path| fill(path, number)) {
                let mut matched = false;
                let count = allocation_counter::measure(|| {
                    matched = matches!(map.find("crm.example.com", "GET", &path), Match::Rule(_));
                });
                assert_eq!(matched, !path.ends_with("such"), "{profile} {path}");
                assert_eq!(count.count_total, 0, "{profile} {path} among {}", rules.len());
            }
        }
    }
}

#[test]
fn hostile_paths_end() {
    let rules = [
        "/<path:a>/x/<path:b>/x/<path:c>/x/<path:d>/end",
        "/<a>-<b>-<c>-<d>-<e>!",
        "/<path:a>!<path:b>!<c>?",
        "/<int:a><own:b><int:c>x",
        "/<own:a><own:b><own:c>x",
    ];
    let paths = ["a/x/", "-a-a", "!!!!", "1111", "%D9%A3"].map(|part| format!("/{}", part.repeat(400)));
    for profile in Profile::ALL {
        let specs: Vec<RuleSpec> = rules.iter().map(|rule| RuleSpec::new(*rule, *rule)).collect();
        let mut options = MapOptions::new(profile);
        options.converters.insert("own".to_owned(), ConverterSpec::new(r"\d+"));
        let map = Map::new(options, &specs).unwrap();
        for path in &paths {
            assert_eq!(find(&map, "GET", path), "404");
        }
    }
}
