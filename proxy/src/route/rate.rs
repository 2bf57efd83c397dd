//! `rate` of a route, checked.

use crate::diagnostic::{Report, Section};

use super::{Per, Rate, keys};

/// `rate`, if the route has one.
pub(super) fn rate(section: &Section<'_>, report: &mut Report) -> Option<Rate> {
    let value = section.get("rate")?;
    let table = value.section(keys::RATE, report)?;
    let mut needed = |key: &str| {
        let found = table.get(key);
        if found.is_none() {
            report
                .error(value.place(), format!("`{}` needs `{key}`", value.path()))
                .help("write `rate = { per = \"client\", requests = 10, window = \"1m\" }`");
        }
        found
    };
    let (per, requests, window) = (needed("per"), needed("requests"), needed("window"));
    let per = per.and_then(|per| {
        per.parsed(report, |text| match text {
            "client" => Ok(Per::Client),
            "user" => Ok(Per::User),
            _ => Err(format!("`{text}` is nobody to count: write `client` or `user`")),
        })
    });
    let requests = requests.and_then(|requests| requests.integer(1, report));
    let window = window.and_then(|window| window.duration(report));
    let burst = match table.get("burst") {
        Some(burst) => Some(burst.integer(1, report)?),
        None => requests,
    };
    let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    Some(Rate { per: per?, requests: small(requests?), window: window?, burst: small(burst?) })
}
