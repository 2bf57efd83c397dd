//! Session cookies and itsdangerous: what is signed comes back, what is not is nobody's.

use flask_compat::cookie::Cookies;
use flask_compat::session::{
    Session, SessionCodec, SessionConfig, Value, read_tagged_json, write_tagged_json,
};
use flask_compat::signing::{Digest, KeyDerivation, Signer, TimedSerializer};
use flask_compat::{Profile, flash};

use super::known::known;
use super::tamper::{Random, essence, tamper};
use super::{NOW, PROFILES};

fn session_signer(secrets: &[&str]) -> Signer {
    Signer::new(secrets, "cookie-session", KeyDerivation::Hmac, Digest::Sha1)
}

/// Any text as a session cookie; any bytes as a payload behind a right signature.
pub(crate) fn session(data: &[u8]) {
    let known = known();
    let signer = session_signer(&[&known.secret]);
    if let Ok(text) = std::str::from_utf8(data) {
        let genuine = || known.sessions.contains(&essence(text));
        assert!(signer.unsign(text).is_err() || genuine(), "accepted a signature that nobody made");
        for profile in PROFILES {
            match SessionCodec::new(&[&known.secret], SessionConfig::new(profile)).load(Some(text), NOW) {
                Ok(session) if session.data().is_empty() => {}
                _ => assert!(genuine(), "{profile:?}: accepted a session that nobody signed"),
            }
        }
    }
    payload(data, signer);
}

fn payload(data: &[u8], signer: Signer) {
    let known = known();
    let cookie = TimedSerializer::new(signer.clone()).dumps(data, NOW);
    assert_eq!(TimedSerializer::new(signer).loads(&cookie, Some(0), NOW).as_deref(), Ok(data));
    let codec = SessionCodec::new(&[&known.secret], SessionConfig::new(Profile::Werkzeug23));
    match (codec.load(Some(&cookie), NOW), std::str::from_utf8(data).ok().and_then(read_tagged_json)) {
        (Ok(session), Some(map)) => {
            assert_eq!(session.data(), &map);
            for ascii in [true, false] {
                let again = read_tagged_json(&write_tagged_json(&map, true, ascii));
                // Sorting changes the order of the keys only; written twice it must be the same text.
                let text = again.map(|map| write_tagged_json(&map, true, ascii));
                assert_eq!(text, Some(write_tagged_json(&map, true, ascii)), "not stable");
            }
        }
        (Err(_), None) => {}
        (loaded, read) => panic!("session {:?}, JSON {:?}", loaded.is_ok(), read.is_some()),
    }
    let mut random = Random::of(data);
    let damaged = tamper(&cookie, &mut random);
    if essence(&damaged) != essence(&cookie) {
        for profile in PROFILES {
            let codec = SessionCodec::new(&[&known.secret], SessionConfig::new(profile));
            let loaded = codec.load(Some(&damaged), NOW);
            assert!(
                loaded.is_ok_and(|s| s.data().is_empty()),
                "{profile:?}: accepted {damaged:?} for {cookie:?}"
            );
        }
    }
    let stranger = TimedSerializer::new(session_signer(&["another secret"])).dumps(data, NOW);
    assert!(codec.load(Some(&stranger), NOW).is_ok_and(|session| session.data().is_empty()));
}

/// Bytes as what a view does to its session: what is saved is sent in one header, comes back as it was, and has its `Vary`.
pub(crate) fn session_life(data: &[u8]) {
    for profile in PROFILES {
        let codec = SessionCodec::new(&["secret"], SessionConfig::new(profile));
        let mut session = codec.load(None, NOW).unwrap_or_else(|error| panic!("{error}"));
        for step in data.split(|byte| *byte == b'\n') {
            act(&mut session, step);
        }
        let Some(cookie) = codec.save(&session, NOW) else {
            assert!(session.data().is_empty() || !session.modified(), "{profile:?}: changes got lost");
            continue;
        };
        assert!(
            profile == Profile::Werkzeug10 || codec.vary(&session),
            "{profile:?}: a session without `Vary`"
        );
        let header = cookie.header_value();
        let pair = header.split(';').next().unwrap_or_default();
        let value = Cookies::parse(pair.as_bytes(), profile).get("session").map(str::to_owned);
        let again = codec.load(value.as_deref(), NOW).unwrap_or_else(|error| panic!("{error}: {header}"));
        let shown = |session: &Session| write_tagged_json(session.data(), true, true);
        assert_eq!(shown(&again), shown(&session), "{profile:?}: {header}");
    }
}

fn act(session: &mut Session, step: &[u8]) {
    let text = String::from_utf8_lossy(step.get(1..).unwrap_or_default()).into_owned();
    let (key, value) = text.split_once('=').unwrap_or((&text, ""));
    match step.first() {
        Some(b'g') => drop(session.get(key).cloned()),
        Some(b'r') => drop(session.remove(key)),
        Some(b'c') => session.clear(),
        Some(b'p') => session.set_permanent(true),
        Some(b'f') => flash::flash(session, value, key),
        Some(b'b') => session.insert(key, Value::Bytes(value.as_bytes().to_vec())),
        Some(b'm') => session.insert(key, Value::Markup(value.to_owned())),
        Some(b'd') => session.insert(key, Value::DateTime(value.parse().unwrap_or(NOW) % 4_000_000_000)),
        Some(b'j') => {
            if let Some(map) = read_tagged_json(value) {
                session.insert(key, Value::Map(map));
            }
        }
        _ => session.insert(key, value),
    }
}

const DERIVATIONS: [(&str, KeyDerivation); 4] = [
    ("hmac", KeyDerivation::Hmac),
    ("django-concat", KeyDerivation::DjangoConcat),
    ("concat", KeyDerivation::Concat),
    ("none", KeyDerivation::None),
];
const DIGESTS: [(&str, Digest); 5] = [
    ("sha1", Digest::Sha1),
    ("sha224", Digest::Sha224),
    ("sha256", Digest::Sha256),
    ("sha384", Digest::Sha384),
    ("sha512", Digest::Sha512),
];

/// Any text as a signed one, for every way to derive a key; the real ones (`signed.json`) are accepted, no other is.
pub(crate) fn itsdangerous(data: &[u8]) {
    let mut random = Random::of(data);
    let text = String::from_utf8_lossy(data);
    let (name, derivation) = *random.pick(&DERIVATIONS);
    let (digest_name, digest) = *random.pick(&DIGESTS);
    let signer = Signer::new(&["secret"], "fuzz", derivation, digest);
    for (their_name, their_digest, signed) in &known().signed {
        let ours = (their_name.as_str(), their_digest.as_str()) == (name, digest_name);
        assert_eq!(signer.unsign(signed).is_ok(), ours, "{name} {digest_name}: {signed}");
        if ours && signer.unsign(&text).is_ok() {
            assert_eq!(essence(&text), essence(signed), "accepted a signature that nobody made");
        }
    }
    let signed = signer.sign(&text);
    let both = Signer::new(&["new", "secret"], "fuzz", derivation, digest);
    assert!(both.unsign(&signed).is_ok_and(|found| found.value == text && found.key_index == 1));
    assert!(Signer::new(&["new"], "fuzz", derivation, digest).unsign(&signed).is_err());
    let damaged = tamper(&signed, &mut random);
    // What is left may be one of the real ones, if the input was: signed twice, cut once.
    let genuine = known().signed.iter().any(|(_, _, real)| essence(&damaged) == essence(real));
    assert!(
        genuine || essence(&damaged) == essence(&signed) || signer.unsign(&damaged).is_err(),
        "accepted {damaged:?} for {signed:?}"
    );
}
