//! The request id and the W3C trace context: continued if the client brought them, made if not.

use std::io::Read;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context;
use siphasher::sip128::{Hasher128, SipHasher13};
use std::hash::Hasher;

/// Longest request id that is continued.
const LONGEST_ID: usize = 128;

/// Makes ids that do not repeat, on this node or another.
#[derive(Debug)]
pub(super) struct Ids {
    key: [u8; 16],
    next: AtomicU64,
}

/// The ids of one request.
#[derive(Debug, Default)]
pub(super) struct Trace {
    /// For people and logs.
    pub(super) request_id: String,
    /// What goes upstream; its trace id is at 3..35.
    pub(super) parent: String,
    /// Whether the client's trace goes on.
    pub(super) continued: bool,
}

impl Trace {
    /// The W3C trace id.
    pub(super) fn trace_id(&self) -> &str {
        self.parent.get(3..35).unwrap_or_default()
    }
}

impl Ids {
    /// Ids with a random start.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub(super) fn new() -> anyhow::Result<Self> {
        let mut key = [0; 16];
        std::fs::File::open("/dev/urandom")
            .and_then(|mut file| file.read_exact(&mut key))
            .context("cannot read random bytes from `/dev/urandom`")?;
        Ok(Self { key, next: AtomicU64::new(0) })
    }

    /// The ids of a request that came with these headers.
    pub(super) fn trace(&self, request_id: Option<&[u8]>, parent: Option<&[u8]>) -> Trace {
        let made = self.make();
        let request_id = match request_id.and_then(continued_id) {
            Some(id) => id.to_owned(),
            None => format!("{made:032x}"),
        };
        // A span id of our own: half of the number that the request id does not start with.
        let span = (made as u64) | 1;
        match parent.and_then(continued_trace) {
            Some((trace, flags)) => {
                Trace { request_id, parent: format!("00-{trace}-{span:016x}-{flags}"), continued: true }
            }
            None => Trace { request_id, parent: format!("00-{made:032x}-{span:016x}-01"), continued: false },
        }
    }

    /// Keys that nobody outside can guess.
    pub(super) fn keys(&self) -> (u64, u64) {
        let key = self.make();
        ((key >> 64) as u64, key as u64)
    }

    fn make(&self) -> u128 {
        let mut hasher = SipHasher13::new_with_key(&self.key);
        hasher.write_u64(self.next.fetch_add(1, Ordering::Relaxed));
        hasher.finish128().as_u128().max(1)
    }
}

fn continued_id(id: &[u8]) -> Option<&str> {
    let harmless = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:/=+".contains(byte);
    let is_usable = (1..=LONGEST_ID).contains(&id.len()) && id.iter().all(harmless);
    is_usable.then(|| std::str::from_utf8(id).ok()).flatten()
}

/// Trace id and flags of a valid `traceparent`.
fn continued_trace(parent: &[u8]) -> Option<(&str, &str)> {
    let parent = std::str::from_utf8(parent).ok()?;
    let mut parts = parent.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let hex = |text: &str, length| {
        text.len() == length && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
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
    valid.then_some((trace, flags))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

    #[test]
    fn a_valid_trace_is_continued_with_a_span_of_our_own() {
        let ids = Ids { key: [7; 16], next: AtomicU64::new(0) };
        let trace = ids.trace(Some(b"abc-1"), Some(PARENT.as_bytes()));
        assert_eq!(trace.request_id, "abc-1");
        assert_eq!(trace.trace_id(), "0af7651916cd43dd8448eb211c80319c");
        assert!(trace.parent.starts_with("00-0af7651916cd43dd8448eb211c80319c-"));
        assert!(trace.parent.ends_with("-00") && !trace.parent.contains("b7ad6b7169203331"));
    }

    #[test]
    fn bad_ids_are_replaced() {
        let ids = Ids { key: [7; 16], next: AtomicU64::new(0) };
        for id in [&b""[..], b"a b", b"a\"b", &[b'x'; 129]] {
            assert_eq!(ids.trace(Some(id), None).request_id.len(), 32);
        }
        for parent in
            ["", "00", "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00", &PARENT.to_uppercase()]
        {
            assert!(!ids.trace(None, Some(parent.as_bytes())).continued, "{parent}");
        }
        let zero = "00-00000000000000000000000000000000-b7ad6b7169203331-00";
        assert!(!ids.trace(None, Some(zero.as_bytes())).continued);
    }

    #[test]
    fn ids_do_not_repeat() {
        let ids = Ids { key: [7; 16], next: AtomicU64::new(0) };
        let made: std::collections::BTreeSet<_> =
            (0..1_000).map(|_| ids.trace(None, None).request_id).collect();
        assert_eq!(made.len(), 1_000);
    }
}
