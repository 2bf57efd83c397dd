//! Who is let onto a backend: so many requests in all, a part of them for others' trouble, a part for slow uploads.
//!
//! Step 5 of a request (forward). What a place is and how one waits for it is in `places`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::places::{Place, Places};
use crate::settings;

/// The places of one backend.
#[derive(Debug)]
pub(super) struct Admission {
    settings: settings::Backend,
    places: Arc<Places>,
    /// The part of the places that others' trouble may take.
    relief: Arc<Places>,
    /// The part of the places that requests may take whose bodies are still under way.
    uploads: Arc<Places>,
    repeats: AtomicUsize,
}

/// What is special about a request that wants a place.
#[derive(Debug, Clone, Copy, Default)]
pub struct Claim {
    /// It comes because another backend could not answer.
    pub relief: bool,
    /// Its body is still under way.
    pub upload: bool,
}

/// A request in progress on a backend; dropping it says that the request is over.
#[derive(Debug)]
pub struct InFlight {
    admission: Arc<Admission>,
    _place: Place,
    /// It came because another backend could not answer.
    _relief: Option<Place>,
    /// Its body is still under way.
    upload: Option<Place>,
    /// It is here for the second time.
    repeat: bool,
}

impl Admission {
    pub(super) fn new(settings: &settings::Backend) -> Arc<Self> {
        let places = |most| Arc::new(Places::new(most, settings.queue));
        Arc::new(Self {
            places: places(settings.max_requests),
            relief: places(settings.fallback_requests),
            uploads: places(uploads(settings.max_requests)),
            repeats: AtomicUsize::new(0),
            settings: settings.clone(),
        })
    }

    /// Takes one of the places; `None` when all are taken.
    pub(super) fn enter(self: &Arc<Self>, claim: Claim) -> Option<InFlight> {
        let relief = if claim.relief { Some(self.relief.enter()?) } else { None };
        let upload = if claim.upload { Some(self.uploads.enter()?) } else { None };
        Some(self.admit(self.places.enter()?, relief, upload))
    }

    /// As [`Self::enter`], but waits for a place.
    pub(super) async fn queue(self: &Arc<Self>, claim: Claim) -> Option<InFlight> {
        if claim.relief && self.settings.fallback_requests == 0 {
            return None;
        }
        let relief = if claim.relief { Some(self.wait_for(&self.relief).await?) } else { None };
        let upload = if claim.upload { Some(self.wait_for(&self.uploads).await?) } else { None };
        Some(self.admit(self.places.wait(self.settings.queue_wait).await?, relief, upload))
    }

    /// One of a part of the places.
    async fn wait_for(&self, part: &Arc<Places>) -> Option<Place> {
        match part.enter() {
            Some(place) => Some(place),
            None => part.wait(self.settings.queue_wait).await,
        }
    }

    fn admit(self: &Arc<Self>, place: Place, relief: Option<Place>, upload: Option<Place>) -> InFlight {
        InFlight { admission: Arc::clone(self), _place: place, _relief: relief, upload, repeat: false }
    }

    /// Places that are taken.
    pub(super) fn taken(&self) -> usize {
        self.places.taken()
    }

    /// Requests that wait for one.
    pub(super) fn waiting(&self) -> usize {
        self.places.waiting() + self.relief.waiting() + self.uploads.waiting()
    }
}

impl InFlight {
    /// All of its body has come.
    pub fn body_is_there(&mut self) {
        self.upload = None;
    }

    /// The request is sent a second time; false when too many others are.
    pub fn repeat(&mut self) -> bool {
        let most = self.admission.settings.repeats;
        self.repeat = self.repeat || take(&self.admission.repeats, most);
        self.repeat
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if self.repeat {
            self.admission.repeats.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

/// Counts one more, unless there are `most`.
fn take(counter: &AtomicUsize, most: usize) -> bool {
    let more = |taken| (taken < most).then_some(taken + 1);
    counter.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).is_ok()
}

/// So many of the places may be taken by requests whose bodies are under way: of two and more, not all.
fn uploads(places: usize) -> usize {
    (places - places.div_ceil(4)).max(1)
}
