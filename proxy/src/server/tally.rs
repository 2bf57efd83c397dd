//! Begins to keep the tally of requests: which backends are Rust, and where the numbers go.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::Context;

use crate::control::Control;
use crate::observe::Observer;
use crate::rollout::progress::Tallies;
use crate::settings::{Settings, Stack};
use crate::store::Tally;

pub(super) fn start(
    settings: &Settings,
    observer: &Arc<Observer>,
    control: &Control,
) -> anyhow::Result<Arc<Tallies>> {
    let store = Tally::new(&settings.store.directory);
    let start = || {
        let shared = control.shared_store().map(|shared| shared.another_line()).transpose()?;
        Tallies::start(Arc::clone(observer), store, shared, rust(settings))
    };
    start().context("cannot start the tally of requests")
}

/// Backends behind which there is no Python: `rust`, unless the settings say that it is Flask, and those of which they say
/// that they are handlers.
fn rust(settings: &Settings) -> BTreeSet<String> {
    let profiles = &settings.shadow.profiles;
    let named = profiles.iter().filter(|(_, stack)| **stack == Stack::Rust).map(|(name, _)| name.clone());
    let usual = (!matches!(profiles.get("rust"), Some(Stack::Flask(_)))).then(|| "rust".to_owned());
    named.chain(usual).collect()
}
