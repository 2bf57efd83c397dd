//! Conditional requests of users' traffic: what a client had kept, in words that a replay can fill. Which answer the client
//! had is told by the status: a replay that has the newest one must be answered as the client was.

/// Headers that ask for something only if it is, or is not, what the client has.
pub(in crate::shadow) const CONDITIONS: &[&str] =
    &["if-match", "if-modified-since", "if-none-match", "if-range", "if-unmodified-since"];
/// What nothing is as old as.
const LONG_AGO: &str = "Thu, 01 Jan 1970 00:00:00 GMT";
/// An ETag that nothing has.
const ANOTHER: &str = "\"another\"";

/// Whether a header, in lower case, is one of them.
pub(super) fn is_condition(name: &str) -> bool {
    CONDITIONS.contains(&name)
}

/// What stands for the value of such a header, by what was answered.
pub(super) fn condition(name: &str, value: &str, status: Option<u16>) -> String {
    if value.trim() == "*" {
        return "*".to_owned();
    }
    let by_date = match name {
        "if-modified-since" | "if-unmodified-since" => true,
        "if-range" => !value.contains('"'),
        _ => false,
    };
    let had_the_newest = match name {
        "if-none-match" | "if-modified-since" => matches!(status, Some(304 | 412)),
        "if-range" => status == Some(206),
        _ => status != Some(412),
    };
    let words = match (had_the_newest, by_date) {
        (true, false) => "{{etag}}",
        (true, true) => "{{modified}}",
        (false, false) => ANOTHER,
        (false, true) => LONG_AGO,
    };
    words.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_tells_what_the_client_had() {
        for (name, value, status, expected) in [
            ("if-none-match", "\"a\", \"b\"", Some(304), "{{etag}}"),
            ("if-none-match", "\"a\"", Some(200), ANOTHER),
            ("if-none-match", "*", Some(412), "*"),
            ("if-none-match", "\"a\"", Some(412), "{{etag}}"),
            ("if-modified-since", "Wed, 25 Nov 2026 10:00:00 GMT", Some(304), "{{modified}}"),
            ("if-modified-since", "Wed, 25 Nov 2026 10:00:00 GMT", Some(200), LONG_AGO),
            ("if-match", "\"a\"", Some(200), "{{etag}}"),
            ("if-match", "\"a\"", None, "{{etag}}"),
            ("if-match", "\"a\"", Some(412), ANOTHER),
            ("if-unmodified-since", "Wed, 25 Nov 2026 10:00:00 GMT", Some(204), "{{modified}}"),
            ("if-range", "\"a\"", Some(206), "{{etag}}"),
            ("if-range", "W/\"a\"", Some(200), ANOTHER),
            ("if-range", "Wed, 25 Nov 2026 10:00:00 GMT", Some(206), "{{modified}}"),
        ] {
            assert_eq!(condition(name, value, status), expected, "{name}: {value} {status:?}");
        }
    }
}
