//! Gates, plans that advance by themselves, and webhooks: what they know, and their tasks.

use std::sync::Arc;

use anyhow::Context;
use tokio::runtime::Runtime;

use crate::control::Control;
use crate::rollout::{self, Drills, Gates, Hooks, Incidents, Sights, Soaks};
use crate::settings::Settings;
use crate::shadow::Shadow;
use crate::store::Records;

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
