//! systemd's watchdog: told that we are alive only if the runtimes that answer requests really make progress.
//!
//! A thread of its own asks each runtime to run a task, whose timer must fire; one whose thread hangs, or whose clock
//! stands still, does not get there, systemd hears nothing and starts us anew.

use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

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
            if runtimes.iter().all(|runtime| makes_progress(runtime, patience)) {
                notify(&[NotifyState::Watchdog]);
            } else {
                tracing::error!("a runtime of the requests makes no progress");
            }
            std::thread::sleep(pause);
        }
    })?;
    Ok(())
}

/// Whether the runtime runs a task and its timer within this time.
fn makes_progress(runtime: &Handle, patience: Duration) -> bool {
    let (done, wait) = channel();
    runtime.spawn(async move {
        tokio::time::sleep(Duration::from_millis(1)).await;
        let _ = done.send(());
    });
    match wait.recv_timeout(patience) {
        Ok(()) => true,
        // The runtime is gone: the process is ending, which takes as long as it takes.
        Err(RecvTimeoutError::Disconnected) => true,
        Err(RecvTimeoutError::Timeout) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runtime_that_hangs_makes_no_progress() {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        assert!(makes_progress(runtime.handle(), Duration::from_secs(20)));
        let (release, wait) = channel::<()>();
        let (entered, hung) = channel();
        runtime.spawn(async move {
            entered.send(()).unwrap();
            let _ = wait.recv();
        });
        hung.recv().unwrap();
        assert!(!makes_progress(runtime.handle(), Duration::from_millis(100)));
        release.send(()).unwrap();
        assert!(makes_progress(runtime.handle(), Duration::from_secs(20)));
    }
}
