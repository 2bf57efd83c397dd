//! An HTTP/2 client that takes nothing of what it asked for.
//!
//! Below step 1 of a request (accept). For pingora such a request is answered as soon as h2 has the answer in memory, and
//! nothing waits for the client any more: it would keep that memory for as long as it likes.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Sleep, sleep};

/// Since when nothing could be written.
#[derive(Debug, Default)]
pub(super) struct Stuck(Option<Pin<Box<Sleep>>>);

impl Stuck {
    /// What came of a write; an error when none has got on for `patience`.
    pub(super) fn poll<T>(
        &mut self,
        cx: &mut Context<'_>,
        patience: Duration,
        write: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if write.is_ready() {
            self.0 = None;
            return write;
        }
        let deadline = self.0.get_or_insert_with(|| Box::pin(sleep(patience)));
        deadline.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test]
    async fn only_progress_buys_time() {
        let patience = Duration::from_millis(1);
        let mut stuck = Stuck::default();
        let end = poll_fn(|cx| stuck.poll::<()>(cx, patience, Poll::Pending)).await;
        assert_eq!(end.unwrap_err().kind(), io::ErrorKind::TimedOut);
        poll_fn(|cx| stuck.poll(cx, patience, Poll::Ready(Ok(())))).await.unwrap();
        assert!(stuck.0.is_none());
    }
}
