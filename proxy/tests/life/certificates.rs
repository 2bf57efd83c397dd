//! Certificates: read again when they change, chosen by name; a bad one changes nothing.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};

use crate::backend::Backend;
use crate::ficus::{Directory, Ficus, Setup, eventually};

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

/// Certificates of some names, in files.
pub(crate) struct Tls {
    directory: Directory,
    names: Vec<String>,
}

impl Tls {
    /// One certificate per name.
    pub(crate) fn with(names: &[&str]) -> Self {
        let tls = Self {
            directory: Directory::new(),
            names: names.iter().map(|name| (*name).to_owned()).collect(),
        };
        for name in names {
            tls.make(name);
        }
        tls
    }

    fn file(&self, name: &str, what: &str) -> PathBuf {
        self.directory.path().join(format!("{name}.{what}"))
    }

    /// A new certificate and key for a name, in the same files.
    fn make(&self, name: &str) {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        std::fs::write(self.file(name, "der"), made.cert.der()).unwrap();
        for (what, text) in [("crt", made.cert.pem()), ("key", made.signing_key.serialize_pem())] {
            let next = self.file(name, "next");
            std::fs::write(&next, text).unwrap();
            std::fs::rename(next, self.file(name, what)).unwrap();
        }
    }

    /// Settings with all of them.
    pub(crate) fn serve(&self, setup: Setup) -> Setup {
        let files = |what: &str| {
            let files = self.names.iter().map(|name| self.file(name, what).display().to_string());
            files.collect::<Vec<_>>().join(",")
        };
        setup
            .set("listen.https.address", "127.0.0.1:0")
            .set("listen.https.certificate", &files("crt"))
            .set("listen.https.key", &files("key"))
    }

    async fn try_connect(
        &self,
        ficus: &Ficus,
        name: &str,
        protocol: &str,
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        for name in &self.names {
            roots.add(CertificateDer::from(std::fs::read(self.file(name, "der")).unwrap())).unwrap();
        }
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
        let stream = TcpStream::connect(ficus.https()).await?;
        let name = ServerName::try_from(name.to_owned()).unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }

    /// A connection to a name, which only the newest certificate makes possible.
    pub(crate) async fn connect(&self, ficus: &Ficus, name: &str, protocol: &str) -> TlsStream<TcpStream> {
        self.try_connect(ficus, name, protocol).await.unwrap()
    }

    fn is_trusted(&self, ficus: &Ficus, name: &str) -> bool {
        block_on(self.try_connect(ficus, name, "http/1.1")).is_ok()
    }
}

#[test]
fn a_client_gets_the_certificate_of_the_name_it_wants() {
    let legacy = Backend::saying("legacy");
    let tls = Tls::with(&["crm.example", "shop.example"]);
    let ficus = tls.serve(Setup::new(&legacy)).start();
    for name in ["crm.example", "shop.example"] {
        assert!(tls.is_trusted(&ficus, name), "{name}");
    }
    assert!(!tls.is_trusted(&ficus, "other.example"));
    ficus.wait_for("  TLS       2 certificate(s)");
}

#[test]
fn a_new_certificate_is_used_when_it_lies_there() {
    let legacy = Backend::saying("legacy");
    let tls = Tls::with(&["crm.example"]);
    let ficus = tls.serve(Setup::new(&legacy)).start();
    assert!(tls.is_trusted(&ficus, "crm.example"));
    tls.make("crm.example");
    eventually("the new certificate", || tls.is_trusted(&ficus, "crm.example"));
}

#[test]
fn a_bad_certificate_changes_nothing_and_is_loud() {
    let legacy = Backend::saying("legacy");
    let tls = Tls::with(&["crm.example"]);
    let ficus = tls.serve(Setup::new(&legacy)).start();
    let good = std::fs::read(tls.file("crm.example", "crt")).unwrap();
    std::fs::write(tls.file("crm.example", "crt"), "-----BEGIN NONSENSE").unwrap();
    ficus.wait_for("the old certificates stay in use");
    assert!(tls.is_trusted(&ficus, "crm.example"));
    assert!(ficus.metrics().contains("ficus_certificates_last_reload_successful 0"));
    let said = ficus.fails(&["reload"]);
    assert!(said.contains("is no PEM file") && said.contains("crm.example.crt"), "{said}");
    // A certificate without its key is as bad.
    let other = rcgen::generate_simple_self_signed(["crm.example".to_owned()]).unwrap();
    std::fs::write(tls.file("crm.example", "crt"), other.cert.pem()).unwrap();
    let said = ficus.fails(&["reload"]);
    assert!(said.contains("do not fit together"), "{said}");
    std::fs::write(tls.file("crm.example", "crt"), good).unwrap();
    ficus.signal("HUP");
    eventually("a good certificate", || {
        ficus.metrics().contains("ficus_certificates_last_reload_successful 1")
    });
    assert!(tls.is_trusted(&ficus, "crm.example"));
}

#[test]
fn https_goes_on_through_an_upgrade() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let legacy = Backend::saying("legacy");
    let tls = Tls::with(&["crm.example"]);
    let ficus = tls.serve(Setup::new(&legacy)).start();
    let ask = |close: &'static str| {
        let tls = &tls;
        let ficus = &ficus;
        async move {
            let mut stream = tls.connect(ficus, "crm.example", "http/1.1").await;
            let request = format!("GET / HTTP/1.1\r\nHost: crm.example\r\nConnection: {close}\r\n\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            stream
        }
    };
    block_on(async {
        let mut kept = ask("keep-alive").await;
        let mut first = Vec::new();
        while !first.ends_with(b"legacy") {
            assert!(kept.read_buf(&mut first).await.unwrap() > 0, "{}", String::from_utf8_lossy(&first));
        }
        ficus.json(&["upgrade"]);
        let mut text = String::new();
        ask("close").await.read_to_string(&mut text).await.unwrap();
        assert!(text.ends_with("legacy"), "{text}");
        kept.write_all(b"GET / HTTP/1.1\r\nHost: crm.example\r\n\r\n").await.unwrap();
        let mut text = String::new();
        kept.read_to_string(&mut text).await.unwrap();
        assert!(text.starts_with("HTTP/1.1 200 OK") && text.ends_with("legacy"), "{text}");
    });
}
