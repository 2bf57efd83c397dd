//! Routes and backends as lines of a list.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::control::{Standing, Status};
use crate::observe::RouteCounters;
use crate::route::Table;
use crate::upstream::BackendHealth;

/// One route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteLine {
    /// Its name.
    pub name: String,
    /// Its rules.
    pub rules: Vec<String>,
    /// Its methods, as written.
    pub methods: Vec<String>,
    /// Who answers it.
    pub serve: String,
    /// The backend being tried.
    pub candidate: String,
    /// The backend that is safe.
    pub fallback: String,
    /// The share of users served by the candidate, in percent.
    pub canary_percent: String,
    /// How many users are named in the canary.
    pub canary_users: usize,
    /// What answers it, in words.
    pub standing: String,
    /// Whether a rollback lies over the file.
    pub overridden: bool,
    /// Whether a person or a rollback pinned it.
    #[serde(default)]
    pub held: bool,
    /// Requests since start-up, by the backend that answered.
    pub requests: BTreeMap<String, u64>,
    /// Of these, answered with a status of 500 or more.
    pub errors: BTreeMap<String, u64>,
    /// Of these, answered by the fallback in place of the backend first chosen.
    pub fallbacks: u64,
}

/// Every route of a table, in file order.
pub fn route_lines(table: &Table, status: &Status, counters: &[RouteCounters]) -> Vec<RouteLine> {
    let line = |route: &std::sync::Arc<crate::route::Route>| {
        let standing = Standing::of(route);
        let own = || counters.iter().filter(|counter| counter.route == route.name);
        let by = |number: fn(&RouteCounters) -> u64| {
            own().map(|c| (c.backend.clone(), number(c))).filter(|(_, n)| *n > 0).collect::<BTreeMap<_, _>>()
        };
        RouteLine {
            name: route.name.clone(),
            rules: route.rules.clone(),
            methods: route.methods.clone().unwrap_or_else(|| vec!["GET".to_owned()]),
            serve: standing.serve.clone(),
            candidate: standing.candidate.clone(),
            fallback: standing.fallback.clone(),
            canary_percent: format!("{}", f64::from(standing.buckets) / 1_000.0),
            canary_users: standing.users.len(),
            standing: standing.words(),
            overridden: status.drift.iter().any(|drift| drift.route == route.name),
            held: status.holds.iter().any(|hold| hold.route == route.name),
            requests: by(|c| c.requests),
            errors: by(|c| c.errors),
            fallbacks: own().map(|c| c.fallbacks).sum(),
        }
    };
    table.routes().iter().map(line).collect()
}

/// Every backend.
pub fn backend_lines(backends: &[BackendHealth]) -> Vec<serde_json::Value> {
    let line = |backend: &BackendHealth| {
        let upstream = |upstream: &crate::upstream::UpstreamHealth| {
            serde_json::json!({
                "address": upstream.address,
                "up": upstream.up,
                "state": upstream.state.word(),
                "cause": if upstream.up { None } else { upstream.cause.as_deref() },
                "failures": upstream.failures,
                "in_flight": upstream.in_flight,
                "ejections": upstream.ejections,
            })
        };
        serde_json::json!({
            "name": backend.name,
            "up": backend.is_up(),
            "in_flight": backend.in_flight,
            "queued": backend.queued + backend.waiting,
            "upstreams": backend.upstreams.iter().map(upstream).collect::<Vec<_>>(),
        })
    };
    backends.iter().map(line).collect()
}
