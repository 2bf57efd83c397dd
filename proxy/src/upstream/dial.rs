//! A connection to an upstream for those who do not go through the gateway: copies of requests.

use std::io::{Error, ErrorKind, Result};

use tokio::io::{AsyncRead, AsyncWrite};

use super::{Backend, Patience};

/// Both directions of a connection.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl Backend {
    /// Connects to an upstream that can be reached as far as we know. What becomes of it says nothing to anybody else:
    /// neither the places on the backend nor what is known of its health change.
    ///
    /// # Errors
    /// When no upstream can be connected to.
    pub async fn dial(&self) -> Result<Box<dyn Stream>> {
        let unreachable = || Error::new(ErrorKind::NotFound, "no upstream is known");
        let upstreams = self.upstreams();
        let resolved = || upstreams.iter().filter(|upstream| upstream.is_resolved());
        let reached = resolved().find(|upstream| upstream.breaker().failures() == 0);
        let upstream = reached.or_else(|| resolved().next()).ok_or_else(unreachable)?;
        let peer = upstream.peer(true, Patience::default()).ok_or_else(unreachable)?;
        drop(upstreams);
        let stream = self.connector().new_stream(&*peer).await;
        Ok(Box::new(stream.map_err(|error| Error::new(ErrorKind::ConnectionRefused, error.to_string()))?))
    }

    /// Connects to every upstream that can be reached as far as we know; who cannot be connected to is left out.
    pub async fn dial_each(&self) -> Vec<Box<dyn Stream>> {
        let peers: Vec<_> = {
            let upstreams = self.upstreams();
            let reached = |upstream: &&std::sync::Arc<super::Upstream>| {
                upstream.is_resolved() && upstream.breaker().failures() == 0
            };
            upstreams.iter().filter(reached).filter_map(|one| one.peer(true, Patience::default())).collect()
        };
        let mut streams: Vec<Box<dyn Stream>> = Vec::new();
        for peer in peers {
            if let Ok(stream) = self.connector().new_stream(&*peer).await {
                streams.push(Box::new(stream));
            }
        }
        streams
    }
}
