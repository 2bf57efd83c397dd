//! Traces: continued from the client, a span per request and per attempt, sampled, harmless.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{ServerConfig, crypto::ring};

use crate::backend::{Backend, Then, nobody};
use crate::certificates::block_on;
use crate::collector::{Collector, Span};
use crate::ficus::{Directory, Setup, eventually};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";

fn parent(flags: &str) -> String {
    format!("traceparent: 00-{TRACE}-{CALLER}-{flags}\r\n")
}

/// Spans leave at once.
fn traced(setup: Setup, collector: &Collector) -> Setup {
    setup.set("telemetry.otlp_endpoint", &collector.url()).env("OTEL_BSP_SCHEDULE_DELAY", "10")
}

/// The span of a request, and those of its attempts.
fn sorted(spans: Vec<Span>) -> (Vec<Span>, Vec<Span>) {
    spans.into_iter().partition(|span| span.kind == 2)
}

#[test]
fn a_request_and_each_attempt_are_spans_of_the_clients_trace() {
    let legacy = Backend::saying("legacy");
    let rust = Backend::tcp(|exchange| {
        exchange.answer("500 Internal Server Error", "", "oops");
        Then::Close
    });
    let collector = Collector::start();
    let ficus = traced(Setup::new(&legacy).candidate(&rust), &collector).start();
    let answer = ficus.connect().request("GET", "/items/7?secret=1", &parent("01"), "");
    assert_eq!(answer.text(), "legacy");
    let (requests, attempts) = sorted(collector.wait(3));
    let [request] = requests.as_slice() else { panic!("{requests:#?}") };
    assert_eq!((request.trace.as_str(), request.parent.as_str()), (TRACE, CALLER));
    assert_eq!(request.name, "GET /items/<int:id>");
    assert!(
        request.has(&[
            ("http.request.method", "GET"),
            ("http.route", "/items/<int:id>"),
            ("http.response.status_code", "200"),
            ("url.path", "/items/7"),
            ("url.scheme", "http"),
            ("network.protocol.version", "1.1"),
            ("ficus.route", "item"),
            ("ficus.backend", "legacy"),
            ("ficus.reason", "route"),
            ("ficus.fallback", "status"),
            ("ficus.revision", "1"),
        ]),
        "{request:#?}"
    );
    assert!(!request.failed, "the client got its answer");
    assert_eq!(
        request.attributes.get("ficus.request_id").map(String::as_str),
        legacy.only().header("x-request-id")
    );
    let by = |backend: &str| {
        let found = attempts.iter().find(|span| span.has(&[("ficus.backend", backend)]));
        found.unwrap_or_else(|| panic!("{backend} in {attempts:#?}")).clone()
    };
    let (first, second) = (by("rust"), by("legacy"));
    assert!(first.failed && first.has(&[("http.response.status_code", "500"), ("error.type", "status")]));
    assert!(!second.failed);
    assert!(
        second.has(&[("http.response.status_code", "200"), ("http.request.resend_count", "1")]),
        "{second:#?}"
    );
    for (attempt, backend) in [(&first, &rust), (&second, &legacy)] {
        assert_eq!((attempt.trace.as_str(), &attempt.parent), (TRACE, &request.id));
        assert!(request.start <= attempt.start && attempt.start <= attempt.end && attempt.end <= request.end);
        let told = backend.only().header("traceparent").unwrap().to_owned();
        assert_eq!(told, format!("00-{TRACE}-{}-01", attempt.id), "and what the backend does is part of it");
    }
    let port = legacy.url().rsplit(':').next().unwrap().to_owned();
    assert!(second.has(&[("server.address", "127.0.0.1"), ("server.port", &port)]), "{second:#?}");
    let resource = collector.resource();
    assert_eq!(resource.get("service.name").map(String::as_str), Some("ficus"));
    let sent = &collector.received()[0];
    assert!(sent.request_line().starts_with("POST /v1/traces "), "{}", sent.head);
    assert_eq!(sent.header("content-type"), Some("application/x-protobuf"));
    assert!(!String::from_utf8_lossy(&sent.body).contains("secret"));
    eventually("3 counted spans", || ficus.metrics().contains("ficus_spans_total{reason=\"sent\"} 3"));
}

#[test]
fn the_one_who_began_a_trace_decides_and_a_share_of_ours_is_taken() {
    let legacy = Backend::saying("legacy");
    let collector = Collector::start();
    let ficus = traced(Setup::new(&legacy), &collector).set("telemetry.sample", "0").start();
    let mut client = ficus.connect();
    client.get("/ours");
    client.request("GET", "/not-sampled", &parent("00"), "");
    client.request("GET", "/sampled", &parent("01"), "");
    let (requests, _) = sorted(collector.wait(2));
    assert_eq!(requests.len(), 1);
    assert!(requests[0].has(&[("url.path", "/sampled")]));
    let told: Vec<String> =
        legacy.received().iter().map(|one| one.header("traceparent").unwrap()[53..].to_owned()).collect();
    assert_eq!(told, ["00", "00", "01"], "backends learn what was decided");
}

#[test]
fn without_a_collector_nothing_is_decided_and_nothing_sent() {
    let legacy = Backend::saying("legacy");
    let ficus = Setup::new(&legacy).start();
    let mut client = ficus.connect();
    client.get("/");
    client.request("GET", "/", &parent("00"), "");
    let told: Vec<String> =
        legacy.received().iter().map(|one| one.header("traceparent").unwrap().to_owned()).collect();
    assert!(told[0].ends_with("-01") && told[1].ends_with("-00") && told[1].contains(TRACE), "{told:?}");
    assert!(!told[1].contains(CALLER));
}

#[test]
fn the_variables_of_opentelemetry_are_read() {
    let legacy = Backend::saying("legacy");
    let collector = Collector::start();
    let ficus = Setup::new(&legacy)
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", &format!("{}/tenant", collector.url()))
        .env("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20collector-token")
        .env("OTEL_SERVICE_NAME", "crm-edge")
        .env("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test")
        .env("OTEL_BSP_SCHEDULE_DELAY", "10")
        .start();
    ficus.connect().get("/");
    collector.wait(2);
    let sent = &collector.received()[0];
    assert!(sent.request_line().starts_with("POST /tenant/v1/traces "), "{}", sent.head);
    assert_eq!(sent.header("authorization"), Some("Bearer collector-token"));
    let resource = collector.resource();
    assert_eq!(resource["service.name"], "crm-edge");
    assert_eq!(resource["deployment.environment"], "test");
    assert!(!ficus.said().contains("collector-token"));
    let off = Setup::new(&legacy)
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url())
        .env("OTEL_SDK_DISABLED", "true")
        .start();
    assert!(!off.said().contains("  traces "));
    let said = crate::ficus::refused(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
    ]);
    assert!(said.contains("`http/protobuf` only") && said.contains("4318"), "{said}");
}

#[test]
fn a_collector_that_is_away_or_refuses_costs_spans_and_nothing_else() {
    let legacy = Backend::saying("legacy");
    let collector = Collector::start();
    let mut ficus = traced(Setup::new(&legacy), &collector).start();
    let dropped = |metrics: String| {
        let line =
            metrics.lines().find(|line| line.starts_with("ficus_spans_total{reason=\"dropped\"}")).unwrap();
        line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()
    };
    collector.answers(400);
    let mut client = ficus.connect();
    for _ in 0..10 {
        assert_eq!(client.get("/").text(), "legacy");
    }
    eventually("20 dropped spans", || dropped(ficus.metrics()) == 20);
    ficus.wait_for("traces cannot be sent");
    assert_eq!(ficus.said().matches("traces cannot be sent").count(), 1, "{}", ficus.said());
    // What it may take later is sent again.
    collector.answers(503);
    let posts = collector.posts();
    client.get("/again");
    eventually("another attempt", || collector.posts() > posts);
    collector.answers(200);
    let spans = collector.wait(2);
    assert!(spans.iter().any(|span| span.has(&[("url.path", "/again")])));
    ficus.wait_for("takes them again");
    ficus.signal("TERM");
    assert!(ficus.ended().success());
    let nowhere = Setup::new(&legacy)
        .set("telemetry.otlp_endpoint", &nobody())
        .env("OTEL_BSP_MAX_QUEUE_SIZE", "8")
        .env("OTEL_BSP_SCHEDULE_DELAY", "10");
    let mut ficus = nowhere.start();
    let mut client = ficus.connect();
    for _ in 0..100 {
        assert_eq!(client.get("/").text(), "legacy");
    }
    eventually("dropped spans", || dropped(ficus.metrics()) > 0);
    drop(client);
    ficus.signal("TERM");
    assert!(ficus.ended().success());
}

#[test]
fn the_last_spans_leave_before_the_process_ends() {
    let legacy = Backend::saying("legacy");
    let collector = Collector::start();
    let setup = Setup::new(&legacy).set("telemetry.otlp_endpoint", &collector.url());
    let mut ficus = setup.env("OTEL_BSP_SCHEDULE_DELAY", "600000").start();
    ficus.connect().get("/last");
    ficus.log(1);
    ficus.signal("TERM");
    assert!(ficus.ended().success());
    assert!(collector.wait(2).iter().any(|span| span.has(&[("url.path", "/last")])));
}

#[test]
fn an_exemplar_leads_from_a_histogram_to_a_trace() {
    let legacy = Backend::saying("legacy");
    let collector = Collector::start();
    let ficus = traced(Setup::new(&legacy), &collector).start();
    ficus.connect().request("GET", "/", &parent("01"), "");
    ficus.log(1);
    let (_, text) = ficus.ask("/metrics", "Accept: application/openmetrics-text; version=1.0.0\r\n");
    let marked = format!(" # {{trace_id=\"{TRACE}\"}} ");
    for name in
        ["http_server_request_duration_seconds_bucket", "ficus_upstream_request_duration_seconds_bucket"]
    {
        assert!(text.lines().any(|line| line.starts_with(name) && line.contains(&marked)), "{name}\n{text}");
    }
    assert!(!ficus.metrics().contains(TRACE), "the older format has no exemplars");
}

/// A collector behind TLS, with a certificate that only `OTEL_EXPORTER_OTLP_CERTIFICATE` makes known; the heads that
/// came.
fn collector_with_tls(certificate: &std::path::Path) -> (u16, Arc<Mutex<Vec<String>>>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(certificate, made.cert.pem()).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let heads: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = Arc::clone(&heads);
    std::thread::spawn(move || {
        block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                let mut bytes = vec![0; 64 * 1024];
                let read = stream.read(&mut bytes).await.unwrap();
                seen.lock().unwrap().push(String::from_utf8_lossy(&bytes[..read]).into_owned());
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
                stream.shutdown().await.unwrap();
            }
        });
    });
    (port, heads)
}

#[test]
fn a_collector_may_be_behind_tls() {
    let legacy = Backend::saying("legacy");
    let directory = Directory::new();
    let certificate = directory.path().join("collector.pem");
    let (port, heads) = collector_with_tls(&certificate);
    let ficus = Setup::new(&legacy)
        .set("telemetry.otlp_endpoint", &format!("https://localhost:{port}"))
        .env("OTEL_EXPORTER_OTLP_CERTIFICATE", &certificate.display().to_string())
        .env("OTEL_BSP_SCHEDULE_DELAY", "10")
        .start();
    ficus.connect().get("/");
    eventually("a post over TLS", || {
        heads.lock().unwrap().first().is_some_and(|head| head.starts_with("POST /v1/traces HTTP/1.1"))
    });
    eventually("2 counted spans", || ficus.metrics().contains("ficus_spans_total{reason=\"sent\"} 2"));
}
