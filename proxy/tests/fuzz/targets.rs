//! The parsers and what must hold for each, whatever it gets.

#[path = "../../../legacy-shim/rust/tests/fuzz/targets/tamper.rs"]
#[allow(dead_code, reason = "written for both crates; this one uses its random numbers")]
pub(crate) mod tamper;

use std::sync::Arc;

use ficus::diagnostic::Source;
use ficus::gateway::probe;
use ficus::identity::{Identity, Reader};
use ficus::settings::Inputs;
use flask_compat::Profile;

/// One parser.
pub(crate) struct Target {
    pub(crate) name: &'static str,
    pub(crate) corpus: &'static [&'static str],
    pub(crate) run: fn(&[u8]),
}

const fn target(name: &'static str, corpus: &'static [&'static str], run: fn(&[u8])) -> Target {
    Target { name, corpus, run }
}

pub(crate) const TARGETS: [Target; 7] = [
    target("requests", &["tests/fuzz/corpus/requests"], requests),
    target("preambles", &["tests/fuzz/corpus/preambles"], preambles),
    target("forwarded", &["tests/fuzz/corpus/forwarded"], forwarded),
    target("dates", &["tests/fuzz/corpus/dates"], dates),
    target("cookies", &["tests/fuzz/corpus/cookies"], cookies),
    target("routes", &["tests/broken"], routes),
    target("settings", &["tests/broken_settings"], settings),
];

/// The same comes out however the bytes arrive; and what is let through, the parser behind takes in the same way.
fn requests(data: &[u8]) {
    const LIMIT: usize = 2_000;
    let together = probe::follow(data, data.len(), LIMIT);
    for piece in [1, 7, 100] {
        let pieces = probe::follow(data, piece, LIMIT);
        assert_eq!((pieces.heads, pieces.reason), (together.heads, together.reason), "in pieces of {piece}");
    }
    assert!(together.good <= data.len());
    if together.heads > 0 {
        first_head_is_taken(data);
    }
}

fn first_head_is_taken(data: &[u8]) {
    let skipped = data.chunks(2).take_while(|two| *two == b"\r\n").count() * 2;
    let data = &data[skipped..];
    let end = data.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    let mut headers = [httparse::EMPTY_HEADER; 256];
    let mut request = httparse::Request::new(&mut headers);
    // pingora's parser wants UTF-8 in the target; what it does not take it refuses.
    if let Ok(parsed) = request.parse(data) {
        assert_eq!(parsed, httparse::Status::Complete(end));
        let lines = data[..end].split(|byte| *byte == b'\n').count() - 3;
        assert_eq!(request.headers.len(), lines);
        let named = |name: &str| request.headers.iter().filter(|h| h.name.eq_ignore_ascii_case(name)).count();
        let (lengths, codings) = (named("content-length"), named("transfer-encoding"));
        assert!(lengths + codings <= 1 && named("host") <= 1, "{lengths} {codings}");
    }
}

fn preambles(data: &[u8]) {
    if let Some(Some(source)) = ficus::server::preamble(data) {
        assert!(data.starts_with(b"PROXY TCP") || data.starts_with(b"\r\n\r\n\0\r\nQUIT\n\x21"));
        assert_eq!(source.ip(), source.ip().to_canonical());
    }
}

/// A stranger's word does not go on; a trusted proxy's does, with the peer behind it.
fn forwarded(data: &[u8]) {
    if let Some((address, forwarded)) = probe::forwarded(data, false) {
        assert_eq!(address, b"192.0.2.1");
        assert!(forwarded.starts_with(b"for=192.0.2.1"));
    }
    if let Some((address, forwarded)) = probe::forwarded(data, true) {
        assert!(address.ends_with(b", 192.0.2.1"));
        assert!(forwarded.starts_with(data));
    }
}

/// Only the 29 bytes of a date ever change.
fn dates(data: &[u8]) {
    let changed = probe::date(data);
    assert_eq!(changed.len(), data.len());
    let differing: Vec<usize> = (0..data.len()).filter(|at| data[*at] != changed[*at]).collect();
    assert!(differing.last().zip(differing.first()).is_none_or(|(last, first)| last - first < 29));
}

/// Nobody becomes a user without the secret.
fn cookies(data: &[u8]) {
    let secret = ("FICUS_FLASK_SECRET_KEY".to_owned(), "not the key of the corpus".to_owned());
    let inputs = Inputs { environment: [secret].into(), ..Inputs::default() };
    let settings = ficus::settings::load(&inputs).0.unwrap();
    let address = "192.0.2.1".parse().unwrap();
    let cookies = [data, data].join(&b"; "[..]);
    let identity = Reader::new(&settings).user_or_address(&cookies, address, 1_700_000_000);
    assert!(identity == Identity::Address(address));
}

/// A table or an error, and the error can be shown.
fn routes(data: &[u8]) {
    let source = Source::new("routes.toml".to_owned(), String::from_utf8_lossy(data).into_owned());
    let context = ficus::route::Context { profile: Profile::Werkzeug10, ..ficus::route::Context::default() };
    let (table, report) = ficus::route::read(&Arc::clone(&source), &context);
    assert_ne!(table.is_some(), report.has_errors());
    let _ = report.render(false);
}

fn settings(data: &[u8]) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), String::from_utf8_lossy(data).as_bytes()).unwrap();
    let inputs = Inputs { config: Some(file.path().to_owned()), ..Inputs::default() };
    let (settings, report) = ficus::settings::load(&inputs);
    assert_ne!(settings.is_some(), report.has_errors());
    let _ = report.render(false);
}
