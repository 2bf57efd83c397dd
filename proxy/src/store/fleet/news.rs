//! Hears of new revisions as soon as they are made, and of nodes that run them: LISTEN, on a thread and a connection of its own.
//! News that were sent while the line was down are lost; so whoever listens looks again when it is up, and polls besides.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use sqlx::postgres::{PgListener, PgPoolOptions};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::Member;

/// Between two attempts.
const RETRY: Duration = Duration::from_millis(500);
const PATIENCE: Duration = Duration::from_secs(3);
/// A line that is silent for so long is looked at.
const SILENCE: Duration = Duration::from_secs(15);

/// What there is news of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// There is, or may be, a new revision.
    Revision,
    /// A node says that it runs another revision than before.
    Node,
}

/// Where nodes are heard that run another revision than before.
pub(super) const NODES: &str = "ficus_node";
const REVISIONS: &str = "ficus_revision";

/// The listening thread; dropping it stops it.
#[derive(Debug)]
pub struct News {
    stop: Arc<(AtomicBool, Notify)>,
    thread: Option<JoinHandle<()>>,
}

impl News {
    /// Calls `tell` whenever there is news.
    ///
    /// # Errors
    /// When the machine refuses a thread.
    pub fn listen(member: &Member, tell: impl Fn(Heard) + Send + 'static) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let stop = Arc::new((AtomicBool::new(false), Notify::new()));
        let (member, stopped) = (member.clone(), Arc::clone(&stop));
        let thread = std::thread::Builder::new().name("news".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    () = stopped.1.notified() => {}
                    () = listen_for_ever(&member, &tell) => {}
                }
            });
        })?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for News {
    fn drop(&mut self) {
        self.stop.0.store(true, Ordering::Relaxed);
        self.stop.1.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn listen_for_ever(member: &Member, tell: &impl Fn(Heard)) {
    loop {
        if let Err(error) = listen(member, tell).await {
            tracing::debug!(error = super::said(&error), "news of the fleet do not arrive; it is polled");
        }
        sleep(RETRY).await;
    }
}

async fn listen(member: &Member, tell: &impl Fn(Heard)) -> Result<(), sqlx::Error> {
    let broken = || sqlx::Error::Io(std::io::ErrorKind::TimedOut.into());
    let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(PATIENCE);
    let pool = timeout(PATIENCE, pool.connect_with(member.options.clone())).await.map_err(|_| broken())??;
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.eager_reconnect(false);
    listener.listen_all([REVISIONS, NODES]).await?;
    tell(Heard::Revision);
    loop {
        match timeout(SILENCE, listener.try_recv()).await {
            Ok(Ok(Some(news))) if news.channel() == NODES => tell(Heard::Node),
            Ok(Ok(Some(_))) => tell(Heard::Revision),
            Ok(Ok(None)) => return Err(broken()),
            Ok(Err(error)) => return Err(error),
            // A line through a firewall may have been cut without a word.
            Err(_) => {
                let asked = sqlx::query("SELECT 1").execute(&mut listener);
                timeout(PATIENCE, asked).await.map_err(|_| broken())??;
            }
        }
    }
}
