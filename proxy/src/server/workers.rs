//! The threads that answer requests. Each has a runtime of its own, and a connection stays with the thread that it was
//! given to.
//!
//! Threads that share one runtime take work from each other, and pay for it at every request even when there is nothing
//! to take: 5 to 25 % of a proxied request's CPU (docs/explanation/performance.md). What balances them here is where a new
//! connection goes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use crate::upstream;

/// So many connections more than the emptiest worker has are no reason to pass one on.
const SLACK: usize = 1;

/// All of them.
#[derive(Clone)]
pub(super) struct Workers(Arc<Crew>);

struct Crew {
    workers: Vec<Worker>,
    threads: Mutex<Vec<(oneshot::Sender<()>, JoinHandle<()>)>>,
}

struct Worker {
    handle: Handle,
    connections: AtomicUsize,
}

impl Workers {
    /// Starts so many; what they still have to do when they are stopped is given up after `last_moment`.
    pub(super) fn start(count: usize, last_moment: Duration) -> anyhow::Result<Self> {
        let (mut workers, mut threads) = (Vec::new(), Vec::new());
        for number in 0..count {
            let runtime = Builder::new_current_thread().enable_all().build();
            let runtime = runtime.with_context(|| format!("cannot start the runtime of worker {number}"))?;
            workers.push(Worker { handle: runtime.handle().clone(), connections: AtomicUsize::new(0) });
            let (end, ended) = oneshot::channel();
            let work = move || {
                upstream::keep_own_connections(number);
                // Ends as well when whoever could say so is gone.
                let _ = runtime.block_on(ended);
                runtime.shutdown_timeout(last_moment);
            };
            let thread = std::thread::Builder::new().name(format!("ficus-{number}")).spawn(work);
            threads.push((end, thread.with_context(|| format!("cannot start worker {number}"))?));
        }
        Ok(Self(Arc::new(Crew { workers, threads: Mutex::new(threads) })))
    }

    /// Their runtimes, in their order.
    pub(super) fn handles(&self) -> impl Iterator<Item = &Handle> {
        self.0.workers.iter().map(|worker| &worker.handle)
    }

    /// A place for a connection that the worker `here` has accepted: there, unless another has clearly fewer.
    pub(super) fn seat(&self, here: usize) -> Seat {
        let has = |worker: &Worker| worker.connections.load(Ordering::Relaxed);
        let mut worker = here;
        if let Some((emptiest, least)) =
            self.0.workers.iter().map(has).enumerate().min_by_key(|(_, has)| *has)
            && has(&self.0.workers[here]) > least + SLACK
        {
            worker = emptiest;
        }
        self.0.workers[worker].connections.fetch_add(1, Ordering::Relaxed);
        Seat { crew: Arc::clone(&self.0), worker }
    }

    /// Ends them, and waits until they have ended.
    pub(super) fn stop(&self) {
        let threads = std::mem::take(&mut *self.0.threads.lock().unwrap_or_else(PoisonError::into_inner));
        let (ends, threads): (Vec<_>, Vec<_>) = threads.into_iter().unzip();
        drop(ends);
        threads.into_iter().for_each(|thread| drop(thread.join()));
    }
}

/// The place of one connection; free again when it is dropped.
pub(super) struct Seat {
    crew: Arc<Crew>,
    worker: usize,
}

impl Seat {
    /// Whether it is at this worker.
    pub(super) fn is_at(&self, worker: usize) -> bool {
        self.worker == worker
    }

    /// The runtime of that worker.
    pub(super) fn place(&self) -> Handle {
        self.crew.workers[self.worker].handle.clone()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.crew.workers[self.worker].connections.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    const MOMENT: Duration = Duration::from_millis(100);

    #[test]
    fn a_connection_stays_where_it_is_accepted_unless_another_worker_has_clearly_fewer() {
        let workers = Workers::start(3, MOMENT).unwrap();
        let mut seats: Vec<Seat> = (0..9).map(|_| workers.seat(0)).collect();
        let at = |seats: &[Seat]| [0, 1, 2].map(|n| seats.iter().filter(|seat| seat.is_at(n)).count());
        assert_eq!(at(&seats[..2]), [2, 0, 0], "the first two");
        assert_eq!(at(&seats), [4, 3, 2]);
        assert!(workers.seat(1).is_at(1) && workers.seat(2).is_at(2));
        seats.retain(|seat| seat.is_at(0));
        assert!(workers.seat(0).is_at(1), "places of those that have left are free");
        workers.stop();
    }

    #[test]
    fn each_works_on_a_thread_of_its_own_until_it_is_stopped() {
        let workers = Workers::start(2, MOMENT).unwrap();
        let (tell, told) = channel();
        for handle in workers.handles() {
            let tell = tell.clone();
            handle.spawn(async move {
                tokio::time::sleep(Duration::from_millis(1)).await;
                tell.send(std::thread::current().name().map(str::to_owned)).unwrap();
            });
        }
        let mut names: Vec<_> = told.iter().take(2).flatten().collect();
        names.sort();
        assert_eq!(names, ["ficus-0", "ficus-1"]);
        // What never ends does not keep them.
        workers.handles().for_each(|handle| drop(handle.spawn(std::future::pending::<()>())));
        workers.stop();
        workers.stop();
    }
}
