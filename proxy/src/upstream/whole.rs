//! A request that must not be executed twice, sent to a Unix socket, and whether it was read.
//!
//! Any connection may be closed by its other end at the moment it is used. On TCP nobody can tell whether the request was
//! read; so it goes over a connection of its own there. On a Unix socket the kernel tells: what was written before the
//! close but not read makes a reset of the close, and what is written after it is refused. Nothing else does. For that
//! to be a proof, the request must be one piece: it is held until its body is complete, and small enough to be one
//! buffer of the socket and one read of the server (hyper and gunicorn read 8 KiB at once; Go, with 4 KiB, the least of
//! all that we know). Pure, but for a short pause.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Sleep, sleep};

/// The largest request that is sent like this, head and body.
pub const MOST: usize = 4_000;
/// A server may say goodbye (shut its half down) before it closes, and only the close tells what was not read. It is
/// waited for in so many pauses.
const LOOKS: u32 = 10;
const PAUSE: Duration = Duration::from_millis(5);

/// One request.
#[derive(Debug, Default)]
pub(super) struct Whole {
    /// Bytes of its body that are still to come.
    missing: usize,
    fate: Fate,
    looks: u32,
    pause: Option<Pin<Box<Sleep>>>,
}

/// What became of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Fate {
    #[default]
    Unsent,
    /// In one piece.
    Sent,
    /// In several: nothing is known about it any more.
    Torn,
    Answered,
    /// Nobody has read it.
    Unread,
}

/// What a read means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing that is not obvious.
    AsItIs,
    /// Not known yet.
    LookAgain,
    /// Nobody has read the request.
    Unread,
}

impl Whole {
    /// The head is complete.
    pub(super) fn head_is(&mut self, head: &[u8]) {
        self.missing = length(head);
    }

    /// Bytes of the body have come.
    pub(super) fn add(&mut self, bytes: usize) {
        self.missing = self.missing.saturating_sub(bytes);
    }

    /// Whether there is more to come before anything is sent.
    pub(super) fn is_incomplete(&self) -> bool {
        self.missing > 0
    }

    /// Whether it became larger than expected.
    pub(super) fn is_too_large(&self, bytes: usize) -> bool {
        self.fate == Fate::Unsent && bytes > MOST
    }

    /// So many of `all` bytes were written, or none. True: nobody will read the request.
    pub(super) fn wrote(&mut self, written: Option<usize>, all: usize) -> bool {
        self.fate = match (self.fate, written) {
            (Fate::Unsent, None) => Fate::Unread,
            (Fate::Unsent, Some(written)) if written == all => Fate::Sent,
            _ => Fate::Torn,
        };
        self.is_unread()
    }

    /// Whether the beginning of the answer has not come yet.
    pub(super) fn is_unanswered(&self) -> bool {
        self.fate != Fate::Answered
    }

    /// Whether it is certain that nobody has read it.
    pub(super) fn is_unread(&self) -> bool {
        self.fate == Fate::Unread
    }

    /// Somebody has read so many bytes of an answer, or met an error.
    pub(super) fn read(&mut self, read: &io::Result<()>, bytes: usize) -> Verdict {
        let reset = read.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::ConnectionReset);
        match (self.fate, bytes) {
            // Whatever that was, it was no answer.
            (Fate::Unsent | Fate::Unread, _) => self.unread(),
            (_, 1..) => {
                self.fate = Fate::Answered;
                Verdict::AsItIs
            }
            (Fate::Sent, 0) if reset => self.unread(),
            (Fate::Sent, 0) if read.is_ok() && self.looks < LOOKS => {
                self.looks += 1;
                self.pause = Some(Box::pin(sleep(PAUSE)));
                Verdict::LookAgain
            }
            _ => Verdict::AsItIs,
        }
    }

    fn unread(&mut self) -> Verdict {
        self.fate = Fate::Unread;
        Verdict::Unread
    }

    /// Ready when there is no pause.
    pub(super) fn poll_pause(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(pause) = &mut self.pause {
            ready!(pause.as_mut().poll(cx));
            self.pause = None;
        }
        Poll::Ready(())
    }
}

/// What a head says about the length of its body; one that says nothing has none.
pub(super) fn length(head: &[u8]) -> usize {
    let text = value(head, b"content-length:").and_then(|value| std::str::from_utf8(value).ok());
    text.and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

/// Whether a body follows a head.
pub(super) fn announces_body(head: &[u8]) -> bool {
    let rarely = [&b"GET "[..], b"HEAD "].iter().any(|method| head.starts_with(method));
    !rarely && (length(head) > 0 || is_chunked(head))
}

/// Whether the body that follows a head is chunked.
pub(super) fn is_chunked(head: &[u8]) -> bool {
    value(head, b"transfer-encoding:").is_some()
}

/// The value of the first header with this name in small letters, with its colon.
fn value<'h>(head: &'h [u8], name: &[u8]) -> Option<&'h [u8]> {
    let named = |line: &'h [u8]| {
        let (this, value) = line.split_at_checked(name.len())?;
        this.eq_ignore_ascii_case(name).then_some(value)
    };
    head.split(|byte| *byte == b'\n').find_map(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_says_how_long_its_body_is() {
        for (head, expected) in [
            ("POST / HTTP/1.1\r\nContent-Length: 12\r\nA: b\r\n\r\n", 12),
            ("POST / HTTP/1.1\r\nA: b\r\ncontent-length:0\r\n\r\n", 0),
            ("DELETE / HTTP/1.1\r\nX-Content-Length: 7\r\n\r\n", 0),
        ] {
            assert_eq!(length(head.as_bytes()), expected, "{head}");
            assert_eq!(announces_body(head.as_bytes()), expected > 0, "{head}");
        }
        assert!(announces_body(b"PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"));
        assert!(!announces_body(b"GET / HTTP/1.1\r\nContent-Length: 5\r\n\r\n"), "rare: it goes out at once");
    }

    #[test]
    fn what_went_out_in_pieces_proves_nothing() {
        let mut whole = Whole::default();
        assert!(!whole.wrote(Some(2), 4) && !whole.wrote(Some(2), 2));
        let reset = Err(io::ErrorKind::ConnectionReset.into());
        assert_eq!(whole.read(&reset, 0), Verdict::AsItIs);
        assert!(!whole.is_unread());
    }

    #[test]
    fn an_error_after_some_bytes_is_no_proof() {
        let mut whole = Whole::default();
        assert!(!whole.wrote(Some(2), 4) && !whole.wrote(None, 2));
        let mut whole = Whole::default();
        assert!(!whole.wrote(Some(4), 4));
        assert_eq!(whole.read(&Ok(()), 1), Verdict::AsItIs);
        assert!(!whole.is_unanswered());
    }
}
