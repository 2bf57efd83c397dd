//! The address that a link leads to, in one spelling: an escape that says what the letter itself would say is no
//! difference, and in a query a blank is `+` or `%20`. Releases of Werkzeug escape in different ways.

use flask_compat::url;

/// The complete address.
pub(super) fn address(base: &str, link: &str) -> String {
    let joined = url::join(base, link.trim());
    let (rest, fragment) = joined.split_once('#').map_or((joined.as_str(), None), |(a, b)| (a, Some(b)));
    let (place, query) = rest.split_once('?').map_or((rest, None), |(a, b)| (a, Some(b)));
    let mut out = spelled(place, false);
    if let Some(query) = query {
        out.push('?');
        out.push_str(&spelled(query, true));
    }
    if let Some(fragment) = fragment {
        out.push('#');
        out.push_str(fragment);
    }
    out
}

fn spelled(text: &str, query: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let escaped = (*byte == b'%').then(|| after.first_chunk::<2>().and_then(|pair| hex(*pair))).flatten();
        match escaped {
            Some(meant) => {
                rest = &after[2..];
                put(&mut out, meant, !means_itself(meant, query));
            }
            None => {
                rest = after;
                let blank = query && *byte == b'+';
                put(&mut out, if blank { b' ' } else { *byte }, blank || !byte.is_ascii());
            }
        }
    }
    out
}

fn put(out: &mut String, byte: u8, escape: bool) {
    if escape {
        out.push_str(&format!("%{byte:02X}"));
    } else {
        out.push(char::from(byte));
    }
}

fn hex(pair: [u8; 2]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok()
}

/// Whether the byte says the same without an escape: what separates parts does not.
fn means_itself(byte: u8, query: bool) -> bool {
    byte.is_ascii_alphanumeric()
        || b"-._~!$'()*,;:@".contains(&byte)
        || (query && b"/?\"<>[]{}|\\^`".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn one_address_has_many_spellings() {
        let base = "http://crm.example/customers/";
        for (one, other) in [
            ("?q=a+b", "?q=a%20b"),
            ("?q=%2a%27", "?q=*'"),
            ("/customers/?q=x%22y", "?q=x\"y"),
            ("?q=Z%c3%bcrich", "?q=Zürich"),
            ("%7eana", "~ana"),
            ("http://crm.example/customers/7", "7"),
        ] {
            assert_eq!(address(base, one), address(base, other), "{one} {other}");
        }
        for (one, other) in [
            ("?q=a%26b", "?q=a&b"),
            ("?q=a%2Bb", "?q=a+b"),
            ("?q=a%3Db", "?q=a=b"),
            ("?q=%25", "?q=%2525"),
            ("a%2Fb", "a/b"),
            ("a+b", "a%20b"),
            ("?q=%zz", "?q=%zy"),
            ("?q=a#b", "?q=a#c"),
            ("?a=1&b=2", "?b=2&a=1"),
        ] {
            assert_ne!(address(base, one), address(base, other), "{one} {other}");
        }
    }
}
