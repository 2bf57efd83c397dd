//! What a person at the terminal sees when Ficus starts.

use std::fmt::Write;
use std::net::SocketAddr;

use super::Parts;

/// The report, ready to be printed. The routes come last: then everything is up.
pub(super) fn report(parts: &Parts) -> String {
    let mut text = format!("ficus {}\n", env!("CARGO_PKG_VERSION"));
    let mut line = |what: &str, value: String| {
        let _ = writeln!(text, "  {what:<9} {value}");
    };
    let sockets = &parts.sockets;
    let tcp = [("http", &sockets.http), ("https", &sockets.https), ("admin", &sockets.admin)];
    for (what, listener) in tcp {
        let address: Option<SocketAddr> = listener.as_ref().and_then(|listener| listener.local_addr().ok());
        if let Some(address) = address {
            let tls = what == "https" || (what == "admin" && parts.admin_certificates.is_some());
            line(what, format!("{}://{address}", if tls { "https" } else { "http" }));
        }
    }
    line("socket", parts.settings.listen.admin_socket.display().to_string());
    if !sockets.inherited.is_empty() {
        line("inherited", format!("{}: taken over, not opened", sockets.inherited.join(", ")));
    }
    if let Some(certificates) = &parts.certificates {
        line("TLS", format!("{} certificate(s), read again when they change", certificates.count()));
    }
    for backend in parts.backends.health() {
        for upstream in &backend.upstreams {
            let state = match &upstream.cause {
                _ if upstream.up => "reachable".to_owned(),
                Some(cause) => format!("NOT reachable: {cause}"),
                None => "NOT reachable".to_owned(),
            };
            line("backend", format!("{} at {}, {state}", backend.name, upstream.address));
        }
    }
    if let Some(telemetry) = &parts.settings.telemetry {
        line("traces", format!("to {}", telemetry.endpoint));
    }
    if parts.open_files < u64::MAX {
        line("limits", format!("{} open files", parts.open_files));
    }
    if let Some(fleet) = parts.control.fleet_status() {
        let how =
            fleet.error.map_or_else(String::new, |error| format!(", NOT in reach of the others: {error}"));
        line("fleet", format!("node {}{how}", fleet.node));
    }
    let routing = parts.control.live().load();
    let routes = routing.table.routes().len();
    let revision = routing.revision;
    line(
        "routes",
        match parts.control.path() {
            Some(path) => format!("{routes} from {}, revision {revision}", path.display()),
            None => format!("none: everything goes to legacy, revision {revision}"),
        },
    );
    text
}
