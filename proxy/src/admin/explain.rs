//! Who would answer a request, and why: the matching and deciding of a real one, without the request.
//!
//! Pure; works on the running table as well as on one read from a file.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::control::{Standing, Status, share};
use crate::decide::{Reason, canary_of, decide};
use crate::identity::{Asker, BUCKETS, Identity};
use crate::route::{Canary, Found, Route, Routing};

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
    /// The id in the visitor cookie.
    #[serde(default)]
    pub visitor: Option<String>,
    /// The client's address.
    #[serde(default)]
    pub address: Option<IpAddr>,
    /// The user's roles, separated by commas.
    #[serde(default)]
    pub roles: Option<String>,
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
    /// The canary, if one decides.
    pub canary: Option<CanaryFacts>,
    /// What lies over the file and what a person pinned, in sentences.
    #[serde(default)]
    pub pins: Vec<String>,
    /// The revision that says so.
    pub revision: u64,
}

/// Everything that a canary's decision depends on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CanaryFacts {
    /// Seed of the hash: routes of one group keep a user on one side.
    pub group: String,
    /// Who is in it, in words.
    pub who: String,
    /// Buckets below this number are.
    pub below: u32,
    /// What the user was told apart by: `user`, `visitor`, `address`; absent: nobody asked for anybody.
    pub identity: Option<String>,
    /// For how many seconds a write pins its user; absent: not at all.
    pub pin_seconds: Option<u64>,
    /// Always true here: testers' tokens are followed where a canary decides.
    pub testers_may_choose: bool,
}

impl Explanation {
    /// Adds what the control knows of the route.
    pub fn add_pins(&mut self, status: &Status) {
        let Some(route) = &self.route else { return };
        let until = |expires: Option<chrono::DateTime<chrono::Utc>>| {
            expires.map(|at| format!(" until {}", at.format("%F %T UTC"))).unwrap_or_default()
        };
        for hold in status.holds.iter().filter(|hold| hold.route == *route) {
            let how = if hold.by_rollback { "rolled back and held" } else { "held" };
            self.pins.push(format!("{how} by {}{}", hold.author, until(hold.expires)));
        }
        for drift in status.drift.iter().filter(|drift| drift.route == *route) {
            self.pins.push(format!(
                "the file says {}; {} lies over it{}",
                drift.file,
                drift.running,
                until(drift.expires)
            ));
        }
    }
}

/// Answers a question.
pub fn explain(routing: &Routing, question: &Question) -> Explanation {
    let path = question.path.split(['?', '#']).next().unwrap_or_default();
    let method = question.method.to_ascii_uppercase();
    let table = &routing.table;
    let found = table.find(&question.host, &method, path);
    let asker = asker(question);
    let decision = decide(table, &found, asker.as_ref());
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
        canary: canary_of(&found).map(|(route, canary)| facts(route, canary, asker.as_ref())),
        pins: Vec::new(),
        revision: routing.revision,
    }
}

/// Who a question is about, in the order in which a request is looked at.
fn asker(question: &Question) -> Option<Asker> {
    let identity = match (&question.user, &question.visitor, question.address) {
        (Some(user), _, _) => Identity::User(user.clone()),
        (None, Some(visitor), _) => Identity::Visitor(visitor.clone()),
        (None, None, Some(address)) => Identity::Address(address),
        (None, None, None) => return None,
    };
    let roles = question.roles.as_deref().unwrap_or_default().split(',').map(str::trim);
    let roles = roles.filter(|role| !role.is_empty()).map(str::to_owned).collect();
    Some(Asker { roles, address: question.address, ..Asker::new(identity) })
}

fn facts(route: &Route, canary: &Canary, asker: Option<&Asker>) -> CanaryFacts {
    CanaryFacts {
        group: canary.group.clone(),
        who: Standing::of(route).words(),
        below: canary.buckets,
        identity: asker.map(|asker| asker.identity.kind().to_owned()),
        pin_seconds: canary.pin.map(|pin| pin.as_secs()),
        testers_may_choose: true,
    }
}

fn why(route: &Route, reason: Reason, bucket: Option<u32>) -> String {
    let standing = Standing::of(route);
    let limit = share(standing.buckets);
    let at = bucket.map(|bucket| f64::from(bucket) * 100.0 / f64::from(BUCKETS)).unwrap_or_default();
    match reason {
        Reason::CanaryUser => "the canary names this user".to_owned(),
        Reason::CanaryRole => "the canary names a role of this user".to_owned(),
        Reason::CanaryNetwork => "the canary names the network of this address".to_owned(),
        Reason::Tester => "a tester chose this side".to_owned(),
        Reason::Pinned => "this side answered a write of the user a moment ago".to_owned(),
        Reason::CanaryBucket => format!("the canary takes {limit} of users, and this one is at {at:.3}%"),
        Reason::Off => "the route is switched off: 503".to_owned(),
        Reason::Route if bucket.is_some() => {
            format!("the canary takes {limit} of users, and this one is at {at:.3}%")
        }
        Reason::Route if standing.has_canary() => {
            format!(
                "the route says so; its canary ({}) depends on the user: add --user, --visitor or --address",
                standing.words()
            )
        }
        Reason::Route | Reason::Unmatched => "the route says so".to_owned(),
    }
}
