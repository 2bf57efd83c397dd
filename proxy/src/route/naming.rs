//! Which routes somebody means who names them, in a token's scope or in a command.

/// Whether a pattern (a name, the beginning of names as `customers.*`, or `*`) means this route.
#[must_use]
pub fn covers(pattern: &str, route: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some("") => true,
        Some(start) => start.ends_with('.') && route.starts_with(start),
        None => pattern == route,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_routes() {
        for (pattern, route, expected) in [
            ("*", "customers.list", true),
            ("customers.*", "customers.list", true),
            ("customers.*", "customersx.list", false),
            ("customers.list", "customers.list", true),
            ("customers.list", "customers.list.post", false),
            ("customers*", "customers.list", false),
        ] {
            assert_eq!(covers(pattern, route), expected, "{pattern} {route}");
        }
    }
}
