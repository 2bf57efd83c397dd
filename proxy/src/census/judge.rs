//! Whether the routing table and the application's url_map say the same about a request.

use std::collections::BTreeMap;

use flask_compat::routing::{Match, Request, Value};

use crate::route::{Found, Route, Table};

use super::document::RuleFacts;
use super::oracle::Answer;
use super::requests::Question;
use super::rule::may_fit;

/// What a comparison comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Both say the same.
    Agreed,
    /// They differ where only Flask's map can know, and no route that could move to Rust is concerned.
    LeftToFlask,
    /// They differ.
    Disagreed,
}

/// A table beside the rules of the application.
#[derive(Debug)]
pub struct Judge<'a> {
    table: &'a Table,
    /// Rules that only Flask's map can follow: own converters, redirects, aliases, WebSockets.
    flasks: Vec<&'a str>,
}

impl<'a> Judge<'a> {
    /// For this table and these rules.
    #[must_use]
    pub fn new(table: &'a Table, rules: &'a [RuleFacts]) -> Self {
        let only_flask = |rule: &&RuleFacts| !matches!(rule.kind.as_str(), "view" | "build only");
        let flasks = rules.iter().filter(only_flask).map(|rule| rule.rule.as_str()).collect();
        Self { table, flasks }
    }

    /// Our answer to a request, and the verdict on theirs.
    #[must_use]
    pub fn compare(&self, question: &Question, theirs: &Answer) -> (Verdict, Answer) {
        let Question { method, host, path, query } = question;
        let Some(map) = self.table.map() else {
            return self.verdict(question, theirs, Answer::NotFound, None);
        };
        let request = Request { query, ..Request::new(host, method, path) };
        let route = match self.table.find(host, method, path) {
            Found::Route(route) => Some(route),
            Found::Unmatched => None,
        };
        let ours = match map.find_request(&request) {
            Match::Rule(matched) => {
                let arguments =
                    matched.args().map(|(name, arg)| (name.to_owned(), typed(&arg.value()))).collect();
                // The route decides what is served: it must be of the endpoint that the map found.
                let endpoint =
                    route.as_ref().map_or(matched.endpoint(), |route| route.endpoint.as_str()).to_owned();
                Answer::Rule { endpoint, arguments }
            }
            Match::Redirect(redirect) => Answer::Redirect { location: redirect.location },
            Match::MethodNotAllowed { allow } => {
                Answer::MethodNotAllowed { allow: allow.into_iter().map(str::to_owned).collect() }
            }
            Match::NotFound => Answer::NotFound,
            Match::BadHost | Match::WebsocketMismatch => Answer::Refused { status: 400 },
            Match::ServerError { reason, .. } => Answer::Error { error: reason },
        };
        self.verdict(question, theirs, ours, route.as_deref())
    }

    fn verdict(
        &self,
        question: &Question,
        theirs: &Answer,
        ours: Answer,
        route: Option<&Route>,
    ) -> (Verdict, Answer) {
        let same = match (theirs, &ours) {
            (Answer::Error { .. }, Answer::Error { .. }) => true,
            (theirs, ours) => theirs == ours,
        };
        // Routes that stay on legacy whatever is flipped; without a route, legacy answers as well.
        let left = match route {
            Some(route) => route.rules.iter().all(|rule| self.flasks.contains(&rule.as_str())),
            None => {
                let path = decoded(&question.path);
                self.flasks.iter().any(|rule| may_fit(rule, &path))
            }
        };
        let verdict = match (same, left) {
            (true, _) => Verdict::Agreed,
            (false, true) => Verdict::LeftToFlask,
            (false, false) => Verdict::Disagreed,
        };
        (verdict, ours)
    }
}

/// Type and text of a value, as the shim writes them.
fn typed(value: &Value) -> (String, String) {
    let kind = match value {
        Value::None => "none",
        Value::Bool(_) => "bool",
        Value::Int(_) => "int",
        Value::Float(_) => "float",
        Value::Str(_) => "str",
        Value::Uuid(_) => "uuid",
        Value::List(_) => "list",
    };
    let text = if matches!(value, Value::None) { Some("None".to_owned()) } else { value.to_text() };
    (kind.to_owned(), text.unwrap_or_default())
}

/// A path without escapes.
fn decoded(path: &str) -> String {
    let bytes = path.as_bytes();
    let (mut decoded, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while at < bytes.len() {
        let escape = (bytes[at] == b'%').then(|| path.get(at + 1..at + 3)).flatten();
        match escape.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                decoded.push(byte);
                at += 3;
            }
            None => {
                decoded.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// Differences of one kind: who would answer here and there.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Group {
    /// How many there are.
    pub count: usize,
    /// The shortest request.
    pub request: Question,
    /// The application's answer to it.
    pub flask: Answer,
    /// Ours.
    pub ficus: Answer,
}

/// Puts differences together that look alike, the most frequent first.
#[must_use]
pub fn grouped(differences: &[(Question, Answer, Answer)]) -> Vec<Group> {
    let mut groups: BTreeMap<(String, String), Group> = BTreeMap::new();
    for (request, flask, ficus) in differences {
        let (request, flask, ficus) = (request.clone(), flask.clone(), ficus.clone());
        let size = |question: &Question| (question.path.len(), question.query.len(), question.clone());
        match groups.get_mut(&(kind(&flask), kind(&ficus))) {
            None => {
                groups.insert((kind(&flask), kind(&ficus)), Group { count: 1, request, flask, ficus });
            }
            Some(group) => {
                group.count += 1;
                if size(&request) < size(&group.request) {
                    *group = Group { count: group.count, request, flask, ficus };
                }
            }
        }
    }
    let mut groups: Vec<Group> = groups.into_values().collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.count));
    groups
}

fn kind(answer: &Answer) -> String {
    match answer {
        Answer::Rule { endpoint, .. } => endpoint.clone(),
        Answer::Redirect { .. } => " redirect".to_owned(),
        Answer::MethodNotAllowed { .. } => " 405".to_owned(),
        Answer::NotFound => " 404".to_owned(),
        Answer::Refused { status } => format!(" {status}"),
        Answer::Error { .. } => " 500".to_owned(),
    }
}
