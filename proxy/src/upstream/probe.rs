//! Looks after upstreams that no request can look after: resolves host names, checks health, and knocks at upstreams
//! that are down so that they are used again soon after they are back.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pingora::connectors::TransportConnector;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::address::{Maker, Patience};
use super::backend::LOOK;
use super::{Backend, Backends, Upstream};
use crate::settings::{HealthCheck, UpstreamAddress};

/// How often upstreams that are down are looked at.
const ROUND: Duration = Duration::from_secs(1);
/// How long a resolved host name is believed.
const RESOLVED_FOR: Duration = Duration::from_secs(30);
/// How long a resolver may take.
const RESOLVE_TIME: Duration = Duration::from_secs(5);

/// Looks at every upstream once, for the start-up report and so that host names have addresses.
pub async fn first_look(backends: &Backends) {
    let mut looks = JoinSet::new();
    for backend in backends.all() {
        let backend = Arc::clone(backend);
        looks.spawn(async move {
            resolve(&backend).await;
            knock_at_all(&backend, |_| true).await;
            check_health(&backend).await;
        });
    }
    looks.join_all().await;
}

/// Looks after the upstreams until the end of the process.
pub async fn watch(backends: Arc<Backends>) {
    let mut watching = JoinSet::new();
    for backend in backends.all() {
        watching.spawn(watch_one(Arc::clone(backend)));
        if let Some(check) = &backend.settings().health {
            watching.spawn(watch_health(Arc::clone(backend), check.interval));
        }
    }
    watching.join_all().await;
}

async fn watch_one(backend: Arc<Backend>) {
    let mut resolved = Instant::now();
    loop {
        sleep(ROUND).await;
        backend.take_back();
        backend.sweep();
        let down = |upstream: &Upstream| upstream.breaker().failures() > 0 || !upstream.is_resolved();
        let any_down = backend.upstreams().iter().any(|upstream| down(upstream));
        if any_down || resolved.elapsed() >= RESOLVED_FOR {
            resolved = Instant::now();
            resolve(&backend).await;
        }
        if any_down {
            knock_at_all(&backend, down).await;
        }
    }
}

async fn watch_health(backend: Arc<Backend>, interval: Duration) {
    loop {
        sleep(interval).await;
        check_health(&backend).await;
    }
}

/// Waits until the backend is back, at the latest until `deadline`. One of those who wait knocks for all of them.
pub(super) async fn wait_for_return(backend: &Arc<Backend>, deadline: Instant) -> bool {
    let Some(_seat) = backend.outage().sit_down() else { return false };
    let look = u64::try_from(LOOK.as_millis()).unwrap_or(u64::MAX);
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        // Who is told that it is over must have been listening before anybody looked.
        let over = backend.outage().end();
        if backend.has_upstream_up() {
            return true;
        }
        if backend.outage().shall_look(backend.now(), look) {
            let looking = async {
                resolve_missing(backend).await;
                knock_at_all(backend, |_| true).await;
            };
            let _ = timeout(left, looking).await;
            if backend.has_upstream_up() {
                backend.outage().is_over();
                return true;
            }
        }
        let _ = timeout(left.min(LOOK), over).await;
    }
}

/// Looks all host names up, and puts upstreams in the place of those whose address is new.
async fn resolve(backend: &Backend) {
    let maker = backend.maker();
    let known = backend.upstreams();
    let mut upstreams = Vec::with_capacity(known.len());
    let mut changed = false;
    for (origin, address) in maker.addresses().iter().enumerate() {
        let before: Vec<_> = known.iter().filter(|upstream| upstream.origin() == origin).cloned().collect();
        let found = match address {
            UpstreamAddress::Tcp { host, port, .. } if host.parse::<std::net::IpAddr>().is_err() => {
                look_up(host, *port, &before).await
            }
            _ => Vec::new(),
        };
        // The addresses known so far are better than none.
        if found.is_empty() || same(&before, &found) {
            upstreams.extend(before);
            continue;
        }
        changed = true;
        upstreams.extend(renewed(maker, origin, &before, &found));
    }
    if changed {
        let addresses: Vec<&str> = upstreams.iter().map(|upstream| upstream.text()).collect();
        tracing::info!(backend = backend.name(), ?addresses, "host names have addresses");
        backend.set_upstreams(upstreams);
    }
}

async fn resolve_missing(backend: &Backend) {
    if backend.upstreams().iter().any(|upstream| !upstream.is_resolved()) {
        resolve(backend).await;
    }
}

/// An upstream for each address; those that are known keep their state.
fn renewed(
    maker: &Maker,
    origin: usize,
    before: &[Arc<Upstream>],
    found: &[SocketAddr],
) -> Vec<Arc<Upstream>> {
    let known = |socket| before.iter().find(|upstream| upstream.socket() == Some(socket)).cloned();
    let upstream = |socket: &SocketAddr| {
        known(*socket).unwrap_or_else(|| maker.resolved(origin, *socket, found.len() > 1))
    };
    found.iter().map(upstream).collect()
}

fn same(before: &[Arc<Upstream>], found: &[SocketAddr]) -> bool {
    before.len() == found.len()
        && before.iter().all(|upstream| upstream.socket().is_some_and(|socket| found.contains(&socket)))
}

async fn look_up(host: &str, port: u16, before: &[Arc<Upstream>]) -> Vec<SocketAddr> {
    match timeout(RESOLVE_TIME, tokio::net::lookup_host((host, port))).await {
        Ok(Ok(found)) => {
            let mut found: Vec<SocketAddr> = found.collect();
            found.sort_unstable();
            found.dedup();
            found
        }
        Ok(Err(error)) => {
            note_unresolved(host, &error.to_string(), before);
            Vec::new()
        }
        Err(_) => {
            note_unresolved(host, "no answer from the resolver", before);
            Vec::new()
        }
    }
}

/// Says so once per cause, as long as there is no address at all.
fn note_unresolved(host: &str, cause: &str, before: &[Arc<Upstream>]) {
    for upstream in before.iter().filter(|upstream| !upstream.is_resolved()) {
        if upstream.cause().as_deref() != Some(cause) {
            tracing::warn!(host, cause, "host name cannot be resolved");
            upstream.blame(cause);
        }
    }
}

async fn knock_at_all(backend: &Arc<Backend>, which: impl Fn(&Upstream) -> bool) {
    let mut knocks = JoinSet::new();
    for upstream in backend.upstreams().iter().filter(|upstream| upstream.is_resolved() && which(upstream)) {
        let (backend, upstream) = (Arc::clone(backend), Arc::clone(upstream));
        knocks.spawn(async move { knock(&backend, &upstream).await });
    }
    knocks.join_all().await;
}

/// Connects as a request would, with TLS if there is some.
pub(super) async fn knock(backend: &Backend, upstream: &Upstream) {
    let Some(peer) = upstream.peer(true, Patience::default()) else { return };
    match backend.connector().new_stream(&*peer).await {
        Ok(_) => backend.reached(upstream),
        Err(error) => backend.unreachable(upstream, &super::cause_of(&error)),
    }
}

async fn check_health(backend: &Arc<Backend>) {
    let Some(check) = &backend.settings().health else { return };
    let mut checks = JoinSet::new();
    for upstream in backend.upstreams().iter().filter(|upstream| upstream.is_resolved()) {
        let (backend, upstream, check) = (Arc::clone(backend), Arc::clone(upstream), check.clone());
        checks.spawn(async move {
            let result = match timeout(check.timeout, ask(backend.connector(), &upstream, &check)).await {
                Ok(result) => result,
                Err(_) => Err("health check: no answer in time".to_owned()),
            };
            backend.checked(&upstream, result.as_ref().err().map(String::as_str));
        });
    }
    checks.join_all().await;
}

/// One health check.
async fn ask(connector: &TransportConnector, upstream: &Upstream, check: &HealthCheck) -> Result<(), String> {
    let peer = upstream.peer(true, Patience::default()).ok_or("health check: no address")?;
    let mut stream = connector
        .new_stream(&*peer)
        .await
        .map_err(|error| format!("health check: {}", super::cause_of(&error)))?;
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: ficus-health\r\nAccept: */*\r\nConnection: close\r\n\r\n",
        check.path,
        upstream.authority()
    );
    let failed = |error: std::io::Error| format!("health check: {error}");
    stream.write_all(request.as_bytes()).await.map_err(failed)?;
    stream.flush().await.map_err(failed)?;
    let mut head = Vec::with_capacity(64);
    // `HTTP/1.1 200`
    while head.len() < 12 {
        let mut more = [0; 64];
        match stream.read(&mut more).await.map_err(failed)? {
            0 => return Err("health check: the connection was closed".to_owned()),
            read => head.extend_from_slice(&more[..read]),
        }
    }
    let status = std::str::from_utf8(&head[..12]).ok().filter(|text| text.starts_with("HTTP/1."));
    let status = status.and_then(|text| text[9..].parse::<u16>().ok());
    match status {
        Some(status) if check.status.iter().any(|(first, last)| (*first..=*last).contains(&status)) => Ok(()),
        Some(status) => Err(format!("health check: status {status}")),
        None => Err("health check: the answer is no HTTP".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Backend, Ejection, Timeouts};

    #[test]
    fn a_name_that_moves_takes_its_upstreams_along() {
        let second = Duration::from_secs(1);
        let settings = Backend {
            upstreams: vec![UpstreamAddress::Tcp { host: "app.example".into(), port: 80, tls: false }],
            ca: None,
            max_requests: 1,
            queue: 1,
            queue_wait: second,
            fallback_requests: 1,
            repeats: 1,
            ejection: Ejection { after: 0, time: second, share: 0.5 },
            slow_start: second,
            reuse_for_writes: Duration::ZERO,
            health: None,
        };
        let timeouts = Timeouts {
            connect: second,
            upstream: second,
            client_header: second,
            client_body: second,
            client_idle: second,
            upstream_idle: second,
            drain: second,
            before_drain: second,
            upgrade: second,
        };
        let maker = Maker::new(&settings, &timeouts);
        let sockets = |hosts: &[u8]| -> Vec<SocketAddr> {
            hosts.iter().map(|host| SocketAddr::from(([192, 0, 2, *host], 80))).collect()
        };
        let unresolved = [maker.first(0)];
        assert!(!unresolved[0].is_resolved());
        assert!(!same(&unresolved, &sockets(&[1])));
        let first = renewed(&maker, 0, &unresolved, &sockets(&[1, 2]));
        assert_eq!(first[0].text(), "http://app.example:80 (192.0.2.1)");
        assert_eq!(first[0].authority(), "app.example:80");
        assert!(same(&first, &sockets(&[2, 1])), "the order does not matter");
        first[1].breaker().failed(0);
        let second = renewed(&maker, 0, &first, &sockets(&[2, 3]));
        assert!(Arc::ptr_eq(&first[1], &second[0]), "what is known about an address stays");
        assert_eq!(second[1].breaker().failures(), 0);
        assert_eq!(second.len(), 2, "and who is gone is gone");
    }
}
