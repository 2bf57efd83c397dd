//! Puts the parts together, listens, and stops without cutting anybody off.

use crate::settings::Settings;

/// Serves until told to stop.
///
/// # Errors
/// When a listener cannot be opened or the routing file is bad.
#[allow(clippy::needless_pass_by_value)]
pub fn run(settings: Settings) -> anyhow::Result<()> {
    let _ = settings;
    anyhow::bail!("this build cannot serve yet")
}
