//! `[webhooks]`: who is told of changes, before and after.

use std::time::Duration;

use crate::diagnostic::{Report, Severity, Value};

use super::keys::default_of;
use super::layers::Layers;
use super::{Endpoint, Secret, telemetry, values};

/// Who is told of changes.
#[derive(Debug, Clone)]
pub struct Webhooks {
    /// Asked before a change that sends more users away from the fallback; absent: nobody.
    pub before: Option<Endpoint>,
    /// Told of every change; absent: nobody.
    pub after: Option<Endpoint>,
    /// Signs what is sent; absent: nothing does.
    pub secret: Option<Secret>,
    /// How long an answer may take.
    pub timeout: Duration,
    /// Whether a change is not made when the answer is no, or none.
    pub veto: bool,
}

/// `None` after an error.
pub(super) fn read(layers: &Layers<'_>, report: &mut Report) -> Option<Webhooks> {
    let errors = report.count(Severity::Error);
    let mut endpoint = |name: &str| {
        let value = layers.value(name)?;
        let off = value.text(report).is_some_and(|text| text == "off");
        if off { None } else { value.parsed(report, telemetry::receiver) }
    };
    let (before, after) = (endpoint("webhooks.before"), endpoint("webhooks.after"));
    let secret = values::secret("webhooks.secret", layers, report);
    let or_default =
        |name: &str| layers.value(name).unwrap_or_else(|| Value::from_text(name, "", default_of(name)));
    let timeout = or_default("webhooks.timeout").duration(report);
    let veto = or_default("webhooks.veto").boolean(report);
    (report.count(Severity::Error) == errors).then_some(())?;
    Some(Webhooks { before, after, secret, timeout: timeout?, veto: veto? })
}
