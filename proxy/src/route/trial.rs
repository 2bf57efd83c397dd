//! The tables of a route that say how its candidate is tried: `canary`, `shadow`, `guard`.

use std::time::Duration;

use crate::diagnostic::{Network, Report, Section, Value, percent};

use super::entry::Serving;
use super::{Canary, Context, Guard, OnTrip, Serve, Shadow, keys};

/// How long a user stays on the side that answered a write, when nobody says otherwise.
pub(super) const PIN: Duration = Duration::from_secs(10);

/// `canary`, checked.
pub(super) fn canary(
    section: &Section<'_>,
    name: &str,
    serving: &Serving,
    report: &mut Report,
) -> Option<Canary> {
    let value = section.get("canary")?;
    let table = value.section(keys::CANARY, report)?;
    let buckets = match table.get("percent") {
        Some(percent) => share(&percent, report)?,
        None => 0,
    };
    let users = match table.get("users") {
        Some(users) => user_list(&users, report)?,
        None => Vec::new(),
    };
    let (roles, networks, testers) = others(&table, report)?;
    let group = match table.get("group") {
        Some(group) => group.parsed(report, |text| match text {
            "" => Err("must not be empty".to_owned()),
            text => Ok(text.to_owned()),
        })?,
        None => name.to_owned(),
    };
    let pin = match table.get("pin") {
        Some(pin) if pin.is_text() && pin.text(report)? == "off" => None,
        Some(pin) => Some(pin.duration(report)?),
        None => Some(PIN),
    };
    let canary = Canary { buckets, users, roles, networks, testers, group, pin };
    if canary.has_anybody() && serving.candidate == serving.fallback {
        report
            .error(value.key(), "this canary moves nobody")
            .label(format!("candidate and fallback are both `{}`", serving.fallback));
        return None;
    }
    if canary.has_anybody() && serving.serve != Serve::Backend(serving.fallback.clone()) {
        report.warning(value.key(), "this canary has no effect").label(format!(
            "only a route that is served by its fallback, `{}`, has a canary",
            serving.fallback
        ));
    }
    Some(canary)
}

/// Who is in a canary besides a share of users and named users.
fn others(table: &Section<'_>, report: &mut Report) -> Option<(Vec<String>, Vec<Network>, bool)> {
    let roles = match table.get("roles") {
        Some(roles) => roles.texts(report)?.into_iter().map(|(role, _)| role).collect(),
        None => Vec::new(),
    };
    let networks = match table.get("networks") {
        Some(networks) => {
            let items = networks.list(report)?;
            let read = |item: &Value<'_>| item.parsed(report, str::parse::<Network>);
            items.iter().map(read).collect::<Option<Vec<_>>>()?
        }
        None => Vec::new(),
    };
    let testers = match table.get("testers") {
        Some(testers) => testers.boolean(report)?,
        None => false,
    };
    Some((roles, networks, testers))
}

fn share(value: &Value<'_>, report: &mut Report) -> Option<u32> {
    let Some(text) = value.number_text().filter(|_| !value.is_text()) else {
        report
            .error(value.place(), format!("`{}` must be a number", value.path()))
            .label("percent of users, 0 to 100");
        return None;
    };
    match percent(text.trim_start_matches('+')) {
        Ok(buckets) => Some(buckets),
        Err(_) => {
            report
                .error(value.place(), format!("bad value for `{}`", value.path()))
                .label("a share is between 0 and 100, with at most 3 decimals");
            None
        }
    }
}

fn user_list(value: &Value<'_>, report: &mut Report) -> Option<Vec<String>> {
    let mut users = Vec::new();
    for item in value.list(report)? {
        if let Some(number) = item.number_text().filter(|_| !item.is_text()) {
            report.error(item.place(), "a user id is a text").help(format!("write `\"{number}\"`"));
            return None;
        }
        users.push(item.text(report)?);
    }
    Some(users)
}

/// `shadow`, checked.
pub(super) fn shadow(
    section: &Section<'_>,
    serving: &Serving,
    context: &Context,
    report: &mut Report,
) -> Option<Shadow> {
    let shadow = super::shadow::read(section, context.today.map(|today| today()), report)?;
    if shadow.sample > 0.0 && serving.candidate == serving.fallback {
        let key = section.get("shadow")?;
        report
            .error(key.key(), "this shadow compares nothing")
            .label(format!("candidate and fallback are both `{}`", serving.fallback));
        return None;
    }
    let known = context.backends.as_ref().is_none_or(|backends| backends.contains(&serving.candidate));
    if shadow.sample > 0.0 && !known {
        let key = section.get("shadow")?;
        report
            .warning(key.key(), "this shadow copies nothing")
            .label(format!("there is no backend `{}`, the candidate", serving.candidate));
    }
    Some(shadow)
}

/// What a guard allows when it does not say: one failure in two hundred requests.
const MAX_ERROR_RATIO: f64 = 0.005;
/// And one answer in two hundred that takes so many times as long as 95 % of the fallback's.
const MAX_P95_RATIO: f64 = 2.0;
const WINDOW: Duration = Duration::from_secs(60);
const MIN_REQUESTS: u64 = 50;

/// `guard`, checked.
pub(super) fn guard(section: &Section<'_>, serving: &Serving, report: &mut Report) -> Option<Guard> {
    let value = section.get("guard")?;
    let table = value.section(keys::GUARD, report)?;
    // `Some(None)`: not there; `None`: there, and wrong.
    let max_error_ratio = optional(table.get("max_error_ratio"), |ratio| ratio.number(0.0, 1.0, report));
    let max_p95_ratio = optional(table.get("max_p95_ratio"), |ratio| {
        if ratio.is_text() {
            let off =
                |text: &str| (text == "off").then_some(None).ok_or("write a number, or `off`".to_owned());
            return ratio.parsed(report, off);
        }
        ratio.number(1.0, 1_000.0, report).map(Some)
    });
    let window = optional(table.get("window"), |window| window.duration(report));
    let min_requests = optional(table.get("min_requests"), |requests| requests.integer(1, report));
    let on_trip = optional(table.get("on_trip"), |action| {
        action.parsed(report, |text| match text {
            "rollback" => Ok(OnTrip::Rollback),
            "freeze" => Ok(OnTrip::Freeze),
            _ => Err("write `rollback` or `freeze`".to_owned()),
        })
    });
    if serving.candidate == serving.fallback {
        report
            .warning(value.key(), "this guard has nothing to watch")
            .label(format!("candidate and fallback are both `{}`", serving.fallback));
    }
    Some(Guard {
        max_error_ratio: max_error_ratio?.unwrap_or(MAX_ERROR_RATIO),
        max_p95_ratio: max_p95_ratio?.unwrap_or(Some(MAX_P95_RATIO)),
        window: window?.unwrap_or(WINDOW),
        min_requests: min_requests?.unwrap_or(MIN_REQUESTS),
        on_trip: on_trip?.unwrap_or(OnTrip::Rollback),
    })
}

/// A key that may be left out.
fn optional<'d, T>(value: Option<Value<'d>>, read: impl FnOnce(Value<'d>) -> Option<T>) -> Option<Option<T>> {
    match value {
        Some(value) => read(value).map(Some),
        None => Some(None),
    }
}
