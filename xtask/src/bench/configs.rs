//! The contestants' configurations: the same origin, the same 1,000 routes, kept connections on both sides, an access
//! log each (but for bare pingora, which has none), as many workers as were asked for.

use super::contestants::Ports;
use super::site::{ROUTES, Site};

/// The prefix of a route.
pub(super) fn route(number: usize) -> String {
    format!("/r{number:04}/")
}

/// The origin's Unix socket.
pub(super) fn socket(site: &Site) -> String {
    site.file("origin.sock").display().to_string()
}

/// The origin: answers of 100 bytes, and a file of 16 KiB.
pub(super) fn origin(site: &Site) -> String {
    let (folder, port, socket) = (site.folder.display(), site.origin, socket(site));
    format!(
        "user root; daemon off; worker_processes 1; pid {folder}/origin.pid; error_log stderr crit;
events {{ worker_connections 8192; }}
http {{
  access_log off; keepalive_requests 100000000; keepalive_timeout 600; sendfile on; tcp_nopush off;
  client_body_temp_path {folder}/o1; proxy_temp_path {folder}/o2; fastcgi_temp_path {folder}/o3;
  uwsgi_temp_path {folder}/o4; scgi_temp_path {folder}/o5;
  server {{
    listen 127.0.0.1:{port} backlog=4096; listen unix:{socket} backlog=4096; root {folder}/origin;
    location = /16k {{ }}
    location / {{ default_type text/html; return 200 \"{}\"; }}
  }}
}}
",
        "x".repeat(100)
    )
}

pub(super) fn nginx(site: &Site, ports: Ports) -> String {
    let folder = site.folder.display();
    let pass = "{ proxy_pass http://origin; }";
    let routes: String = (0..ROUTES).map(|n| format!("    location {} {pass}\n", route(n))).collect();
    format!(
        "user root; daemon off; worker_processes {}; pid {folder}/nginx.pid; error_log stderr crit;
events {{ worker_connections 16384; }}
http {{
  access_log {folder}/nginx-access.log combined buffer=64k flush=1s;
  keepalive_requests 100000000; keepalive_timeout 600;
  client_body_temp_path {folder}/n1; proxy_temp_path {folder}/n2; fastcgi_temp_path {folder}/n3;
  uwsgi_temp_path {folder}/n4; scgi_temp_path {folder}/n5;
  upstream origin {{ server 127.0.0.1:{}; keepalive 512; keepalive_requests 100000000; }}
  upstream unix {{ server unix:{}; keepalive 512; keepalive_requests 100000000; }}
  proxy_http_version 1.1;
  proxy_set_header Connection \"\"; proxy_set_header Host $host;
  proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto $scheme;
  proxy_set_header X-Request-Id $request_id;
  server {{
    listen 127.0.0.1:{} backlog=4096; listen 127.0.0.1:{} ssl http2 backlog=4096;
    ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
    location / {pass}
    location = /unix {{ proxy_pass http://unix; }}
{routes}  }}
}}
",
        site.workers,
        site.origin,
        socket(site),
        ports.http,
        ports.https
    )
}

pub(super) fn haproxy_map() -> String {
    let routes: String = (0..ROUTES).map(|n| format!("{} origin\n", route(n))).collect();
    format!("{routes}/unix unix\n")
}

pub(super) fn haproxy(site: &Site, ports: Ports, map: &str) -> String {
    let folder = site.folder.display();
    format!(
        "global
  nbthread {}
  maxconn 8192
  log stdout format raw local0
  tune.ssl.default-dh-param 2048
defaults
  mode http
  log global
  option httplog
  option forwardfor
  http-reuse always
  timeout connect 2s
  timeout client 600s
  timeout server 60s
  timeout http-keep-alive 600s
frontend front
  bind 127.0.0.1:{} backlog 4096
  bind 127.0.0.1:{} ssl crt {folder}/both.pem alpn h2,http/1.1 backlog 4096
  unique-id-format %[uuid]
  unique-id-header X-Request-Id
  use_backend %[path,map_beg({map},origin)]
backend origin
  server origin 127.0.0.1:{} pool-max-conn 512
backend unix
  server origin unix@{} pool-max-conn 512
",
        site.workers,
        ports.http,
        ports.https,
        site.origin,
        socket(site)
    )
}

/// Envoy reads JSON as well as YAML.
pub(super) fn envoy(site: &Site, ports: Ports) -> String {
    let folder = site.folder.display();
    let to = |prefix: &str, cluster: &str| {
        format!(r#"{{"match":{{"prefix":"{prefix}"}},"route":{{"cluster":"{cluster}"}}}}"#)
    };
    let one = |prefix: &str| to(prefix, "origin");
    let small = ["/small", "/16k", "/post", "/kept"].map(one).join(",");
    let many: Vec<String> = (0..ROUTES).map(|n| one(&route(n))).collect();
    let routes = format!("{small},{},{},{}", to("/unix", "unix"), many.join(","), one("/"));
    let log = format!(
        r#"{{"name":"log","typed_config":{{"@type":"type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog","path":"{folder}/envoy-access.log"}}}}"#
    );
    let manager = format!(
        r#"{{"name":"http","typed_config":{{"@type":"type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager","stat_prefix":"bench","use_remote_address":true,"access_log":[{log}],"route_config":{{"virtual_hosts":[{{"name":"all","domains":["*"],"routes":[{routes}]}}]}},"http_filters":[{{"name":"router","typed_config":{{"@type":"type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}}}]}}}}"#
    );
    let tls = format!(
        r#","transport_socket":{{"name":"tls","typed_config":{{"@type":"type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext","common_tls_context":{{"alpn_protocols":["h2","http/1.1"],"tls_certificates":[{{"certificate_chain":{{"filename":"{folder}/cert.pem"}},"private_key":{{"filename":"{folder}/key.pem"}}}}]}}}}}}"#
    );
    let listener = |name: &str, port: u16, tls: &str| {
        format!(
            r#"{{"name":"{name}","address":{},"filter_chains":[{{"filters":[{manager}]{tls}}}]}}"#,
            address(port)
        )
    };
    let cluster = |name: &str, address: &str| {
        format!(
            r#"{{"name":"{name}","type":"STATIC","connect_timeout":"2s","load_assignment":{{"cluster_name":"{name}","endpoints":[{{"lb_endpoints":[{{"endpoint":{{"address":{address}}}}}]}}]}}}}"#
        )
    };
    format!(
        r#"{{"static_resources":{{"listeners":[{},{}],"clusters":[{},{}]}}}}"#,
        listener("http", ports.http, ""),
        listener("https", ports.https, &tls),
        cluster("origin", &address(site.origin)),
        cluster("unix", &format!(r#"{{"pipe":{{"path":"{}"}}}}"#, socket(site)))
    )
}

fn address(port: u16) -> String {
    format!(r#"{{"socket_address":{{"address":"127.0.0.1","port_value":{port}}}}}"#)
}

/// Everything on: every route has a canary, so every request's session cookie is verified.
pub(super) fn ficus_routes() -> String {
    let canary = "canary = { percent = 50.0, group = \"bench\" }\n";
    let entry = |name: &str, rule: &str, methods: &str| {
        format!("\n[[route]]\nname = \"{name}\"\nrule = \"{rule}\"\nmethods = [\"{methods}\"]\n{canary}")
    };
    let others = [("small", "GET"), ("16k", "GET"), ("post", "POST"), ("kept", "POST"), ("unix", "POST")];
    let few = others.map(|(name, method)| {
        let backends = match name {
            "kept" | "unix" => {
                format!("serve = \"{name}\"\nfallback = \"{name}\"\ncandidate = \"other-{name}\"\n")
            }
            _ => String::new(),
        };
        entry(name, &format!("/{name}"), method) + &backends
    });
    let many =
        (0..ROUTES).map(|n| entry(&format!("r{n:04}.detail"), &format!("{}<int:id>", route(n)), "GET"));
    format!("version = 1\n{}", few.into_iter().chain(many).collect::<String>())
}

pub(super) fn ficus(site: &Site, ports: Ports, admin: u16) -> String {
    let (folder, origin, socket) = (site.folder.display(), site.origin, socket(site));
    format!(
        "[listen]
http = \"127.0.0.1:{}\"
https = {{ address = \"127.0.0.1:{}\", certificate = \"{folder}/cert.pem\", key = \"{folder}/key.pem\" }}
admin = \"127.0.0.1:{admin}\"
admin_socket = \"admin.sock\"
[backends]
legacy = {{ upstreams = [\"http://127.0.0.1:{origin}\"] }}
rust = {{ upstreams = [\"http://127.0.0.1:{origin}\"] }}
kept = {{ upstreams = [\"http://127.0.0.1:{origin}\"], reuse_for_writes = \"60s\" }}
other-kept = {{ upstreams = [\"http://127.0.0.1:{origin}\"], reuse_for_writes = \"60s\" }}
unix = {{ upstreams = [\"unix:{socket}\"] }}
other-unix = {{ upstreams = [\"unix:{socket}\"] }}
[flask]
secret_key = {{ env = \"FLASK_SECRET_KEY\" }}
[store]
url = \"sqlite:ficus.db\"
[timeouts]
client_idle = \"10m\"
upstream_idle = \"60s\"
[log]
access = \"{folder}/ficus-access.log\"
",
        ports.http, ports.https
    )
}
