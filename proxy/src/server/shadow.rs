//! Shadow traffic on a runtime of its own: a side that hangs, or a large page, keeps no user waiting.

use std::sync::Arc;

use anyhow::Context;
use tokio::runtime::Runtime;

use super::runtime;
use crate::observe::Observer;
use crate::settings::{Settings, Stack};
use crate::shadow::compare::{Judge, Side};
use crate::shadow::{Options, Outlet, Shadow};
use crate::store::{Bounds, Diffs};

/// The entry for served requests, the outlet for [`start`], and where differences are stored.
pub(super) fn build(
    settings: &Settings,
    observer: &Observer,
) -> anyhow::Result<(Arc<Shadow>, Outlet, Arc<Diffs>)> {
    let shadow = &settings.shadow;
    let bounds = Bounds { groups: shadow.groups, samples: shadow.samples, keep: shadow.keep };
    let diffs =
        Diffs::start(&settings.store.local_url(), bounds).context("cannot start the store of differences")?;
    let diffs = Arc::new(diffs);
    let flask = &settings.flask;
    let key = flask.secret_key.as_ref().map(|key| key.0.as_str());
    let judge = Judge::new(key, &flask.session_cookie, flask.profile);
    let (shadow, outlet) = Shadow::new(
        options(settings),
        judge,
        (observer.shadow().clone(), observer.watcher()),
        Arc::clone(&diffs),
    );
    Ok((shadow, outlet, diffs))
}

fn options(settings: &Settings) -> Options {
    let shadow = &settings.shadow;
    let profile = settings.flask.profile;
    let side = |stack: &Stack| match stack {
        Stack::Flask(profile) => Side::Flask(*profile),
        Stack::Rust => Side::Rust(profile),
    };
    let named = shadow.profiles.iter().map(|(name, stack)| (name.clone(), side(stack)));
    Options {
        backends: settings.backends.keys().cloned().collect(),
        body_bytes: usize::try_from(shadow.body_bytes).unwrap_or(usize::MAX),
        queue: shadow.queue,
        concurrency: shadow.concurrency,
        timeout: shadow.timeout,
        sides: std::iter::once(("rust".to_owned(), Side::Rust(profile))).chain(named).collect(),
        side: Side::Flask(profile),
    }
}

/// Begins to work; ends when the result is dropped.
pub(super) fn start(shadow: &Arc<Shadow>, outlet: Outlet) -> anyhow::Result<Runtime> {
    let runtime = runtime("ficus-shadow", 1)?;
    shadow.work(outlet, &runtime);
    Ok(runtime)
}
