//! The keys of routes.toml, table by table. The reference in docs/ is tested against these lists.

/// Top level.
pub const TOP: &[&str] = &["version", "defaults", "map", "converters", "plans", "route"];
/// `[defaults]`.
pub const DEFAULTS: &[&str] = &["serve", "candidate", "fallback"];
/// `[map]`: what Flask says to Werkzeug's map.
pub const MAP: &[&str] = &[
    "strict_slashes",
    "merge_slashes",
    "redirect_defaults",
    "host_matching",
    "subdomain_matching",
    "default_subdomain",
    "server_name",
];
/// A converter written as a table.
pub const CONVERTER: &[&str] = &["regex", "weight", "part_isolating"];
/// `[[route]]`.
pub const ROUTE: &[&str] = &[
    "name",
    "endpoint",
    "rule",
    "rules",
    "methods",
    "provide_automatic_options",
    "host",
    "subdomain",
    "defaults",
    "strict_slashes",
    "merge_slashes",
    "serve",
    "candidate",
    "fallback",
    "canary",
    "shadow",
    "guard",
    "plan",
    "timeout",
    "connect_timeout",
    "total_timeout",
    "rate",
];
/// `canary`.
pub const CANARY: &[&str] = &["percent", "users", "roles", "networks", "testers", "group", "pin"];
/// `shadow`.
pub const SHADOW: &[&str] = &["sample", "writes", "ignore", "show"];
/// A rule of `shadow.ignore`.
pub const IGNORE: &[&str] = &["path", "reason", "author", "expires", "tolerance", "within", "unordered_by"];
/// `rate`.
pub const RATE: &[&str] = &["per", "requests", "window", "burst"];
/// `guard`.
pub const GUARD: &[&str] = &["max_error_ratio", "max_p95_ratio", "window", "min_requests", "on_trip"];
/// `plan`, and `[plans.NAME]`.
pub const PLAN: &[&str] = &[
    "steps",
    "soak",
    "comparisons",
    "max_mismatch",
    "max_error_ratio",
    "max_p95_ratio",
    "min_requests",
    "schema",
    "drill",
    "approvals",
    "auto",
    "hours",
];

/// Every table by its path, and its keys: the canonical form and the schema follow them.
pub const TABLES: &[(&[&str], &[&str])] = &[
    (&[], TOP),
    (&["defaults"], DEFAULTS),
    (&["map"], MAP),
    (&["converters", "*"], CONVERTER),
    (&["route"], ROUTE),
    (&["route", "canary"], CANARY),
    (&["route", "shadow"], SHADOW),
    (&["route", "shadow", "ignore"], IGNORE),
    (&["route", "rate"], RATE),
    (&["route", "guard"], GUARD),
    (&["route", "plan"], PLAN),
    (&["plans", "*"], PLAN),
];

/// The keys of the table at this path; `None`: any.
pub fn of(path: &[&str]) -> Option<&'static [&'static str]> {
    let fits = |table: &[&str]| {
        table.len() == path.len() && table.iter().zip(path).all(|(part, name)| *part == "*" || part == name)
    };
    TABLES.iter().find(|(table, _)| fits(table)).map(|(_, keys)| *keys)
}
