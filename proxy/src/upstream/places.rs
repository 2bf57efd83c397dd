//! The places on a backend: how many requests may be in progress on it, and the queue of those that wait for one.
//!
//! First come, first served. As long as nobody waits, a place costs two atomic operations and no lock.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

/// The places of one backend.
#[derive(Debug)]
pub(super) struct Places {
    most: usize,
    most_waiting: usize,
    taken: AtomicUsize,
    /// Length of the queue.
    waiting: AtomicUsize,
    queue: Mutex<VecDeque<(u64, oneshot::Sender<()>)>>,
    next_ticket: AtomicU64,
}

/// A place; dropping it frees it.
#[derive(Debug)]
pub(super) struct Place(Arc<Places>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.leave();
    }
}

/// A request in the queue. Dropping it leaves the queue, or frees the place that was given at the same moment.
struct Waiter<'p> {
    places: &'p Arc<Places>,
    ticket: u64,
    turn: oneshot::Receiver<()>,
    served: bool,
}

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        if self.served {
            return;
        }
        let mut queue = self.places.lock();
        if let Some(at) = queue.iter().position(|(ticket, _)| *ticket == self.ticket) {
            queue.remove(at);
            self.places.waiting.fetch_sub(1, Ordering::SeqCst);
            return;
        }
        drop(queue);
        if self.turn.try_recv().is_ok() {
            self.places.leave();
        }
    }
}

impl Places {
    pub(super) fn new(most: usize, most_waiting: usize) -> Self {
        Self {
            most,
            most_waiting,
            taken: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            queue: Mutex::default(),
            next_ticket: AtomicU64::new(0),
        }
    }

    /// Places that are taken.
    pub(super) fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// Requests that wait for a place.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// A place, if one is free and nobody was here first.
    pub(super) fn enter(self: &Arc<Self>) -> Option<Place> {
        if self.waiting.load(Ordering::SeqCst) > 0 || !self.take() {
            return None;
        }
        Some(Place(Arc::clone(self)))
    }

    /// A place, waiting for one if need be; `None` when the queue is full or the patience is over.
    pub(super) async fn wait(self: &Arc<Self>, patience: Duration) -> Option<Place> {
        let mut waiter = self.queue_up()?;
        // A place that was freed before this one was in the queue is found now; one that is freed later finds it.
        self.serve();
        timeout(patience, &mut waiter.turn).await.ok()?.ok()?;
        waiter.served = true;
        Some(Place(Arc::clone(self)))
    }

    fn queue_up(self: &Arc<Self>) -> Option<Waiter<'_>> {
        let mut queue = self.lock();
        if queue.len() >= self.most_waiting {
            return None;
        }
        let ticket = self.next_ticket.fetch_add(1, Ordering::Relaxed);
        let (sender, turn) = oneshot::channel();
        queue.push_back((ticket, sender));
        self.waiting.fetch_add(1, Ordering::SeqCst);
        drop(queue);
        Some(Waiter { places: self, ticket, turn, served: false })
    }

    fn take(&self) -> bool {
        let more = |taken| (taken < self.most).then_some(taken + 1);
        self.taken.fetch_update(Ordering::SeqCst, Ordering::SeqCst, more).is_ok()
    }

    fn leave(&self) {
        self.taken.fetch_sub(1, Ordering::SeqCst);
        if self.waiting.load(Ordering::SeqCst) > 0 {
            self.serve();
        }
    }

    /// Gives free places to those who wait longest.
    fn serve(&self) {
        let mut queue = self.lock();
        while !queue.is_empty() && self.take() {
            let Some((_, waiter)) = queue.pop_front() else { break };
            self.waiting.fetch_sub(1, Ordering::SeqCst);
            if waiter.send(()).is_err() {
                self.taken.fetch_sub(1, Ordering::SeqCst);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(u64, oneshot::Sender<()>)>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn places(most: usize, waiting: usize) -> Arc<Places> {
        Arc::new(Places::new(most, waiting))
    }

    #[test]
    fn no_more_than_the_places_are_taken() {
        let places = places(2, 0);
        let both = [places.enter().unwrap(), places.enter().unwrap()];
        assert!(places.enter().is_none());
        drop(both);
        assert!(places.enter().is_some());
        assert_eq!(places.taken(), 0);
    }

    #[tokio::test]
    async fn who_waits_longest_is_next() {
        let places = places(1, 8);
        let held = places.enter().unwrap();
        let order = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = Vec::new();
        for number in 0..3 {
            let (waiting, order) = (Arc::clone(&places), Arc::clone(&order));
            tasks.push(tokio::spawn(async move {
                let place = waiting.wait(LONG).await;
                order.lock().unwrap().push(number);
                place.is_some()
            }));
            while places.waiting() <= number {
                tokio::task::yield_now().await;
            }
        }
        drop(held);
        for task in tasks {
            assert!(task.await.unwrap());
        }
        assert_eq!(*order.lock().unwrap(), [0, 1, 2]);
        assert_eq!((places.taken(), places.waiting()), (0, 0));
    }

    #[tokio::test]
    async fn a_queue_has_an_end_and_patience_too() {
        let places = places(1, 1);
        let held = places.enter().unwrap();
        let first = tokio::spawn({
            let places = Arc::clone(&places);
            async move { places.wait(Duration::from_millis(20)).await.is_some() }
        });
        while places.waiting() == 0 {
            tokio::task::yield_now().await;
        }
        assert!(places.wait(LONG).await.is_none(), "full");
        assert!(!first.await.unwrap(), "late");
        assert_eq!(places.waiting(), 0, "who gave up leaves the queue");
        drop(held);
        assert!(places.enter().is_some());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn no_place_is_lost_however_they_come_and_go() {
        let places = places(3, 1_000);
        let tasks: Vec<_> = (0..200)
            .map(|number: u64| {
                let places = Arc::clone(&places);
                tokio::spawn(async move {
                    let patience = Duration::from_micros(number * 37 % 900);
                    let place = match places.enter() {
                        Some(place) => Some(place),
                        None => places.wait(patience).await,
                    };
                    tokio::task::yield_now().await;
                    drop(place);
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!((places.taken(), places.waiting()), (0, 0));
    }
}
