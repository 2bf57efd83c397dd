//! systemd's watchdog: told that we are alive only if the runtimes that answer requests really make progress.
//!
//! A thread of its own asks each runtime to run a task, whose timer must fire; one whose thread hangs, or whose clock
//! stands still, does not get there, systemd hears nothing and starts us anew.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use sd_notify::NotifyState;
use tokio::runtime::Handle;

use super::notify;

/// Starts it, if systemd wants to hear from us; each of the `runtimes` must make progress.
pub(super) fn start(runtimes: Vec<Handle>) -> std::io::Result<()> {
    let Some(limit) = sd_notify::watchdog_enabled() else { return Ok(()) };
    // Half the time, as the manual says, and a third of that for the answer.
    let (pause, patience) = (limit / 3, limit / 6);
    std::thread::Builder::new().name("watchdog".to_owned()).spawn(move || {
        loop {
            if make_progress(&runtimes, patience) {
                notify(&[NotifyState::Watchdog]);
            } else {
                tracing::error!("a runtime of the requests makes no progress");
            }
            std::thread::sleep(pause);
        }
    })?;
    Ok(())
}

/// Whether each runtime runs a task and its timer within this time, which is one for all of them.
fn make_progress(runtimes: &[Handle], patience: Duration) -> bool {
    let until = Instant::now() + patience;
    let ask = |runtime: &Handle| {
        let (done, wait) = channel();
        runtime.spawn(async move {
            tokio::time::sleep(Duration::from_millis(1)).await;
            let _ = done.send(());
        });
        wait
    };
    let waits: Vec<_> = runtimes.iter().map(ask).collect();
    waits.iter().all(|wait| match wait.recv_timeout(until.saturating_duration_since(Instant::now())) {
        Ok(()) => true,
        // The runtime is gone: the process is ending, which takes as long as it takes.
        Err(RecvTimeoutError::Disconnected) => true,
        Err(RecvTimeoutError::Timeout) => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_runtime_that_hangs_is_enough() {
        let start =
            || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (one, other) = (start(), start());
        let both = [one.handle().clone(), other.handle().clone()];
        assert!(make_progress(&both, Duration::from_secs(20)));
        let (release, wait) = channel::<()>();
        let (entered, hung) = channel();
        other.spawn(async move {
            entered.send(()).unwrap();
            let _ = wait.recv();
        });
        hung.recv().unwrap();
        assert!(!make_progress(&both, Duration::from_millis(100)));
        release.send(()).unwrap();
        assert!(make_progress(&both, Duration::from_secs(20)));
        one.shutdown_background();
        assert!(make_progress(&both, Duration::from_secs(20)), "who is gone is ending");
    }
}
