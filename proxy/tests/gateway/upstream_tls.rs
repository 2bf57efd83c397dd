//! Upstreams behind TLS: who is believed, and what is said when nobody is.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::Arc;

use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::backend::{Backend, Then};
use crate::ficus::Setup;

/// A TLS server on 127.0.0.1 that answers every connection once; returns its port.
fn secure(certified: &CertifiedKey<KeyPair>) -> u16 {
    let key = PrivateKeyDer::try_from(certified.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let config = Arc::clone(&config);
            std::thread::spawn(move || {
                let mut tls = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
                if let Some(length) = read_request(&mut tls) {
                    let text = format!("{} {length}", tls.conn.server_name().unwrap_or("nobody"));
                    let _ = write!(tls, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len());
                    tls.conn.send_close_notify();
                    let _ = tls.flush();
                }
            });
        }
    });
    port
}

/// Reads a request to its end; the length of its body.
fn read_request(stream: &mut impl Read) -> Option<usize> {
    let mut stream = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok().filter(|read| *read > 0)?;
        if line == "\r\n" {
            break;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length: ") {
            length = value.trim().parse().unwrap();
        }
    }
    stream.read_exact(&mut vec![0; length]).ok()?;
    Some(length)
}

fn certified(name: &str) -> CertifiedKey<KeyPair> {
    generate_simple_self_signed([name.to_owned()]).unwrap()
}

fn setup(legacy: &Backend, port: u16, host: &str, trusted: Option<&CertifiedKey<KeyPair>>) -> Setup {
    let setup = Setup::new(legacy).legacy_at(&[format!("https://{host}:{port}")]);
    let setup = setup.set("timeouts.connect", "3s");
    let Some(trusted) = trusted else { return setup };
    std::fs::write(setup.directory.path().join("ca.pem"), trusted.cert.pem()).unwrap();
    setup.legacy_key("ca = \"ca.pem\"")
}

#[test]
fn an_upstream_that_proves_its_name_is_asked_by_that_name() {
    let nobody = Backend::saying("nobody");
    let certified = certified("localhost");
    let port = secure(&certified);
    let ficus = setup(&nobody, port, "localhost", Some(&certified)).start();
    assert!(ficus.said().contains("reachable"), "{}", ficus.said());
    assert_eq!(ficus.connect().get("/").text(), "localhost 0");
    assert_eq!(ficus.connect().request("POST", "/", "", "body").text(), "localhost 4");
}

#[test]
fn a_large_deferred_body_arrives_whole_inside_tls() {
    let rust = Backend::tcp(|exchange| {
        exchange.read_body();
        exchange.answer("503 Service Unavailable", "X-Ficus-Defer: 1\r\n", "");
        Then::Close
    });
    let certified = certified("localhost");
    let port = secure(&certified);
    let ficus = setup(&rust, port, "localhost", Some(&certified)).candidate(&rust).start();
    let answer = ficus.connect().request("POST", "/items/7", "", &"x".repeat(300_000));
    assert_eq!(answer.text(), "localhost 300000");
}

#[test]
fn an_address_can_be_certified_too() {
    let nobody = Backend::saying("nobody");
    let certified = certified("127.0.0.1");
    let port = secure(&certified);
    let ficus = setup(&nobody, port, "127.0.0.1", Some(&certified)).start();
    assert_eq!(ficus.connect().get("/").status, 200);
}

#[test]
fn a_stranger_gets_no_request_and_the_log_says_why() {
    let nobody = Backend::saying("nobody");
    let (good, other) = (certified("localhost"), certified("localhost"));
    let elsewhere = certified("elsewhere.example");
    for (shown, trusted, cause) in [
        (&good, None, "UnknownIssuer"),
        (&good, Some(&other), "certificate"),
        (&elsewhere, Some(&elsewhere), "not valid for"),
    ] {
        let port = secure(shown);
        let ficus = setup(&nobody, port, "localhost", trusted).set("timeouts.connect", "500ms").start();
        assert_eq!(ficus.connect().get("/").status, 502, "{cause}");
        let said = ficus.said();
        assert!(said.contains("backend cannot be reached") && said.contains(cause), "{cause}: {said}");
        assert!(ficus.backend("legacy")["upstreams"][0]["cause"].is_string());
    }
}
