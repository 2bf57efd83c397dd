//! Who would answer a request, and why: the matching and deciding of a real one, without the request.
//!
//! Pure; works on the running table as well as on one read from a file.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::control::{Standing, share};
use crate::decide::{Reason, decide};
use crate::identity::{BUCKETS, Identity};
use crate::route::{Found, Route, Routing};

/// A request that somebody wonders about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// The method.
    pub method: String,
    /// The path as a client would send it; a query is left out of account.
    pub path: String,
    /// The Host header.
    #[serde(default = "localhost")]
    pub host: String,
    /// The logged-in user's id.
    #[serde(default)]
    pub user: Option<String>,
    /// The client's address.
    #[serde(default)]
    pub address: Option<IpAddr>,
}

fn localhost() -> String {
    "localhost".to_owned()
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// The route's name; absent: no route.
    pub route: Option<String>,
    /// Line of the route in the routing file.
    pub line: Option<usize>,
    /// Its rules.
    pub rules: Vec<String>,
    /// What answers it, in words.
    pub standing: Option<String>,
    /// The backend that answers; absent: nobody, 503.
    pub backend: Option<String>,
    /// The backend that answers if the first cannot.
    pub fallback: Option<String>,
    /// The stable word for why.
    pub reason: String,
    /// Why, in a sentence.
    pub why: String,
    /// The user's bucket of 100,000.
    pub bucket: Option<u32>,
    /// The revision that says so.
    pub revision: u64,
}

/// Answers a question.
pub fn explain(routing: &Routing, question: &Question) -> Explanation {
    let path = question.path.split(['?', '#']).next().unwrap_or_default();
    let method = question.method.to_ascii_uppercase();
    let table = &routing.table;
    let found = table.find(&question.host, &method, path);
    let identity = match (&question.user, question.address) {
        (Some(user), _) => Some(Identity::User(user.clone())),
        (None, Some(address)) => Some(Identity::Address(address)),
        (None, None) => None,
    };
    let decision = decide(table, &found, identity.as_ref());
    let route = match &found {
        Found::Route(route) => Some(route),
        Found::Unmatched => None,
    };
    let why = match route {
        Some(route) => why(route, decision.reason, decision.bucket),
        None => {
            let because = table.unmatched_because(&question.host, &method, path).unwrap_or_default();
            format!("{because}; `[defaults].serve` decides")
        }
    };
    Explanation {
        route: route.map(|route| route.name.clone()),
        line: route.map(|route| route.line).filter(|line| *line > 0),
        rules: route.map(|route| route.rules.clone()).unwrap_or_default(),
        standing: route.map(|route| Standing::of(route).words()),
        backend: decision.backend.map(str::to_owned),
        fallback: decision.fallback.map(str::to_owned),
        reason: decision.reason.word().to_owned(),
        why,
        bucket: decision.bucket,
        revision: routing.revision,
    }
}

fn why(route: &Route, reason: Reason, bucket: Option<u32>) -> String {
    let standing = Standing::of(route);
    let limit = share(standing.buckets);
    let at = bucket.map(|bucket| f64::from(bucket) * 100.0 / f64::from(BUCKETS)).unwrap_or_default();
    match reason {
        Reason::CanaryUser => "the canary names this user".to_owned(),
        Reason::CanaryBucket => format!("the canary takes {limit} of users, and this one is at {at:.3}%"),
        Reason::Off => "the route is switched off: 503".to_owned(),
        Reason::Route if bucket.is_some() => {
            format!("the canary takes {limit} of users, and this one is at {at:.3}%")
        }
        Reason::Route if standing.has_canary() => {
            format!(
                "the route says so; its canary ({}) depends on the user: add --user or --address",
                standing.words()
            )
        }
        Reason::Route | Reason::Unmatched => "the route says so".to_owned(),
    }
}
