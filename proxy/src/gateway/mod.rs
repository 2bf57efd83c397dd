//! The path of a request: pingora's phases, in the order in which they run.
//!
//! This file is the table of contents; each phase is a few lines here and a file beside this one. What is decided
//! is in `decide`, which upstream is asked in `upstream`, what is counted in `observe`.

mod answer;
mod arrival;
mod body;
mod buffer;
mod canary;
mod client;
mod connection;
mod contain;
mod context;
mod digests;
mod dry_run;
mod exchange;
mod fallback;
mod forward;
mod framing;
mod headers;
mod intake;
pub mod kept;
mod linger;
mod memory;
mod outcome;
mod pages;
mod preface;
#[doc(hidden)]
pub mod probe;
mod rate;
mod record;
mod request_checks;
mod rest;
mod shadow;
mod spans;
mod stuck;
mod trace;
mod transport;
mod trouble;
mod tunnel;
mod wire;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::modules::http::HttpModules;
use pingora::protocols::Digest;
use pingora::proxy::{FailToProxy, ProxyHttp, ProxyWarnLogContext, Session};
use pingora::upstreams::peer::HttpPeer;
use pingora::{Error, Result};

pub use arrival::Rules;
pub use connection::Connection;
pub use context::Context;
pub use linger::goodbyes_said;
pub use rest::Idle;
pub use transport::Transport;

use contain::{contained, contained_while};

use crate::identity::Reader;
use crate::observe::Observer;
use crate::route::Live;
use crate::settings::Current;
use crate::shadow::Shadow;
use crate::upstream::Backends;

/// Answers requests.
#[derive(Debug)]
pub struct Gateway {
    settings: Arc<Current>,
    live: Arc<Live>,
    backends: Arc<Backends>,
    observer: Arc<Observer>,
    identities: Reader,
    ids: trace::Ids,
    draining: Arc<AtomicBool>,
    /// For bodies that the fallback may need.
    memory: Arc<memory::Memory>,
    /// For bodies that are awaited.
    buffers: Arc<memory::Memory>,
    rates: OnceLock<rate::Rates>,
    shadow: Option<Arc<Shadow>>,
}

impl Gateway {
    /// A gateway; `draining` becomes true when connections are no longer kept.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn new(
        settings: Arc<Current>,
        live: Arc<Live>,
        backends: Arc<Backends>,
        observer: Arc<Observer>,
        draining: Arc<AtomicBool>,
    ) -> anyhow::Result<Self> {
        let identities = Reader::new(&settings);
        let memory = || Arc::new(memory::Memory::new(settings.limits.replay_memory));
        let (memory, buffers) = (memory(), memory());
        let (ids, rates, shadow) = (trace::Ids::new()?, OnceLock::new(), None);
        Ok(Self {
            settings,
            live,
            backends,
            observer,
            identities,
            ids,
            draining,
            memory,
            buffers,
            rates,
            shadow,
        })
    }

    /// The same, leaving copies of requests for `shadow`.
    #[must_use]
    pub fn shadowed_by(self, shadow: Arc<Shadow>) -> Self {
        Self { shadow: Some(shadow), ..self }
    }

    fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }
}

#[async_trait]
impl ProxyHttp for Gateway {
    /// In a box: pingora moves it several times.
    type CTX = Box<Context>;

    fn new_ctx(&self) -> Box<Context> {
        Box::new(Context::new(self.observer.request_started()))
    }

    /// None of pingora's modules: answers pass as they are.
    fn init_downstream_modules(&self, _modules: &mut HttpModules) {}

    // 1. A head has arrived: is it a request, and whose?
    async fn early_request_filter(&self, session: &mut Session, ctx: &mut Box<Context>) -> Result<()> {
        contained(|| self.take_in(session, ctx))
    }

    // 2. to 4. Match, identify, decide. True: the answer is already sent.
    async fn request_filter(&self, session: &mut Session, ctx: &mut Box<Context>) -> Result<bool> {
        contained(|| {
            self.choose(session, ctx);
            self.check_rate(session, ctx)?;
            self.check_body_length(session, ctx)
        })?;
        // What is rare is boxed: the memory that it needs while it waits is not moved with every request then.
        if ctx.attempt.backend.is_none() {
            // A route that is switched off, or whose backend is not among the settings.
            Box::pin(self.answer_page(session, 503, ctx)).await?;
            return Ok(true);
        }
        self.keep_body(session, ctx);
        if !ctx.safe && self.shadow.is_some() {
            Box::pin(contained_while(self.dry_run(session, ctx))).await?;
        }
        if self.awaits_body(session, ctx) {
            Box::pin(contained_while(self.await_body(session, ctx))).await?;
        }
        ctx.uploading = !ctx.upgrade && !session.as_downstream_mut().is_body_done();
        if exchange::is_complete(session, ctx) {
            Box::pin(contained_while(self.exchange(session, ctx))).await?;
            return Ok(true);
        }
        Ok(false)
    }

    // 5. Forward: to which address?
    async fn upstream_peer(&self, session: &mut Session, ctx: &mut Box<Context>) -> Result<Box<HttpPeer>> {
        contained_while(self.pick_upstream(ctx)).await?;
        let peer = self.peer(ctx)?;
        Ok(self.send_again(session, ctx, peer))
    }

    async fn connected_to_upstream(
        &self,
        _session: &mut Session,
        reused: bool,
        _peer: &HttpPeer,
        _fd: std::os::fd::RawFd,
        _digest: Option<&Digest>,
        ctx: &mut Box<Context>,
    ) -> Result<()> {
        self.connected(reused || ctx.is_reused(), ctx);
        Ok(())
    }

    async fn upstream_request_filter(
        &self,
        _session: &mut Session,
        request: &mut RequestHeader,
        ctx: &mut Box<Context>,
    ) -> Result<()> {
        contained(|| self.dress_request(request, ctx))
    }

    async fn request_body_filter(
        &self,
        session: &mut Session,
        body: &mut Option<Bytes>,
        end: bool,
        ctx: &mut Box<Context>,
    ) -> Result<()> {
        if end {
            ctx.body_is_there();
        }
        contained(|| self.pass_body(session, body, ctx))
    }

    // 6. Fall back: an answer that is none, a backend that cannot be reached, or that fails.
    async fn upstream_response_filter(
        &self,
        session: &mut Session,
        response: &mut ResponseHeader,
        ctx: &mut Box<Context>,
    ) -> Result<()> {
        contained(|| self.judge_answer(session, response, ctx))
    }

    fn upstream_response_body_filter(
        &self,
        _session: &mut Session,
        _body: &mut Option<Bytes>,
        end: bool,
        ctx: &mut Box<Context>,
    ) -> Result<Option<Duration>> {
        self.answer_passes(end, ctx)?;
        Ok(None)
    }

    fn fail_to_connect(
        &self,
        session: &mut Session,
        _peer: &HttpPeer,
        ctx: &mut Box<Context>,
        error: Box<Error>,
    ) -> Box<Error> {
        self.not_connected(session, ctx, error)
    }

    fn error_while_proxy(
        &self,
        _peer: &HttpPeer,
        session: &mut Session,
        error: Box<Error>,
        ctx: &mut Box<Context>,
        reused: bool,
    ) -> Box<Error> {
        let reused = reused || ctx.is_reused();
        self.failed(session, ctx, error, reused)
    }

    async fn fail_to_proxy(
        &self,
        session: &mut Session,
        error: &Error,
        ctx: &mut Box<Context>,
    ) -> FailToProxy {
        self.answer_failure(session, error, ctx).await
    }

    async fn response_filter(
        &self,
        session: &mut Session,
        response: &mut ResponseHeader,
        ctx: &mut Box<Context>,
    ) -> Result<()> {
        contained(|| {
            self.sample(response, ctx);
            self.dress_answer(session, response, ctx)
        })
    }

    fn response_body_filter(
        &self,
        _session: &mut Session,
        body: &mut Option<Bytes>,
        end: bool,
        ctx: &mut Box<Context>,
    ) -> Result<Option<Duration>> {
        Self::capture_answer(body.as_ref(), end, ctx);
        Ok(None)
    }

    // 7. Record.
    async fn logging(&self, session: &mut Session, _error: Option<&Error>, ctx: &mut Box<Context>) {
        let _ = contained(|| {
            self.record(session, ctx);
            Ok(())
        });
    }

    /// pingora's own lines would show paths with their queries; what matters is in the access log.
    fn suppress_error_log(&self, _session: &Session, _ctx: &Box<Context>, _error: &Error) -> bool {
        true
    }

    fn suppress_proxy_warn_log(
        &self,
        _session: &Session,
        _ctx: &Box<Context>,
        _error: &Error,
        _context: ProxyWarnLogContext,
    ) -> bool {
        true
    }

    fn request_summary(&self, _session: &Session, ctx: &Box<Context>) -> String {
        ctx.trace.request_id.clone()
    }
}

/// A tunnel may be silent for longer than any request.
const TUNNEL_SILENCE: Duration = Duration::from_secs(24 * 60 * 60);
/// Attempts of one request: each upstream once, a dead connection, the fallback's. What is repeated is decided in
/// `trouble`; this only bounds it.
pub const MOST_ATTEMPTS: usize = 16;
