//! Looks after upstreams that no request can look after: resolves host names, and knocks at upstreams that are
//! down so that they are used again soon after they are back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::{Backend, Backends, Upstream};
use crate::settings::UpstreamAddress;

/// How often upstreams that are down are looked at.
const ROUND: Duration = Duration::from_secs(1);
/// How long a resolved host name is believed.
const RESOLVED_FOR: Duration = Duration::from_secs(30);

/// Looks at every upstream once, for the start-up report and so that host names have addresses.
pub async fn first_look(backends: &Backends) {
    let patience = backends.connect_timeout;
    let mut looks = JoinSet::new();
    for backend in backends.all() {
        for index in 0..backend.upstreams().len() {
            let backend = Arc::clone(backend);
            looks.spawn(async move {
                resolve(&backend.upstreams()[index]).await;
                knock(&backend, index, patience).await;
            });
        }
    }
    looks.join_all().await;
}

/// Looks after the upstreams until the end of the process.
pub async fn watch(backends: Arc<Backends>) {
    let mut resolved = Instant::now();
    loop {
        sleep(ROUND).await;
        let all = resolved.elapsed() >= RESOLVED_FOR;
        if all {
            resolved = Instant::now();
        }
        for backend in backends.all() {
            for (index, upstream) in backend.upstreams().iter().enumerate() {
                let down = upstream.breaker().failures() > 0 || !upstream.is_resolved();
                if down || all {
                    resolve(upstream).await;
                }
                if down {
                    knock(backend, index, backends.connect_timeout).await;
                }
            }
        }
    }
}

async fn resolve(upstream: &Upstream) {
    let UpstreamAddress::Tcp { host, port } = upstream.address() else { return };
    match tokio::net::lookup_host((host.trim_matches(['[', ']']), *port)).await {
        Ok(mut found) => {
            if let Some(address) = found.next() {
                upstream.point_to(address);
            }
        }
        Err(error) if !upstream.is_resolved() => {
            tracing::warn!(upstream = upstream.text(), %error, "host name cannot be resolved");
        }
        // The address known so far is better than none.
        Err(_) => {}
    }
}

async fn knock(backend: &Backend, index: usize, patience: Duration) {
    let knocking = async {
        match backend.upstreams()[index].address() {
            UpstreamAddress::Tcp { host, port } => {
                TcpStream::connect((host.trim_matches(['[', ']']), *port)).await.map(drop)
            }
            UpstreamAddress::Unix(path) => UnixStream::connect(path).await.map(drop),
        }
    };
    match timeout(patience, knocking).await {
        Ok(Ok(())) => backend.reached(index),
        Ok(Err(error)) => backend.unreachable(index, &error.to_string()),
        Err(_) => backend.unreachable(index, "no answer"),
    }
}
