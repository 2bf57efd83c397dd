//! What people ask of the process itself, on its way to whoever can do it: the main loop in `server`.

use tokio::sync::{mpsc, oneshot};

/// A question.
#[derive(Debug)]
pub enum Ask {
    /// Put another process in the place of this one; the answer is its id, or why it failed.
    Upgrade(oneshot::Sender<Result<u32, String>>),
    /// Read ficus.toml and the certificates again.
    Reload(oneshot::Sender<Reread>),
}

/// What another look at ficus.toml and the certificates came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reread {
    /// Keys that took effect.
    pub applied: Vec<String>,
    /// Keys that need a new process.
    pub waiting: Vec<String>,
    /// What is wrong, in one line, and all errors as text for people.
    pub bad: Option<(String, String)>,
}

/// The way to the main loop.
#[derive(Debug, Clone)]
pub struct Asks(mpsc::Sender<Ask>);

impl Asks {
    /// A way, and its other end.
    pub fn new() -> (Self, mpsc::Receiver<Ask>) {
        let (sender, receiver) = mpsc::channel(4);
        (Self(sender), receiver)
    }

    /// `None`: the process is about to stop.
    pub(super) async fn upgrade(&self) -> Option<Result<u32, String>> {
        let (answer, wait) = oneshot::channel();
        self.0.send(Ask::Upgrade(answer)).await.ok()?;
        wait.await.ok()
    }

    /// `None`: the process is about to stop.
    pub(super) async fn reload(&self) -> Option<Reread> {
        let (answer, wait) = oneshot::channel();
        self.0.send(Ask::Reload(answer)).await.ok()?;
        wait.await.ok()
    }
}
