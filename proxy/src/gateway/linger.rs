//! Closing a client's connection without tearing away an answer.
//!
//! A socket closed with unread bytes in it is reset, and a reset makes the other end forget what it has received:
//! a client that is still uploading would see a broken connection in place of its 413. So: send what is left, say
//! that nothing more follows, and listen for a while.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{sleep, timeout};

use super::transport::Transport;

/// How long to send what is left, and to listen.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);
/// How much to listen to.
const MOST_BYTES: usize = 64 * 1024 * 1024;
/// How often to look whether all goodbyes are said.
const LOOK: Duration = Duration::from_millis(5);

/// Connections that are being closed in the background.
static OPEN: AtomicUsize = AtomicUsize::new(0);

struct Counted;

impl Counted {
    fn new() -> Self {
        OPEN.fetch_add(1, Ordering::AcqRel);
        Self
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        OPEN.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Closes in the background, after sending what is left; `listen`: the client may be in the middle of a body.
pub(super) fn close(transport: Transport, unsent: BytesMut, listen: bool) {
    // Without a runtime the process is ending; the socket closes with it.
    let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
    let counted = Counted::new();
    runtime.spawn(async move {
        let _ = timeout(PATIENCE, say_goodbye(transport, unsent, listen)).await;
        drop(counted);
    });
}

/// Waits until all connections are really closed; at the end of the process.
pub async fn goodbyes_said() {
    while OPEN.load(Ordering::Acquire) > 0 {
        sleep(LOOK).await;
    }
}

async fn say_goodbye(mut transport: Transport, unsent: BytesMut, listen: bool) {
    if transport.write_all(&unsent).await.is_err() || transport.shutdown().await.is_err() || !listen {
        return;
    }
    let mut ignored = [0; 4 * 1024];
    let mut total = 0;
    while total < MOST_BYTES {
        match transport.read(&mut ignored).await {
            Ok(0) | Err(_) => return,
            Ok(read) => total += read,
        }
    }
}
