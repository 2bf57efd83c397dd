//! Makes a disagreement small: one request, as few rules as possible, plain options, short paths.

use super::case::{Case, Options, Rule};

/// The smallest case found on which `differs` still holds.
pub(super) fn shrink(case: &Case, differs: &mut dyn FnMut(&Case) -> bool) -> Case {
    let mut small = one_question(case, differs);
    loop {
        let before = small.describe();
        for candidate in (0..small.rules.len()).rev() {
            try_change(&mut small, differs, |case| {
                if candidate < case.rules.len() {
                    case.rules.remove(candidate);
                }
            });
        }
        for change in RULE_CHANGES {
            for index in 0..small.rules.len() {
                try_change(&mut small, differs, |case| change(&mut case.rules[index]));
            }
        }
        for change in OPTION_CHANGES {
            try_change(&mut small, differs, |case| change(&mut case.options));
        }
        simplify_request(&mut small, differs);
        if small.describe() == before {
            return small;
        }
    }
}

const RULE_CHANGES: [fn(&mut Rule); 9] = [
    |rule| rule.methods = None,
    |rule| rule.defaults.clear(),
    |rule| rule.alias = false,
    |rule| rule.websocket = false,
    |rule| rule.subdomain = None,
    |rule| rule.host = None,
    |rule| rule.strict_slashes = None,
    |rule| rule.merge_slashes = None,
    |rule| rule.redirect_to = None,
];

const OPTION_CHANGES: [fn(&mut Options); 7] = [
    |options| options.converters.clear(),
    |options| options.server_name = None,
    |options| options.default_subdomain.clear(),
    |options| options.host_matching = false,
    |options| options.strict_slashes = true,
    |options| options.merge_slashes = true,
    |options| options.subdomain_matching = false,
];

fn try_change(small: &mut Case, differs: &mut dyn FnMut(&Case) -> bool, change: impl FnOnce(&mut Case)) {
    let mut candidate = small.clone();
    change(&mut candidate);
    if !candidate.rules.is_empty() && differs(&candidate) {
        *small = candidate;
    }
}

fn one_question(case: &Case, differs: &mut dyn FnMut(&Case) -> bool) -> Case {
    let none = Case { requests: Vec::new(), builds: Vec::new(), ..case.clone() };
    let requests = case.requests.iter().map(|asked| Case { requests: vec![asked.clone()], ..none.clone() });
    let builds = case.builds.iter().map(|wanted| Case { builds: vec![wanted.clone()], ..none.clone() });
    std::iter::once(none.clone())
        .chain(requests)
        .chain(builds)
        .find(|case| differs(case))
        .unwrap_or_else(|| case.clone())
}

fn simplify_request(small: &mut Case, differs: &mut dyn FnMut(&Case) -> bool) {
    if small.requests.is_empty() {
        return;
    }
    try_change(small, differs, |case| case.requests[0].query.clear());
    try_change(small, differs, |case| "example.com".clone_into(&mut case.requests[0].host));
    try_change(small, differs, |case| "http".clone_into(&mut case.requests[0].scheme));
    try_change(small, differs, |case| "/".clone_into(&mut case.requests[0].script_name));
    try_change(small, differs, |case| "GET".clone_into(&mut case.requests[0].method));
    for position in (0..small.requests[0].path.chars().count()).rev() {
        try_change(small, differs, |case| {
            let path = &case.requests[0].path;
            case.requests[0].path =
                path.chars().enumerate().filter(|(i, _)| *i != position).map(|(_, c)| c).collect();
        });
    }
}
