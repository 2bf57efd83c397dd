//! Renders with minijinja what the application rendered with Jinja2, and says what came of it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use flask_compat::Profile;
use flask_compat::templates::{environment, folder_loader, source_loader};
use minijinja::value::Rest;
use minijinja::{Environment, Error, State, Value};
use serde_json::{Value as Json, json};

use super::difference::{Difference, differences};
use super::line::{Facts, Line};
use super::remote;
use crate::census::shim::{Interpreter, ShimError};

/// A template as both engines rendered it.
#[derive(Debug, Clone)]
pub struct Page {
    /// Its name.
    pub template: String,
    /// What came of it.
    pub outcome: Outcome,
    /// The application's own filters and tests that were used.
    pub used: Vec<String>,
}

/// What comes of a template.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// The texts are the same.
    Same,
    /// They are not.
    Differs(Vec<Difference>),
    /// They are not, but Jinja2's text differs from one rendering to the next.
    Unstable,
    /// Jinja2 renders it, minijinja does not.
    Fails(String),
    /// Jinja2 does not render it with this context; minijinja reads it.
    NotRendered(String),
}

/// Both engines.
#[derive(Debug)]
pub struct Renderer {
    line: Arc<Line>,
    /// What the application is.
    pub facts: Facts,
    profile: Profile,
    folder: Option<PathBuf>,
}

type Sources = Arc<Mutex<BTreeMap<String, Option<String>>>>;

impl Renderer {
    /// Starts the application; `folder` has templates that minijinja takes in place of the application's.
    pub fn start(interpreter: &Interpreter, folder: Option<PathBuf>) -> Result<Self, ShimError> {
        let (line, facts) = Line::start(interpreter)?;
        let profile = facts.profile.parse().unwrap_or(Profile::Werkzeug31);
        Ok(Self { line: Arc::new(line), facts, profile, folder })
    }

    /// Renders a template with a context, or with an invented one.
    pub fn template(&self, name: &str, context: Option<&Json>) -> Result<Page, ShimError> {
        let answer = self.line.ask(&json!({"do": "render", "name": name, "context": context}))?;
        if answer.get("template").is_none() {
            // The template itself is missing or broken, or a context processor failed.
            let outcome = Outcome::NotRendered(text(&answer, "error"));
            return Ok(Page { template: name.to_owned(), outcome, used: Vec::new() });
        }
        let page = self.page(answer);
        self.line.done();
        Ok(page)
    }

    /// Lets a view answer `GET path`: the pages of all templates that it renders, its status and where it redirects to.
    pub fn request(
        &self,
        path: &str,
        cookie: Option<&str>,
    ) -> Result<(Vec<Page>, u64, Option<String>), ShimError> {
        let mut answer = self.line.ask(&json!({"do": "request", "path": path, "cookie": cookie}))?;
        let mut pages = Vec::new();
        while answer.get("template").is_some() {
            pages.push(self.page(answer));
            self.line.done();
            answer = self.line.hear()?;
        }
        if answer["error"].is_string() {
            return Err(self.line.failed(text(&answer, "error")));
        }
        let status = answer["status"].as_u64().unwrap_or(500);
        Ok((pages, status, answer["location"].as_str().map(str::to_owned)))
    }

    /// What both engines make of a template whose context is lent at the moment.
    fn page(&self, mut answer: Json) -> Page {
        let template = text(&answer, "template");
        let used = Arc::new(Mutex::new(Vec::new()));
        let sources: Sources = Arc::default();
        let mut env = self.environment(&used, &sources);
        let outcome = match answer["text"].take() {
            Json::String(theirs) => match self.render(&mut env, &template, answer.clone()) {
                Ok(ours) if ours == theirs => Outcome::Same,
                Ok(_) if answer["stable"] == json!(false) => Outcome::Unstable,
                Ok(ours) => Outcome::Differs(differences(&theirs, &ours, &known(&sources))),
                Err(error) => Outcome::Fails(described(&error)),
            },
            _ => {
                let names = answer["closure"].as_array().cloned().unwrap_or_default();
                let broken =
                    names.iter().filter_map(Json::as_str).find_map(|name| env.get_template(name).err());
                let at = answer["line"].as_u64().map(|line| format!(" (line {line})")).unwrap_or_default();
                match broken {
                    Some(error) => Outcome::Fails(described(&error)),
                    None => Outcome::NotRendered(text(&answer, "error") + &at),
                }
            }
        };
        let mut used = used.lock().unwrap_or_else(PoisonError::into_inner).clone();
        used.sort();
        used.dedup();
        Page { template, outcome, used }
    }

    fn render(&self, env: &mut Environment<'static>, name: &str, mut answer: Json) -> Result<String, Error> {
        let mut values = BTreeMap::new();
        for part in ["globals", "context"] {
            let Json::Object(fields) = answer[part].take() else { continue };
            for (key, value) in fields {
                let value = remote::read(&self.line, value)?;
                if part == "globals" {
                    env.add_global(key, value);
                } else {
                    values.insert(key, value);
                }
            }
        }
        env.get_template(name)?.render(Value::from(values))
    }

    /// minijinja as handlers have it, with the application's templates and filters.
    fn environment(&self, used: &Arc<Mutex<Vec<String>>>, sources: &Sources) -> Environment<'static> {
        let mut env = environment(self.profile);
        let (line, kept) = (Arc::clone(&self.line), Arc::clone(sources));
        let theirs = source_loader(move |name| {
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.entry(name.to_owned())
                .or_insert_with(|| {
                    let answer = line.ask(&json!({"do": "source", "name": name})).ok()?;
                    answer["source"].as_str().map(str::to_owned)
                })
                .clone()
        });
        match &self.folder {
            Some(folder) => {
                let own = folder_loader([folder]);
                env.set_loader(move |name| match own(name)? {
                    Some(source) => Ok(Some(source)),
                    None => theirs(name),
                });
            }
            None => env.set_loader(theirs),
        }
        for (word, names) in [("filter", &self.facts.filters), ("test", &self.facts.tests)] {
            for name in names {
                let (line, used, own) = (Arc::clone(&self.line), Arc::clone(used), name.clone());
                let ask = move |_: &State<'_, '_>, args: Rest<Value>| {
                    let mut used = used.lock().unwrap_or_else(PoisonError::into_inner);
                    used.push(format!("{word} `{own}`"));
                    remote::call(&line, json!({"do": word, "name": own}), &args)
                };
                if word == "filter" {
                    env.add_filter(name.clone(), ask);
                } else {
                    let truth =
                        move |state: &State<'_, '_>, args: Rest<Value>| ask(state, args).map(|v| v.is_true());
                    env.add_test(name.clone(), truth);
                }
            }
        }
        env
    }
}

fn known(sources: &Sources) -> Vec<(String, String)> {
    let sources = sources.lock().unwrap_or_else(PoisonError::into_inner);
    sources.iter().filter_map(|(name, source)| Some((name.clone(), source.clone()?))).collect()
}

fn text(answer: &Json, key: &str) -> String {
    answer[key].as_str().unwrap_or_default().to_owned()
}

/// An error in one line, with template and line.
fn described(error: &Error) -> String {
    let mut lines = vec![error.to_string()];
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        lines.push(next.to_string());
        cause = next.source();
    }
    lines.join(": ")
}
