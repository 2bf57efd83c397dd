//! Dry runs as the proxy asks for them: who is believed, and which endpoints are run at all. What is rolled back and captured
//! is tested with a real database, in `tests/shadow/test_writes.py`.

#![cfg(feature = "sqlx")]
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::routing::post;
use flask_compat::Profile;
use flask_compat::dry_run::{DRY_RUN, METHOD, Mark, OUTCOME, Purpose, ROWS};
use flask_compat::routing::{Map, MapOptions, RuleSpec};
use flask_compat::web::{Application, Context, Views, html};
use http::{Request, StatusCode};
use tower::ServiceExt;

const KEY: &str = "plain secret key";

/// Two endpoints that count how often they run, in dry runs and otherwise; one of them may be run dry.
fn service(dry: &Arc<AtomicUsize>, real: &Arc<AtomicUsize>) -> Router {
    let rules = [("/covered", "covered"), ("/other", "other"), ("/slow", "slow")]
        .map(|(rule, endpoint)| RuleSpec::new(rule, endpoint).methods(["POST"]));
    let map = Map::new(MapOptions::new(Profile::Werkzeug10), &rules).unwrap();
    let mut application = Application::new(KEY, map, Profile::Werkzeug10).unwrap();
    application.csrf = None;
    let (dry, real) = (Arc::clone(dry), Arc::clone(real));
    let handler = move |request: Context| {
        let counter = if request.is_dry_run() { &dry } else { &real };
        counter.fetch_add(1, Ordering::Relaxed);
        let slow = request.endpoint() == "slow";
        async move {
            if slow {
                tokio::time::sleep(Duration::from_secs(3_600)).await;
            }
            html(format!("{} {}", request.method(), request.endpoint()))
        }
    };
    Views::new(Arc::new(application))
        .add("covered", post(handler.clone()))
        .add("other", post(handler.clone()))
        .add("slow", post(handler))
        .dry_runs("covered")
        .dry_runs("slow")
        .into_router(())
}

async fn ask(service: &Router, method: &str, path: &str, mark: Option<&str>) -> (StatusCode, String, String) {
    let mut request = Request::builder().method(method).uri(path).header("host", "crm.test");
    if let Some(mark) = mark {
        request = request.header(DRY_RUN, mark);
    }
    let response = service.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let outcome = response.headers().get(OUTCOME).map(|value| value.to_str().unwrap().to_owned());
    let rows = response.headers().get(ROWS).map(|value| value.to_str().unwrap().parse::<usize>().unwrap());
    let status = response.status();
    let body = to_bytes(response.into_body(), 10_000).await.unwrap();
    let (page, document) = body.split_at(body.len() - rows.unwrap_or_default());
    assert!(rows.is_none() || document == br#"{"complete":true,"rows":[]}"#);
    (status, outcome.unwrap_or_default(), String::from_utf8(page.to_vec()).unwrap())
}

fn mark(budget: u64) -> String {
    Mark::new(7, Duration::from_millis(budget), "POST").sign(Purpose::DryRun, KEY)
}

#[tokio::test]
async fn a_dry_run_is_answered_as_the_request_would_be() {
    let (dry, real) = <(Arc<AtomicUsize>, Arc<AtomicUsize>)>::default();
    let service = service(&dry, &real);
    let (status, outcome, page) = ask(&service, METHOD, "/covered", Some(&mark(5_000))).await;
    assert_eq!((status.as_u16(), outcome.as_str(), page.as_str()), (200, "untouched", "POST covered"));
    let (status, outcome, page) = ask(&service, "POST", "/covered", None).await;
    assert_eq!((status.as_u16(), outcome.as_str(), page.as_str()), (200, "", "POST covered"));
    assert_eq!((dry.load(Ordering::Relaxed), real.load(Ordering::Relaxed)), (1, 1));
}

#[tokio::test]
async fn what_may_not_be_run_dry_is_not_run() {
    let (dry, real) = <(Arc<AtomicUsize>, Arc<AtomicUsize>)>::default();
    let service = service(&dry, &real);
    let good = mark(5_000);
    let forged = Mark::new(7, Duration::from_secs(5), "POST").sign(Purpose::DryRun, "another key");
    let other_purpose = Mark::new(7, Duration::from_secs(5), "POST").sign(Purpose::Capture, KEY);
    for (method, path, mark) in [
        (METHOD, "/other", Some(good.as_str())),
        (METHOD, "/covered", Some(&forged)),
        (METHOD, "/covered", Some(&other_purpose)),
        (METHOD, "/covered", None),
        ("POST", "/covered", Some(&good)),
        ("POST", "/covered", Some(&forged)),
    ] {
        let (status, outcome, _) = ask(&service, method, path, mark).await;
        assert_eq!((status.as_u16(), outcome.as_str()), (501, "not-covered"), "{method} {path}");
    }
    assert_eq!((dry.load(Ordering::Relaxed), real.load(Ordering::Relaxed)), (0, 0));
}

#[tokio::test]
async fn a_dry_run_ends_in_time() {
    let (dry, real) = <(Arc<AtomicUsize>, Arc<AtomicUsize>)>::default();
    let service = service(&dry, &real);
    let (status, outcome, _) = ask(&service, METHOD, "/slow", Some(&mark(20))).await;
    assert_eq!((status.as_u16(), outcome.as_str()), (504, "timed-out"));
}
