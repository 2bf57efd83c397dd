//! CSRF tokens, remember cookies, Fernet tokens and password hashes.

use flask_compat::Profile;
use flask_compat::csrf::Csrf;
use flask_compat::fernet::{Fernet, MultiFernet};
use flask_compat::login::RememberKey;
use flask_compat::password::{Method, check_password_hash, generate_password_hash};
use flask_compat::session::{Map, Session, Value};
use flask_compat::url::decode_pairs;

use super::known::known;
use super::tamper::{Random, essence, signature_bytes, tamper};
use super::{NOW, PROFILES};

/// Any text as a CSRF token, as a form body with a token in it, as a referrer.
pub(crate) fn csrf(data: &[u8]) {
    let known = known();
    let text = String::from_utf8_lossy(data);
    for profile in PROFILES {
        let csrf = Csrf::new(&[&known.secret], profile);
        let data_of = |raw: &str| Map::from_iter([("csrf_token".to_owned(), Value::from(raw))]);
        let mut session = Session::new(data_of(&known.csrf_raw), profile);
        let stranger = Session::new(data_of("fedcba9876543210fedcba9876543210fedcba98"), profile);
        let form = decode_pairs(data, profile);
        let found = csrf.find_token(&form, |_| None);
        for token in [Some(text.as_ref()), found].into_iter().flatten() {
            let genuine = known.csrf_tokens.contains(&essence(token));
            assert!(csrf.validate(Some(token), &session, NOW).is_err() || genuine, "accepted {token:?}");
            assert!(
                csrf.validate(Some(token), &stranger, NOW).is_err(),
                "accepted {token:?} for another session"
            );
        }
        let token = csrf.generate(&mut session, &[7; 64], NOW);
        assert_eq!(csrf.validate(Some(&token), &session, NOW), Ok(()));
        let damaged = tamper(&token, &mut Random::of(data));
        if essence(&damaged) != essence(&token) {
            assert!(
                csrf.validate(Some(&damaged), &session, NOW).is_err(),
                "accepted {damaged:?} for {token:?}"
            );
        }
        let _ = csrf.check_referrer(true, Some(&text), "crm.example.com");
        assert!(
            csrf.check_referrer(true, Some("https://crm.example.com.evil.example/"), "crm.example.com")
                .is_err()
        );
    }
}

/// Any text as a remember cookie (nothing but the very cookie is right), any text as a user id.
pub(crate) fn remember(data: &[u8]) {
    let known = known();
    let text = String::from_utf8_lossy(data);
    let Ok(key) = RememberKey::new(&known.login_secret) else {
        panic!("the secret of the vectors is latin-1")
    };
    if let Some(id) = key.decode(&text) {
        assert!(known.remember.contains(text.as_ref()), "accepted user {id:?}");
    }
    let cookie = key.encode(&text);
    assert_eq!(key.decode(&cookie), Some(text.as_ref()));
    let damaged = tamper(&cookie, &mut Random::of(data));
    assert!(damaged == cookie || key.decode(&damaged).is_none(), "accepted {damaged:?} for {cookie:?}");
    assert_eq!(RememberKey::from_bytes(b"another").decode(&cookie), None);
}

/// Any text as a Fernet token or key, any bytes as a content.
pub(crate) fn fernet(data: &[u8]) {
    let known = known();
    let text = String::from_utf8_lossy(data);
    let Ok(keys) = MultiFernet::new(known.fernet_keys.iter().map(String::as_str)) else { panic!("bad keys") };
    if keys.decrypt(&text).is_ok() {
        assert!(known.fernets.contains(&signature_bytes(&text)), "accepted {text:?}");
    }
    let token = keys.encrypt(data, [9; 16], NOW);
    assert_eq!(keys.decrypt(&token).as_deref(), Ok(data));
    let rotated = keys.rotate(&token, [8; 16]).and_then(|token| keys.decrypt(&token));
    assert_eq!(rotated.as_deref(), Ok(data));
    let damaged = tamper(&token, &mut Random::of(data));
    if signature_bytes(&damaged) != signature_bytes(&token) {
        assert!(keys.decrypt(&damaged).is_err(), "accepted {damaged:?} for {token:?}");
        assert!(keys.rotate(&damaged, [8; 16]).is_err());
    }
    if let Ok(other) = Fernet::new(&text) {
        let known_key =
            known.fernet_keys.iter().any(|key| signature_bytes(key) == signature_bytes(text.trim()));
        assert!(known_key || other.decrypt(&token).is_err(), "another key opened the token");
    }
}

/// `stored hash \n password`: what is right is wrong with another password or another digest.
pub(crate) fn password(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (stored, password) = text.split_once('\n').unwrap_or((&text, "demo"));
    let mut random = Random::of(data);
    for profile in PROFILES {
        if cheap(stored) && check_password_hash(stored, password, profile) == Ok(true) {
            let other = format!("x{password}");
            assert_ne!(
                check_password_hash(stored, &other, profile),
                Ok(true),
                "{profile:?}: any password opens"
            );
            let (start, digest) = stored.rsplit_once('$').unwrap_or_default();
            let damaged = format!("{start}${}", tamper(digest, &mut random));
            let same = damaged == stored || !cheap(&damaged);
            assert!(
                same || check_password_hash(&damaged, password, profile) != Ok(true),
                "{profile:?}: any digest fits"
            );
        }
        // A hash of our own, with the password from the input.
        let method = match profile {
            Profile::Werkzeug10 => Method::Pbkdf2Sha256 { iterations: 1 + random.below(3) as u32 },
            _ => Method::Scrypt { log_n: 1 + random.below(3) as u8, r: 1, p: 1 },
        };
        let fresh = generate_password_hash(password, method, &[5; 32], profile);
        let fresh = fresh.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(check_password_hash(&fresh, password, profile), Ok(true));
        assert_eq!(check_password_hash(&fresh, &format!("x{password}"), profile), Ok(false));
    }
}

/// Hashing is slow by design and its cost is written in the hash: the fuzzer leaves out the expensive ones, the default
/// number of rounds included.
fn cheap(stored: &str) -> bool {
    let arguments: Vec<&str> = stored.split('$').next().unwrap_or_default().split(':').collect();
    let number = |at: usize| arguments.get(at).and_then(|text| text.parse::<u64>().ok());
    match arguments[0] {
        "pbkdf2" => arguments.len() > 3 || number(2).is_some_and(|rounds| (1..=1000).contains(&rounds)),
        "scrypt" => arguments.len() > 1 && (1..4).filter_map(number).product::<u64>() <= 1 << 10,
        _ => true,
    }
}
