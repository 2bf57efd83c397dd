//! A fake collector of traces: takes what is posted, reads the protobuf, remembers the spans.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};

use crate::backend::{Backend, Then};

/// A span, as it arrived.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Span {
    pub(crate) trace: String,
    pub(crate) id: String,
    pub(crate) parent: String,
    pub(crate) name: String,
    pub(crate) kind: u64,
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) failed: bool,
}

impl Span {
    pub(crate) fn has(&self, attributes: &[(&str, &str)]) -> bool {
        attributes.iter().all(|(name, value)| self.attributes.get(*name).is_some_and(|found| found == value))
    }
}

/// The collector.
pub(crate) struct Collector {
    backend: Backend,
    status: Arc<AtomicU16>,
    spans: Arc<Mutex<Vec<Span>>>,
    resource: Arc<Mutex<BTreeMap<String, String>>>,
}

impl Collector {
    pub(crate) fn start() -> Self {
        let status = Arc::new(AtomicU16::new(200));
        let spans: Arc<Mutex<Vec<Span>>> = Arc::default();
        let resource: Arc<Mutex<BTreeMap<String, String>>> = Arc::default();
        let (answer, store, who) = (Arc::clone(&status), Arc::clone(&spans), Arc::clone(&resource));
        let backend = Backend::tcp(move |exchange| {
            let body = exchange.read_body();
            let status = answer.load(Ordering::SeqCst);
            if status == 200 {
                let (resource, spans) = request(&body);
                *who.lock().unwrap() = resource;
                store.lock().unwrap().extend(spans);
            }
            exchange.answer(&format!("{status} Whatever"), "", "");
            Then::Close
        });
        Self { backend, status, spans, resource }
    }

    pub(crate) fn url(&self) -> String {
        self.backend.url()
    }

    /// From now on it answers with this status.
    pub(crate) fn answers(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    pub(crate) fn posts(&self) -> usize {
        self.backend.requests()
    }

    /// Everything that was posted, as it came.
    pub(crate) fn received(&self) -> Vec<crate::backend::Received> {
        self.backend.received()
    }

    pub(crate) fn resource(&self) -> BTreeMap<String, String> {
        self.resource.lock().unwrap().clone()
    }

    pub(crate) fn spans(&self) -> Vec<Span> {
        self.spans.lock().unwrap().clone()
    }

    /// Waits for so many spans.
    pub(crate) fn wait(&self, count: usize) -> Vec<Span> {
        crate::ficus::eventually(&format!("{count} spans"), || self.spans().len() >= count);
        self.spans()
    }
}

/// The fields of a message: number and value.
enum Field<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

fn fields(mut bytes: &[u8]) -> Vec<(u64, Field<'_>)> {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes);
        let value = match tag & 7 {
            0 => Field::Number(varint(&mut bytes)),
            1 => {
                let (number, rest) = bytes.split_first_chunk::<8>().unwrap();
                bytes = rest;
                Field::Number(u64::from_le_bytes(*number))
            }
            2 => {
                let length = usize::try_from(varint(&mut bytes)).unwrap();
                let (value, rest) = bytes.split_at(length);
                bytes = rest;
                Field::Bytes(value)
            }
            other => panic!("wire type {other}"),
        };
        found.push((tag >> 3, value));
    }
    found
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let (byte, rest) = bytes.split_first().unwrap();
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            break;
        }
    }
    value
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

fn key_value(bytes: &[u8]) -> (String, String) {
    let mut pair = (String::new(), String::new());
    for (number, field) in fields(bytes) {
        match (number, field) {
            (1, Field::Bytes(name)) => pair.0 = text(name),
            (2, Field::Bytes(any)) => {
                pair.1 = match fields(any).remove(0) {
                    (1, Field::Bytes(value)) => text(value),
                    (3, Field::Number(number)) => number.to_string(),
                    _ => panic!("a value of another kind"),
                };
            }
            _ => panic!("field {number} of an attribute"),
        }
    }
    pair
}

fn request(bytes: &[u8]) -> (BTreeMap<String, String>, Vec<Span>) {
    let (mut resource, mut spans) = (BTreeMap::new(), Vec::new());
    for (_, resource_spans) in fields(bytes) {
        let Field::Bytes(resource_spans) = resource_spans else { panic!("no message") };
        for (number, field) in fields(resource_spans) {
            match (number, field) {
                (1, Field::Bytes(who)) => {
                    for (_, attribute) in fields(who) {
                        let Field::Bytes(attribute) = attribute else { panic!("no message") };
                        let (name, value) = key_value(attribute);
                        resource.insert(name, value);
                    }
                }
                (2, Field::Bytes(scope)) => spans.extend(scope_spans(scope)),
                _ => panic!("field {number}"),
            }
        }
    }
    (resource, spans)
}

fn scope_spans(bytes: &[u8]) -> Vec<Span> {
    fields(bytes)
        .into_iter()
        .filter_map(|(number, field)| match (number, field) {
            (2, Field::Bytes(one)) => Some(span(one)),
            _ => None,
        })
        .collect()
}

fn span(bytes: &[u8]) -> Span {
    let mut span = Span::default();
    for (number, field) in fields(bytes) {
        match (number, field) {
            (1, Field::Bytes(id)) => span.trace = hex(id),
            (2, Field::Bytes(id)) => span.id = hex(id),
            (4, Field::Bytes(id)) => span.parent = hex(id),
            (5, Field::Bytes(name)) => span.name = text(name),
            (6, Field::Number(kind)) => span.kind = kind,
            (7, Field::Number(start)) => span.start = start,
            (8, Field::Number(end)) => span.end = end,
            (9, Field::Bytes(attribute)) => {
                let (name, value) = key_value(attribute);
                span.attributes.insert(name, value);
            }
            (15, Field::Bytes(_)) => span.failed = true,
            _ => panic!("field {number} of a span"),
        }
    }
    span
}
