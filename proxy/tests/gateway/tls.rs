//! HTTPS: HTTP/1.1 and HTTP/2 over it, and what the backend is told.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use bytes::Bytes;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};

use crate::backend::{Backend, Then};
use crate::ficus::{Ficus, Setup, eventually};

struct Https {
    ficus: Ficus,
    certificate: CertificateDer<'static>,
}

fn start(setup: Setup) -> Https {
    let made = rcgen::generate_simple_self_signed(["crm.example".to_owned()]).unwrap();
    let directory = setup.directory.path();
    let (certificate, key) = (directory.join("tls.crt"), directory.join("tls.key"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let (certificate, key) = (certificate.display().to_string(), key.display().to_string());
    let ficus = setup
        .set("listen.https.address", "127.0.0.1:0")
        .set("listen.https.certificate", &certificate)
        .set("listen.https.key", &key)
        .start();
    Https { ficus, certificate: made.cert.der().clone() }
}

impl Https {
    async fn connect(&self, protocol: &str) -> TlsStream<TcpStream> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        let address: SocketAddr = self.ficus.https();
        let stream = TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from("crm.example").unwrap();
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(protocol.as_bytes()));
        stream
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    // What is spawned goes on while a test waits for something else.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    runtime.unwrap().block_on(future)
}

#[test]
fn http2_requests_share_a_connection_and_arrive_as_http1() {
    let legacy = Backend::tcp(|exchange| {
        let body = String::from_utf8(exchange.read_body()).unwrap();
        let path = exchange.head.split(' ').nth(1).unwrap().to_owned();
        exchange.answer("200 OK", "Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n", &format!("{path} {body}"));
        Then::Keep
    });
    let https = start(Setup::new(&legacy));
    block_on(async {
        let (client, connection) = h2::client::handshake(https.connect("h2").await).await.unwrap();
        tokio::spawn(connection);
        let mut client = client.ready().await.unwrap();
        for path in ["/a", "/b%2Fc?d"] {
            let request = http::Request::post(format!("https://crm.example{path}"))
                .header("cookie", "x=1")
                .header("cookie", "y=2")
                .header("x-forwarded-for", "203.0.113.9")
                .body(())
                .unwrap();
            let (answer, mut body) = client.send_request(request, false).unwrap();
            body.send_data(Bytes::from_static(b"hello"), true).unwrap();
            let answer = answer.await.unwrap();
            assert_eq!(answer.status(), 200);
            let cookies: Vec<_> = answer.headers().get_all("set-cookie").iter().collect();
            assert_eq!(cookies, ["a=1", "b=2"]);
            let mut body = answer.into_body();
            let text = body.data().await.unwrap().unwrap();
            assert_eq!(text, format!("{path} hello"));
        }
    });
    for received in legacy.received() {
        assert!(received.request_line().ends_with(" HTTP/1.1"));
        assert_eq!(received.all("cookie"), ["x=1; y=2"]);
        assert_eq!(received.all("host"), ["crm.example"]);
        assert_eq!(received.all("x-forwarded-proto"), ["https"]);
        assert_eq!(received.all("x-forwarded-for"), ["127.0.0.1"]);
    }
}

#[test]
fn a_failing_candidate_is_replaced_for_http2_clients_too() {
    let legacy = Backend::tcp(|exchange| {
        let body = String::from_utf8(exchange.read_body()).unwrap();
        exchange.ok(&format!("legacy {body}"));
        Then::Keep
    });
    let rust = Backend::tcp(|exchange| {
        exchange.answer("503 Service Unavailable", "X-Ficus-Defer: 1\r\n", "");
        Then::Close
    });
    let https = start(Setup::new(&legacy).candidate(&rust));
    block_on(async {
        let (client, connection) = h2::client::handshake(https.connect("h2").await).await.unwrap();
        tokio::spawn(connection);
        let mut client = client.ready().await.unwrap();
        let request = http::Request::post("https://crm.example/items/7").body(()).unwrap();
        let (answer, mut body) = client.send_request(request, false).unwrap();
        body.send_data(Bytes::from_static(b"hello"), true).unwrap();
        let answer = answer.await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.into_body().data().await.unwrap().unwrap(), "legacy hello");
    });
    assert_eq!((legacy.requests(), rust.requests()), (1, 1));
}

#[test]
fn a_large_deferred_body_arrives_whole_over_http2() {
    let legacy = Backend::tcp(|exchange| {
        let length = exchange.read_body().len();
        exchange.ok(&format!("legacy {length}"));
        Then::Keep
    });
    let rust = Backend::tcp(|exchange| {
        exchange.answer("503 Service Unavailable", "X-Ficus-Defer: 1\r\n", "");
        Then::Close
    });
    let https = start(Setup::new(&legacy).candidate(&rust));
    let form: Vec<u8> = (0..200 * 1024).map(|at: usize| (at % 251) as u8).collect();
    for announced in [true, false] {
        block_on(async {
            let (client, connection) = h2::client::handshake(https.connect("h2").await).await.unwrap();
            tokio::spawn(connection);
            let mut client = client.ready().await.unwrap();
            let mut request = http::Request::post("https://crm.example/items/7").body(()).unwrap();
            if announced {
                request.headers_mut().insert("content-length", form.len().into());
            }
            let (answer, mut body) = client.send_request(request, false).unwrap();
            body.send_data(Bytes::from(form.clone()), true).unwrap();
            let answer = answer.await.unwrap();
            assert_eq!(answer.status(), 200);
            assert_eq!(answer.into_body().data().await.unwrap().unwrap(), "legacy 204800");
        });
    }
    for backend in [&rust, &legacy] {
        let received = backend.received();
        assert!(received.len() == 2 && received.iter().all(|request| request.body == form));
    }
}

/// A POST that announces how long its body is, or does not.
fn post(length: Option<u32>) -> http::Request<()> {
    let request = http::Request::post("https://crm.example/");
    match length {
        Some(length) => request.header("content-length", length).body(()).unwrap(),
        None => request.body(()).unwrap(),
    }
}

/// The next POST at a listener with this at its end, and its connection; others come to look whether somebody is there.
fn accepted(listener: &TcpListener, end: &str) -> std::net::TcpStream {
    loop {
        let mut stream = listener.accept().unwrap().0;
        let (mut request, mut space) = (Vec::new(), [0; 1_024]);
        while let Ok(read @ 1..) = stream.read(&mut space) {
            request.extend_from_slice(&space[..read]);
            if !request.starts_with(b"POST ") {
                break;
            }
            if request.ends_with(end.as_bytes()) {
                return stream;
            }
        }
    }
}

#[test]
fn what_was_begun_is_finished_and_keeps_its_place_when_an_http2_client_leaves() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let https =
        start(Setup::new(&Backend::saying("nobody")).legacy_at(&[url]).set("limits.uri_bytes", "100"));
    let in_flight = || https.ficus.backend("legacy")["in_flight"].as_u64();
    block_on(async {
        // Complete requests are finished by those who began them; of the last one nobody knows whether it is complete.
        for (body, length, end) in
            [("", Some(0), "\r\n\r\n"), ("body", Some(4), "body"), ("body", None, "0\r\n\r\n")]
        {
            let (client, connection) = h2::client::handshake(https.connect("h2").await).await.unwrap();
            tokio::spawn(connection);
            let mut client = client.ready().await.unwrap();
            let (answer, mut stream) = client.send_request(post(length), body.is_empty()).unwrap();
            if !body.is_empty() {
                stream.send_data(Bytes::from_static(body.as_bytes()), true).unwrap();
            }
            let mut backend = accepted(&listener, end);
            stream.send_reset(h2::Reason::CANCEL);
            assert!(answer.await.is_err());
            // Ficus answers this by itself, after it has heard of the reset.
            let long =
                http::Request::get(format!("https://crm.example/{}", "x".repeat(100))).body(()).unwrap();
            let (answer, _) = client.ready().await.unwrap().send_request(long, true).unwrap();
            assert_eq!(answer.await.unwrap().status(), 414);
            assert_eq!(in_flight(), Some(1), "the backend is still busy");
            backend.set_nonblocking(true).unwrap();
            let peeked = backend.peek(&mut [0]).map_err(|error| error.kind());
            assert_eq!(peeked, Err(std::io::ErrorKind::WouldBlock), "the connection is open");
            backend.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
            eventually("a free place", || in_flight() == Some(0));
            eventually("the end of the request", || https.ficus.metric("ficus_requests_in_progress") == 0);
        }
    });
}

#[test]
fn an_http2_body_that_does_not_come_is_a_408_and_its_place_is_free() {
    let legacy = Backend::tcp(|exchange| {
        exchange.read_body();
        Then::Close
    });
    let https = start(
        Setup::new(&legacy).set("timeouts.client_body", "300ms").legacy_key("max_requests = 1, queue = 0"),
    );
    block_on(async {
        // With a length the body is awaited, without one it streams.
        for (number, length) in [None, Some(100)].into_iter().enumerate() {
            let (client, connection) = h2::client::handshake(https.connect("h2").await).await.unwrap();
            tokio::spawn(connection);
            let mut client = client.ready().await.unwrap();
            let (answer, mut stream) = client.send_request(post(length), false).unwrap();
            stream.send_data(Bytes::from_static(b"half"), false).unwrap();
            assert_eq!(answer.await.unwrap().status(), 408, "{length:?}");
            assert_eq!(https.ficus.log(number + 1)[number]["reason"], "slow_body");
            assert_eq!(https.ficus.backend("legacy")["in_flight"], 0);
        }
    });
    assert_eq!(legacy.requests(), 1);
}

#[test]
fn who_takes_nothing_of_a_small_answer_over_http2_holds_no_place() {
    let legacy = Backend::saying("legacy");
    let https = start(Setup::new(&legacy).legacy_key("max_requests = 1, queue = 0"));
    block_on(async {
        let mut builder = h2::client::Builder::new();
        builder.initial_window_size(0);
        let stream = https.connect("h2").await;
        let (client, connection) = builder.handshake::<_, Bytes>(stream).await.unwrap();
        tokio::spawn(connection);
        let mut client = client.ready().await.unwrap();
        let request = http::Request::get("https://crm.example/").body(()).unwrap();
        let (answer, _) = client.send_request(request, true).unwrap();
        let answer = answer.await.unwrap();
        assert_eq!(answer.status(), 200);
        eventually("a free place", || https.ficus.connect().get("/").status == 200);
        drop(answer);
    });
}

#[test]
fn an_http2_client_that_reads_nothing_is_disconnected() {
    let large: &'static str = Box::leak("x".repeat(1 << 20).into_boxed_str());
    let legacy = Backend::saying(large);
    let https =
        start(Setup::new(&legacy).set("timeouts.client_body", "1s").set("timeouts.client_idle", "1h"));
    block_on(async {
        let mut builder = h2::client::Builder::new();
        builder.initial_window_size(1 << 30).initial_connection_window_size(1 << 30);
        let stream = https.connect("h2").await;
        let (mut client, connection) = builder.handshake::<_, Bytes>(stream).await.unwrap();
        let mut connection = std::pin::pin!(connection);
        let asking = async {
            let mut answers = Vec::new();
            for _ in 0..40 {
                client = client.clone().ready().await.unwrap();
                let request = http::Request::get("https://crm.example/").body(()).unwrap();
                answers.push(client.send_request(request, true).unwrap().0);
            }
            let first = answers.remove(0).await.unwrap();
            (first, answers)
        };
        let kept = tokio::select! {
            answers = asking => answers,
            _ = &mut connection => panic!("the connection ended"),
        };
        // From here on nobody reads.
        eventually("the end of the connection", || https.ficus.metric("ficus_connections") == 0);
        drop(kept);
    });
}

#[test]
fn a_copy_of_an_http2_request_is_what_the_served_side_got() {
    let (legacy, rust) = (Backend::saying("a"), Backend::saying("a"));
    let https = start(Setup::new(&legacy).route("shadow = { sample = 1.0 }\n").rust_at(&rust.url()));
    block_on(async {
        let (client, connection) = h2::client::handshake(https.connect("h2").await).await.unwrap();
        tokio::spawn(connection);
        let mut client = client.ready().await.unwrap();
        let request = http::Request::get("https://crm.example/items/7?q=%C3%BC")
            .header("cookie", "x=1")
            .header("cookie", "y=2")
            .body(())
            .unwrap();
        let (answer, _) = client.send_request(request, true).unwrap();
        assert_eq!(answer.await.unwrap().status(), 200);
    });
    crate::ficus::eventually("the copy", || rust.requests() == 1);
    let (served, copy) = (legacy.only(), rust.only());
    assert_eq!(copy.request_line(), served.request_line());
    for name in ["host", "cookie", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"] {
        assert_eq!(copy.all(name), served.all(name), "{name}");
    }
}

#[test]
fn http1_works_over_tls_and_says_so_upstream() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let legacy = Backend::saying("legacy");
    let https = start(Setup::new(&legacy));
    let answer = block_on(async {
        let mut stream = https.connect("http/1.1").await;
        let request = b"GET / HTTP/1.1\r\nHost: crm.example\r\nConnection: close\r\n\r\n";
        stream.write_all(request).await.unwrap();
        let mut answer = String::new();
        // A close without a goodbye would be an error here.
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    });
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("legacy"), "{answer}");
    assert_eq!(legacy.only().all("x-forwarded-proto"), ["https"]);
}

#[test]
fn a_limit_holds_for_http2_too() {
    let legacy = Backend::saying("legacy");
    let https = start(Setup::new(&legacy).set("limits.uri_bytes", "1000").set("limits.header_bytes", "4000"));
    let status = |path: String, header: String| {
        block_on(async {
            let (client, connection) = h2::client::handshake(https.connect("h2").await).await.unwrap();
            tokio::spawn(connection);
            let mut client = client.ready().await.unwrap();
            let request = http::Request::get(format!("https://crm.example{path}")).header("x-large", header);
            let (answer, _) = client.send_request(request.body(()).unwrap(), true).unwrap();
            answer.await.unwrap().status().as_u16()
        })
    };
    assert_eq!(status(format!("/{}", "x".repeat(1_000)), "1".into()), 414);
    assert_eq!(status("/".into(), "x".repeat(4_000)), 431);
    assert_eq!(status("/".into(), "1".into()), 200);
}
