//! What a person at the terminal sees when Ficus starts.

use std::fmt::Write;
use std::net::SocketAddr;

use crate::control::Control;
use crate::upstream::Backends;

/// The addresses that were opened.
#[derive(Debug, Default)]
pub(super) struct Opened {
    pub(super) http: Option<SocketAddr>,
    pub(super) https: Option<SocketAddr>,
    pub(super) admin: Option<SocketAddr>,
}

/// The report, ready to be printed.
pub(super) fn report(opened: &Opened, backends: &Backends, control: &Control) -> String {
    let mut text = format!("ficus {}\n", env!("CARGO_PKG_VERSION"));
    let mut line = |what: &str, value: String| {
        let _ = writeln!(text, "  {what:<9} {value}");
    };
    let addresses =
        [("http", "http", opened.http), ("https", "https", opened.https), ("admin", "http", opened.admin)];
    for (what, scheme, address) in addresses {
        if let Some(address) = address {
            line(what, format!("{scheme}://{address}"));
        }
    }
    for backend in backends.health() {
        for upstream in &backend.upstreams {
            let state = match &upstream.cause {
                _ if upstream.up => "reachable".to_owned(),
                Some(cause) => format!("NOT reachable: {cause}"),
                None => "NOT reachable".to_owned(),
            };
            line("backend", format!("{} at {}, {state}", backend.name, upstream.address));
        }
    }
    let routing = control.live().load();
    let routes = routing.table.routes().len();
    let revision = routing.revision;
    line(
        "routes",
        match control.path() {
            Some(path) => format!("{routes} from {}, revision {revision}", path.display()),
            None => format!("none: everything goes to legacy, revision {revision}"),
        },
    );
    text
}
