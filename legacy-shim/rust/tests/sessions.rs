//! Session cookies against the real Flask 1.1.2, 2.3.3 and 3.1.3: what they wrote is read, what Rust writes is theirs.

#![allow(clippy::unwrap_used)]

mod support;

use flask_compat::Profile;
use flask_compat::cookie::SameSite;
use flask_compat::session::{
    Map, Session, SessionCodec, SessionConfig, Value, read_tagged_json, write_tagged_json,
};
use flask_compat::signing::{Digest, KeyDerivation, Signer};
use proptest::prelude::*;
use serde_json::Value as Json;
use support::{ENVIRONMENTS, cases, text, vectors};

fn codec(vectors: &Json, config: SessionConfig) -> SessionCodec {
    SessionCodec::new(&[text(vectors, "secret")], config)
}

#[test]
fn loads_what_flask_wrote() {
    for (environment, profile) in ENVIRONMENTS {
        let vectors = vectors(environment, "sessions");
        let codec = codec(&vectors, SessionConfig::new(profile));
        let now = vectors["now"].as_i64().unwrap();
        for case in cases(&vectors, "loads") {
            let session = codec.load(case["cookie"].as_str(), now).unwrap();
            let shown = write_tagged_json(session.data(), true, true);
            assert_eq!(shown, text(case, "tagged"), "{environment}: {}", case["name"]);
        }
        for case in cases(&vectors, "unreadable") {
            assert!(codec.load(case["cookie"].as_str(), now).is_err(), "{environment}: {}", case["payload"]);
        }
    }
}

#[test]
fn writes_the_same_cookie() {
    for (environment, profile) in ENVIRONMENTS {
        let vectors = vectors(environment, "sessions");
        let codec = codec(&vectors, SessionConfig::new(profile));
        let now = vectors["now"].as_i64().unwrap();
        for case in cases(&vectors, "loads").iter().filter(|case| text(case, "tagged") != "{}") {
            let session = codec.load(case["cookie"].as_str(), now).unwrap();
            let ours = codec.encode(session.data(), now);
            let theirs = text(case, "cookie");
            if [&ours, theirs].iter().any(|text| text.starts_with('.')) || ours.len() != theirs.len() {
                // Compressed bytes depend on the zlib at hand, altered cookies are not what Flask would write.
                let again = codec.load(Some(&ours), now).unwrap();
                assert_eq!(again.data(), session.data());
            } else if !["oldest", "future", "standard alphabet"].contains(&text(case, "name")) {
                assert_eq!(ours, theirs, "{environment}: {}", case["name"]);
            }
        }
    }
}

fn config_of(case: &Json, profile: flask_compat::Profile) -> SessionConfig {
    let mut config = SessionConfig::new(profile);
    let given = &case["config"];
    config.secure = given["SESSION_COOKIE_SECURE"] == true;
    config.http_only = given["SESSION_COOKIE_HTTPONLY"] != false;
    config.same_site = given["SESSION_COOKIE_SAMESITE"].as_str().map(|text| match text {
        "None" => SameSite::None,
        _ => SameSite::Lax,
    });
    // Only Flask 3.1 has the setting.
    config.partitioned = given["SESSION_COOKIE_PARTITIONED"] == true && profile == Profile::Werkzeug31;
    config.domain = given["SESSION_COOKIE_DOMAIN"].as_str().map(str::to_owned);
    config.refresh_each_request = given["SESSION_REFRESH_EACH_REQUEST"] != false;
    if let Some(path) = given["SESSION_COOKIE_PATH"].as_str() {
        config.path = path.to_owned();
    }
    if let Some(name) = given["SESSION_COOKIE_NAME"].as_str() {
        config.cookie_name = name.to_owned();
    }
    if let Some(lifetime) = given["PERMANENT_SESSION_LIFETIME"].as_i64() {
        config.lifetime = lifetime;
    }
    config
}

fn value(json: &Json) -> Value {
    let wrapped = serde_json::json!({ "v": json }).to_string();
    read_tagged_json(&wrapped).unwrap().pop().unwrap().1
}

fn act(session: &mut Session, actions: &Json) {
    for action in actions.as_array().unwrap() {
        let key = action[1].as_str().unwrap_or_default();
        match action[0].as_str().unwrap() {
            "get" => drop(session.get(key).cloned()),
            "contains" => drop(session.contains(key)),
            "set" => session.insert(key, value(&action[2])),
            "pop" => drop(session.remove(key)),
            "clear" => session.clear(),
            "permanent" => session.set_permanent(true),
            "modified" => session.set_modified(),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn sends_cookie_and_vary_when_flask_does() {
    for (environment, profile) in ENVIRONMENTS {
        let vectors = vectors(environment, "sessions");
        let now = vectors["now"].as_i64().unwrap();
        for case in cases(&vectors, "saves") {
            let codec = codec(&vectors, config_of(case, profile));
            let mut session = codec.load(case["cookie"].as_str(), now).unwrap();
            act(&mut session, &case["actions"]);
            let ours: Vec<Json> = codec.save(&session, now).iter().map(|c| c.header_value().into()).collect();
            let name = format!("{environment}: {}", case["name"]);
            assert_eq!(Json::Array(ours), case["set_cookie"], "{name}");
            assert_eq!(codec.vary(&session), case["vary"] == "Cookie", "{name}: vary");
        }
    }
}

/// Every key derivation and digest of itsdangerous, one key and several (the last one signs there, the first one here).
#[test]
fn signs_like_itsdangerous() {
    let mut compared = 0;
    for (environment, _) in ENVIRONMENTS {
        let vectors = vectors(environment, "sessions");
        for case in cases(&vectors, "signed") {
            let derivation = match text(case, "derivation") {
                "hmac" => KeyDerivation::Hmac,
                "django-concat" => KeyDerivation::DjangoConcat,
                "concat" => KeyDerivation::Concat,
                _ => KeyDerivation::None,
            };
            let digest = match text(case, "digest") {
                "sha1" => Digest::Sha1,
                "sha224" => Digest::Sha224,
                "sha256" => Digest::Sha256,
                "sha384" => Digest::Sha384,
                _ => Digest::Sha512,
            };
            let keys: Vec<&str> = cases(case, "keys").iter().rev().map(|key| key.as_str().unwrap()).collect();
            let signer = Signer::new(&keys, "a salt", derivation, digest);
            let (value, _) = text(case, "signed").rsplit_once('.').unwrap();
            assert_eq!(signer.sign(value), text(case, "signed"), "{environment}: {case}");
            assert_eq!(signer.unsign(text(case, "signed")).unwrap().value, value, "{environment}: {case}");
            compared += 1;
        }
    }
    assert_eq!(compared, 140, "20 ways in each environment, 40 where several keys are known");
}

/// `SECRET_KEY_FALLBACKS`.
#[test]
fn rotates_keys_like_flask() {
    for (environment, profile) in ENVIRONMENTS {
        let vectors = vectors(environment, "sessions");
        let known = &vectors["fallbacks"];
        let keys: Vec<&str> = cases(known, "keys").iter().map(|key| key.as_str().unwrap()).collect();
        // Flask reads old keys from 3.1 on.
        let keys = if profile == Profile::Werkzeug31 { &keys[..] } else { &keys[..1] };
        let codec = SessionCodec::new(keys, SessionConfig::new(profile));
        let now = vectors["now"].as_i64().unwrap();
        for case in cases(known, "loads") {
            let session = codec.load(case["cookie"].as_str(), now).unwrap();
            assert_eq!(
                write_tagged_json(session.data(), true, true),
                text(case, "tagged"),
                "{environment}: {case}"
            );
        }
        let data = Map::from_iter([("k".to_owned(), Value::from("v"))]);
        assert_eq!(codec.encode(&data, now), text(known, "cookie"), "{environment}: the newest key signs");
    }
}

#[test]
fn older_keys_are_read_but_do_not_sign() {
    let profile = flask_compat::Profile::Werkzeug31;
    let old = SessionCodec::new(&["old"], SessionConfig::new(profile));
    let both = SessionCodec::new(&["new", "old"], SessionConfig::new(profile));
    let new = SessionCodec::new(&["new"], SessionConfig::new(profile));
    let data = Map::from_iter([("k".to_owned(), Value::from(1))]);
    let cookie = old.encode(&data, 10);
    assert_eq!(both.load(Some(&cookie), 10).unwrap().data(), &data);
    assert!(new.load(Some(&cookie), 10).unwrap().data().is_empty());
    assert_eq!(new.load(Some(&both.encode(&data, 10)), 10).unwrap().data(), &data);
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        any::<f64>().prop_filter("finite", |f| f.is_finite()).prop_map(Value::Float),
        ".*".prop_map(Value::Str),
        ".*".prop_map(Value::Markup),
        any::<Vec<u8>>().prop_map(Value::Bytes),
        any::<u128>().prop_map(Value::Uuid),
        (0i64..4_000_000_000).prop_map(Value::DateTime),
        "1[0-9]{20,30}".prop_map(Value::BigInt),
    ];
    let key = prop_oneof![".{0,6}", "( t| b| m| u| d| di)", "[a-z]{1,3}__"];
    leaf.prop_recursive(4, 24, 5, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::Tuple),
            proptest::collection::vec((key.clone(), inner), 0..4)
                .prop_map(|entries| Value::Map(entries.into_iter().collect())),
        ]
    })
}

fn any_map() -> impl Strategy<Value = Map> {
    proptest::collection::vec(("[a-z_]{1,6}", any_value()), 0..6)
        .prop_map(|entries| entries.into_iter().collect())
}

proptest! {
    #[test]
    fn payloads_survive(map in any_map(), now in 0i64..4_000_000_000) {
        let codec = SessionCodec::new(&["secret"], SessionConfig::new(flask_compat::Profile::Werkzeug23));
        let cookie = codec.encode(&map, now);
        let session = codec.load(Some(&cookie), now).unwrap();
        prop_assert_eq!(session.data(), &map);
    }

    #[test]
    fn tampered_cookies_are_empty(map in any_map(), at in any::<prop::sample::Index>(), byte in 0x21u8..0x7f) {
        let codec = SessionCodec::new(&["secret"], SessionConfig::new(flask_compat::Profile::Werkzeug23));
        let cookie = codec.encode(&map, 1000);
        let mut bytes = cookie.clone().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let tampered = String::from_utf8(bytes).unwrap();
        let signed = |text: &str| {
            let (value, signature) = text.rsplit_once('.').unwrap_or((text, ""));
            (value.to_owned(), flask_compat::signing::base64::decode(signature.as_bytes()))
        };
        let loaded = codec.load(Some(&tampered), 1000).unwrap();
        // Unused bits of the signature's last character are nobody's information.
        if signed(&tampered) != signed(&cookie) {
            prop_assert!(loaded.data().is_empty());
        }
    }

    #[test]
    fn no_text_panics(text in ".*", json in "[\\[\\]{}\",:0-9a-z\\\\ .-]*") {
        let codec = SessionCodec::new(&["secret"], SessionConfig::new(flask_compat::Profile::Werkzeug10));
        prop_assert!(codec.load(Some(&text), 0).is_ok());
        let _ = read_tagged_json(&json);
    }
}
