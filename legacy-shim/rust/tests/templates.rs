//! Probe templates that the real Flask 1.1.2, 2.3.3 and 3.1.3 rendered, rendered by minijinja as set up here.

#![cfg(feature = "templates")]
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use flask_compat::Profile;
use flask_compat::flash::{FlashMessage, Flashes, flash};
use flask_compat::routing::{Map, MapOptions, RuleSpec, Value as UrlValue};
use flask_compat::session::Session;
use flask_compat::templates::{
    Page, TemplateRequest, add_translations, authenticated_user, environment, render, source_loader,
};
use flask_compat::url::{Pairs, RequestUrl, decode_pairs};
use minijinja::Value;
use serde_json::Value as Json;
use support::{ENVIRONMENTS, cases, text, vectors};

/// What minijinja cannot do, and why. Everything else must be Jinja2's text exactly.
const DIFFERENT: &[(&str, &str)] = &[
    ("super super", "no grandparent blocks: fails"),
    ("attr filter", "a dictionary of Python's has no attributes, one of Rust's may stand for an object"),
    ("first last more", "the same: `attr` of a dictionary"),
    ("tilde mixed", "Jinja2 forgets what is safe when it joins nothing but constants with `~`"),
    ("string filters safe", "the same: `~` of constants"),
    ("autoescape blocks", "Jinja2 escapes constants where a variable says whether to escape"),
];

struct Request {
    url: RequestUrl,
    args: Pairs,
    form: Pairs,
    view_args: Vec<(String, UrlValue)>,
    map: Map,
    session: Mutex<Session>,
    flashes: Mutex<Flashes>,
}

impl TemplateRequest for Request {
    fn method(&self) -> &str {
        "GET"
    }
    fn url(&self) -> &RequestUrl {
        &self.url
    }
    fn endpoint(&self) -> Option<&str> {
        Some("show")
    }
    fn view_args(&self) -> &[(String, UrlValue)] {
        &self.view_args
    }
    fn args(&self) -> &Pairs {
        &self.args
    }
    fn form(&self) -> &Pairs {
        &self.form
    }
    fn header_names(&self) -> Vec<String> {
        Vec::new()
    }
    fn header(&self, _: &str) -> Option<&str> {
        None
    }
    fn remote_addr(&self) -> Option<&str> {
        Some("127.0.0.1")
    }
    fn map(&self) -> &Map {
        &self.map
    }
    fn session(&self) -> MutexGuard<'_, Session> {
        self.session.lock().unwrap()
    }
    fn flashed_messages(&self, filter: &[&str]) -> Vec<FlashMessage> {
        self.flashes.lock().unwrap().get(&mut self.session(), filter)
    }
    fn csrf_token(&self) -> Option<String> {
        None
    }
}

fn page(target: &str, profile: Profile) -> Page {
    let options = MapOptions { profile, ..MapOptions::default() };
    let rules = [
        RuleSpec::new("/static/<path:filename>", "static"),
        RuleSpec::new("/", "index"),
        RuleSpec::new("/show/<name>", "show").methods(["GET", "POST"]),
    ];
    let url = RequestUrl::new("http", "crm.example.com", target, profile);
    let mut session = Session::new(Default::default(), profile);
    session.insert("user", "ana");
    flash(&mut session, "saved <ok>", "message");
    flash(&mut session, "broken", "error");
    let request = Request {
        args: decode_pairs(url.query.as_bytes(), profile),
        form: Pairs::default(),
        url,
        view_args: vec![("name".to_owned(), UrlValue::from("n m"))],
        map: Map::new(options, &rules).unwrap(),
        session: Mutex::new(session),
        flashes: Mutex::default(),
    };
    Page {
        current_user: authenticated_user("7", Value::from_pairs([("name", "Ana <3")])),
        g: Value::from_pairs([("thing", "T")]),
        config: Value::from_pairs([("TITLE", "Über & Co")]),
        ..Page::new(Arc::new(request))
    }
}

fn rendered(case: &Json, context: &Json, page: &Page, profile: Profile) -> String {
    let mut env = environment(profile);
    add_translations(&mut env, str::to_owned, |one, many, count| {
        if count == 1 { one } else { many }.to_owned()
    });
    let mut sources: BTreeMap<String, String> = case["more"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, source)| (name.clone(), source.as_str().unwrap().to_owned()))
        .collect();
    sources.insert("main.html".to_owned(), text(case, "template").to_owned());
    env.set_loader(source_loader(move |name| sources.get(name).cloned()));
    render(&env, "main.html", page, Value::from(minijinja::value::Serde(context)))
        .unwrap_or_else(|error| format!("error: {error:#}"))
}

#[test]
fn gives_the_text_of_jinja2() {
    let mut wrong = Vec::new();
    let mut probes = 0;
    for (environment, profile) in ENVIRONMENTS {
        let vectors = vectors(environment, "templates");
        for case in cases(&vectors, "probes") {
            let name = text(case, "name");
            probes += 1;
            let page = page(text(&vectors, "target"), profile);
            let ours = rendered(case, &vectors["context"], &page, profile);
            let known = DIFFERENT.iter().any(|(different, _)| *different == name);
            // Where Python fails, so must we.
            let equal = match case["expected"].as_str() {
                Some(theirs) => ours == theirs,
                None => ours.starts_with("error: "),
            };
            if equal == known {
                let what = if known { "is equal, take it off the list" } else { "differs" };
                wrong.push(format!(
                    "{environment} {name}: {what}\n  ours   {ours:?}\n  theirs {}",
                    case["expected"]
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{} probes:\n{}", wrong.len(), wrong.join("\n"));
    // 96 of 100 at least, in every environment.
    assert!(probes >= 3 * 362 && DIFFERENT.len() * 25 < probes / 3, "{probes} probes");
}
