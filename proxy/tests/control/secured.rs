//! TLS before the admin API: nothing is understood without it, the command line checks whom it talks to, and a certificate that
//! is replaced is used at once.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};
use std::sync::Arc;

use rcgen::{CertificateParams, IsCa, Issuer, KeyPair};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion, crypto::ring,
    version,
};

use crate::ficus::{Ficus, ROUTES, command, exchange, texts};

/// A certificate for `localhost` that holds so long, in the files of the settings; its key, too.
fn certify(ficus: &Ficus, name: &str, until: i32) {
    let mut params = CertificateParams::new([name.to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(until, 1, 1);
    let key = KeyPair::generate().unwrap();
    put(ficus, &params.self_signed(&key).unwrap().pem(), &key.serialize_pem());
}

fn put(ficus: &Ficus, certificate: &str, key: &str) {
    for (name, text) in [("admin.key", key), ("admin.crt", certificate)] {
        std::fs::write(ficus.path("next"), text).unwrap();
        std::fs::rename(ficus.path("next"), ficus.path(name)).unwrap();
    }
}

const TLS: &str = "certificate = \"admin.crt\"\nkey = \"admin.key\"\n";

fn prepare() -> Ficus {
    let ficus = Ficus::prepare();
    std::fs::write(ficus.routes(), ROUTES).unwrap();
    certify(&ficus, "localhost", 2200);
    ficus
}

fn start() -> Ficus {
    let ficus = prepare();
    ficus.configure(&format!("[admin]\napi = true\n{TLS}"));
    ficus.started()
}

fn viewer(ficus: &Ficus) -> String {
    ficus.token(&["--name", "phone", "--role", "viewer"])
}

/// A command that goes over TCP.
fn over(ficus: &Ficus, url: &str, token: &str, ca: &str) -> std::process::Command {
    let mut command = command(ficus.directory.path());
    command.args(["--admin", &format!("{url}:{}", ficus.admin_port)]);
    command.env("FICUS_TOKEN", token).env("FICUS_ADMIN_CA", ficus.path(ca));
    command
}

/// Exit code and complaint of `status`, with this file of authorities.
fn status(ficus: &Ficus, url: &str, token: &str, ca: &str) -> (Option<i32>, String) {
    let output = over(ficus, url, token, ca).arg("status").output().unwrap();
    (output.status.code(), texts(&output).1)
}

/// The answer to a question over one version of TLS.
fn ask(ficus: &Ficus, version: &'static SupportedProtocolVersion, path: &str) -> String {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ficus.path("admin.crt")).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut stream =
        StreamOwned::new(connection, TcpStream::connect(("127.0.0.1", ficus.admin_port)).unwrap());
    write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    answer
}

#[test]
fn a_token_is_taken_over_tls_and_nothing_in_clear_text() {
    let ficus = start();
    let token = viewer(&ficus);
    let (code, said) = status(&ficus, "https://localhost", &token, "admin.crt");
    assert_eq!(code, Some(0), "{said}");
    assert!(ficus.log().contains("  admin     https://127.0.0.1:"), "{}", ficus.log());
    for version in [&version::TLS12, &version::TLS13] {
        assert!(ask(&ficus, version, "/readyz").starts_with("HTTP/1.1 200 "));
        assert!(ask(&ficus, version, "/v1/status").starts_with("HTTP/1.1 401 "));
    }
    let (code, said) = status(&ficus, "http://localhost", &token, "admin.crt");
    assert!(code == Some(5) && said.contains("ask `https://`"), "{code:?} {said}");
    let answer = exchange(ficus.admin_port, "GET /metrics HTTP/1.1\r\n", "");
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("\"needs_tls\""), "{answer}");
    // Whoever says nothing holds up nobody.
    let _silent = TcpStream::connect(("127.0.0.1", ficus.admin_port)).unwrap();
    assert_eq!(status(&ficus, "https://localhost", &token, "admin.crt").0, Some(0));
    assert!(exchange(ficus.port, "GET /customers/ HTTP/1.1\r\n", "").contains("legacy"));
}

#[test]
fn whoever_cannot_be_trusted_is_not_asked_and_it_is_said_why() {
    let ficus = start();
    let token = viewer(&ficus);
    let refused = |url: &str, ca: &str, sentence: &str| {
        let (code, said) = status(&ficus, url, &token, ca);
        assert!(code == Some(5) && said.contains(sentence), "{code:?} {said}");
    };
    std::fs::write(ficus.path("other.crt"), {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        made.cert.pem()
    })
    .unwrap();
    refused("https://localhost", "other.crt", "of none of the authorities in `");
    refused("https://127.0.0.1", "admin.crt", "its certificate is for `localhost`, not for `127.0.0.1`");
    let mut unnamed = over(&ficus, "https://localhost", &token, "admin.crt");
    let output = unnamed.env_remove("FICUS_ADMIN_CA").arg("status").output().unwrap();
    assert!(texts(&output).1.contains("of no authority that this system trusts"), "{:?}", texts(&output));
    let (code, said) = status(&ficus, "https://localhost", &token, "admin.key");
    assert!(code == Some(2) && said.contains("(FICUS_ADMIN_CA)"), "{code:?} {said}");
    certify(&ficus, "localhost", 2020);
    ficus.ok(&["reload"]);
    refused("https://localhost", "admin.crt", "its certificate ended at 2020-01-01 00:00:00 UTC");
    let plain = Ficus::with_api();
    let (code, said) = status(&plain, "https://localhost", &token, "ficus.toml");
    assert!(code == Some(2), "{code:?} {said}");
    std::fs::copy(ficus.path("other.crt"), plain.path("other.crt")).unwrap();
    let (code, said) = status(&plain, "https://localhost", &token, "other.crt");
    assert!(
        code == Some(5) && said.contains("no TLS is spoken there: ask `http://localhost:"),
        "{code:?} {said}"
    );
}

#[test]
fn a_certificate_of_an_authority_does_and_one_that_is_replaced_is_used_at_once() {
    let ficus = start();
    let token = viewer(&ficus);
    std::fs::copy(ficus.path("admin.crt"), ficus.path("old.crt")).unwrap();
    assert_eq!(status(&ficus, "https://localhost", &token, "old.crt").0, Some(0));
    let mut authority = CertificateParams::new(Vec::<String>::new()).unwrap();
    authority.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let (authority_key, key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    std::fs::write(ficus.path("ca.crt"), authority.self_signed(&authority_key).unwrap().pem()).unwrap();
    let issuer = Issuer::new(authority, authority_key);
    let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    put(&ficus, &params.signed_by(&key, &issuer).unwrap().pem(), &key.serialize_pem());
    ficus.wait("the new one is used", |ficus| {
        status(ficus, "https://localhost", &token, "ca.crt").0 == Some(0)
    });
    assert_eq!(status(&ficus, "https://localhost", &token, "old.crt").0, Some(5));
    // A bad one changes nothing.
    put(&ficus, "nonsense", &key.serialize_pem());
    assert!(!ficus.cli(&["reload"]).status.success());
    assert_eq!(status(&ficus, "https://localhost", &token, "ca.crt").0, Some(0));
}

#[test]
fn events_come_over_tls() {
    let ficus = start();
    let token = viewer(&ficus);
    ficus.ok(&["flip", "customers.list", "rust", "--reason", "CRM-812"]);
    let mut watch = over(&ficus, "https://localhost", &token, "admin.crt");
    let watch = watch.args(["watch", "--since", "1-0", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut watch = Ended(watch);
    let mut lines = BufReader::new(watch.0.stdout.take().unwrap()).lines();
    let mut told = |what: &str| lines.by_ref().map(Result::unwrap).any(|line| line.contains(what));
    assert!(told("CRM-812"));
    ficus.ok(&["rollback", "customers.list", "--reason", "CRM-813"]);
    assert!(told("CRM-813"));
}

/// Ends a process with the test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_key_is_neither_logged_nor_in_a_bundle() {
    let ficus = start();
    // A key where the certificate should be, as happens when lines are mixed up.
    std::fs::copy(ficus.path("admin.key"), ficus.path("admin.crt")).unwrap();
    let said = texts(&ficus.cli(&["reload"]));
    let bundle = ficus.path("bundle.tar.gz");
    ficus.cli(&["support-bundle", "--output", bundle.to_str().unwrap()]);
    let mut tar = std::process::Command::new("tar");
    let unpacked = tar.arg("xzOf").arg(&bundle).output().unwrap();
    assert!(unpacked.status.success() && !unpacked.stdout.is_empty());
    let all = format!("{}{}{}{}", said.0, said.1, ficus.log(), String::from_utf8_lossy(&unpacked.stdout));
    let key = std::fs::read_to_string(ficus.path("admin.key")).unwrap();
    let lines: Vec<&str> = key.lines().filter(|line| !line.starts_with("--")).collect();
    assert!(lines.len() > 1 && !lines.iter().any(|line| all.contains(line)));
}

#[test]
fn other_machines_are_let_near_with_tls_and_half_of_it_is_an_error() {
    let ficus = prepare();
    let check = |lines: &str| {
        let open = "[backends]\nrust = { upstreams = [\"unix:rust.sock\"] }\n[listen]\nadmin = \"0.0.0.0:9900\"\n\
                    [admin]\napi = true\n";
        std::fs::write(ficus.path("open.toml"), format!("{open}{lines}")).unwrap();
        let output =
            command(ficus.directory.path()).args(["check", "--config", "open.toml"]).output().unwrap();
        let (out, err) = texts(&output);
        (output.status.success(), format!("{out}{err}"))
    };
    let (good, said) = check(TLS);
    assert!(good, "{said}");
    let (good, said) = check("");
    assert!(!good && said.contains("admin.certificate"), "{said}");
    let (good, said) = check("certificate = \"admin.crt\"\n");
    assert!(!good && said.contains("needs `admin.key`"), "{said}");
    let (good, said) = check("certificate = \"admin.crt\"\nkey = \"missing.key\"\n");
    assert!(!good && said.contains("missing.key"), "{said}");
}

#[test]
fn tls_begins_with_a_new_process_and_not_half_way() {
    let ficus = prepare();
    ficus.configure("[admin]\napi = true\n");
    let mut ficus = ficus.started();
    ficus.configure(TLS);
    let said = ficus.ok(&["reload"]);
    assert!(said.contains("admin.certificate: needs a new process") && !said.contains("holds now"), "{said}");
    assert_eq!(ficus.http(ficus.admin_port, "/livez").0, 200);
    ficus.terminate();
    ficus.run();
    assert_eq!(ficus.http(ficus.admin_port, "/livez").0, 400);
}
