//! Forms against the real WTForms: every case of `vectors/forms-*.json`, written by `forms_vectors.py` under Flask 1.1 and
//! Flask 2.3, must give the same data, errors and HTML. The templates are rendered by minijinja; the customer form is shown by
//! the stand-in CRM's own templates.
#![cfg(feature = "templates")]
#![allow(clippy::unwrap_used, reason = "a test that cannot read its cases fails")]

#[path = "forms/build.rs"]
mod build;
#[path = "forms/crm.rs"]
mod crm;

use build::{case_form, json, text};
use flask_compat::Profile;
use flask_compat::forms::{Form, FormData, Value};
use minijinja::{Environment, context};
use serde_json::Value as Json;

fn vectors(version: &str) -> Json {
    let path = format!("{}/tests/vectors/forms-wtforms-{version}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn both() -> [(Profile, Json); 2] {
    [(Profile::Werkzeug10, vectors("2.3")), (Profile::Werkzeug23, vectors("3.3"))]
}

fn environment(profile: Profile) -> Environment<'static> {
    let mut environment = flask_compat::templates::environment(profile);
    let templates = format!("{}/../../legacy-crm/crm/templates", env!("CARGO_MANIFEST_DIR"));
    environment.set_loader(flask_compat::templates::folder_loader([templates]));
    environment
}

/// What differs between a form and what WTForms said.
fn differences(form: &mut Form, expected: &Json) -> Vec<String> {
    let mut found = Vec::new();
    let mut differ = |what: &str, ours: Json, theirs: &Json| {
        if ours != *theirs {
            found.push(format!("{what}: ours {ours}, WTForms {theirs}"));
        }
    };
    if expected["validates"] == Json::Bool(true) {
        differ("valid", form.validate().into(), &expected["valid"]);
    }
    let errors = form
        .errors()
        .map(|(name, errors)| (name.to_owned(), errors.into()))
        .collect::<serde_json::Map<_, _>>();
    differ("errors", Json::Object(errors), &expected["errors"]);
    let data = form
        .fields()
        .map(|field| (field.name().to_owned(), json(field.data())))
        .collect::<serde_json::Map<_, _>>();
    differ("data", Json::Object(data), &expected["data"]);
    found
}

fn templates_of(case: &Json) -> Vec<String> {
    if let Some(own) = case["templates"].as_array() {
        return own.iter().map(text).collect();
    }
    let name = |field: &Json| text(&field["name"]);
    let fields = case["fields"].as_array().unwrap().iter().map(name);
    fields.map(|name| format!("{{{{ form.{name} }}}}|{{{{ form.{name}.label }}}}")).collect()
}

#[test]
fn forms_equal_wtforms() {
    let (mut count, mut wrong) = (0, Vec::new());
    for (profile, vectors) in both() {
        let environment = environment(profile);
        let (token, version) = (text(&vectors["token"]), &vectors["wtforms"]);
        for case in vectors["cases"].as_array().unwrap() {
            let expected = &case["expected"];
            let mut form = case_form(case, profile, &token);
            let raises = expected.get("raises").is_some();
            let mut found = differences(&mut form, expected);
            for (template, html) in templates_of(case).iter().zip(expected["html"].as_array().unwrap()) {
                let page = environment.render_str(template, context! { form => form.to_template() });
                let Some(html) = html.as_str() else { continue };
                match page {
                    Ok(page) if page == html => {}
                    Ok(page) => found.push(format!("{template}\n  ours    {page}\n  WTForms {html}")),
                    Err(error) => found.push(format!("{template}: {error:#}")),
                }
            }
            count += 1;
            if case["known"].as_array().is_some_and(|known| known.contains(version)) {
                assert!(!found.is_empty(), "{profile} {} differs no longer", case["form"]);
                continue;
            }
            if !found.is_empty() && !raises {
                let fields = &case["fields"];
                wrong.push(format!(
                    "{profile} {fields} {} {}\n  {}",
                    case["form"],
                    case["values"],
                    found.join("\n  ")
                ));
            }
        }
    }
    let shown: Vec<&String> = wrong.iter().take(40).collect();
    assert!(wrong.is_empty(), "{} of {count} cases differ, the first ones:\n{shown:#?}", wrong.len());
    assert!(count > 2000, "{count}");
}

#[test]
fn forms_of_the_crm_show_the_same_page() {
    let spec = crm::customer_form();
    for (profile, vectors) in both() {
        let environment = environment(profile);
        for case in vectors["crm"].as_array().unwrap() {
            let mut form = crm::open(&spec, case, profile, &text(&vectors["token"]));
            let found = differences(&mut form, &case["expected"]);
            assert!(found.is_empty(), "{profile} {}\n{found:#?}", case["form"]);
            let template = environment.get_template("customers/_form.html").unwrap();
            let user = context! { sees_everything => case["sees_everything"].as_bool() };
            let page = template
                .render(context! { form => form.to_template(), current_user => user, cancel => "/customers/?a=1&b=2" })
                .unwrap();
            assert_eq!(page, text(&case["expected"]["html"][0]), "{profile} {}", case["form"]);
        }
    }
}

#[test]
fn forms_read_bodies_like_werkzeug() {
    for (profile, vectors) in both() {
        for case in vectors["bodies"].as_array().unwrap() {
            let data = FormData::parse(text(&case["body"]).as_bytes(), profile);
            let mut names: Vec<&str> = Vec::new();
            for (name, _) in data.iter() {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
            let lists: Vec<Json> =
                names.iter().map(|name| serde_json::json!([name, data.get_all(name)])).collect();
            assert_eq!(Json::from(lists), case["lists"], "{profile} {}", case["body"]);
        }
    }
    let bytes = b"a=\xff&b=\xc3\xa9";
    assert_eq!(FormData::parse(bytes, Profile::Werkzeug10).get("a"), Some("\u{fffd}"));
    assert!(FormData::parse(bytes, Profile::Werkzeug23).is_empty());
}

#[test]
fn forms_can_be_changed_by_a_handler() {
    let spec = crm::customer_form();
    let body = b"name=Ok&status=lead&industry=&owner_id=2";
    let sent = FormData::parse(body, Profile::Werkzeug10);
    let mut form =
        spec.open(flask_compat::forms::Opening::new(Profile::Werkzeug10).csrf_token("t").submitted(sent));
    assert!(!form.validate_on_submit(), "no choices, no valid choice");
    form.set_choices("owner_id", [(1, "Ana"), (2, "Marco")]);
    assert!(form.validate_on_submit(), "{form:?}");
    assert_eq!((form.text("name"), form.integer("owner_id")), (Some("Ok"), Some(2)));
    assert_eq!(form.data("no such field"), &Value::None);
    form.add_error("name", "Taken.");
    assert_eq!(form.errors().count(), 1);
    form.remove("owner_id");
    let page = environment(Profile::Werkzeug10).render_str(
        "{% if form.owner_id %}x{% endif %}{{ form.owner_id }}",
        context! { form => form.to_template() },
    );
    assert_eq!(page.unwrap(), "None");
}

#[test]
fn forms_declared_wrongly_say_all_mistakes() {
    use flask_compat::forms::{FormSpec, length, regexp, string};
    let mistakes = FormSpec::new([
        string("a").validators([regexp("(?=x)"), length(None, None)]),
        string("a"),
        string("b").validators([length(3, 2)]),
        string("csrf_token"),
    ])
    .unwrap_err();
    assert_eq!(mistakes.0.len(), 5, "{mistakes}");
}

/// One field of every kind, with every validator.
fn everything() -> flask_compat::forms::FormSpec {
    use flask_compat::forms as f;
    let checks = || {
        [
            f::length(1, 9),
            f::number_range(1, 9),
            f::email(),
            f::url(),
            f::regexp_ignore_case(r"^[\w.$-]+$"),
            f::any_of(["a"]),
            f::none_of(["b"]),
            f::equal_to("string"),
        ]
    };
    let kinds = [
        f::string("string"),
        f::text_area("text_area"),
        f::integer("integer"),
        f::decimal("decimal"),
        f::date("date"),
        f::date_time("date_time"),
        f::date_time_local("date_time_local").formats(["%d.%m.%Y %H:%M", "%Y %% %S"]),
        f::select("select").coerce(f::Coerce::Integer).choices([(1, "One")]),
        f::boolean("boolean"),
        f::hidden("hidden"),
    ];
    f::FormSpec::new(kinds.map(|field| field.validators(checks()))).unwrap()
}

proptest::proptest! {
    /// Whatever is sent, a form reads, judges and shows it, and what it shows holds no markup of the sender.
    #[test]
    fn forms_survive_any_input(
        body in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200),
        text in "[0-9+\\-_.:/@e<>\"'& \u{660}-\u{669}\u{1c}-\u{1f}\u{e0}-\u{ff}\u{5d0}-\u{5d3}]{0,40}",
    ) {
        let spec = everything();
        for profile in Profile::ALL {
            let raw = FormData::parse(&body, profile);
            let named = spec.open(flask_compat::forms::Opening::new(profile));
            let sent: FormData = named.fields().map(|field| (field.name(), text.as_str())).collect();
            let again = FormData::parse(sent.encode().as_bytes(), profile);
            proptest::prop_assert_eq!(&again, &sent);
            for data in [raw, sent] {
                let mut form = spec.open(flask_compat::forms::Opening::new(profile).submitted(data));
                form.validate();
                for field in form.fields() {
                    let html = field.render([]).unwrap();
                    proptest::prop_assert_eq!(html.matches('<').count(), tags(field.type_name()), "{}", html);
                }
            }
        }
    }
}

/// How many tags a field is made of.
fn tags(class: &str) -> usize {
    match class {
        "SelectField" => 4,
        "TextAreaField" => 2,
        _ => 1,
    }
}
