//! A listener that stops to accept while the connections that it has accepted go on.
//!
//! During an upgrade another process accepts on the same socket. Who was accepted here and has not said anything yet
//! must still be answered here.

use axum::serve::Listener;
use tokio::sync::watch;

/// How far the end has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ending {
    /// It is not near.
    #[default]
    None,
    /// Nobody is accepted any more.
    Leaving,
    /// Connections close as soon as they are idle.
    Closing,
}

/// The listener.
pub(super) struct Leaving<L> {
    pub(super) listener: L,
    pub(super) ending: watch::Receiver<Ending>,
}

impl<L: Listener> Listener for Leaving<L> {
    type Io = L::Io;
    type Addr = L::Addr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        tokio::select! {
            biased;
            () = reached(&mut self.ending, Ending::Leaving) => std::future::pending().await,
            accepted = self.listener.accept() => accepted,
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

/// Returns when connections shall close.
pub(super) async fn closing(mut ending: watch::Receiver<Ending>) {
    reached(&mut ending, Ending::Closing).await;
}

async fn reached(ending: &mut watch::Receiver<Ending>, point: Ending) {
    // An error means that nobody can say so any more: the process ends.
    let _ = ending.wait_for(|ending| *ending >= point).await;
}
