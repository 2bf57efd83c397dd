//! Cookie headers read and written, against the real Werkzeug 1.0.1, 2.3.8 and 3.1.9.

#![allow(clippy::unwrap_used)]

mod support;

use flask_compat::cookie::{Cookies, SameSite, SetCookie};
use serde_json::Value;
use support::{ENVIRONMENTS, cases, text, vectors};

#[test]
fn reads_cookie_headers_like_werkzeug() {
    for (environment, profile) in ENVIRONMENTS {
        let vectors = vectors(environment, "cookies");
        for case in cases(&vectors, "parse") {
            // WSGI hands bytes over as latin-1 text.
            let header: Vec<u8> = text(case, "header").chars().map(|c| c as u8).collect();
            let cookies = Cookies::parse(&header, profile);
            let pairs: Vec<Value> =
                cookies.iter().map(|(key, value)| serde_json::json!([key, value])).collect();
            assert_eq!(Value::Array(pairs), case["pairs"], "{environment}: {:?}", text(case, "header"));
        }
    }
}

#[test]
fn writes_cookies_like_werkzeug() {
    for (environment, profile) in ENVIRONMENTS {
        let vectors = vectors(environment, "cookies");
        for case in cases(&vectors, "dump") {
            let args = &case["args"];
            let mut cookie = SetCookie::new(text(args, "key"), text(args, "value"), profile);
            cookie.expires = args["expires"].as_i64();
            cookie.max_age = args["max_age"].as_i64();
            cookie.secure = args["secure"] == true;
            cookie.http_only = args["httponly"] == true;
            cookie.domain = args["domain"].as_str().map(str::to_owned);
            if let Some(path) = args.get("path") {
                cookie.path = path.as_str().map(str::to_owned);
            }
            cookie.same_site =
                args["samesite"].as_str().map(|name| match name.to_ascii_lowercase().as_str() {
                    "strict" => SameSite::Strict,
                    "lax" => SameSite::Lax,
                    _ => SameSite::None,
                });
            assert_eq!(cookie.header_value(), text(case, "header"), "{environment}: {args}");
        }
    }
}

proptest::proptest! {
    #[test]
    fn any_value_comes_back(value in ".*") {
        for (_, profile) in ENVIRONMENTS {
            let header = SetCookie::new("k", value.as_str(), profile).header_value();
            let sent = header.split("; Path=").next().unwrap().to_owned();
            let cookies = Cookies::parse(sent.as_bytes(), profile);
            proptest::prop_assert_eq!(cookies.get("k"), Some(value.as_str()));
        }
    }

    #[test]
    fn no_header_panics(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..60)) {
        for (_, profile) in ENVIRONMENTS {
            let _ = Cookies::parse(&bytes, profile);
        }
    }
}
