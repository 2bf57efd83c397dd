//! A copy that no user asked for: it goes the way of all copies, and brings back what was made of it.

use std::sync::{Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::oneshot;

use super::known::Known;
use crate::shadow::compare::{Comparison, Incomparable, Verdict};
use crate::upstream::Stream;

/// Room in the pipe that stands for a connection.
const PIPE: usize = 16 * 1024;

/// A probe on its way.
#[derive(Debug)]
pub struct Probe {
    known: Known,
    back: Mutex<Option<oneshot::Sender<Found>>>,
}

/// What became of a probe.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) verdict: Option<Verdict>,
    pub(super) groups: Vec<String>,
    pub(super) rules: Vec<String>,
    pub(super) incomparable: Option<Incomparable>,
}

impl Probe {
    pub(super) fn new(known: Known) -> (Self, oneshot::Receiver<Found>) {
        let (back, found) = oneshot::channel();
        (Self { known, back: Mutex::new(Some(back)) }, found)
    }

    /// A connection on which the other answer of the pair comes.
    pub(in crate::shadow) fn dial(&self) -> Box<dyn Stream> {
        let (near, far) = duplex(PIPE);
        tokio::spawn(answer(far, self.known.answered()));
        Box::new(near)
    }

    /// Tells what was made of it; nothing: no answer came.
    pub(in crate::shadow) fn tell(&self, comparison: Option<&Comparison>) {
        let found = Found {
            verdict: comparison.map(|comparison| comparison.verdict),
            groups: comparison.map(groups).unwrap_or_default(),
            rules: comparison.map(|one| one.ignored.keys().cloned().collect()).unwrap_or_default(),
            incomparable: comparison.and_then(|comparison| comparison.incomparable),
        };
        if let Some(back) = self.back.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = back.send(found);
        }
    }
}

fn groups(comparison: &Comparison) -> Vec<String> {
    comparison.differences.iter().map(crate::shadow::compare::Difference::group).collect()
}

/// Answers the first request, whatever it says.
async fn answer(mut stream: DuplexStream, bytes: Vec<u8>) {
    let mut head = Vec::new();
    let mut part = [0; 1_024];
    while !head.windows(4).any(|four| four == b"\r\n\r\n") {
        match stream.read(&mut part).await {
            Ok(0) | Err(_) => return,
            Ok(read) => head.extend_from_slice(&part[..read]),
        }
    }
    let _ = stream.write_all(&bytes).await;
    let _ = stream.shutdown().await;
}
