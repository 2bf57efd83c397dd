//! The form against the Flask application's own `CustomerForm`: the cases `crm` of `flask-compat`'s form vectors, written by
//! running the real class and template under Flask 1.1 and 2.3. Data, errors and HTML must be the same.

use flask_compat::Profile;
use flask_compat::forms::{Decimal, Form, FormData, Opening, Value};
use flask_compat::web::FormClass;
use minijinja::context;
use serde_json::{Value as Json, json};

use super::form::{CustomerForm, offer_owners};
use crate::crm::user::{Person, User};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

fn text(value: &Json) -> String {
    value.as_str().unwrap().to_owned()
}

fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::None,
        Json::Number(number) => number.as_i64().unwrap().into(),
        Json::Object(typed) => Decimal::parse(typed["decimal"].as_str().unwrap()).unwrap().into(),
        other => text(other).into(),
    }
}

fn shown(value: &Value) -> Json {
    match value {
        Value::None => Json::Null,
        Value::Text(text) => text.as_str().into(),
        Value::Integer(number) => json!({ "integer": number.to_string() }),
        Value::Decimal(number) => json!({ "decimal": number.to_string() }),
        other => panic!("no field of the form holds {other:?}"),
    }
}

/// As the views open it: `CustomerForm(obj=customer)`, then `offer_owners`.
fn open(case: &Json, profile: Profile, token: &Json) -> Form {
    let loaded = case["values"].as_object().into_iter().flatten();
    let mut opening = Opening::new(profile).csrf_token(text(token));
    opening = opening.values(loaded.map(|(name, json)| (name.clone(), value(json))));
    if let Some(pairs) = case["form"].as_array() {
        let sent: FormData = pairs.iter().map(|pair| (text(&pair[0]), text(&pair[1]))).collect();
        opening = opening.submitted(sent);
    }
    let mut form = CustomerForm::spec().unwrap().open(opening);
    let user =
        User { id: 1, email: String::new(), name: String::new(), role: "admin".to_owned(), active: true };
    let people =
        [(1, "Ana"), (2, "Marco"), (30, "Rita")].map(|(id, name)| Person { id, name: name.to_owned() });
    offer_owners(&mut form, &user, &people);
    form
}

#[test]
fn the_form_is_that_of_the_flask_application() {
    for (profile, version) in [(Profile::Werkzeug10, "2.3"), (Profile::Werkzeug23, "3.3")] {
        let path = format!("{ROOT}/legacy-shim/rust/tests/vectors/forms-wtforms-{version}.json");
        let vectors: Json = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let mut environment = flask_compat::templates::environment(profile);
        environment.set_loader(minijinja::path_loader(format!("{ROOT}/legacy-crm/crm/templates")));
        let cases = vectors["crm"].as_array().unwrap();
        assert!(cases.len() > 8, "{version}");
        for case in cases {
            let (expected, name) = (&case["expected"], format!("{profile} {}", case["form"]));
            let mut form = open(case, profile, &vectors["token"]);
            if expected["validates"] == true {
                assert_eq!(Json::Bool(form.validate()), expected["valid"], "{name}");
            }
            let errors = form.errors().map(|(field, errors)| (field.to_owned(), errors.into()));
            assert_eq!(Json::Object(errors.collect()), expected["errors"], "{name}");
            let data = form.fields().map(|field| (field.name().to_owned(), shown(field.data())));
            assert_eq!(Json::Object(data.collect()), expected["data"], "{name}");
            let page = environment.get_template("customers/_form.html").unwrap().render(context! {
                form => form.to_template(),
                current_user => context! { sees_everything => case["sees_everything"].as_bool() },
                cancel => "/customers/?a=1&b=2",
            });
            assert_eq!(page.unwrap(), text(&expected["html"][0]), "{name}");
        }
    }
}
