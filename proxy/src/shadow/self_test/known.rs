//! Pairs of answers about which it is known whether they differ, and where.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};

use crate::shadow::compare::Answer;

/// A pair.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    /// What it is about, for people.
    pub(super) what: &'static str,
    kind: &'static str,
    one: (u16, &'static str),
    other: (u16, &'static str),
    /// The group that a comparison must find; absent: the two are equal.
    pub(super) group: Option<&'static str>,
}

const JSON: &str = "application/json";
const HTML: &str = "text/html; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";
const PAGE: &str =
    "<!doctype html><html><body><p class=\"ficus-self-test\" title=\"t\">known</p></body></html>";

/// All of them; the status comes last, since everything else depends on it least.
pub(super) const ALL: &[Known] = &[
    Known {
        what: "JSON",
        kind: JSON,
        one: (200, "{\"ficus_self_test\": {\"known\": 1, \"list\": [1, 2]}}"),
        other: (200, "{\"ficus_self_test\": {\"known\": 2, \"list\": [1, 2]}}"),
        group: Some("json $.ficus_self_test.known"),
    },
    Known {
        what: "JSON",
        kind: JSON,
        one: (200, "{\"ficus_self_test\": {\"known\": 1, \"list\": [1, 2]}}"),
        other: (200, "{\"ficus_self_test\":{\"list\":[1,2],\"known\":1}}\n"),
        group: None,
    },
    Known {
        what: "HTML",
        kind: HTML,
        one: (200, PAGE),
        other: (
            200,
            "<!doctype html><html><body><p class=\"ficus-self-test\" title=\"t\">other</p></body></html>",
        ),
        group: Some("html p.ficus-self-test text"),
    },
    Known {
        what: "HTML",
        kind: HTML,
        one: (200, PAGE),
        other: (200, "<!doctype html>\n<body>\n<p title=\"t\" class=\"ficus-self-test\">\n known </p>"),
        group: None,
    },
    Known {
        what: "text",
        kind: TEXT,
        one: (200, "self-test\nknown\n"),
        other: (200, "self-test\nother\n"),
        group: Some("text line"),
    },
    Known {
        what: "status",
        kind: TEXT,
        one: (200, "self-test\n"),
        other: (500, "self-test\n"),
        group: Some("status"),
    },
];

impl Known {
    /// What was served.
    pub(super) fn served(&self) -> Answer {
        let (status, body) = self.one;
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(self.kind))]);
        Answer { status, headers, body: Bytes::from_static(body.as_bytes()), complete: true }
    }

    /// What the other side answers, as it comes over the wire.
    pub(super) fn answered(&self) -> Vec<u8> {
        let (status, body) = self.other;
        let (kind, length) = (self.kind, body.len());
        format!(
            "HTTP/1.1 {status} Known\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        )
        .into_bytes()
    }
}
