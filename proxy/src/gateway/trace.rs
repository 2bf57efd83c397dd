//! The request id and the W3C trace context: continued if the client brought them, made if not.

use std::io::Read;
use std::sync::atomic::{AtomicU64, Ordering};

use super::spans::AttemptSpan;
use crate::observe::Traces;
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
    /// Our span of this request.
    pub(super) span: u64,
    /// The client's span; 0: there is none.
    pub(super) caller: u64,
    /// Whether spans are kept and sent away. Without that, the rest of this costs nothing.
    pub(super) sampled: bool,
    /// Attempts to have the request answered; only kept if sampled.
    pub(super) attempts: Vec<AttemptSpan>,
}

impl Trace {
    /// The W3C trace id.
    pub(super) fn trace_id(&self) -> &str {
        self.parent.get(3..35).unwrap_or_default()
    }

    /// Names this span as the parent of whatever a backend does.
    pub(super) fn set_parent_span(&mut self, span: u64) {
        if self.parent.len() >= 52 {
            let mut digits = String::with_capacity(16);
            push_hex(&mut digits, span.into(), 16);
            self.parent.replace_range(36..52, &digits);
        }
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

    /// The ids of a request that came with these headers; `traces`: where spans go, if they go anywhere.
    pub(super) fn trace(
        &self,
        request_id: Option<&[u8]>,
        parent: Option<&[u8]>,
        traces: Option<&Traces>,
    ) -> Trace {
        let made = self.make();
        let request_id = match request_id.and_then(continued_id) {
            Some(id) => id.to_owned(),
            None => {
                let mut id = String::with_capacity(32);
                push_hex(&mut id, made, 32);
                id
            }
        };
        // A span id of our own: half of the number that the request id does not start with.
        let span = (made as u64) | 1;
        let caller = parent.and_then(continued_trace);
        let trace = caller.as_ref().map_or(made, |caller| caller.trace);
        let decided = caller.as_ref().map(|caller| caller.flags & SAMPLED != 0);
        let sampled = traces.is_some_and(|traces| traces.samples(trace, decided));
        let flags = match (traces, &caller) {
            (Some(_), caller) => {
                caller.as_ref().map_or(0, |caller| caller.flags & !SAMPLED) | u8::from(sampled)
            }
            // Without a collector we decide nothing: what was decided stays, and the backends may trace.
            (None, Some(caller)) => caller.flags,
            (None, None) => SAMPLED,
        };
        Trace {
            request_id,
            parent: parent_of(trace, span, flags),
            continued: caller.is_some(),
            span,
            caller: caller.map_or(0, |caller| caller.span),
            sampled,
            attempts: Vec::new(),
        }
    }

    /// Keys that nobody outside can guess.
    pub(super) fn keys(&self) -> (u64, u64) {
        let key = self.make();
        ((key >> 64) as u64, key as u64)
    }

    /// The id of another span.
    pub(super) fn span(&self) -> u64 {
        (self.make() as u64) | 1
    }

    /// A number that nobody outside can guess.
    pub(super) fn number(&self) -> u128 {
        self.make()
    }

    fn make(&self) -> u128 {
        let mut hasher = SipHasher13::new_with_key(&self.key);
        hasher.write_u64(self.next.fetch_add(1, Ordering::Relaxed));
        hasher.finish128().as_u128().max(1)
    }
}

/// A `traceparent`.
fn parent_of(trace: u128, span: u64, flags: u8) -> String {
    let mut parent = String::with_capacity(55);
    parent.push_str("00-");
    push_hex(&mut parent, trace, 32);
    parent.push('-');
    push_hex(&mut parent, span.into(), 16);
    parent.push('-');
    push_hex(&mut parent, flags.into(), 2);
    parent
}

/// Adds the last `digits` hexadecimal digits of a number: what `{:032x}` does, at a tenth of its cost.
fn push_hex(text: &mut String, number: u128, digits: usize) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut all = [0; 32];
    for (pair, byte) in all.chunks_exact_mut(2).zip(number.to_be_bytes()) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    // Digits are text.
    text.push_str(std::str::from_utf8(&all[32 - digits..]).unwrap_or_default());
}

fn continued_id(id: &[u8]) -> Option<&str> {
    let harmless = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:/=+".contains(byte);
    let is_usable = (1..=LONGEST_ID).contains(&id.len()) && id.iter().all(harmless);
    is_usable.then(|| std::str::from_utf8(id).ok()).flatten()
}

/// The flag that says that spans are kept.
const SAMPLED: u8 = 1;

/// What a valid `traceparent` says.
struct Caller {
    trace: u128,
    span: u64,
    flags: u8,
}

fn continued_trace(parent: &[u8]) -> Option<Caller> {
    let parent = std::str::from_utf8(parent).ok()?;
    let mut parts = parent.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let hex = |text: &str, length| {
        text.len() == length && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let valid = hex(version, 2)
        && version != "ff"
        && (version != "00" || parts.next().is_none())
        && hex(trace, 32)
        && hex(span, 16)
        && hex(flags, 2);
    let number = |text| u64::from_str_radix(text, 16).ok();
    let trace = u128::from_str_radix(trace, 16).ok()?;
    let caller = Caller { trace, span: number(span)?, flags: u8::try_from(number(flags)?).ok()? };
    (valid && caller.trace != 0 && caller.span != 0).then_some(caller)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_those_of_the_formatter() {
        for number in [0, 1, 0xa, 0xff, u128::from(u64::MAX), u128::MAX, 0x0123_4567_89ab_cdef] {
            let mut text = String::new();
            push_hex(&mut text, number, 32);
            assert_eq!(text, format!("{number:032x}"));
        }
        assert_eq!(parent_of(1, 2, 3), "00-00000000000000000000000000000001-0000000000000002-03");
    }

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

    #[test]
    fn a_valid_trace_is_continued_with_a_span_of_our_own() {
        let ids = Ids { key: [7; 16], next: AtomicU64::new(0) };
        let trace = ids.trace(Some(b"abc-1"), Some(PARENT.as_bytes()), None);
        assert_eq!(trace.request_id, "abc-1");
        assert_eq!(trace.trace_id(), "0af7651916cd43dd8448eb211c80319c");
        assert!(trace.parent.starts_with("00-0af7651916cd43dd8448eb211c80319c-"));
        assert!(trace.parent.ends_with("-00") && !trace.parent.contains("b7ad6b7169203331"));
        assert_eq!((trace.caller, trace.sampled), (0xb7ad_6b71_6920_3331, false));
    }

    #[test]
    fn each_attempt_is_the_parent_of_what_a_backend_does() {
        let ids = Ids { key: [7; 16], next: AtomicU64::new(0) };
        let mut trace = ids.trace(None, Some(PARENT.as_bytes()), None);
        trace.set_parent_span(0xff);
        assert_eq!(trace.parent, "00-0af7651916cd43dd8448eb211c80319c-00000000000000ff-00");
        Trace::default().set_parent_span(1);
    }

    #[test]
    fn bad_ids_are_replaced() {
        let ids = Ids { key: [7; 16], next: AtomicU64::new(0) };
        for id in [&b""[..], b"a b", b"a\"b", &[b'x'; 129]] {
            assert_eq!(ids.trace(Some(id), None, None).request_id.len(), 32);
        }
        for parent in
            ["", "00", "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00", &PARENT.to_uppercase()]
        {
            assert!(!ids.trace(None, Some(parent.as_bytes()), None).continued, "{parent}");
        }
        let zero = "00-00000000000000000000000000000000-b7ad6b7169203331-00";
        assert!(!ids.trace(None, Some(zero.as_bytes()), None).continued);
    }

    #[test]
    fn ids_do_not_repeat() {
        let ids = Ids { key: [7; 16], next: AtomicU64::new(0) };
        let made: std::collections::BTreeSet<_> =
            (0..1_000).map(|_| ids.trace(None, None, None).request_id).collect();
        assert_eq!(made.len(), 1_000);
    }
}
