//! A client's connection from one request to the next.
//!
//! Around step 1 of a request (accept). pingora would wait for the next request with everything that it needs to answer
//! one already in memory; most connections are idle most of the time. So it is called when there is something to read,
//! and what waits until then is a few hundred bytes.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use pingora::apps::{HttpServerApp, ReusedHttpStream, ServerApp};
use pingora::protocols::http::ServerSession;
use pingora::protocols::{IO, Stream};
use pingora::proxy::HttpProxy;
use tokio::sync::watch;
use tokio::time::{Instant, Sleep, sleep};

use super::{Connection, Gateway, connection};

/// Answers what comes on a connection until it ends; `idle` is the longest time between two requests. When all
/// connections are being closed, it may bring one more request for `last_requests`, which is answered with
/// `Connection: close`: a client that sends it at this very moment would find its connection closed.
pub async fn serve(
    proxy: &Arc<HttpProxy<Gateway>>,
    connection: Connection,
    closing: &watch::Receiver<bool>,
    idle: Duration,
    last_requests: impl Fn() -> Duration,
) {
    if connection.is_http2() {
        proxy.process_new(Box::new(connection), closing).await;
        return;
    }
    let mut closed = closing.clone();
    let mut closed = pin!(async move {
        // Whoever could say so being gone means the same.
        let _ = closed.wait_for(|closing| *closing).await;
        sleep(last_requests()).await;
    });
    let mut alarm = Alarm { idle, since: Instant::now(), timer: None };
    let mut next: Option<ReusedHttpStream> = Some(ReusedHttpStream::new(Box::new(connection), None));
    while let Some((mut stream, settings)) = next.map(ReusedHttpStream::consume) {
        alarm.since = Instant::now();
        if let Some(marks) = connection::marks(Some(&stream)) {
            marks.rest().begins();
        }
        let arrived = poll_fn(|cx| {
            if poll_arrival(&mut stream, cx).is_ready() {
                return Poll::Ready(true);
            }
            let over = alarm.poll(cx).is_ready() || closed.as_mut().poll(cx).is_ready();
            if over { Poll::Ready(false) } else { Poll::Pending }
        });
        if !arrived.await || !connection::marks(Some(&stream)).is_none_or(|marks| marks.rest().ends()) {
            return;
        }
        let mut session = ServerSession::new_http1(stream);
        session.set_keepalive(Some(idle.as_secs().max(1)));
        if let Some(settings) = settings {
            settings.apply_to_session(&mut session);
        }
        next = proxy.process_new_http(session, closing).await;
    }
}

/// Ready when the client of an HTTP/1 connection has sent something, or has left; also when that is not known.
fn poll_arrival(stream: &mut Stream, cx: &mut Context<'_>) -> Poll<()> {
    // An error will be met again by whoever reads.
    let _ = ready!(Pin::new(&mut **stream).poll_flush(cx));
    let io: &dyn IO = &**stream;
    io.as_any().downcast_ref::<Connection>().map_or(Poll::Ready(()), |connection| connection.poll_next(cx))
}

/// Rings after so much idle time. Most waits end before, so the timer is not set anew for each: when it goes off, it
/// looks how long it really was.
struct Alarm {
    idle: Duration,
    since: Instant,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Alarm {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let due = self.since + self.idle;
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(due)));
        while timer.as_mut().poll(cx).is_ready() {
            if due <= Instant::now() {
                return Poll::Ready(());
            }
            timer.as_mut().reset(due);
        }
        Poll::Pending
    }
}
