//! The thread that keeps this node with its fleet: hears of revisions, looks for them now and then, says that it is there.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;

use crate::store::{Away, Heard, News, Presence};

use super::super::Control;
use super::Fleet;

/// The thread; dropping it stops it, and takes this node off the list.
#[derive(Debug)]
pub struct Keeper {
    signals: Sender<Signal>,
    thread: Option<JoinHandle<()>>,
    _news: News,
}

enum Signal {
    News,
    Stop,
}

impl Control {
    /// Starts to keep up with the fleet; a node that is alone has nobody to keep up with.
    ///
    /// # Errors
    /// When the machine refuses a thread.
    pub fn keep_up(self: &Arc<Self>) -> std::io::Result<Option<Keeper>> {
        let Some(fleet) = &self.fleet else { return Ok(None) };
        let (signals, inbox) = channel();
        let told = signals.clone();
        let control = Arc::clone(self);
        let news = News::listen(fleet.member(), move |heard| match (heard, &control.fleet) {
            (Heard::Node, Some(fleet)) => fleet.steps.another(),
            _ => {
                let _ = told.send(Signal::News);
            }
        })?;
        let control = Arc::clone(self);
        let thread = std::thread::Builder::new().name("fleet".to_owned()).spawn(move || {
            if let Some(fleet) = &control.fleet {
                run(&control, fleet, &inbox);
            }
        })?;
        Ok(Some(Keeper { signals, thread: Some(thread), _news: news }))
    }

    /// Looks once, and says that this node is there: what the thread does again and again.
    ///
    /// # Errors
    /// When the store cannot be asked.
    pub fn look_at_fleet(&self) -> Result<(), Away> {
        let Some(fleet) = &self.fleet else { return Ok(()) };
        self.catch_up()?;
        if self.lock_to_change().is_none() {
            // Another process speaks for this node now.
            return Ok(());
        }
        if !self.recorder.health().up {
            // The recorder has a line of its own, and should hear that it can be used.
            let _ = self.recorder.latest();
        }
        let outcome = self.report_presence(fleet);
        fleet.heard(&outcome);
        let mut seen = fleet.seen();
        seen.nodes = outcome?;
        seen.looks += 1;
        Ok(())
    }

    fn report_presence(&self, fleet: &Fleet) -> Result<Vec<crate::store::Node>, Away> {
        let (running, digest, drift) = {
            let running = self.lock();
            let digest = match &running.state.fleet {
                Some(known) if !known.apart => known.digest.clone(),
                _ => String::new(),
            };
            (running.state.revision, digest, Self::drift_on_disk(&running))
        };
        let (trouble, new) = {
            let seen = fleet.seen();
            (seen.trouble.clone().or(drift), seen.reported != running)
        };
        fleet.shared.report(&Presence {
            version: env!("CARGO_PKG_VERSION"),
            running,
            digest: &digest,
            trouble: trouble.as_deref(),
            started: fleet.started,
            poll: fleet.poll,
            new,
        })?;
        fleet.seen().reported = running;
        fleet.shared.nodes()
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        let _ = self.signals.send(Signal::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(control: &Control, fleet: &Fleet, inbox: &Receiver<Signal>) {
    // What went wrong is noted by whoever was told it.
    let _ = control.look_at_fleet();
    loop {
        match inbox.recv_timeout(fleet.poll) {
            Ok(Signal::News) => {
                // Several at once are one.
                while let Ok(signal) = inbox.try_recv() {
                    if matches!(signal, Signal::Stop) {
                        return leave(control, fleet);
                    }
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Ok(Signal::Stop) | Err(RecvTimeoutError::Disconnected) => return leave(control, fleet),
        }
        let _ = control.look_at_fleet();
    }
}

fn leave(control: &Control, fleet: &Fleet) {
    if control.lock_to_change().is_some() {
        let _ = fleet.shared.leave();
    }
}
