//! A connection to an upstream, lent to one request and taken back when its answer is complete.
//!
//! pingora has a pool of its own. It lets a task watch each connection that rests there, and every request wakes and
//! ends one of those and starts the next. Here resting connections are a stack; whoever takes one looks whether it is
//! still good, and once a second somebody looks at those that nobody takes (`probe`). What happens on the connection is in
//! `lent`: the head of the request goes out with lines of our own, which pingora would parse once more for each of its
//! two maps of headers.

use std::cell::Cell;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::FutureExt;
use pingora::connectors::{L4Connect, TransportConnector};
use pingora::protocols::http::v1::client::HttpSession;
use pingora::protocols::l4::socket::SocketAddr;
use pingora::protocols::l4::stream::Stream;
use pingora::protocols::l4::virt::VirtualSocketStream;
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, ErrorType, Result};
use tokio::io::{AsyncRead, AsyncReadExt, ReadBuf};

use super::connect::{Inner, connect};
use super::finish::Holds;
use super::lent::Lent;
use super::{Backend, InFlight, Patience, Serving, Upstream};

/// Connections that may rest at one upstream.
const MOST: usize = 512;

thread_local! {
    /// Whose connections this thread uses.
    static SHELF: Cell<usize> = const { Cell::new(0) };
}

/// This thread is the worker with this number, from 0: it keeps connections to upstreams apart from those of others. A
/// connection is watched by the runtime that made it; used from another, each of its bytes would wake both.
pub fn keep_own_connections(worker: usize) {
    SHELF.set(worker + 1);
}

type Stack = Mutex<Vec<(Inner, Instant)>>;

/// The connections to one upstream that nobody uses, a stack for each worker, and one for everybody else; the last one that
/// came back is the next to be lent.
pub(super) struct Resting(Vec<Stack>);

impl Default for Resting {
    fn default() -> Self {
        let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self((0..=workers).map(|_| Stack::default()).collect())
    }
}

impl std::fmt::Debug for Resting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Resting")
    }
}

impl Resting {
    /// That of this thread.
    fn stack(&self) -> MutexGuard<'_, Vec<(Inner, Instant)>> {
        open(&self.0[SHELF.get() % self.0.len()])
    }

    /// One that the other end has neither closed nor sent anything on, and that has rested for less than `rest`; those
    /// that have rested for `longest` are closed.
    fn take(&self, rest: Duration, longest: Duration) -> Option<Inner> {
        loop {
            let (mut connection, since) = self.stack().pop()?;
            let rested = since.elapsed();
            if rested >= longest {
                // Those below rest for longer.
                let old = std::mem::take(&mut *self.stack());
                drop(old);
                return None;
            }
            if rested >= rest {
                self.stack().push((connection, since));
                return None;
            }
            if is_silent(&mut connection) {
                return Some(connection);
            }
        }
    }

    fn put(&self, connection: Inner) {
        let mut stack = self.stack();
        if stack.len() < MOST {
            stack.push((connection, Instant::now()));
        }
    }

    /// Closes those that the other end has closed, and those that have rested for too long.
    pub(super) fn sweep(&self, longest: Duration) {
        let good =
            |(connection, since): &mut (Inner, Instant)| since.elapsed() < longest && is_silent(connection);
        // Most rounds find nothing to do, and nothing is moved then.
        self.0.iter().for_each(|stack| open(stack).retain_mut(good));
    }

    /// How many there are.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.stack().len()
    }
}

fn open(stack: &Stack) -> MutexGuard<'_, Vec<(Inner, Instant)>> {
    stack.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether nothing has arrived on a connection, not even its end.
pub(super) fn is_silent(connection: &mut Inner) -> bool {
    let mut byte = [0];
    let read =
        std::future::poll_fn(|cx| Pin::new(&mut *connection).poll_read(cx, &mut ReadBuf::new(&mut byte)));
    // Without this, a task that has done much would be told that there is nothing to read.
    tokio::task::unconstrained(read).now_or_never().is_none()
}

impl Backend {
    /// A connection to an upstream for one request; nothing if no address of it is known.
    pub fn lend(&self, serving: &Serving, terms: Terms) -> Option<Arc<Loan>> {
        Loan::arrange(&serving.0, self.connector(), terms)
    }

    /// Closes connections that nobody will use again.
    pub(super) fn sweep(&self) {
        for upstream in self.upstreams().iter() {
            upstream.resting().sweep(upstream.longest_rest());
        }
    }
}

/// On what terms a request gets a connection.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// It may be sent again if the connection turns out to be dead.
    pub repeatable: bool,
    /// The connection must not be one that has rested: there was a dead one already.
    pub fresh: bool,
    /// Head and body have no more than [`MOST_AT_ONCE`](super::MOST_AT_ONCE) bytes.
    pub small: bool,
    /// It must be finished although its client leaves.
    pub finished: bool,
    /// How long to wait.
    pub patience: Patience,
    /// How long to wait for the next bytes of a body that is still under way, if nobody else looks at that.
    pub body: Option<Duration>,
}

/// What a request tells the connection that it is sent on, and learns about it.
#[derive(Debug)]
pub struct Loan {
    me: Weak<Self>,
    upstream: Arc<Upstream>,
    connector: Connector,
    /// How long the connection may have rested; zero: it serves this request and no other.
    rest: Duration,
    /// The request is sent at once, so that one can know whether it was read: see `whole`.
    whole: bool,
    patience: Patience,
    body: Option<Duration>,
    /// Lines that go out at the end of the head.
    lines: Mutex<Vec<u8>>,
    reused: AtomicBool,
    unread: AtomicBool,
    /// The answer was not in order.
    refused: AtomicBool,
    /// The body did not come.
    slow: AtomicBool,
    /// Present: the request must be finished although its client leaves.
    holds: Option<Holds>,
}

struct Connector(Arc<TransportConnector>);

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connector")
    }
}

impl Loan {
    fn arrange(
        upstream: &Arc<Upstream>,
        connector: &Arc<TransportConnector>,
        terms: Terms,
    ) -> Option<Arc<Self>> {
        if !upstream.is_resolved() {
            return None;
        }
        let whole = terms.small && !terms.repeatable && upstream.is_unix();
        Some(Arc::new_cyclic(|me| Self {
            me: Weak::clone(me),
            upstream: Arc::clone(upstream),
            connector: Connector(Arc::clone(connector)),
            rest: match terms {
                Terms { fresh: true, .. } => Duration::ZERO,
                Terms { repeatable: true, .. } => upstream.longest_rest(),
                _ if whole => upstream.longest_rest(),
                // Whoever allows this prefers a rare 502 to a connection for each: see ficus-toml.md.
                _ => upstream.writes_rest(),
            },
            whole,
            patience: terms.patience,
            body: terms.body,
            lines: Mutex::default(),
            reused: AtomicBool::new(false),
            unread: AtomicBool::new(false),
            refused: AtomicBool::new(false),
            slow: AtomicBool::new(false),
            holds: terms.finished.then(Holds::default),
        }))
    }

    /// The peer that pingora's proxy shall connect to in order to get the connection.
    pub fn peer(self: &Arc<Self>) -> Option<Box<HttpPeer>> {
        let mut peer = self.upstream.outer_peer(self.patience)?;
        peer.options.custom_l4 = Some(Arc::<Self>::clone(self));
        Some(peer)
    }

    /// A session of pingora's HTTP client on the connection; pingora's proxy has no part in it.
    ///
    /// # Errors
    /// As [`connect`]; nothing was sent then.
    pub async fn open(&self) -> Result<HttpSession> {
        let mut session = HttpSession::new(Box::new(self.stream().await?));
        session.read_timeout = Some(self.last_wait());
        session.write_timeout = session.read_timeout;
        Ok(session)
    }

    /// The request is answered: the connection goes back to the others if it may be kept.
    pub async fn close(mut session: HttpSession) {
        session.respect_keepalive();
        if let Some(mut stream) = session.reuse().await {
            // What pingora's pool does with a connection that comes to rest, and what a lent one is waiting for.
            let _ = stream.read(&mut [0]).now_or_never();
        }
    }

    async fn stream(&self) -> Result<Stream> {
        let rested = self.rested();
        self.reused.store(rested.is_some(), Ordering::Release);
        let connection = match rested {
            Some(connection) => connection,
            None => {
                let no_address = || Error::explain(ErrorType::ConnectError, "no address is known");
                let peer = self.plain_peer().ok_or_else(no_address)?;
                // What this needs while it waits is large, and most requests find a connection that rests.
                Box::pin(connect(&peer, &self.connector.0)).await?
            }
        };
        let lent = Lent::new(connection, self.me.upgrade());
        Ok(Stream::from(VirtualSocketStream::new(Box::new(lent))))
    }

    /// Lines for the end of the head, each with its line end.
    pub fn say(&self, lines: Vec<u8>) {
        *self.lines.lock().unwrap_or_else(PoisonError::into_inner) = lines;
    }

    /// Those lines, once.
    pub(super) fn lines(&self) -> Vec<u8> {
        std::mem::take(&mut self.lines.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What to connect to without a loan.
    pub fn plain_peer(&self) -> Option<Box<HttpPeer>> {
        self.upstream.peer(self.is_single_use(), self.patience)
    }

    /// Whether the connection serves this request and no other.
    pub fn is_single_use(&self) -> bool {
        self.rest.is_zero()
    }

    /// Whether the connection has served another request before.
    pub fn is_reused(&self) -> bool {
        self.reused.load(Ordering::Acquire)
    }

    /// Whether the request is sent whole, at once.
    pub(super) fn is_whole(&self) -> bool {
        self.whole
    }

    /// Whether it is certain that nobody has read the request, or not all of it.
    pub fn is_unread(&self) -> bool {
        self.unread.load(Ordering::Acquire)
    }

    /// The connection has found that out.
    pub(super) fn found_unread(&self) {
        self.unread.store(true, Ordering::Release);
    }

    /// Whether the answer was refused because its bytes are not in order.
    pub fn has_refused(&self) -> bool {
        self.refused.load(Ordering::Acquire)
    }

    /// The connection has refused it.
    pub(super) fn refuse(&self) {
        self.refused.store(true, Ordering::Release);
    }

    /// How long to wait for the next bytes of the body, if that is to be looked at here.
    pub(super) fn body_patience(&self) -> Option<Duration> {
        self.body
    }

    /// Whether the client was waited for in vain.
    pub fn is_slow(&self) -> bool {
        self.slow.load(Ordering::Acquire)
    }

    /// It was.
    pub(super) fn found_slow(&self) {
        self.slow.store(true, Ordering::Release);
    }

    /// What the request holds if it is abandoned; nothing if it need not be finished then.
    pub(super) fn holds(&self) -> Option<&Holds> {
        self.holds.as_ref()
    }

    /// How long an abandoned request is waited for.
    pub(super) fn last_wait(&self) -> Duration {
        self.patience.bytes.unwrap_or_else(|| self.upstream.longest_silence())
    }

    /// The place that the request had. An abandoned one keeps it until the backend is done.
    pub fn keep_place(&self, place: InFlight) {
        if let Some(holds) = &self.holds {
            holds.take(place);
        }
    }

    /// The backend has failed: if the request was abandoned, nobody waits for it.
    pub fn give_up(&self) {
        self.holds.iter().for_each(Holds::give_up);
    }

    /// A connection from the stack.
    fn rested(&self) -> Option<Inner> {
        if self.is_single_use() {
            return None;
        }
        self.upstream.resting().take(self.rest, self.upstream.longest_rest())
    }

    /// The connection may rest.
    pub(super) fn take_back(&self, connection: Inner) {
        self.upstream.resting().put(connection);
    }
}

#[async_trait]
impl L4Connect for Loan {
    async fn connect(&self, _address: &SocketAddr) -> Result<Stream> {
        self.stream().await
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A loan at this upstream.
    pub(in super::super) fn loan(address: &str, repeatable: bool, small: bool) -> Arc<Loan> {
        let flag = ("backends.legacy".to_owned(), "--legacy".to_owned(), address.to_owned());
        let inputs = crate::settings::Inputs { flags: vec![flag], ..Default::default() };
        let settings = crate::settings::load(&inputs).0.unwrap();
        let backends = super::super::Backends::new(&settings);
        let backend = backends.get("legacy").unwrap();
        let serving = backend.pick(super::super::Tried::default(), true).unwrap();
        let patience = Patience::default();
        let terms = Terms { repeatable, fresh: false, small, finished: false, patience, body: None };
        backend.lend(&serving, terms).unwrap()
    }

    #[tokio::test]
    async fn who_gets_a_connection_that_has_rested() {
        for (address, repeatable, small, single_use, whole) in [
            ("http://127.0.0.1:1", true, false, false, false),
            ("http://127.0.0.1:1", false, true, true, false),
            ("unix:/run/none.sock", true, true, false, false),
            ("unix:/run/none.sock", false, true, false, true),
            ("unix:/run/none.sock", false, false, true, false),
        ] {
            let loan = loan(address, repeatable, small);
            assert_eq!(
                (loan.is_single_use(), loan.is_whole()),
                (single_use, whole),
                "{address} {repeatable} {small}"
            );
        }
    }

    async fn pair() -> (Inner, tokio::net::TcpStream) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let ours = tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (Inner::Tcp(ours), listener.accept().await.unwrap().0)
    }

    /// Until the system has told us what the other end did.
    async fn noticed(connection: &mut Inner) {
        for _ in 0..10_000 {
            if !is_silent(connection) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        panic!("nothing happened");
    }

    #[tokio::test]
    async fn only_good_connections_are_lent_again() {
        const LONG: Duration = Duration::from_secs(60);
        let resting = Resting::default();
        let (first, _first) = pair().await;
        let (mut second, closed) = pair().await;
        drop(closed);
        noticed(&mut second).await;
        resting.put(first);
        resting.put(second);
        assert!(resting.take(LONG, LONG).is_some(), "the closed one is passed over");
        assert!(resting.take(LONG, LONG).is_none());
        let (third, _third) = pair().await;
        resting.put(third);
        resting.sweep(LONG);
        assert_eq!(resting.len(), 1);
        assert!(resting.take(Duration::ZERO, LONG).is_none(), "it has rested for too long for this request");
        assert_eq!(resting.len(), 1, "but not for others");
        assert!(resting.take(LONG, Duration::ZERO).is_none(), "it has rested for too long");
        assert_eq!(resting.len(), 0);
        let (mut fourth, closed) = pair().await;
        drop(closed);
        noticed(&mut fourth).await;
        resting.put(fourth);
        resting.sweep(LONG);
        assert_eq!(resting.len(), 0, "whoever is closed is not kept");
    }

    #[tokio::test]
    async fn a_worker_uses_its_own_connections_and_all_of_them_are_swept() {
        const LONG: Duration = Duration::from_secs(60);
        let resting = Arc::new(Resting::default());
        let at = async |worker: usize, work: fn(&Resting, Option<Inner>) -> bool, with: Option<Inner>| {
            let resting = Arc::clone(&resting);
            let thread = tokio::task::spawn_blocking(move || {
                keep_own_connections(worker);
                work(&resting, with)
            });
            thread.await.unwrap()
        };
        let put = |resting: &Resting, one: Option<Inner>| {
            one.is_some_and(|one| {
                resting.put(one);
                true
            })
        };
        let take = |resting: &Resting, _: Option<Inner>| resting.take(LONG, LONG).is_some();
        let (one, _one) = pair().await;
        assert!(at(0, put, Some(one)).await);
        assert!(resting.take(LONG, LONG).is_none(), "who is no worker has none of a worker's");
        assert!(at(0, take, None).await);
        let (mut other, closed) = pair().await;
        drop(closed);
        noticed(&mut other).await;
        assert!(at(0, put, Some(other)).await);
        resting.sweep(LONG);
        assert!(!at(0, take, None).await, "it was closed, and is swept by whoever sweeps");
    }
}
