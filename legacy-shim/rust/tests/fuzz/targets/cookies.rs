//! The `Cookie` header read, `Set-Cookie` written and read again.

use flask_compat::cookie::{Cookies, SetCookie, http_date, parse_http_date};

use super::PROFILES;

/// Any bytes as a `Cookie` header: reading never fails, never makes more text than there was.
pub(crate) fn cookie(data: &[u8]) {
    for profile in PROFILES {
        let cookies = Cookies::parse(data, profile);
        let (mut pairs, mut bytes) = (0, 0);
        for (name, value) in cookies.iter() {
            pairs += 1;
            bytes += name.len() + value.len();
            if pairs <= 20 {
                let first = cookies.iter().find(|(other, _)| *other == name).map(|(_, value)| value);
                assert_eq!(cookies.get(name), first, "{profile:?}: not the first `{name}`");
            }
        }
        assert!(pairs <= data.len(), "{profile:?}: {pairs} cookies of {} bytes", data.len());
        // A byte that is no UTF-8 becomes U+FFFD (three bytes).
        assert!(bytes <= 3 * data.len(), "{profile:?}: {bytes} bytes of {}", data.len());
    }
}

/// Any text as a cookie's value (first line), domain, path (second and third line): one header, one cookie, nothing
/// smuggled; the value comes back.
pub(crate) fn set_cookie(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut lines = text.splitn(3, '\n');
    let mut line = || lines.next().unwrap_or_default().to_owned();
    let (first, domain, path) = (line(), line(), line());
    for value in [first.as_str(), &text] {
        for profile in PROFILES {
            let cookie = SetCookie {
                domain: (!domain.is_empty()).then(|| domain.clone()),
                path: Some(path.clone()),
                expires: Some(data.len() as i64 * 1_000_003),
                ..SetCookie::new("name", value, profile)
            };
            let header = cookie.header_value();
            assert!(
                !header.contains(|c: char| c.is_control()),
                "{profile:?}: control characters in {header:?}"
            );
            let pair = header.split(';').next().unwrap_or_default();
            let cookies = Cookies::parse(pair.as_bytes(), profile);
            assert_eq!(cookies.iter().count(), 1, "{profile:?}: {pair:?}");
            assert_eq!(cookies.get("name"), Some(value), "{profile:?}: {pair:?}");
        }
    }
    date(&first);
}

fn date(text: &str) {
    if let Some(unix) = parse_http_date(text) {
        let written = http_date(unix);
        assert_eq!(parse_http_date(&written), Some(unix), "{text:?} became {written:?}");
    }
}
