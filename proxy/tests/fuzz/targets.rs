//! The parsers and what must hold for each, whatever it gets.

#[path = "../../../legacy-shim/rust/tests/fuzz/targets/tamper.rs"]
#[allow(dead_code, reason = "written for both crates; this one uses its random numbers")]
pub(crate) mod tamper;

use std::sync::Arc;

use ficus::diagnostic::Source;
use ficus::gateway::probe;
use ficus::identity::{Identity, Reader};
use ficus::settings::Inputs;
use ficus::shadow::compare::{Answer, Case, Comparison, Design, Judge, Side, Verdict};
use ficus::shadow::{Asked, mask};
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

pub(crate) const TARGETS: [Target; 14] = [
    target("requests", &["tests/fuzz/corpus/requests"], requests),
    target("preambles", &["tests/fuzz/corpus/preambles"], preambles),
    target("forwarded", &["tests/fuzz/corpus/forwarded"], forwarded),
    target("dates", &["tests/fuzz/corpus/dates"], dates),
    target("cookies", &["tests/fuzz/corpus/cookies"], cookies),
    target("routes", &["tests/broken"], routes),
    target("settings", &["tests/broken_settings"], settings),
    target("environment", &["tests/fuzz/corpus/environment"], environment),
    target("answers", &["tests/fuzz/corpus/answers"], answers),
    target("bodies", &["tests/fuzz/corpus/bodies"], bodies),
    target("heads", &["tests/fuzz/corpus/heads"], heads),
    target("masks", &["tests/fuzz/corpus/masks", "tests/fuzz/corpus/bodies"], masks),
    target("testers", &["tests/fuzz/corpus/testers", "tests/fuzz/corpus/cookies"], testers),
    target("upstream", &["tests/fuzz/corpus/upstream"], upstream),
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

/// The same comes out however the bytes of an answer arrive; and where the parser behind ends a body with a chunk that is
/// let through, a size of zero was written there.
fn upstream(data: &[u8]) {
    let in_order = ficus::upstream::is_in_order(data, data.len(), false);
    for piece in [1, 7, 100] {
        assert_eq!(ficus::upstream::is_in_order(data, piece, false), in_order, "in pieces of {piece}");
    }
    let mut headers = [httparse::EMPTY_HEADER; 256];
    let mut response = httparse::Response::new(&mut headers);
    let mut config = httparse::ParserConfig::default();
    config.allow_spaces_after_header_name_in_responses(true);
    let Ok(httparse::Status::Complete(end)) = config.parse_response(&mut response, data) else { return };
    let chunked = |header: &httparse::Header<'_>| {
        header.name.eq_ignore_ascii_case("transfer-encoding") && header.value.eq_ignore_ascii_case(b"chunked")
    };
    let has_body = response.code.is_some_and(|code| code >= 200 && code != 204 && code != 304);
    if !in_order || !has_body || !response.headers.iter().any(chunked) {
        return;
    }
    let mut rest = &data[end..];
    while let Ok(httparse::Status::Complete((line, size))) = httparse::parse_chunk_size(rest) {
        if size == 0 {
            assert_eq!(rest[0], b'0');
            return;
        }
        let next = usize::try_from(size).ok().and_then(|size| size.checked_add(line + 2));
        let Some(left) = next.and_then(|next| rest.get(next..)) else { return };
        rest = left;
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

/// Nobody becomes a tester, is pinned or keeps an identity without the secret, whatever cookies and header say.
fn testers(data: &[u8]) {
    let secret = ("FICUS_FLASK_SECRET_KEY".to_owned(), "not the key of the corpus".to_owned());
    let inputs = Inputs { environment: [secret].into(), ..Inputs::default() };
    let reader = Reader::new(&ficus::settings::load(&inputs).0.unwrap());
    let text = String::from_utf8_lossy(data);
    let asked = ficus::identity::Asked {
        cookies: data,
        tester: Some(&text),
        address: "192.0.2.1".parse().unwrap(),
        browser: true,
        now: 1_700_000_000,
    };
    let scope = ficus::identity::Scope { route: "customers.list", group: "customers" };
    let (asker, new) = reader.ask(&asked, scope, || Some([7; 16]));
    assert!(asker.chosen.is_none() && asker.pinned.is_none() && asker.roles.is_empty(), "{asker:?}");
    assert!(asker.identity.user().is_none() && new.is_some(), "{asker:?}");
}

/// An answer's head is refused, or goes on without what is ours and what ends here.
fn answers(data: &[u8]) {
    let Some(sent) = probe::answer(data) else { return };
    for (name, value) in sent {
        assert!(!name.starts_with("x-ficus-") && name != "keep-alive", "{name}");
        assert!(!value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)), "{name}: {value:?}");
    }
}

/// Two answers are compared without a panic; one with itself never differs, and what is not compared is no match.
fn bodies(data: &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == b'|');
    let one = parts.next().unwrap_or_default();
    let other = parts.next().unwrap_or_default();
    for media in ["application/json", "text/html; charset=utf-8", "text/csv; charset=latin-1", "image/png"] {
        for coding in [None, Some("gzip"), Some("deflate")] {
            let answer = |body: &[u8]| {
                let mut answer = plain(body);
                answer.headers.insert("content-type", media.parse().unwrap());
                if let Some(coding) = coding {
                    answer.headers.insert("content-encoding", coding.parse().unwrap());
                }
                answer
            };
            compare(&answer(one), &answer(other), b"");
            let whole = compare(&answer(data), &answer(data), b"");
            assert_ne!(whole.verdict, Verdict::Mismatch, "{media} {coding:?}");
        }
    }
}

/// The same for what stands in heads: cookies, redirects, dates, lists.
fn heads(data: &[u8]) {
    let Ok(value) = http::HeaderValue::from_bytes(data) else { return };
    let answer = |names: &[&str]| {
        let mut answer = plain(b"");
        answer.status = 302;
        for name in names {
            answer.headers.append(http::HeaderName::from_bytes(name.as_bytes()).unwrap(), value.clone());
        }
        answer
    };
    let names =
        ["set-cookie", "location", "expires", "date", "vary", "allow", "content-type", "etag", "x-any"];
    let whole = answer(&names);
    assert_ne!(compare(&whole, &whole, data).verdict, Verdict::Mismatch);
    for name in names {
        let found = compare(&whole, &answer(&[name, name]), data);
        assert!(found.differences.len() <= 200);
    }
}

/// No letter and no digit of what was given stays, but for words of programs.
fn masks(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let known = |c: char| !c.is_alphanumeric() || matches!(c, 'x' | 'X' | '9');
    assert!(mask::shape(&text).chars().all(known), "{text}");
    for pair in mask::query(&text).split('&') {
        let value = pair.split_once('=').map_or("", |(_, value)| value);
        assert!(value.chars().all(known), "{pair}");
    }
    let name = mask::name(&text);
    assert!(name.chars().all(known) || mask::is_plain_name(&name), "{name}");
    assert!(!mask::scrub(&text).contains("ana@example.com"));
}

fn plain(body: &[u8]) -> Answer {
    Answer { status: 200, complete: true, body: body.to_vec().into(), ..Answer::default() }
}

fn compare(reference: &Answer, candidate: &Answer, cookies: &[u8]) -> Comparison {
    let side = Side::Flask(Profile::Werkzeug10);
    let case = Case {
        asked: &Asked { url: "http://crm.example/customers?page=2".to_owned(), cookies: cookies.to_vec() },
        reference,
        candidate,
        design: Design::of(side, Side::Rust(Profile::Werkzeug23)),
        rules: &[],
        now: chrono::DateTime::from_timestamp(1_800_000_000, 0).unwrap(),
    };
    Judge::new(Some("key"), "session", Profile::Werkzeug10).compare(&case)
}

/// A table or an error, and the error can be shown.
fn routes(data: &[u8]) {
    let source = Source::new("routes.toml".to_owned(), String::from_utf8_lossy(data).into_owned());
    let context = ficus::route::Context { profile: Profile::Werkzeug10, ..ficus::route::Context::default() };
    let (table, report) = ficus::route::read(&Arc::clone(&source), &context);
    assert_ne!(table.is_some(), report.has_errors());
    let _ = report.render(false);
}

/// Lines of `NAME=VALUE`, as a unit file brings them: settings or errors, and no secret in an error.
fn environment(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    let mut environment: std::collections::BTreeMap<String, String> =
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    environment.insert("FICUS_FLASK_SECRET_KEY".to_owned(), "the-secret-of-the-corpus".to_owned());
    let inputs = Inputs { environment, ..Inputs::default() };
    let (settings, report) = ficus::settings::load(&inputs);
    assert_ne!(settings.is_some(), report.has_errors());
    assert!(!report.render(false).contains("the-secret-of-the-corpus"));
    assert!(!format!("{settings:?}").contains("the-secret-of-the-corpus"));
}

fn settings(data: &[u8]) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), String::from_utf8_lossy(data).as_bytes()).unwrap();
    let inputs = Inputs { config: Some(file.path().to_owned()), ..Inputs::default() };
    let (settings, report) = ficus::settings::load(&inputs);
    assert_ne!(settings.is_some(), report.has_errors());
    let _ = report.render(false);
}
