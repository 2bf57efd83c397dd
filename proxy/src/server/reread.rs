//! Another look at ficus.toml and the certificates, by SIGHUP or `ficus reload`.
//!
//! What may change while the process runs is taken, what may not is named; a bad file changes nothing. The routing
//! file has a watch of its own, in `control`.

use std::sync::Arc;

use super::Parts;
use super::tls::{self, Certificates};
use crate::admin::Reread;
use crate::observe::Rereading;
use crate::settings::{self, CertificatePair};

/// Looks.
pub(super) fn reread(parts: &Parts) -> Reread {
    let (new, report) = settings::load(&parts.inputs);
    parts.observer.reread(Rereading::Settings, new.is_some());
    let Some(new) = new else {
        let message = format!("the settings have {}", report.summary());
        let errors = report.render(false);
        tracing::error!("{message}; what was running runs on\n{errors}");
        return Reread { bad: Some((message, errors)), ..Reread::default() };
    };
    let difference = parts.settings.take(&new);
    for key in &difference.applied {
        tracing::info!(key, "the setting holds now");
    }
    for key in &difference.waiting {
        tracing::warn!(key, "the setting needs a new process: `ficus upgrade`, or a restart");
    }
    if difference.applied.iter().any(|key| key == "log.level") {
        parts.log.set_level(&parts.settings.log.level);
    }
    let bad = certificates(parts).err().map(|error| {
        let message = "the certificates cannot be used; the old ones stay".to_owned();
        (message, format!("{error:#}"))
    });
    Reread { applied: difference.applied, waiting: difference.waiting, bad }
}

fn certificates(parts: &Parts) -> anyhow::Result<()> {
    let reread = |certificates: &Option<Arc<Certificates>>, pairs: &[CertificatePair]| match certificates {
        Some(certificates) => certificates.reread(pairs, &parts.observer),
        None => Ok(()),
    };
    let https = reread(&parts.certificates, tls::of_https(&parts.settings));
    https.and(reread(&parts.admin_certificates, tls::of_admin(&parts.settings)))
}
