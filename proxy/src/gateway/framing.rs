//! Where each HTTP/1 request on a connection begins and ends, seen from the bytes alone.
//!
//! Below step 1 of a request (accept). pingora finds the same boundaries but is more tolerant: an empty chunk size is
//! zero for it, a chunk extension and a trailer may hold anything. Here every byte is held against the grammar before
//! pingora sees it; what is wrong is found at the byte where it begins to be wrong. Pure.

use bytes::{Buf, BytesMut};

use super::request_checks::{self, Body, HeadLimits, Rejection};
use crate::upstream::Chunks;

/// Longest head whose buffer is kept for the next one.
const KEPT: usize = 4 * 1_024;

/// Follows one connection.
#[derive(Debug)]
pub(super) struct Follower {
    limits: HeadLimits,
    state: State,
    /// What has arrived of a head or a line; empty when it arrives in one piece.
    partial: BytesMut,
    /// Complete heads so far.
    heads: u64,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Head,
    /// A body of known length.
    Length(u64),
    /// The chunks of a body.
    Chunks(Chunks),
    /// Trailers up to the empty line; so many bytes of them have come.
    Trailers(usize),
    /// Bytes of a tunnel, or of nobody.
    Unknown,
    Refused,
}

/// Something that HTTP/1 does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fault {
    /// How many of the bytes are still in order.
    pub(super) good: usize,
    pub(super) rejection: Rejection,
    /// It is in the body of a request whose head was in order.
    pub(super) in_body: bool,
}

type Followed = Result<usize, Rejection>;

const BAD_CHUNK: Rejection = Rejection { status: 400, reason: "bad_chunk" };
const BAD_TRAILER: Rejection = Rejection { status: 400, reason: "bad_trailer" };
const BAD_LINE_END: Rejection = Rejection { status: 400, reason: "bad_line_end" };

impl Follower {
    pub(super) fn new(limits: HeadLimits) -> Self {
        Self { limits, state: State::Head, partial: BytesMut::new(), heads: 0 }
    }

    /// From now on these limits hold.
    pub(super) fn limit(&mut self, limits: HeadLimits) {
        self.limits = limits;
    }

    /// How many heads were complete and in order.
    pub(super) fn heads(&self) -> u64 {
        self.heads
    }

    /// Whether requests can still be told apart.
    pub(super) fn knows_requests(&self) -> bool {
        self.state != State::Unknown
    }

    /// Whether nothing of the next request has arrived.
    pub(super) fn is_between_requests(&self) -> bool {
        self.state == State::Head && self.partial.is_empty()
    }

    /// Follows the next bytes, up to the first that is not allowed.
    pub(super) fn follow(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let mut at = 0;
        while at < bytes.len() {
            let in_body = !matches!(self.state, State::Head);
            match self.step(&bytes[at..]) {
                Ok(taken) => at += taken,
                Err(rejection) => {
                    self.state = State::Refused;
                    self.partial = BytesMut::new();
                    return Err(Fault { good: at, rejection, in_body });
                }
            }
        }
        Ok(())
    }

    /// Takes at least one byte.
    fn step(&mut self, bytes: &[u8]) -> Followed {
        match self.state {
            State::Head => self.head(bytes),
            State::Length(left) => Ok(self.counted(bytes, left)),
            State::Chunks(chunks) => self.chunks(bytes, chunks),
            State::Trailers(read) => self.trailer(bytes, read),
            State::Unknown | State::Refused => Ok(bytes.len()),
        }
    }

    fn counted(&mut self, bytes: &[u8], left: u64) -> usize {
        let taken = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        let left = left - taken as u64;
        self.state = if left == 0 { State::Head } else { State::Length(left) };
        taken
    }

    fn chunks(&mut self, bytes: &[u8], mut chunks: Chunks) -> Followed {
        let taken = chunks.step(bytes).map_err(|_| BAD_CHUNK)?;
        self.state = if chunks.are_over() { State::Trailers(0) } else { State::Chunks(chunks) };
        Ok(taken)
    }

    fn head(&mut self, bytes: &[u8]) -> Followed {
        if self.partial.is_empty() {
            // Empty lines before a request are harmless, unless they are half an empty line.
            match bytes {
                [b'\r', b'\n', ..] => return Ok(2),
                [b'\n', ..] => return Err(BAD_LINE_END),
                _ => {}
            }
            if let Some(end) = end_of_head(bytes, 0) {
                self.head_complete(&bytes[..end])?;
                return Ok(end);
            }
        } else if self.partial[..] == b"\r"[..] && bytes[0] == b'\n' {
            self.partial.clear();
            return Ok(1);
        }
        let before = self.partial.len();
        // The empty line may have begun in what is already here.
        let overlap = before.min(3);
        let fits = (self.limits.header_bytes + 1).saturating_sub(before).min(bytes.len());
        self.partial.extend_from_slice(&bytes[..fits]);
        match end_of_head(&self.partial, before - overlap) {
            Some(end) => {
                let mut head = std::mem::take(&mut self.partial);
                self.head_complete(&head[..end])?;
                if head.capacity() <= KEPT {
                    head.clear();
                    self.partial = head;
                }
                Ok(end - before)
            }
            None if fits < bytes.len() || self.partial.len() > self.limits.header_bytes => {
                Err(request_checks::too_large(&self.partial, self.limits))
            }
            None => Ok(fits),
        }
    }

    fn head_complete(&mut self, head: &[u8]) -> Result<(), Rejection> {
        let body = request_checks::http1(head, self.limits)?;
        self.heads += 1;
        self.state = match body {
            Body::Length(0) => State::Head,
            Body::Length(length) => State::Length(length),
            Body::Chunked => State::Chunks(Chunks::strict()),
            Body::Upgrade => State::Unknown,
        };
        Ok(())
    }

    /// Takes one line, or what there is of it.
    fn trailer(&mut self, bytes: &[u8], read: usize) -> Followed {
        let line_end = bytes.iter().position(|byte| *byte == b'\n');
        let taken = line_end.map_or(bytes.len(), |at| at + 1);
        let read = read + taken;
        if read > self.limits.header_bytes {
            return Err(BAD_TRAILER);
        }
        self.partial.extend_from_slice(&bytes[..taken]);
        self.state = State::Trailers(read);
        if line_end.is_none() {
            return Ok(taken);
        }
        let line = self.partial.strip_suffix(b"\r\n").ok_or(BAD_TRAILER)?;
        if line.is_empty() {
            self.state = State::Head;
        } else {
            request_checks::field(line).map_err(|_| BAD_TRAILER)?;
        }
        let length = self.partial.len();
        self.partial.advance(length);
        Ok(taken)
    }
}

/// Where the head ends that begins at the start of these bytes; its empty line is not before `from`.
fn end_of_head(bytes: &[u8], from: usize) -> Option<usize> {
    let is_end = |at: &usize| bytes[..*at].ends_with(b"\r\n\r");
    memchr::memchr_iter(b'\n', &bytes[from..]).map(|at| from + at).find(is_end).map(|at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: HeadLimits = HeadLimits { header_bytes: 200, uri_bytes: 100, raw_targets: false };
    const POST: &str = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

    /// What comes of the bytes, whether they arrive together or one by one: heads, and the reason of a fault.
    #[track_caller]
    fn follow(bytes: &str) -> (u64, &'static str) {
        let mut together = Follower::new(LIMITS);
        let fault = together.follow(bytes.as_bytes()).err();
        let mut single = Follower::new(LIMITS);
        let single_fault =
            bytes.as_bytes().iter().find_map(|byte| single.follow(std::slice::from_ref(byte)).err());
        assert_eq!(together.heads(), single.heads(), "{bytes:?}");
        let reason = |fault: Option<Fault>| fault.map_or("ok", |fault| fault.rejection.reason);
        assert_eq!(reason(fault), reason(single_fault), "{bytes:?}");
        (together.heads(), reason(fault))
    }

    #[test]
    fn requests_follow_each_other() {
        assert_eq!(follow(GET), (1, "ok"));
        assert_eq!(follow(&format!("\r\n{GET}\r\n{GET}{GET}")), (3, "ok"));
        assert_eq!(
            follow(&format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello{GET}")),
            (2, "ok")
        );
        assert_eq!(follow(&format!("{POST}5\r\nhello\r\n0\r\n\r\n{GET}")), (2, "ok"));
        assert_eq!(follow(&format!("{POST}0\r\nA: b\r\nC:\r\n\r\n{GET}")), (2, "ok"));
    }

    #[test]
    fn chunks_are_strict() {
        for good in [
            "1\r\na\r\n0\r\n\r\n",
            "1;a=b\r\na\r\n00\r\n\r\n",
            "001\r\na\r\n0;x=\"y z\"\r\n\r\n",
            "A\r\n0123456789\r\n",
        ] {
            assert_eq!(follow(&format!("{POST}{good}")), (1, "ok"), "{good:?}");
        }
        for bad in [
            "\r\n",
            ";a\r\n",
            "1;\r\na\r\n",
            "1;;a\r\na\r\n",
            "1;a[=b\r\na\r\n",
            "1;a=\"b\r\na\r\n",
            "1;a b\r\na\r\n",
            "1\na\r\n",
            "1 \r\na\r\n",
            " 1\r\na\r\n",
            "0x1\r\na\r\n",
            "+1\r\na\r\n",
            "-1\r\na\r\n",
            "1\r\nab\r\n",
            "1\r\na\n",
            "1\r\na\r\r",
            "1;a\0\r\na\r\n",
            "1;a\nb\r\na\r\n",
            "1;a\rb\r\na\r\n",
            "1\r\r\na\r\n",
            "g\r\n",
            "1000000000000000\r\n",
            "0000000000000000\r\n",
        ] {
            assert_eq!(follow(&format!("{POST}{bad}")), (1, "bad_chunk"), "{bad:?}");
        }
        assert_eq!(follow(&format!("{POST}1;{}\r\n", "x".repeat(2_000))), (1, "bad_chunk"));
    }

    #[test]
    fn trailers_are_headers() {
        for bad in ["x\r\n", "X : y\r\n", "X: \0\r\n", "X: y\n", " x: y\r\n", "\n", "X: y\r\n z\r\n"] {
            assert_eq!(follow(&format!("{POST}0\r\n{bad}")), (1, "bad_trailer"), "{bad:?}");
        }
        assert_eq!(follow(&format!("{POST}0\r\nX: {}\r\n\r\n", "y".repeat(200))), (1, "bad_trailer"));
    }

    #[test]
    fn a_head_that_does_not_end_is_given_up() {
        assert_eq!(follow(&format!("GET / HTTP/1.1\r\nX: {}", "y".repeat(300))), (0, "head_too_large"));
        assert_eq!(follow(&format!("GET /{}", "y".repeat(300))), (0, "target_too_long"));
        assert_eq!(follow(&"y".repeat(300)), (0, "bad_request_line"));
        assert_eq!(follow(&format!("{GET}\nGET")), (1, "bad_line_end"));
        assert_eq!(follow("GET / HTTP/1.1\nHost: a\n\n"), (0, "ok"));
    }

    #[test]
    fn what_is_before_a_fault_is_good() {
        let mut follower = Follower::new(LIMITS);
        let fault = follower.follow(format!("{POST}5\r\nhello\r\n;").as_bytes()).unwrap_err();
        assert_eq!(fault.good, POST.len() + 10);
        assert!(fault.in_body);
        let fault = Follower::new(LIMITS).follow(b"GET /\r\n\r\n").unwrap_err();
        assert_eq!((fault.good, fault.in_body), (0, false));
    }

    #[test]
    fn a_tunnel_is_not_followed() {
        let mut follower = Follower::new(LIMITS);
        follower.follow(b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n\0\x01;").unwrap();
        assert!(!follower.knows_requests());
    }
}
