//! `ficus prove-routes`.

use crate::site::{FLASKS, SHOP, Site};

/// Everything that a rule can say: every converter with arguments, several in a segment, defaults, hosts of rules.
const MIXED: &str = r#"
from flask import Flask

def create_app():
    app = Flask(__name__)
    view = lambda **arguments: ""
    for number, rule in enumerate([
        "/", "/a", "/a/", "/a/<b>", "/a/<int:b>", "/a/<int(fixed_digits=3):b>/x", "/a/<int(min=5, max=9):b>/y",
        "/f/<float:b>", "/u/<uuid:b>", "/u/<b>", "/p/<path:b>", "/p/<path:b>/end", "/p/<b>/end", "/l/<string(length=2):b>",
        "/l/<string(minlength=3, maxlength=5):b>/", "/w/<any(new, edit, 'x y'):b>", "/w/<b>", "/d/<int:y>-<int:m>.<ext>",
        "/caf\u00e9/<b>", "/a b/<b>/", "/n/<int(signed=True):b>",
    ]):
        app.add_url_rule(rule, "e%d" % number, view, methods=["GET", "POST"][:1 + number % 2])
    app.add_url_rule("/pages/", "pages", view, defaults={"page": 1})
    app.add_url_rule("/pages/<int:page>", "pages", view)
    app.add_url_rule("/users/", "users", view, defaults={"user_id": None, "flag": True})
    app.add_url_rule("/users/<int:user_id>", "users", view, methods=["GET", "DELETE"])
    app.add_url_rule("/loose", "loose", view, strict_slashes=False)
    app.add_url_rule("/a/<int:b>", "remove", view, methods=["DELETE"])
    return app
"#;

#[test]
fn every_flask_agrees_with_the_table_of_the_proxy() {
    for flask in FLASKS {
        let site = Site::new(flask, MIXED);
        site.run(&["init"]).expect(0);
        let proof = site.run(&["prove-routes", "--json", "--count", "12000", "--seed", "3"]);
        assert_eq!(proof.code, 0, "{flask}: {}{}", proof.out, proof.err);
        let document = proof.json();
        assert_eq!((&document["agreed"], &document["disagreed"]), (&12_000.into(), &0.into()), "{flask}");
        for answer in ["an endpoint", "a redirect", "404", "405"] {
            let count = document["answers"][answer].as_u64().unwrap_or_default();
            assert!(count > 100, "{flask}: only {count} times {answer}");
        }
    }
}

#[test]
fn every_rule_of_the_crm_is_matched_as_flask_does() {
    for flask in ["flask-1.1", "flask-2.3"] {
        let site = Site::empty(flask);
        let init = site.run_for_crm(&["init"]).expect(0);
        assert!(init.out.contains("Flask-Login"), "{}", init.out);
        site.run_for_crm(&["census", "--exit-code"]).expect(0);
        let proof = site.run_for_crm(&["prove-routes", "--count", "12000"]).expect(0);
        assert!(proof.out.contains("12000 agree, 0 left to Flask, 0 disagree"), "{flask}: {}", proof.out);
    }
}

#[test]
fn whatever_differs_is_found() {
    let lies = [
        ("rule = \"/shop/new\"", "rule = \"/shop/old\"", "shop.create"),
        ("rule = \"/shop/<int:item_id>\"", "rule = \"/shop/<item_id>\"", "shop.item"),
        ("rule = \"/shop/<int:item_id>\"", "rule = \"/shop/<int:other>\"", "other=\""),
        ("rule = \"/shop/\"", "rule = \"/shop\"", "redirect to http://localhost/shop/"),
        ("methods = [\"GET\", \"POST\"]", "methods = [\"GET\"]", "405, allowed are GET, HEAD, OPTIONS"),
        ("name = \"pages\"", "name = \"sheets\"", "sheets"),
    ];
    let site = Site::new(FLASKS[0], SHOP);
    site.run(&["init"]).expect(0);
    let written = site.read("routes.toml");
    for (from, to, expected) in lies {
        site.write("routes.toml", &written);
        site.edit("routes.toml", from, to);
        let proof = site.run(&["prove-routes", "--count", "1500"]).expect(1);
        assert!(proof.out.contains(expected), "{from} -> {to}: {}", proof.out);
        assert!(!proof.out.contains(" 0 disagree"), "{}", proof.out);
    }
}

#[test]
fn a_seed_repeats_the_proof() {
    let site = Site::new(FLASKS[1], SHOP);
    site.run(&["init"]).expect(0);
    site.edit("routes.toml", "rule = \"/shop/<int:item_id>\"", "rule = \"/shop/<item_id>\"");
    let proof = |seed| site.run(&["prove-routes", "--json", "--count", "2000", "--seed", seed]).expect(1).out;
    assert_eq!(proof("7"), proof("7"));
    assert_ne!(proof("7"), proof("8"));
}

#[test]
fn recorded_requests_are_asked_too() {
    let site = Site::new(FLASKS[2], SHOP);
    site.run(&["init"]).expect(0);
    site.write(
        "access.log",
        "1.2.3.4 - - [01/Jan/2026:00:00:00 +0000] \"GET /shop/7?x=1 HTTP/1.1\" 200 1 \"-\" \"-\"\n\
         {\"method\":\"GET\",\"path\":\"/pages/a/b\"}\nnonsense\n",
    );
    let arguments = ["prove-routes", "--count", "0", "--log", "access.log"];
    let document = site.run(&[&arguments[..], &["--json"]].concat()).expect(0).json();
    assert_eq!((&document["recorded"], &document["lines_without_request"]), (&2.into(), &1.into()));
    assert_eq!(document["answers"]["an endpoint"], 2);
    site.edit("routes.toml", "rule = \"/pages/<path:page>\"", "rule = \"/pages/<page>\"");
    let proof = site.run(&arguments).expect(1);
    assert!(proof.out.contains("1 times, as GET /pages/a/b on localhost"), "{}", proof.out);
    let done = site.run(&["prove-routes", "--log", "not-there.log"]).expect(1);
    assert!(done.err.contains("cannot read `not-there.log`"), "{}", done.err);
}

#[test]
fn what_only_flask_can_follow_is_counted_apart() {
    let site = Site::new(FLASKS[1], SHOP);
    site.run_for("apps.office:create_app", &["init"]).expect(0);
    let arguments = ["prove-routes", "--json", "--count", "4000"];
    let document = site.run_for("apps.office:create_app", &arguments).expect(1).json();
    assert!(document["left_to_flask"].as_u64().unwrap() > 0);
    // These have no words in routes.toml, and are told.
    let known = ["quiet", "anything", "customers.by_tag", " 405"];
    for group in document["groups"].as_array().unwrap() {
        let endpoint = group["flask"]["endpoint"].as_str().unwrap_or(" 405");
        assert!(known.contains(&endpoint), "{group}");
    }
}

#[test]
fn an_application_that_dies_is_told() {
    let dying = "import os\nfrom flask import Flask\nfrom werkzeug.routing import BaseConverter\n\
                 class Dies(BaseConverter):\n    def to_python(self, value):\n        os._exit(3)\n\
                 app = Flask(__name__)\napp.url_map.converters['dies'] = Dies\n\
                 app.add_url_rule('/<dies:x>', 'x', lambda x: x)\n";
    let site = Site::new(FLASKS[1], dying);
    site.run_for("shop:app", &["init"]).expect(0);
    let done = site.run_for("shop:app", &["prove-routes", "--count", "50"]).expect(1);
    assert!(done.err.contains("-m legacy_shim` failed"), "{}", done.err);
}

/// Blueprints with variables in their prefix, hosts, static files at the root, classes, own converters, rules that only
/// Flask's map answers, a factory with arguments.
const ODD: &str = r#"
from flask import Blueprint, Flask
from flask.views import MethodView, View
from werkzeug.routing import BaseConverter, Rule

class Words(BaseConverter):
    regex = r"[a-z]+(?:,[a-z]+)*"
    def to_python(self, value):
        return value.split(",")

class Items(MethodView):
    def get(self, **arguments):
        return ""
    post = delete = get

class Old(View):
    methods = ["GET", "POST"]
    def dispatch_request(self):
        return ""

def create_app(config, *, debug=False):
    app = Flask(__name__, static_url_path="", host_matching=True, static_host="static.example.com")
    app.url_map.converters["words"] = Words
    pages = Blueprint("pages", __name__, url_prefix="/<lang>/pages")
    pages.add_url_rule("/", "index", lambda lang: "", host="a.example.com")
    pages.add_url_rule("/x", "x", lambda **arguments: "", host="<team>.example.com", defaults={"page": 1})
    pages.add_url_rule("/x/<int:page>", "x", host="<team>.example.com")
    app.register_blueprint(pages)
    items = Items.as_view("items")
    at = {"host": "a.example.com"}
    app.add_url_rule("/items/", view_func=items, methods=["GET"], defaults={"item_id": None}, **at)
    app.add_url_rule("/items/", view_func=items, methods=["POST"], **at)
    app.add_url_rule("/items/<int:item_id>", view_func=items, methods=["GET", "DELETE"], **at)
    app.add_url_rule("/old", view_func=Old.as_view("old"), **at)
    app.add_url_rule("/words/<words:w>", "words", lambda w: "", **at)
    app.url_map.add(Rule("/ws", endpoint="ws", websocket=True, **at))
    app.url_map.add(Rule("/older", endpoint="older", redirect_to="/old", **at))
    return app
"#;

#[test]
fn odd_applications_agree_as_well() {
    for flask in FLASKS {
        let (site, app) = (Site::new(flask, ODD), "shop:create_app('x', debug=True)");
        site.run_for(app, &["init"]).expect(0);
        site.run_for(app, &["census", "--exit-code"]).expect(0);
        let proof = site.run_for(app, &["prove-routes", "--json", "--count", "6000"]);
        assert_eq!(proof.code, 0, "{flask}: {}{}", proof.out, proof.err);
        let refused = site.run(&["init", "--force"]).expect(1);
        assert!(refused.err.contains("takes (config, *, debug=False)"), "{}", refused.err);
        assert!(!refused.err.contains("Traceback"), "{}", refused.err);
    }
}
