//! A request that was begun on behalf of a client that has left, and must be finished.
//!
//! Over HTTP/1 pingora can be told to go on without the client. Over HTTP/2 it drops the connection to the upstream as soon
//! as the client resets the stream; a server that watches for that would stop in the middle of a change, and a place on the
//! backend would be free although the backend still works. So the connection lives on here until the head of the answer
//! has come: by then the request was executed.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::Notify;

use super::admission::InFlight;
use super::answer::Answer;

/// A request that must be finished, and what it holds when it is abandoned.
#[derive(Debug, Default)]
pub(super) struct Holds {
    state: Mutex<State>,
    /// Nobody waits for the backend any more.
    given_up: Notify,
}

#[derive(Debug, Default)]
enum State {
    /// Not abandoned, or no more.
    #[default]
    Free,
    /// The client has left, and the backend has not answered.
    Abandoned(Option<InFlight>),
}

impl Holds {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection goes its own way; `finish` follows.
    pub(super) fn abandon(&self) {
        *self.state() = State::Abandoned(None);
    }

    /// Keeps the place of a request that is abandoned, until the backend is done with it.
    pub(super) fn take(&self, place: InFlight) {
        if let State::Abandoned(kept) = &mut *self.state() {
            *kept = Some(place);
        }
    }

    /// It was not the client that left: there is nothing to be waited for.
    pub(super) fn give_up(&self) {
        *self.state() = State::Free;
        self.given_up.notify_one();
    }

    /// Reads until the head of the answer is complete, the connection ends, or `patience` is over; then the place is free.
    pub(super) async fn finish(
        &self,
        mut connection: impl AsyncRead + Unpin,
        mut answer: Answer,
        patience: Duration,
    ) {
        let reading = async {
            let mut bytes = [0; 1_024];
            while let Ok(read @ 1..) = connection.read(&mut bytes).await {
                if answer.follow(&bytes[..read]).is_err() || answer.has_head() {
                    return;
                }
            }
        };
        tokio::select! {
            () = reading => {}
            () = tokio::time::sleep(patience) => {}
            () = self.given_up.notified() => {}
        }
        *self.state() = State::Free;
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_head_of_the_answer_is_waited_for_and_no_more() {
        let long = Duration::from_secs(60);
        let begun = tokio::time::Instant::now();
        let finish = async |ours| Holds::default().finish(ours, Answer::new(false), long).await;
        for answer in
            ["HTTP/1.1 103 A\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", "HTTP/1.1 204 \r\n\r\n"]
        {
            let (ours, mut theirs) = tokio::io::duplex(64);
            let answering = async { theirs.write_all(answer.as_bytes()).await.unwrap() };
            tokio::join!(finish(ours), answering);
        }
        let (ours, theirs) = tokio::io::duplex(64);
        drop(theirs);
        finish(ours).await;
        let (ours, _silent) = tokio::io::duplex(64);
        let holds = Holds::default();
        holds.give_up();
        holds.finish(ours, Answer::new(false), long).await;
        assert!(begun.elapsed() < long);
        let (ours, _silent) = tokio::io::duplex(64);
        finish(ours).await;
        assert!(begun.elapsed() >= long);
    }
}
