//! The request's ids around everything that a handler logs: the same that the proxy and Flask write.
//!
//! `request_id` and `trace_id` come from the proxy; `span_id` is its span of this attempt. Nothing else of a request
//! is in here, and nothing is sent anywhere.

use http::HeaderMap;
use tracing::Span;

/// A span named `request` with the ids that there are.
pub(super) fn span(headers: &HeaderMap) -> Span {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let (trace_id, span_id) = text("traceparent").and_then(ids).unzip();
    tracing::info_span!(
        "request",
        request_id = text("x-request-id").filter(|id| is_harmless(id)),
        trace_id,
        span_id
    )
}

/// Trace id and span id of a valid `traceparent` (W3C Trace Context, level 1).
fn ids(parent: &str) -> Option<(&str, &str)> {
    let mut parts = parent.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let hex = |text: &str, length| {
        text.len() == length
            && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    };
    let not_zero = |text: &str| text.bytes().any(|byte| byte != b'0');
    let valid = hex(version, 2)
        && version != "ff"
        && (version != "00" || parts.next().is_none())
        && hex(trace, 32)
        && not_zero(trace)
        && hex(span, 16)
        && not_zero(span)
        && hex(flags, 2);
    valid.then_some((trace, span))
}

/// Short, and nothing that could forge a line of a log.
fn is_harmless(id: &str) -> bool {
    let harmless = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:/=+@".contains(&byte);
    (1..=128).contains(&id.len()) && id.bytes().all(harmless)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_valid_traceparent_has_ids() {
        let (trace, span) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
        assert_eq!(ids(&format!("00-{trace}-{span}-01")), Some((trace, span)));
        for bad in [
            "",
            "00",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        ] {
            assert_eq!(ids(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_id_cannot_forge_a_line() {
        assert!(is_harmless("abc-1"));
        assert!(!is_harmless("a\nb") && !is_harmless("") && !is_harmless(&"x".repeat(129)));
    }
}
