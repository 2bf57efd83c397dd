//! Shadow traffic on a runtime of its own: a side that hangs, or a large page, keeps no user waiting.

use std::sync::Arc;

use anyhow::Context;
use flask_compat::fernet::MultiFernet;
use tokio::runtime::Runtime;

use super::runtime;
use crate::identity::Reader;
use crate::observe::Observer;
use crate::route::Live;
use crate::settings::{Secret, Settings, Stack};
use crate::shadow::compare::{Judge, Side};
use crate::shadow::{Channel, Options, Outlet, RecordOptions, Roles, Shadow, Surroundings, Writes};
use crate::store::{Bounds, Captured, Diffs, Records};
use crate::upstream::Backends;

/// The entry for served requests, the outlet for [`start`], and where differences are stored.
pub(super) fn build(
    settings: &Settings,
    observer: &Observer,
    (live, backends): (&Arc<Live>, &Arc<Backends>),
) -> anyhow::Result<(Arc<Shadow>, Outlet, Arc<Diffs>)> {
    let shadow = &settings.shadow;
    let bounds = Bounds { groups: shadow.groups, samples: shadow.samples, keep: shadow.keep };
    let diffs =
        Diffs::start(&settings.store.local_url(), bounds).context("cannot start the store of differences")?;
    let diffs = Arc::new(diffs);
    let flask = &settings.flask;
    let key = flask.secret_key.as_ref().map(|key| key.0.as_str());
    let judge = Judge::new(key, &flask.session_cookie, flask.profile);
    let records =
        Records::start(&settings.store.local_url()).context("cannot start the store of evidence")?;
    let around = Surroundings {
        metrics: observer.shadow().clone(),
        guards: observer.watcher(),
        diffs: Arc::clone(&diffs),
        records: Arc::new(records),
        live: Arc::clone(live),
        backends: Arc::clone(backends),
        writes: writes(settings)?,
    };
    let (shadow, outlet) = Shadow::new(options(settings), judge, around);
    Ok((shadow, outlet, diffs))
}

/// What trying out writes needs; without a secret key or a database nothing is tried out.
fn writes(settings: &Settings) -> anyhow::Result<Option<Writes>> {
    let shadow = &settings.shadow;
    let (Some(key), Some(database)) = (&settings.flask.secret_key, &shadow.database) else { return Ok(None) };
    let names = |keys: &'_ Secret| -> Vec<String> {
        let names = keys.0.split(',').map(str::trim).filter(|key| !key.is_empty());
        names.map(str::to_owned).collect()
    };
    let keys =
        shadow.fernet_keys.as_ref().map(|keys| MultiFernet::new(names(keys).iter().map(String::as_str)));
    let keys = keys.transpose().context("`shadow.fernet_keys`")?;
    let bounds = (shadow.dry_run_timeout, shadow.dry_runs);
    let writes = Writes::new(key.0.clone(), Captured::new(&database.0), bounds);
    Ok(Some(writes.with_keys(keys)))
}

fn options(settings: &Settings) -> Options {
    let shadow = &settings.shadow;
    let profile = settings.flask.profile;
    let side = |stack: &Stack| match stack {
        Stack::Flask(profile) => Side::Flask(*profile),
        Stack::Rust => Side::Rust(profile),
    };
    let (reader, record) = (Reader::new(settings), record(settings));
    let named = shadow.profiles.iter().map(|(name, stack)| (name.clone(), side(stack)));
    Options {
        backends: settings.backends.keys().cloned().collect(),
        body_bytes: usize::try_from(shadow.body_bytes).unwrap_or(usize::MAX),
        queue: shadow.queue,
        concurrency: shadow.concurrency,
        timeout: shadow.timeout,
        confirm: shadow.confirm,
        sides: std::iter::once(("rust".to_owned(), Side::Rust(profile))).chain(named).collect(),
        side: Side::Flask(profile),
        self_test: shadow.self_test,
        noise: (shadow.noise, shadow.noise_per_route),
        keep: shadow.keep,
        channel_secret: Channel(settings.flask.channel_secret.as_ref().map(|secret| secret.0.clone())),
        roles: Roles(Arc::new(move |cookies, now| reader.roles(cookies, now))),
        record,
    }
}

fn record(settings: &Settings) -> RecordOptions {
    let (flask, reader) = (&settings.flask, Reader::new(settings));
    let own = [&flask.session_cookie, &flask.remember_cookie].into_iter().cloned();
    let nobody = std::net::IpAddr::from([0, 0, 0, 0]);
    RecordOptions {
        directory: settings.store.directory.clone(),
        secret: flask.secret_key.as_ref().map(|key| key.0.clone()),
        cookies: own.chain(settings.canary.visitor_cookie.clone()).collect(),
        body_bytes: usize::try_from(settings.shadow.body_bytes).unwrap_or(usize::MAX),
        user_of: Arc::new(move |cookies, now| {
            reader.user_or_address(cookies, nobody, now).user().map(str::to_owned)
        }),
    }
}

/// Begins to work; ends when the result is dropped. What an earlier process recorded has ended with it, unless that one is
/// still there (`alone` is false) and ends it by itself.
pub(super) fn start(shadow: &Arc<Shadow>, outlet: Outlet, alone: bool) -> anyhow::Result<Runtime> {
    if alone {
        shadow.recordings().settle_unfinished();
    }
    let runtime = runtime("ficus-shadow", 1)?;
    shadow.work(outlet, &runtime);
    Ok(runtime)
}
