//! Where a redirect leads: an address is the same whether it is written with or without the host.

use flask_compat::url;
use http::header::LOCATION;

use super::answer::Case;
use super::findings::{Difference, Findings};
use super::path::Path;

pub(super) fn compare(case: &Case<'_>, findings: &mut Findings<'_>) {
    let (one, other) = (case.reference.header(&LOCATION), case.candidate.header(&LOCATION));
    let (Some(one), Some(other)) = (one.clone(), other.clone()) else {
        if one.is_some() || other.is_some() {
            findings.report(Difference::one_sided(Path::Redirect, one, other));
        }
        return;
    };
    if one == other {
        return;
    }
    let target = |location: &str| target(&case.asked.url, location);
    if target(&one) != target(&other) {
        findings.report(Difference::changed(Path::Redirect, one, other));
    } else if case.design.location {
        findings.by_design("location");
    } else {
        // The same release writes the same address in the same way.
        findings.report(Difference::changed(Path::Redirect, one, other));
    }
}

/// The address, complete and in one spelling.
fn target(base: &str, location: &str) -> String {
    let joined = url::join(base, location.trim());
    let mut parts = url::split(&joined);
    parts.netloc.make_ascii_lowercase();
    let default = match parts.scheme.as_str() {
        "http" => ":80",
        "https" => ":443",
        _ => "",
    };
    if let Some(host) = parts.netloc.strip_suffix(default) {
        parts.netloc = host.to_owned();
    }
    if parts.path.is_empty() {
        parts.path.push('/');
    }
    parts.unsplit()
}

#[cfg(test)]
mod tests {
    use super::target;

    #[test]
    fn one_target_has_many_spellings() {
        let base = "http://crm.example/customers/7/edit";
        for same in
            ["http://crm.example/customers/7", "/customers/7", "../7", "http://CRM.example:80/customers/7"]
        {
            assert_eq!(target(base, same), "http://crm.example/customers/7", "{same}");
        }
        for other in
            ["/customers/8", "/customers/7/", "/customers/7?a=1", "https://crm.example/customers/7", "7#x"]
        {
            assert_ne!(target(base, other), "http://crm.example/customers/7", "{other}");
        }
    }
}
