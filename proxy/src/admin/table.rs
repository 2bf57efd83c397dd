//! Every endpoint of `/v1` in one table: method, path, who may ask, what it does. Routes are made from it, and so is
//! the description in OpenAPI; there is no other way to add one, so none can be without a role.

use std::sync::Arc;

use axum::Router;
use axum::routing::{MethodRouter, delete, get, post};

use super::door::{Door, admit};
use super::role::Role::{self, Admin as Administrator, Operator, Viewer};
use super::{
    Admin, api, changes, diffs, events, evidence, incidents, openapi, progress, promotion, record, replayed,
    token_api,
};

/// One endpoint.
#[derive(Debug, Clone, Copy)]
pub struct Endpoint {
    /// `GET`, `POST` or `DELETE`.
    pub method: &'static str,
    /// The path, with `{…}` for what varies.
    pub path: &'static str,
    /// The least that may ask.
    pub role: Role,
    /// The name of the answer's schema in `schemas.json`; `Document` if there is none of its own.
    pub answer: &'static str,
    /// What it does, in one line.
    pub summary: &'static str,
    handler: fn() -> MethodRouter<Arc<Admin>>,
}

/// All endpoints. A new one is a new line here, with its handler.
#[rustfmt::skip]
pub const ENDPOINTS: &[Endpoint] = &[
    look("/v1/status", "Status", "What is running and how it is", || get(api::status)),
    look("/v1/routes", "Routes", "The routes and who answers them", || get(api::routes)),
    look("/v1/explain", "Explained", "Who would answer a request, and why", || get(api::explanation)),
    look("/v1/history", "History", "Who changed what, when and why; newest first", || get(api::history)),
    look("/v1/audit", "Audited", "The audit, checked", || get(api::audit)),
    look("/v1/diff", "Difference", "Where the routing file and what is running differ", || get(api::difference)),
    look("/v1/incidents", "Incidents", "What made guards act; newest first", || get(incidents::list)),
    look("/v1/incidents/{id}", "Incident", "One incident with everything", || get(incidents::show)),
    look("/v1/fleet", "Document", "The nodes that share the store with this one", || get(api::fleet)),
    look("/v1/progress", "Document", "How far each route is, and how often it was asked", || get(progress::progress)),
    look("/v1/gate", "Document", "What the next step of a route needs, and what is missing", || get(promotion::gate)),
    look("/v1/drills", "Document", "The rehearsals of a route, newest first", || get(promotion::drills)),
    look("/v1/diffs", "Diffs", "Where the answers of both sides differ", || get(diffs::list)),
    look("/v1/diffs/{id}", "Document", "One group of differences, with samples", || get(diffs::one)),
    look("/v1/shadow", "Document", "The routes whose requests are copied", || get(evidence::shadowed)),
    look("/v1/certificate", "Document", "What the comparisons of a route prove", || get(evidence::certificate)),
    look("/v1/noise", "Document", "What differs by itself on a route", || get(evidence::noise)),
    look("/v1/recording", "Document", "The recording that goes on, or the last one", || get(record::status)),
    look("/v1/diffs/{id}/case", "Document", "A request on which both sides differ, and what is needed to ask it again", || get(diffs::case)),
    look("/v1/events", "Event", "What happens, as server-sent events", || get(events::stream)),
    look("/v1/me", "Me", "Who asks, and what they may do", || get(token_api::me)),
    look("/v1/openapi.json", "OpenApi", "This description", || get(openapi::show)),
    change("/v1/flip", "Changed", "Let another backend answer a route", || post(changes::flip)),
    change("/v1/promote", "Document", "Take a route one step up its plan, if its gate holds", || post(promotion::promote)),
    change("/v1/approve", "Document", "Agree to the next step of a route", || post(promotion::approve)),
    change("/v1/drill", "Document", "Rehearse a rollback with a test identity", || post(promotion::drill)),
    change("/v1/canary", "Changed", "Let some users be answered by the candidate", || post(changes::canary)),
    change("/v1/rollback", "Changed", "Let the fallback answer again, and hold it there", || post(changes::rollback)),
    change("/v1/hold", "Changed", "Pin a route", || post(changes::hold)),
    change("/v1/resume", "Changed", "End the hold of a route", || post(changes::resume)),
    change("/v1/undo", "Changed", "Take a change of the past back", || post(changes::undo)),
    change("/v1/apply", "Changed", "Put another file in the place of routes.toml", || post(changes::apply_file)),
    change("/v1/shadow", "Changed", "Copy a route's requests to the other side", || post(diffs::shadow)),
    change("/v1/diffs/{id}/ignore", "Changed", "Write a rule that allows a difference", || post(diffs::ignore)),
    remove("/v1/diffs/{id}", Operator, "Document", "Forget a group of differences", || delete(diffs::forget)),
    change("/v1/noise/accept", "Changed", "Write a rule for what differs by itself", || post(evidence::accept)),
    change("/v1/recording/start", "Document", "Record users' traffic of some routes, masked", || post(record::start)),
    change("/v1/recording/stop", "Document", "End the recording", || post(record::stop)),
    change("/v1/replayed", "Document", "Count the comparisons of a replayed recording", || post(replayed::count)),
    change("/v1/tester-token", "TesterToken", "Make a token by which a tester chooses a side", || post(changes::tester_token)),
    change("/v1/reload", "Reloaded", "Read ficus.toml, the routing file and the certificates again", || post(api::reload)),
    govern("/v1/upgrade", "Upgraded", "Put a new process in the place of this one", || post(api::upgrade)),
    govern("/v1/tokens", "MadeToken", "Make a token for this API", || post(token_api::create)),
    remove("/v1/tokens/{id}", Administrator, "RevokedToken", "Revoke a token", || delete(token_api::revoke)),
    Endpoint { role: Administrator, ..look("/v1/tokens", "Tokens", "The tokens, without their secrets", || get(token_api::list)) },
    Endpoint { role: Administrator, ..look("/v1/access", "Access", "Who was refused, and what became of tokens", || get(token_api::access)) },
];

/// Whether what it answers must not be written down.
pub(super) fn is_secret(endpoint: &Endpoint) -> bool {
    matches!(endpoint.answer, "MadeToken" | "TesterToken")
}

type Handler = fn() -> MethodRouter<Arc<Admin>>;

const fn look(path: &'static str, answer: &'static str, summary: &'static str, handler: Handler) -> Endpoint {
    Endpoint { method: "GET", path, role: Viewer, answer, summary, handler }
}

const fn change(
    path: &'static str,
    answer: &'static str,
    summary: &'static str,
    handler: Handler,
) -> Endpoint {
    Endpoint { method: "POST", path, role: Operator, answer, summary, handler }
}

const fn govern(
    path: &'static str,
    answer: &'static str,
    summary: &'static str,
    handler: Handler,
) -> Endpoint {
    Endpoint { method: "POST", path, role: Administrator, answer, summary, handler }
}

const fn remove(
    path: &'static str,
    role: Role,
    answer: &'static str,
    summary: &'static str,
    handler: Handler,
) -> Endpoint {
    Endpoint { method: "DELETE", path, role, answer, summary, handler }
}

/// All endpoints, each behind the door that asks for its role.
pub(super) fn router(admin: &Arc<Admin>) -> Router {
    let mut router = Router::new();
    for endpoint in ENDPOINTS {
        let door = Door { admin: Arc::clone(admin), endpoint: *endpoint };
        let guarded = (endpoint.handler)().route_layer(axum::middleware::from_fn_with_state(door, admit));
        router = router.route(endpoint.path, guarded);
    }
    router.with_state(Arc::clone(admin))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_with_a_secret_is_known_as_such() {
        let schemas: serde_json::Value = serde_json::from_str(include_str!("schemas.json")).unwrap();
        for endpoint in ENDPOINTS {
            let properties = schemas[endpoint.answer]["properties"].as_object();
            let secret = properties.into_iter().flatten().any(|(name, schema)| {
                ["secret", "token", "password", "key"].contains(&name.as_str()) && schema["type"] == "string"
            });
            assert_eq!(is_secret(endpoint), secret, "{endpoint:?}");
        }
    }

    #[test]
    fn what_changes_needs_more_than_a_viewer_and_nothing_is_there_twice() {
        let mut seen = std::collections::BTreeSet::new();
        for endpoint in ENDPOINTS {
            assert!(seen.insert((endpoint.method, endpoint.path)), "{endpoint:?}");
            assert!(endpoint.method == "GET" || endpoint.role > Viewer, "{endpoint:?}");
            assert!(endpoint.path.starts_with("/v1/") && !endpoint.summary.is_empty(), "{endpoint:?}");
        }
    }
}
