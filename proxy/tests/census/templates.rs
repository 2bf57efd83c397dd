//! `ficus check-templates`.

use crate::site::{FLASKS, Site};

/// Templates in files, objects in the context, a filter and a global of its own.
const SHOP: &str = r#"
import datetime
import decimal
import os
from flask import Flask, render_template, request

class Item:
    def __init__(self, name, price):
        self.name, self.price = name, decimal.Decimal(price)
        self.made = datetime.date(2024, 2, 29)
    def label(self, prefix, big=False):
        return (prefix + self.name).upper() if big else prefix + self.name

def shown(name):
    return render_template(name, items=[Item("<Pear>", "1.50"), Item("fig", "2")], page=2)

def create_app():
    app = Flask(__name__, template_folder=os.path.join(os.getcwd(), "templates"))
    app.secret_key = "x"
    app.add_template_filter(lambda value: "%.2f EUR" % value, "money")
    app.context_processor(lambda: {"shop": "Fruit & Co"})
    app.add_url_rule("/", "index", lambda: "no template")
    app.add_url_rule("/items/", "items", lambda: shown("items.html"))
    @app.route("/plain")
    def plain():
        return render_template("plain.html", title="T", rows=[1, 2])
    @app.route("/chosen")
    def chosen():
        return render_template(request.args["t"] + ".html")
    @app.route("/member")
    def member():
        if request.cookies.get("member") != "yes":
            return "", 302, {"Location": "/login"}
        return render_template("plain.html", title="member", rows=[])
    return app
"#;
const BASE: &str =
    "<title>{% block title %}{% endblock %} - {{ shop }}</title>\n{% block body %}{% endblock %}\n";
const ITEMS: &str = "{% extends 'base.html' %}{% from 'macros.html' import row %}\n{% block body %}\n\
    {% for item in items %}{{ row(item, class_='x') }} {{ item.price|money }} {{ item.made.strftime('%d.%m.%Y') }}\n{% endfor %}\n\
    <a href=\"{{ url_for('items', page=page + 1) }}\">{{ '%d pages' % page }}</a> {{ request.path }}\n{% endblock %}\n";
const MACROS: &str =
    "{% macro row(item) %}<li{{ kwargs|xmlattr }}>{{ item.label('# ', big=true) }}{{ items }}{% endmacro %}";

fn shop(flask: &str) -> Site {
    let site = Site::new(flask, SHOP);
    std::fs::create_dir(site.path("templates")).unwrap();
    site.write("templates/base.html", BASE);
    site.write("templates/items.html", ITEMS);
    site.write("templates/macros.html", MACROS);
    site.write(
        "templates/plain.html",
        "<h1>{{ title }}</h1>\n{% for row in rows %}\n<p class=\"row\">{{ row }}</p>\n{% endfor %}\n",
    );
    site
}

#[test]
fn both_engines_get_the_same_objects() {
    for flask in FLASKS {
        let done = shop(flask).run(&["check-templates", "--request", "/items/?page=2", "--json"]).expect(0);
        let page = &done.json()["pages"][0];
        assert_eq!(page["template"], "items.html", "{}", done.out);
        assert_eq!(
            (&page["result"], &page["context"]),
            (&"same".into(), &"real".into()),
            "{flask}: {}",
            done.out
        );
        assert_eq!(page["used"][0], "filter `money`");
    }
}

#[test]
fn contexts_are_invented_or_given() {
    let site = shop(FLASKS[1]);
    let done = site.run(&["check-templates", "items", "plain"]).expect(0);
    assert!(done.out.contains("2 the same, 0 differ, 0 fail, 0 only read"), "{}", done.out);
    assert!(done.out.contains("to be written in Rust: filter `money`"), "{}", done.out);
    site.write("context.json", r#"{"plain.html": {"title": "<T>", "rows": ["a", {"b": 1.5}]}}"#);
    let done = site.run(&["check-templates", "plain", "--context", "context.json", "--json"]).expect(0);
    assert_eq!(done.json()["pages"][0]["context"], "given");
    // A split route is named after its endpoint.
    site.run(&["check-templates", "plain.get"]).expect(0);
    site.write("context.json", "[]");
    let done = site.run(&["check-templates", "--context", "context.json"]).expect(1);
    assert!(done.err.contains("must be an object"), "{}", done.err);
}

#[test]
fn a_difference_is_shown_with_its_place() {
    let site = shop(FLASKS[2]);
    std::fs::create_dir(site.path("ported")).unwrap();
    site.write(
        "ported/plain.html",
        "<h1>{{ title }}</h1>\n{% for row in rows %}\n<p class=\"row\">{{ row }}!</p>\n{% endfor %}\n",
    );
    let done = site.run(&["check-templates", "plain", "--templates", "ported"]).expect(3);
    assert!(done.out.contains("plain.html  invented  DIFFERS"), "{}", done.out);
    assert!(
        done.out.contains("- flask: <p class=\"row\">") && done.out.contains("+ ficus: <p class=\"row\">"),
        "{}",
        done.out
    );
    let json = site.run(&["check-templates", "plain", "--templates", "ported", "--json"]).expect(3).json();
    let difference = &json["pages"][0]["differences"][0];
    assert_eq!(difference["line"], 3);
    // Only the application's own source is known here; the folder's has the same lines.
    assert!(difference["flask"][0].as_str().unwrap().ends_with("</p>"), "{difference}");
    // What minijinja cannot do is a failure, never another text.
    site.write(
        "templates/plain.html",
        "{% extends 'mid.html' %}{% block a %}{{ super.super() }}{% endblock %}",
    );
    site.write("templates/mid.html", "{% extends 'low.html' %}{% block a %}2{% endblock %}");
    site.write("templates/low.html", "{% block a %}3{% endblock %}");
    let done = site.run(&["check-templates", "plain"]).expect(3);
    assert!(done.out.contains("FAILS") && done.out.contains("plain.html:1"), "{}", done.out);
}

#[test]
fn what_jinja_does_not_render_is_read_at_least() {
    let site = shop(FLASKS[0]);
    site.write("templates/plain.html", "{{ title.missing.more() }}");
    let done = site.run(&["check-templates", "plain", "--context", "c.json"]);
    assert_eq!(done.code, 1, "{}", done.err);
    site.write("c.json", r#"{"plain": {"title": "t"}}"#);
    let done = site.run(&["check-templates", "plain", "--context", "c.json"]).expect(0);
    assert!(done.out.contains("only read") && done.out.contains("UndefinedError"), "{}", done.out);
    site.write("templates/plain.html", "{{ title.missing.more() }}{% include 'broken.html' %}");
    site.write("templates/broken.html", "\n{% if %}");
    let done = site.run(&["check-templates", "plain", "--context", "c.json"]).expect(3);
    assert!(done.out.contains("broken.html:2"), "{}", done.out);
}

#[test]
fn requests_take_cookies_and_mistakes_are_told() {
    let site = shop(FLASKS[1]);
    let done = site.run(&["check-templates", "--request", "/member"]).expect(1);
    assert!(done.err.contains("GET /member: 302 to /login, no template was rendered"), "{}", done.err);
    site.run(&["check-templates", "--request", "/member", "--cookie", "member=yes"]).expect(0);
    let done = site.run(&["check-templates", "plane"]).expect(1);
    assert!(done.err.contains("no endpoint `plane`; did you mean `plain`?"), "{}", done.err);
    let done = site.run(&["check-templates", "index"]).expect(1);
    assert!(done.err.contains("no template is seen in the source of `index`"), "{}", done.err);
    let done = site.run(&["check-templates"]).expect(0);
    assert!(
        done.err.contains("chosen: a template of it is named in a way that cannot be read"),
        "{}",
        done.err
    );
}

#[test]
fn the_templates_of_the_crm_give_the_same_text() {
    for flask in ["flask-1.1", "flask-2.3"] {
        let document = Site::empty(flask).run_for_crm(&["check-templates", "--json"]).expect(0).json();
        let pages = document["pages"].as_array().unwrap();
        let count = pages.iter().filter(|page| page["result"] == "same").count();
        assert!(count >= 28, "{flask}: only {count} of {} the same", pages.len());
    }
}
