//! A connection while it is lent: what pingora writes to and reads from.
//!
//! Step 5 of a request (forward). The head goes out with lines of our own at its end, together with its body if that is
//! there already: one write, and the other end is woken once. A request that must not be executed twice and goes to a
//! Unix socket is sent at once in any case, head and body, and watched (`whole`).

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use pingora::protocols::l4::virt::{VirtualSockOpt, VirtualSocket};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

use super::answer::Answer;
use super::connect::Inner;
use super::loan::{Loan, is_silent};
use super::whole::{Verdict, Whole, announces_body, is_chunked, length};

/// What a head ends with.
const END: &[u8; 4] = b"\r\n\r\n";
/// Small writes are gathered up to this size.
const GATHER: usize = 8 * 1024;
/// So many times whoever waits for the answer is asked to look again before a head leaves without its body: pingora
/// takes in what there is of a body once per turn, and hands it on in the next one.
const TURNS: u8 = 3;

/// Bytes in both directions.
pub(super) trait Wire: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Wire for S {}

/// What is still to come of a request that must be finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Missing {
    Head,
    Bytes(usize),
    Chunks,
}

impl Missing {
    /// After these bytes of the body, as pingora writes them: the last chunk by itself.
    fn after(self, bytes: &[u8]) -> Self {
        match self {
            Self::Chunks if bytes == b"0\r\n\r\n" => Self::Bytes(0),
            Self::Bytes(missing) => Self::Bytes(missing.saturating_sub(bytes.len())),
            other => other,
        }
    }
}

/// The connection.
pub(super) struct Lent<S: Wire = Inner> {
    /// Gone when it was given back.
    inner: Option<S>,
    loan: Option<Arc<Loan>>,
    /// What is still to be sent: the head, and what goes out together with it.
    waiting: Vec<u8>,
    /// So many turns the head may still wait for its body.
    turns: u8,
    /// How much of that was sent.
    sent: usize,
    /// The end of the head has come.
    head_gone: bool,
    whole: Option<Whole>,
    answer: Answer,
    missing: Missing,
    /// The other end takes nothing more at the moment.
    is_full: bool,
    /// Until when the next bytes of the body must have come.
    body_due: Option<Pin<Box<Sleep>>>,
}

impl<S: Wire> std::fmt::Debug for Lent<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Lent")
    }
}

impl<S: Wire> Lent<S> {
    pub(super) fn new(inner: S, loan: Option<Arc<Loan>>) -> Self {
        let whole = loan.as_ref().is_some_and(|loan| loan.is_whole()).then(Whole::default);
        let answer = Answer::new(false);
        Self {
            inner: Some(inner),
            loan,
            waiting: Vec::new(),
            turns: 0,
            sent: 0,
            head_gone: false,
            whole,
            answer,
            missing: Missing::Head,
            is_full: false,
            body_due: None,
        }
    }

    /// Takes bytes of a head; at its end come our lines, before the empty one.
    fn gather(&mut self, bytes: &[u8]) {
        let lines = self.loan.as_ref().map(|loan| loan.lines()).unwrap_or_default();
        self.waiting.reserve(bytes.len() + lines.len());
        self.waiting.extend_from_slice(bytes);
        // pingora writes a head by itself, and all of it at once.
        let end = if self.waiting.ends_with(END) {
            self.waiting.len()
        } else {
            let Some(at) = memchr::memmem::find(&self.waiting, END) else {
                if let Some(loan) = &self.loan {
                    loan.say(lines);
                }
                return;
            };
            at + END.len()
        };
        self.head_gone = true;
        self.answer = Answer::new(self.waiting.starts_with(b"HEAD "));
        let body = self.waiting.split_off(end);
        self.waiting.truncate(end - 2);
        self.waiting.extend_from_slice(&lines);
        self.waiting.extend_from_slice(b"\r\n");
        if self.loan.as_ref().is_some_and(|loan| loan.holds().is_some() || loan.body_patience().is_some()) {
            let begun = if is_chunked(&self.waiting) {
                Missing::Chunks
            } else {
                Missing::Bytes(length(&self.waiting))
            };
            self.missing = begun.after(&body);
        }
        if let Some(whole) = &mut self.whole {
            whole.head_is(&self.waiting);
            whole.add(body.len());
        } else if body.is_empty() && announces_body(&self.waiting) {
            self.turns = TURNS;
        }
        self.waiting.extend_from_slice(&body);
    }
}

impl<S: Wire> Lent<S> {
    fn inner(&mut self) -> io::Result<Pin<&mut S>> {
        self.inner.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Whether what waits goes out together with what is still to come.
    fn is_held(&self) -> bool {
        self.whole.as_ref().is_some_and(Whole::is_incomplete)
    }

    fn poll_waiting(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.head_gone || self.is_held() {
            return Poll::Ready(Ok(()));
        }
        while self.sent < self.waiting.len() {
            let rest = &self.waiting[self.sent..];
            let Some(inner) = &mut self.inner else { break };
            let written = match &self.whole {
                Some(whole) if whole.is_too_large(self.waiting.len()) => {
                    Err(io::ErrorKind::InvalidInput.into())
                }
                _ => ready!(Pin::new(inner).poll_write(cx, rest)),
            };
            let written =
                written.and_then(|n| if n == 0 { Err(io::ErrorKind::WriteZero.into()) } else { Ok(n) });
            if let Some(whole) = &mut self.whole
                && whole.wrote(written.as_ref().ok().copied(), rest.len())
                && let Some(loan) = &self.loan
            {
                loan.found_unread();
            }
            self.sent += written?;
        }
        self.waiting.clear();
        self.sent = 0;
        Poll::Ready(Ok(()))
    }

    fn poll_write_inner(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if !self.head_gone {
            self.gather(bytes);
            return Poll::Ready(Ok(bytes.len()));
        }
        self.turns = 0;
        if self.is_held()
            && let Some(whole) = &mut self.whole
        {
            whole.add(bytes.len());
            self.missing = self.missing.after(bytes);
            self.waiting.extend_from_slice(bytes);
            return Poll::Ready(Ok(bytes.len()));
        }
        if self.waiting.len() + bytes.len() <= GATHER {
            self.missing = self.missing.after(bytes);
            self.waiting.extend_from_slice(bytes);
            return Poll::Ready(Ok(bytes.len()));
        }
        ready!(self.poll_waiting(cx))?;
        let written = ready!(self.inner()?.poll_write(cx, bytes))?;
        self.missing = self.missing.after(&bytes[..written]);
        Poll::Ready(Ok(written))
    }

    /// Whoever reads has nothing to write at the moment: what waits may leave, but a head gives its body a chance to come.
    fn poll_leave(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.waiting.is_empty() || self.is_held() {
            return Poll::Ready(Ok(()));
        }
        if self.turns > 0 {
            self.turns -= 1;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        // An answer may come although the other end takes nothing more.
        let gone = self.poll_waiting(cx)?;
        self.is_full = gone.is_pending();
        if gone.is_ready() {
            let _ = self.inner()?.poll_flush(cx)?;
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: Wire> Lent<S> {
    /// Whoever reads waits for the answer; an error when a body that is not complete has not got on for too long.
    fn poll_body(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let Some(loan) = self.loan.as_ref() else { return Ok(()) };
        let Some(patience) = loan.body_patience() else { return Ok(()) };
        if !self.head_gone || self.missing == Missing::Bytes(0) || self.is_full {
            self.body_due = None;
            return Ok(());
        }
        let due = self.body_due.get_or_insert_with(|| Box::pin(sleep(patience)));
        if due.as_mut().poll(cx).is_pending() {
            return Ok(());
        }
        loan.found_slow();
        Err(io::ErrorKind::TimedOut.into())
    }

    fn poll_read_inner(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Some(whole) = self.whole.as_mut().filter(|whole| whole.is_unanswered()) else {
            return self.inner()?.poll_read(cx, buf);
        };
        let Some(inner) = &mut self.inner else {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        };
        loop {
            ready!(whole.poll_pause(cx));
            let before = buf.filled().len();
            let read = if whole.is_unread() {
                Err(io::ErrorKind::ConnectionReset.into())
            } else {
                ready!(Pin::new(&mut *inner).poll_read(cx, buf))
            };
            match whole.read(&read, buf.filled().len() - before) {
                Verdict::AsItIs => return Poll::Ready(read),
                Verdict::LookAgain => {}
                Verdict::Unread => {
                    if let Some(loan) = &self.loan {
                        loan.found_unread();
                    }
                    buf.set_filled(before);
                    return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
                }
            }
        }
    }
}

impl<S: Wire> Drop for Lent<S> {
    /// The client may have left before the backend has answered.
    fn drop(&mut self) {
        let (Some(connection), Some(loan)) = (self.inner.take(), self.loan.take()) else { return };
        let sent = self.missing == Missing::Bytes(0) && self.waiting.is_empty();
        let (true, false, Some(holds)) = (sent, self.answer.has_head(), loan.holds()) else { return };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        holds.abandon();
        let answer = std::mem::replace(&mut self.answer, Answer::new(false));
        runtime.spawn(async move {
            if let Some(holds) = loan.holds() {
                holds.finish(connection, answer, loan.last_wait()).await;
            }
        });
    }
}

impl Lent {
    /// The answer is complete, and the other end has promised to keep the connection: it comes back to the others, if it
    /// is silent.
    fn give_back(&mut self) {
        let (Some(mut connection), Some(loan)) = (self.inner.take(), &self.loan) else { return };
        let may_stay =
            !loan.is_single_use() && self.head_gone && self.waiting.is_empty() && !self.answer.closes();
        if may_stay && is_silent(&mut connection) {
            loan.take_back(connection);
        }
    }
}

impl AsyncRead for Lent {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        // pingora reads once, and waits for nothing, before it puts a connection into its own pool. It finds this one
        // closed, and leaves it.
        if cx.waker().data().is_null() {
            self.give_back();
            return Poll::Ready(Ok(()));
        }
        ready!(self.poll_leave(cx))?;
        self.poll_body(cx)?;
        let before = buf.filled().len();
        ready!(self.poll_read_inner(cx, buf))?;
        let followed = self.answer.follow(&buf.filled()[before..]);
        Poll::Ready(followed.map_err(|refused| {
            self.loan.iter().for_each(|loan| loan.refuse());
            io::Error::new(io::ErrorKind::InvalidData, refused)
        }))
    }
}

impl AsyncWrite for Lent {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = self.poll_write_inner(cx, bytes);
        self.is_full = written.is_pending();
        self.body_due = None;
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.turns > 0 {
            return Poll::Ready(Ok(()));
        }
        let gone = self.poll_waiting(cx);
        self.is_full = gone.is_pending();
        ready!(gone)?;
        self.inner()?.poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_waiting(cx))?;
        match &mut self.inner {
            Some(inner) if !inner.ends_by_close() => Pin::new(inner).poll_shutdown(cx),
            _ => Poll::Ready(Ok(())),
        }
    }
}

impl VirtualSocket for Lent {
    fn set_socket_option(&self, _option: VirtualSockOpt) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::loan::tests::loan;
    use super::super::whole::MOST;
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::UnixStream;

    const HEAD: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    const POST: &str = "POST / HTTP/1.1\r\ncontent-length: 4\r\n\r\n";

    async fn write<S: Wire>(lent: &mut Lent<S>, bytes: &[u8]) -> io::Result<()> {
        let mut written = 0;
        while written < bytes.len() {
            written += std::future::poll_fn(|cx| lent.poll_write_inner(cx, &bytes[written..])).await?;
        }
        std::future::poll_fn(|cx| lent.poll_waiting(cx)).await
    }

    async fn read<S: Wire>(lent: &mut Lent<S>) -> io::Result<usize> {
        let mut space = [0; 64];
        let mut buf = ReadBuf::new(&mut space);
        std::future::poll_fn(|cx| lent.poll_read_inner(cx, &mut buf)).await?;
        Ok(buf.filled().len())
    }

    /// What goes out when a head comes in these pieces, and a body behind it.
    async fn sent(pieces: &[&str], body: &str) -> String {
        let (ours, mut theirs) = tokio::io::duplex(16);
        let loan = loan("http://127.0.0.1:1", true, false);
        loan.say(b"X-A: 1\r\nX-B: 2\r\n".to_vec());
        let mut lent = Lent::new(ours, Some(loan));
        let reading = tokio::spawn(async move {
            let mut all = String::new();
            theirs.read_to_string(&mut all).await.unwrap();
            all
        });
        for piece in pieces.iter().chain([&body]) {
            write(&mut lent, piece.as_bytes()).await.unwrap();
        }
        drop(lent);
        reading.await.unwrap()
    }

    #[tokio::test]
    async fn our_lines_are_the_last_of_the_head_however_it_comes() {
        let expected = "GET / HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nX-B: 2\r\n\r\nbody";
        assert_eq!(sent(&[HEAD], "body").await, expected);
        assert_eq!(sent(&[&format!("{HEAD}bo")], "dy").await, expected);
        for at in 1..HEAD.len() {
            assert_eq!(sent(&[&HEAD[..at], &HEAD[at..]], "body").await, expected, "{at}");
        }
    }

    /// A connection where nothing is watched, and its other end.
    fn ordinary() -> (Lent, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let loan = loan("http://127.0.0.1:1", false, false);
        (Lent::new(Inner::Unix(ours), Some(loan)), theirs)
    }

    #[tokio::test]
    async fn a_head_waits_for_a_body_that_is_there() {
        let (mut lent, theirs) = ordinary();
        lent.write_all(POST.as_bytes()).await.unwrap();
        lent.flush().await.unwrap();
        let mut space = [0; 200];
        assert_eq!(theirs.try_read(&mut space).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        lent.write_all(b"body").await.unwrap();
        lent.flush().await.unwrap();
        theirs.readable().await.unwrap();
        assert_eq!(theirs.try_read(&mut space).unwrap(), POST.len() + 4, "in one piece");
    }

    #[tokio::test]
    async fn a_head_does_not_wait_for_a_body_that_is_late() {
        let (mut lent, mut theirs) = ordinary();
        lent.write_all(POST.as_bytes()).await.unwrap();
        lent.flush().await.unwrap();
        let answering = async {
            let mut space = [0; 200];
            assert_eq!(theirs.read(&mut space).await.unwrap(), POST.len());
            theirs.write_all(b"HTTP/1.1 401 ").await.unwrap();
        };
        let mut space = [0; 13];
        let (read, ()) = tokio::join!(lent.read_exact(&mut space), answering);
        assert_eq!((read.unwrap(), &space), (13, b"HTTP/1.1 401 "));
        lent.write_all(b"bo").await.unwrap();
        lent.write_all(b"dy").await.unwrap();
        lent.flush().await.unwrap();
        assert_eq!(theirs.read(&mut [0; 200]).await.unwrap(), 4, "small pieces are gathered");
    }

    /// A request that must not be repeated, on a Unix socket, and its other end.
    fn whole() -> (Lent<UnixStream>, UnixStream, Arc<Loan>) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let loan = loan("unix:/run/none.sock", false, true);
        (Lent::new(ours, Some(Arc::clone(&loan))), theirs, loan)
    }

    #[tokio::test]
    async fn nothing_is_sent_before_all_of_it_is_there() {
        let (mut lent, theirs, _) = whole();
        write(&mut lent, POST.as_bytes()).await.unwrap();
        write(&mut lent, b"bo").await.unwrap();
        let mut space = [0; 100];
        assert_eq!(theirs.try_read(&mut space).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        write(&mut lent, b"dy").await.unwrap();
        theirs.readable().await.unwrap();
        assert_eq!(theirs.try_read(&mut space).unwrap(), POST.len() + 4);
    }

    /// What is known when the other end does this with a request, and whether that is an error.
    async fn fate(other_end: impl AsyncFnOnce(UnixStream)) -> (bool, bool) {
        let (mut lent, theirs, loan) = whole();
        write(&mut lent, POST.as_bytes()).await.unwrap();
        write(&mut lent, b"body").await.unwrap();
        let (read, ()) = tokio::join!(read(&mut lent), other_end(theirs));
        (loan.is_unread(), read.is_err())
    }

    #[tokio::test]
    async fn who_closes_says_whether_it_has_read() {
        let all = async |mut theirs: UnixStream| assert!(theirs.read(&mut [0; 4_096]).await.unwrap() > 40);
        assert_eq!(fate(async |theirs| drop(theirs)).await, (true, true), "unread");
        assert_eq!(fate(all).await, (false, false), "read: nobody knows what was done");
        let part = async |mut theirs: UnixStream| assert_eq!(theirs.read(&mut [0; 5]).await.unwrap(), 5);
        assert_eq!(fate(part).await, (true, true), "not all of it was read");
        let goodbye = async |mut theirs: UnixStream| {
            theirs.shutdown().await.unwrap();
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        };
        assert_eq!(fate(goodbye).await, (true, true), "said goodbye before it closed, as hyper does");
        let answer = async |mut theirs: UnixStream| theirs.write_all(b"HTTP/1.1 408 ").await.unwrap();
        assert_eq!(fate(answer).await, (false, false), "whoever answers without reading has answered");
    }

    #[tokio::test]
    async fn what_was_not_sent_was_not_read() {
        let (mut lent, theirs, loan) = whole();
        drop(theirs);
        write(&mut lent, POST.as_bytes()).await.unwrap();
        assert!(write(&mut lent, b"body").await.is_err() && loan.is_unread());
        assert!(read(&mut lent).await.is_err());

        let (mut lent, mut theirs, loan) = whole();
        write(&mut lent, POST.as_bytes()).await.unwrap();
        theirs.write_all(b"HTTP/1.1 408 ").await.unwrap();
        assert!(read(&mut lent).await.is_err() && loan.is_unread(), "no answer to what was not asked");

        let (mut lent, _theirs, loan) = whole();
        let large = format!("POST / HTTP/1.1\r\nA: {}\r\n\r\n", "a".repeat(MOST));
        assert!(write(&mut lent, large.as_bytes()).await.is_err() && loan.is_unread(), "too large");
    }

    #[tokio::test]
    async fn on_an_ordinary_connection_nothing_is_known() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let loan = loan("unix:/run/none.sock", true, true);
        let mut lent = Lent::new(ours, Some(Arc::clone(&loan)));
        write(&mut lent, HEAD.as_bytes()).await.unwrap();
        drop(theirs);
        assert!(read(&mut lent).await.is_err() && !loan.is_unread());
    }
}
