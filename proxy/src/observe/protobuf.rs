//! Spans as an `ExportTraceServiceRequest` of OTLP, in protobuf.
//!
//! Only what we send: messages, strings, bytes, varints and fixed 64-bit numbers. Field numbers are those of
//! opentelemetry-proto 1.x, which are stable.

use super::traces::{Kind, Span, Value};

/// The request: one resource, one scope, all spans.
pub(super) fn request(resource: &[(String, String)], version: &str, spans: &[Span]) -> Vec<u8> {
    let mut described = Vec::new();
    for (name, value) in resource {
        message(&mut described, 1, &key_value(name, &Value::Text(value.clone())));
    }
    let mut scope = Vec::new();
    text(&mut scope, 1, "ficus");
    text(&mut scope, 2, version);
    let mut scope_spans = Vec::with_capacity(spans.len() * 320);
    message(&mut scope_spans, 1, &scope);
    for one in spans {
        message(&mut scope_spans, 2, &span(one));
    }
    let mut resource_spans = Vec::with_capacity(scope_spans.len() + described.len() + 16);
    message(&mut resource_spans, 1, &described);
    message(&mut resource_spans, 2, &scope_spans);
    let mut request = Vec::with_capacity(resource_spans.len() + 8);
    message(&mut request, 1, &resource_spans);
    request
}

fn span(span: &Span) -> Vec<u8> {
    let mut out = Vec::with_capacity(320);
    bytes(&mut out, 1, &span.trace.to_be_bytes());
    bytes(&mut out, 2, &span.id.to_be_bytes());
    if span.parent != 0 {
        bytes(&mut out, 4, &span.parent.to_be_bytes());
    }
    text(&mut out, 5, &span.name);
    number(&mut out, 6, if span.kind == Kind::Server { 2 } else { 3 });
    fixed64(&mut out, 7, span.start);
    fixed64(&mut out, 8, span.end);
    for (name, value) in &span.attributes {
        message(&mut out, 9, &key_value(name, value));
    }
    if span.failed {
        // Status: code 2 is "error".
        let mut status = Vec::new();
        number(&mut status, 3, 2);
        message(&mut out, 15, &status);
    }
    out
}

fn key_value(name: &str, value: &Value) -> Vec<u8> {
    let mut any = Vec::new();
    match value {
        Value::Text(value) => text(&mut any, 1, value),
        Value::Number(value) => number(&mut any, 3, value.cast_unsigned()),
    }
    let mut out = Vec::new();
    text(&mut out, 1, name);
    message(&mut out, 2, &any);
    out
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn tag(out: &mut Vec<u8>, field: u64, wire: u64) {
    varint(out, field << 3 | wire);
}

fn number(out: &mut Vec<u8>, field: u64, value: u64) {
    tag(out, field, 0);
    varint(out, value);
}

fn fixed64(out: &mut Vec<u8>, field: u64, value: u64) {
    tag(out, field, 1);
    out.extend_from_slice(&value.to_le_bytes());
}

fn bytes(out: &mut Vec<u8>, field: u64, value: &[u8]) {
    tag(out, field, 2);
    varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

fn text(out: &mut Vec<u8>, field: u64, value: &str) {
    bytes(out, field, value.as_bytes());
}

fn message(out: &mut Vec<u8>, field: u64, value: &[u8]) {
    bytes(out, field, value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_varints() {
        for (value, expected) in
            [(0, &[0][..]), (1, &[1]), (127, &[127]), (128, &[0x80, 1]), (300, &[0xac, 2])]
        {
            let mut out = Vec::new();
            varint(&mut out, value);
            assert_eq!(out, expected, "{value}");
        }
        let mut out = Vec::new();
        varint(&mut out, u64::MAX);
        assert_eq!(out.len(), 10);
    }

    /// Byte for byte what protobuf's own library writes for the same message.
    #[test]
    fn a_request_is_what_protobuf_would_write() {
        let one = Span {
            trace: 1,
            id: 2,
            parent: 3,
            name: "GET".to_owned(),
            kind: Kind::Server,
            start: 4,
            end: 5,
            attributes: vec![("a", Value::from("b")), ("n", Value::Number(200))],
            failed: true,
        };
        let request = request(&[("service.name".to_owned(), "ficus".to_owned())], "1", &[one]);
        let hex = request.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
        assert_eq!(
            hex,
            concat!(
                "0a8201",                                                 // resource_spans
                "0a190a170a0c736572766963652e6e616d6512070a056669637573", // resource
                "1265",                                                   // scope_spans
                "0a0a0a056669637573120131",                               // scope
                "1257",                                                   // span
                "0a1000000000000000000000000000000001",                   // trace
                "12080000000000000002",                                   // id
                "22080000000000000003",                                   // parent
                "2a03474554",                                             // name
                "3002",                                                   // kind
                "390400000000000000",                                     // start
                "410500000000000000",                                     // end
                "4a080a016112030a0162",                                   // a = b
                "4a080a016e120318c801",                                   // n = 200
                "7a021802",                                               // status
            )
        );
    }
}
