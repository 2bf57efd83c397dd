//! pingora and nothing else, for `cargo bench-proxy`: what Ficus costs is counted from here.
//!
//! `bare-pingora LISTEN UPSTREAM SOCKET THREADS [LISTEN_TLS CERTIFICATE KEY]`; SOCKET is a Unix socket that answers
//! `/unix`. Not a proxy for anybody: no timeouts, no checks, no drain.

use std::net::SocketAddr;

use async_trait::async_trait;
use pingora::Result;
use pingora::listeners::tls::TlsSettings;
use pingora::proxy::{ProxyHttp, Session, http_proxy_service};
use pingora::server::Server;
use pingora::server::configuration::ServerConf;
use pingora::upstreams::peer::HttpPeer;

struct Bare {
    upstream: SocketAddr,
    socket: String,
}

#[async_trait]
impl ProxyHttp for Bare {
    type CTX = ();

    fn new_ctx(&self) {}

    async fn upstream_peer(&self, session: &mut Session, _ctx: &mut ()) -> Result<Box<HttpPeer>> {
        if session.req_header().raw_path() == b"/unix" {
            return Ok(Box::new(HttpPeer::new_uds(&self.socket, false, String::new())?));
        }
        Ok(Box::new(HttpPeer::new(self.upstream, false, String::new())))
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [listen, upstream, socket, threads, tls @ ..] = &arguments[..] else {
        eprintln!("usage: bare-pingora LISTEN UPSTREAM SOCKET THREADS [LISTEN_TLS CERTIFICATE KEY]");
        std::process::exit(2);
    };
    let threads = threads.parse().expect("THREADS is a number");
    let conf = ServerConf { threads, upstream_keepalive_pool_size: 512, ..ServerConf::default() };
    let mut server = Server::new_with_opt_and_conf(None, conf);
    server.bootstrap();
    let upstream = upstream.parse().expect("UPSTREAM is an address");
    let mut service = http_proxy_service(&server.configuration, Bare { upstream, socket: socket.clone() });
    service.add_tcp(listen);
    if let [listen, certificate, key] = tls {
        let mut settings = TlsSettings::intermediate(certificate, key).expect("a certificate and its key");
        settings.enable_h2();
        service.add_tls_with_settings(listen, None, settings);
    }
    server.add_service(service);
    server.run_forever();
}
