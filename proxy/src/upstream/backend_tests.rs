//! Tests of `backend`.

use super::*;
use crate::settings::{Ejection, UpstreamAddress};

fn settings(upstreams: usize, max_requests: usize) -> settings::Backend {
    let address = |n| UpstreamAddress::Tcp { host: "127.0.0.1".into(), port: 5000 + n as u16, tls: false };
    settings::Backend {
        upstreams: (0..upstreams).map(address).collect(),
        ca: None,
        max_requests,
        queue: 0,
        queue_wait: Duration::from_millis(1),
        fallback_requests: 1,
        repeats: 1,
        ejection: Ejection { after: 3, time: Duration::from_secs(10), share: 0.5 },
        slow_start: Duration::ZERO,
        reuse_for_writes: Duration::ZERO,
        health: None,
    }
}

fn backend(settings: &settings::Backend) -> Arc<Backend> {
    let second = Duration::from_secs(1);
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
    Arc::new(Backend::new("legacy", settings, &timeouts, &Arc::new(TransportConnector::new(None))))
}

fn ports(picked: &[Serving]) -> Vec<u16> {
    picked.iter().map(|serving| serving.upstream().socket().unwrap().port()).collect()
}

fn upstream(backend: &Backend, index: usize) -> Arc<Upstream> {
    Arc::clone(&backend.upstreams()[index])
}

#[test]
fn idle_upstreams_take_turns() {
    let backend = backend(&settings(3, 10));
    let ports: Vec<_> =
        (0..4).flat_map(|_| ports(&[backend.pick(Tried::default(), false).unwrap()])).collect();
    assert_eq!(ports, [5000, 5001, 5002, 5000]);
}

#[test]
fn the_one_with_the_fewest_requests_is_next() {
    let backend = backend(&settings(3, 10));
    let mut picked: Vec<_> = (0..3).map(|_| backend.pick(Tried::default(), false).unwrap()).collect();
    // The request on the second one is over; its successors are not.
    drop(picked.remove(1));
    let next = backend.pick(Tried::default(), false).unwrap();
    assert_eq!(ports(&[next]), [5001]);
}

#[test]
fn one_that_is_back_gets_less_at_first() {
    let slow = settings::Backend { slow_start: Duration::from_secs(1_000), ..settings(2, 100) };
    let backend = backend(&slow);
    let first = upstream(&backend, 0);
    backend.unreachable(&first, "refused");
    backend.reached(&first);
    let picked: Vec<_> = (0..20).map(|_| backend.pick(Tried::default(), false).unwrap()).collect();
    let of_first = ports(&picked).iter().filter(|port| **port == 5000).count();
    assert!((1..=4).contains(&of_first), "{of_first} of 20");
}

#[test]
fn an_upstream_is_tried_once_per_request() {
    let backend = backend(&settings(2, 10));
    let mut tried = Tried::default();
    tried.insert(backend.pick(tried, false).unwrap().upstream());
    tried.insert(backend.pick(tried, false).unwrap().upstream());
    assert!(backend.pick(tried, true).is_none());
}

#[test]
fn one_that_is_down_is_avoided_unless_nothing_else_is_left() {
    let backend = backend(&settings(2, 10));
    backend.unreachable(&upstream(&backend, 0), "refused");
    for _ in 0..4 {
        assert_eq!(ports(&[backend.pick(Tried::default(), false).unwrap()]), [5001]);
    }
    backend.unreachable(&upstream(&backend, 1), "refused");
    assert!(backend.pick(Tried::default(), false).is_none());
    assert!(backend.pick(Tried::default(), true).is_some());
    assert!(!backend.health().is_up());
    backend.reached(&upstream(&backend, 1));
    assert!(backend.health().is_up());
}

#[test]
fn one_that_fails_is_left_alone_but_never_the_last_one() {
    let backend = backend(&settings(2, 10));
    let (first, second) = (upstream(&backend, 0), upstream(&backend, 1));
    for _ in 0..2 {
        backend.failed(&first, "status");
    }
    backend.succeeded(&first);
    backend.failed(&first, "status");
    assert_eq!(backend.health().upstreams[0].state, State::Up, "not three in a row");
    for _ in 0..2 {
        backend.failed(&first, "status");
    }
    assert_eq!(backend.health().upstreams[0].state, State::Ejected);
    for _ in 0..10 {
        backend.failed(&second, "status");
        assert_eq!(ports(&[backend.pick(Tried::default(), false).unwrap()]), [5001]);
    }
    assert_eq!(backend.health().upstreams[1].state, State::Up);
}

#[test]
fn no_larger_share_than_allowed_is_left_alone() {
    let backend = backend(&settings(4, 10));
    for index in 0..4 {
        for _ in 0..3 {
            backend.failed(&upstream(&backend, index), "timeout");
        }
    }
    let states: Vec<_> = backend.health().upstreams.iter().map(|upstream| upstream.state).collect();
    assert_eq!(states, [State::Ejected, State::Ejected, State::Up, State::Up]);
}

#[test]
fn an_unwell_one_is_avoided() {
    let check = settings::HealthCheck {
        path: "/".into(),
        interval: Duration::from_secs(1),
        timeout: Duration::from_secs(1),
        status: vec![(200, 299)],
        unhealthy_after: 1,
        healthy_after: 1,
    };
    let backend = backend(&settings::Backend { health: Some(check), ..settings(2, 10) });
    backend.checked(&upstream(&backend, 0), Some("status 500"));
    for _ in 0..4 {
        assert_eq!(ports(&[backend.pick(Tried::default(), false).unwrap()]), [5001]);
    }
    backend.checked(&upstream(&backend, 0), None);
    assert_eq!(backend.health().upstreams[0].state, State::Up);
}

const PLAIN: Claim = Claim { relief: false, upload: false };

#[test]
fn a_full_backend_takes_no_more() {
    let backend = backend(&settings(1, 2));
    let places = [backend.enter(PLAIN).unwrap(), backend.enter(PLAIN).unwrap()];
    assert!(backend.enter(PLAIN).is_none());
    drop(places);
    assert!(backend.enter(PLAIN).is_some());
}

#[test]
fn another_backends_trouble_gets_a_part_of_the_places_only() {
    let relief = Claim { relief: true, upload: false };
    let backend = backend(&settings(1, 3));
    let relieved = backend.enter(relief).unwrap();
    assert!(backend.enter(relief).is_none(), "one is allowed");
    assert!(backend.enter(PLAIN).is_some(), "its own requests are not concerned");
    drop(relieved);
    assert!(backend.enter(relief).is_some());
}

#[test]
fn bodies_under_way_leave_places_to_others() {
    let upload = Claim { relief: false, upload: true };
    for (places, uploads) in [(1, 1), (2, 1), (3, 2), (4, 3), (8, 6), (1_024, 768)] {
        let backend = backend(&settings(1, places));
        let mut under_way: Vec<InFlight> = std::iter::from_fn(|| backend.enter(upload)).collect();
        assert_eq!(under_way.len(), uploads, "of {places}");
        assert_eq!(backend.enter(PLAIN).is_some(), places > uploads, "of {places}");
        under_way[0].body_is_there();
        assert_eq!(backend.enter(upload).is_some(), places > uploads, "of {places}");
    }
}

#[test]
fn repeats_are_bounded() {
    let backend = backend(&settings(1, 3));
    let (mut first, mut second) = (backend.enter(PLAIN).unwrap(), backend.enter(PLAIN).unwrap());
    assert!(first.repeat() && first.repeat(), "a request counts once");
    assert!(!second.repeat());
    drop(first);
    assert!(second.repeat());
}
