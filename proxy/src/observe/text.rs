//! From OpenMetrics to the text format that every Prometheus and `promtool` reads.
//!
//! The two differ in how a counter is declared: OpenMetrics declares `x` and has samples `x_total`; the older
//! format declares what it has, `x_total`. It knows neither units nor an end mark.

use std::collections::HashSet;
use std::fmt::Write;

/// Rewrites an OpenMetrics text.
pub(super) fn prometheus(open_metrics: &str) -> String {
    let counters: HashSet<&str> = open_metrics
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter"))
        .collect();
    let mut text = String::with_capacity(open_metrics.len() + 1_024);
    for line in open_metrics.lines() {
        if line == "# EOF" || line.starts_with("# UNIT ") {
            continue;
        }
        let _ = match declaration(line) {
            Some((keyword, name, rest)) if counters.contains(name) => {
                writeln!(text, "# {keyword} {name}_total {rest}")
            }
            _ => writeln!(text, "{line}"),
        };
    }
    text
}

/// Splits `# HELP name text` and `# TYPE name type`.
fn declaration(line: &str) -> Option<(&str, &str, &str)> {
    let (keyword, rest) = line.strip_prefix("# ")?.split_once(' ')?;
    let (name, rest) = rest.split_once(' ')?;
    matches!(keyword, "HELP" | "TYPE").then_some((keyword, name, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_declared_by_the_name_of_their_samples() {
        let open_metrics = concat!(
            "# HELP ficus_requests Requests.\n# TYPE ficus_requests counter\n",
            "ficus_requests_total{route=\"a\"} 1\n",
            "# HELP ficus_seconds Time.\n# TYPE ficus_seconds histogram\n# UNIT ficus_seconds seconds\n",
            "# EOF\n"
        );
        assert_eq!(
            prometheus(open_metrics),
            concat!(
                "# HELP ficus_requests_total Requests.\n# TYPE ficus_requests_total counter\n",
                "ficus_requests_total{route=\"a\"} 1\n",
                "# HELP ficus_seconds Time.\n# TYPE ficus_seconds histogram\n"
            )
        );
    }
}
