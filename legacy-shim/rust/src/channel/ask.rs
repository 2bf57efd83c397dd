//! One question to Flask: connect, send, read the answer, within a time limit. What is asked is in `session` and `user`.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, SET_COOKIE};
use http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use super::Caller;
use super::address::{Address, BadSetting, authorization};
use crate::session::{Map, read_tagged_json};

/// As long as Flask's side takes one.
const LONGEST_ANSWER: usize = 4 * 1024 * 1024;
const TIMEOUT: Duration = Duration::from_secs(5);

/// Why Flask did not answer a question. Never holds a cookie, the secret or a value of a session.
#[derive(Debug, Error)]
pub enum ChannelError {
    /// Nobody listens there, or the connection broke.
    #[error("cannot reach Flask: {0}")]
    Unreachable(#[from] io::Error),
    /// Not HTTP as it should be, or the connection broke.
    #[error("cannot talk to Flask: {0}")]
    Http(#[from] hyper::Error),
    /// The answer took too long.
    #[error("Flask did not answer in time")]
    Timeout,
    /// Flask refused: 401 or 404 the channel is switched off there, 403 the secret differs, 422 the session holds what
    /// tagged JSON cannot, 500 the application raised an exception.
    #[error("Flask answered with status {0}")]
    Status(StatusCode),
    /// Another request changed the session in the meantime, again and again.
    #[error("the session was changed by other requests")]
    Conflict,
    /// An answer that this crate cannot carry without loss.
    #[error("cannot read the answer of Flask")]
    Unreadable,
}

/// The way to the Flask process. Cheap to clone.
#[derive(Clone)]
pub struct ShimChannel(Arc<Settings>);

struct Settings {
    address: Address,
    authorization: HeaderValue,
    timeout: Duration,
}

impl fmt::Debug for ShimChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShimChannel").field("address", &self.0.address).finish_non_exhaustive()
    }
}

impl ShimChannel {
    /// The channel to the Flask server at `host:port` or `unix:/path`, past the proxy, with the text of
    /// `LEGACY_SHIM_CHANNEL_SECRET`. A question may take five seconds.
    ///
    /// # Errors
    /// When one of the two cannot be what it should be.
    pub fn new(address: &str, secret: &str) -> Result<Self, BadSetting> {
        let (address, authorization) = (Address::parse(address)?, authorization(secret)?);
        Ok(Self(Arc::new(Settings { address, authorization, timeout: TIMEOUT })))
    }

    /// The same channel with another time limit per question.
    #[must_use]
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        let Settings { address, authorization, .. } = &*self.0;
        Self(Arc::new(Settings { address: address.clone(), authorization: authorization.clone(), timeout }))
    }

    /// Asks, and gives the document with the cookies that came with it.
    pub(super) async fn ask(
        &self,
        caller: &Caller,
        path: &'static str,
        body: Option<String>,
    ) -> Result<(Map, Vec<HeaderValue>), ChannelError> {
        let request = self.request(caller, path, body);
        let answer = tokio::time::timeout(self.0.timeout, async {
            match &self.0.address {
                Address::Tcp(address) => {
                    let stream = TcpStream::connect(address.as_str()).await?;
                    stream.set_nodelay(true)?;
                    exchange(stream, request).await
                }
                Address::Unix(path) => exchange(UnixStream::connect(path).await?, request).await,
            }
        });
        let (status, cookies, body) = answer.await.map_err(|_| ChannelError::Timeout)??;
        match status {
            StatusCode::OK => {}
            StatusCode::CONFLICT => return Err(ChannelError::Conflict),
            status => return Err(ChannelError::Status(status)),
        }
        let text = std::str::from_utf8(&body).map_err(|_| ChannelError::Unreadable)?;
        Ok((read_tagged_json(text).ok_or(ChannelError::Unreadable)?, cookies))
    }

    fn request(&self, caller: &Caller, path: &'static str, body: Option<String>) -> Request<Full<Bytes>> {
        let method = if body.is_some() { Method::PUT } else { Method::GET };
        let mut request = Request::new(Full::from(body.unwrap_or_default()));
        *request.uri_mut() = http::Uri::from_static(path);
        *request.headers_mut() = caller.headers().clone();
        request.headers_mut().insert("x-legacy-shim-authorization", self.0.authorization.clone());
        if method == Method::PUT {
            request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        *request.method_mut() = method;
        request
    }
}

/// One request over a fresh connection.
async fn exchange<T>(
    stream: T,
    request: Request<Full<Bytes>>,
) -> Result<(StatusCode, Vec<HeaderValue>, Bytes), ChannelError>
where
    T: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // Ends with the sender; what goes wrong is told to whoever waits for the answer.
    let driver = tokio::spawn(connection);
    let answer = async {
        let response = sender.send_request(request).await?;
        let status = response.status();
        let cookies = response.headers().get_all(SET_COOKIE).iter().cloned().collect();
        let body = Limited::new(response.into_body(), LONGEST_ANSWER).collect().await;
        let body = body.map_err(|_| ChannelError::Unreadable)?;
        Ok((status, cookies, body.to_bytes()))
    };
    let answer = answer.await;
    driver.abort();
    answer
}
