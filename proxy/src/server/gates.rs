//! Guards, gates, plans that advance by themselves, and webhooks: what they know, and their tasks.

use std::sync::Arc;

use anyhow::Context;
use tokio::runtime::Runtime;

use crate::control::Control;
use crate::observe::Observer;
use crate::rollout::{self, Drills, Gates, Hooks, Incidents, Sights, Soaks, Usuals};
use crate::settings::Settings;
use crate::shadow::Shadow;
use crate::store::Records;

/// So many requests may a guard be behind.
const EVIDENCE: usize = 8 * 1024;

/// Begins to watch guarded routes; ends with the runtime. What is kept of them for people, and for gates.
pub(super) fn guard(
    settings: &Settings,
    control: &Arc<Control>,
    observer: &Observer,
    runtime: &Runtime,
) -> (Arc<Incidents>, Arc<Sights>) {
    let directory = &settings.store.directory;
    let incidents = Arc::new(Incidents::new(directory).shared_by(control.shared_store()));
    let (evidence, sights) = (observer.watch_guarded(EVIDENCE), Arc::new(Sights::default()));
    let seen = (Arc::clone(&sights), Arc::clone(observer.waiting()), Usuals::load(directory));
    runtime.spawn(rollout::watch(Arc::clone(control), Arc::clone(&incidents), seen, evidence));
    if control.shared_store().is_some() {
        runtime.spawn(rollout::share(Arc::clone(&incidents)));
    }
    (incidents, sights)
}

pub(super) fn build(
    settings: &Settings,
    (control, incidents): (&Arc<Control>, &Arc<Incidents>),
    (shadow, sights): (&Arc<Shadow>, &Arc<Sights>),
) -> anyhow::Result<Arc<Gates>> {
    let directory = &settings.store.directory;
    let records =
        Records::start(&settings.store.local_url()).context("cannot start the store of rehearsals")?;
    let hooks = Arc::new(Hooks::new(&settings.webhooks, directory)?);
    let (soaks, drills) = (Soaks::load(directory), Drills::new(Arc::new(records)));
    Ok(Arc::new(Gates::new((control, incidents), (shadow, sights), (soaks, drills), &hooks)))
}

/// Begins to advance and to tell; ends with the runtime.
pub(super) fn start(gates: &Arc<Gates>, control: &Arc<Control>, runtime: &Runtime) {
    runtime.spawn(rollout::advance(Arc::clone(gates)));
    runtime.spawn(Arc::clone(gates.hooks()).tell(Arc::clone(control)));
}
