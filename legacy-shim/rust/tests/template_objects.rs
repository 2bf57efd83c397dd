//! Dates and pages in templates, against Python's datetime and Flask-SQLAlchemy 2.4 and 3.1.

#![cfg(feature = "templates")]
#![allow(clippy::unwrap_used)]

mod support;

use chrono::{NaiveDate, NaiveDateTime};
use flask_compat::Profile;
use flask_compat::templates::{DateTime, Pagination, environment};
use minijinja::{Value, context};
use serde_json::{Value as Json, json};
use support::{cases, text, vectors};

fn evaluate(expression: &str, context: &Value) -> String {
    let env = environment(Profile::Werkzeug10);
    env.render_str(&format!("{{{{ {expression} }}}}"), context.clone()).unwrap()
}

fn moment(text: &str) -> DateTime {
    match text.parse::<NaiveDateTime>() {
        Ok(moment) => moment.into(),
        Err(_) => text.parse::<NaiveDate>().unwrap().into(),
    }
}

#[test]
fn shows_dates_like_python() {
    let vectors = vectors("flask-1.1", "objects");
    for case in cases(&vectors, "dates") {
        let context = context! { moment => Value::from(moment(text(case, "moment"))) };
        assert_eq!(evaluate("moment", &context), text(case, "text"));
        assert_eq!(evaluate("moment.isoformat()", &context), text(case, "isoformat"));
        assert_eq!(evaluate("moment.weekday()", &context), case["weekday"].to_string());
        for (pattern, shown) in case["strftime"].as_object().unwrap() {
            assert_eq!(evaluate(&format!("moment.strftime('{pattern}')"), &context), shown.as_str().unwrap());
        }
    }
    let context = context! { a => Value::from(moment("2024-01-02")), b => Value::from(moment("2024-01-03")) };
    assert_eq!(evaluate("a < b and a == a and [b, a]|sort|first == a", &context), "True");
    assert_eq!(
        evaluate("a.year ~ '/' ~ a.month ~ '/' ~ a.day ~ (a.hour|default('-'))", &context),
        "2024/1/2-"
    );
}

#[test]
fn counts_pages_like_flask_sqlalchemy() {
    for environment in ["flask-1.1", "flask-2.3"] {
        let vectors = vectors(environment, "objects");
        for case in cases(&vectors, "pages") {
            let number = |name: &str| case[name].as_u64().unwrap();
            let items: Value = (0..number("items")).map(Value::from).collect();
            let mut pagination = Pagination::new(items, number("page"), number("per_page"), number("total"));
            if environment != "flask-1.1" {
                pagination = pagination.like_version_3();
            }
            let context = context! { pagination => Value::from_object(pagination) };
            let ask = |expression: &str| -> Json {
                serde_json::from_str(&evaluate(&format!("({expression})|tojson"), &context)).unwrap()
            };
            for name in ["pages", "has_prev", "has_next", "prev_num", "next_num", "page", "per_page", "total"]
            {
                assert_eq!(ask(&format!("pagination.{name}")), case[name], "{environment} {name} of {case}");
            }
            for shown in cases(case, "shown") {
                let edges = shown["edges"].as_object().unwrap();
                let edges: Vec<String> =
                    edges.iter().map(|(name, value)| format!("{name}={value}")).collect();
                let ours = ask(&format!("pagination.iter_pages({})", edges.join(", ")));
                assert_eq!(json!(ours), shown["numbers"], "{environment} {edges:?} of {case}");
            }
        }
    }
}
