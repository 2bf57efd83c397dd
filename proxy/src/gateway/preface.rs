//! The first bytes of an HTTP/2 connection.
//!
//! Below step 1 of a request (accept). pingora waits for the client's connection preface (RFC 9113, 3.4) without an end,
//! and counts a connection as idle only after it: whoever chooses HTTP/2 and falls silent would keep it for ever.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Sleep, sleep};

/// `PRI * HTTP/2.0`, an empty line, `SM`, an empty line.
const LENGTH: usize = 24;

/// How much of the preface is missing, and since when.
#[derive(Debug)]
pub(super) struct Preface {
    missing: usize,
    deadline: Option<Pin<Box<Sleep>>>,
}

impl Preface {
    pub(super) fn new() -> Self {
        Self { missing: LENGTH, deadline: None }
    }

    /// So many bytes came.
    pub(super) fn arrived(&mut self, bytes: usize) {
        self.missing = self.missing.saturating_sub(bytes);
        if self.missing == 0 {
            self.deadline = None;
        }
    }

    /// Ready when the client took longer than `patience`, from the first time that it was waited for.
    pub(super) fn poll_slow(&mut self, cx: &mut Context<'_>, patience: Duration) -> Poll<()> {
        if self.missing == 0 {
            return Poll::Pending;
        }
        self.deadline.get_or_insert_with(|| Box::pin(sleep(patience))).as_mut().poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test]
    async fn a_part_of_it_buys_no_time() {
        let due = |preface: &Preface| preface.deadline.as_ref().map(|deadline| deadline.deadline());
        let patience = Duration::from_millis(1);
        let mut preface = Preface::new();
        poll_fn(|cx| preface.poll_slow(cx, patience)).await;
        let first = due(&preface);
        preface.arrived(LENGTH - 1);
        let slow = poll_fn(|cx| Poll::Ready(preface.poll_slow(cx, patience))).await;
        assert!(slow.is_ready() && first.is_some() && due(&preface) == first);
        preface.arrived(1);
        let whole = poll_fn(|cx| Poll::Ready(preface.poll_slow(cx, patience))).await;
        assert!(whole.is_pending() && due(&preface).is_none());
    }
}
