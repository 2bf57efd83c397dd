//! The text of a rule, taken apart as far as inventing URLs for it needs: what is static, and which converters there are.
//!
//! No matcher: whether a URL fits is what both sides are asked.

use std::sync::LazyLock;

use regex::Regex;

/// Werkzeug's own grammar of a variable, the same in every version.
static VARIABLE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"<(?:([a-zA-Z_][a-zA-Z0-9_]*)(?:\((.*?)\))?:)?[a-zA-Z_][a-zA-Z0-9_]*>").ok()
});

/// A piece of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// Text that stands in every URL.
    Static(String),
    /// A variable.
    Variable {
        /// `default` if none is written.
        converter: String,
        /// As written between the brackets.
        arguments: String,
    },
}

/// The pieces of a rule.
pub(super) fn pieces(rule: &str) -> Vec<Piece> {
    let (mut pieces, mut at) = (Vec::new(), 0);
    let Some(variable) = VARIABLE.as_ref() else { return pieces };
    for found in variable.captures_iter(rule) {
        let Some(whole) = found.get(0) else { continue };
        push_static(&mut pieces, &rule[at..whole.start()]);
        let text = |group: usize| found.get(group).map(|part| part.as_str().to_owned());
        pieces.push(Piece::Variable {
            converter: text(1).unwrap_or_else(|| "default".to_owned()),
            arguments: text(2).unwrap_or_default(),
        });
        at = whole.end();
    }
    push_static(&mut pieces, &rule[at..]);
    pieces
}

fn push_static(pieces: &mut Vec<Piece>, text: &str) {
    if !text.is_empty() {
        pieces.push(Piece::Static(text.to_owned()));
    }
}

/// Whether a path may fit a rule whose variables take anything; slashes that repeat or stand last do not count. Says yes
/// when in doubt.
pub(super) fn may_fit(rule: &str, path: &str) -> bool {
    let (rule, path) = (merged(rule), merged(path));
    let pieces = pieces(&rule);
    let mut rest = path.as_str();
    for (place, piece) in pieces.iter().enumerate() {
        let Piece::Static(text) = piece else { continue };
        let last = place + 1 == pieces.len();
        let found = match (place, last) {
            (0, _) => rest.strip_prefix(text.as_str()),
            (_, true) => rest.ends_with(text.as_str()).then_some(""),
            (_, false) => rest.find(text.as_str()).map(|start| &rest[start + text.len()..]),
        };
        match found {
            Some(after) => rest = after,
            None => return false,
        }
    }
    rest.is_empty() || matches!(pieces.last(), Some(Piece::Variable { .. }))
}

/// Without repeated slashes and without one at the end.
fn merged(text: &str) -> String {
    let mut merged = String::with_capacity(text.len());
    for c in text.chars() {
        if c != '/' || !merged.ends_with('/') {
            merged.push(c);
        }
    }
    merged.truncate(merged.trim_end_matches('/').len());
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_come_apart() {
        let variable = |converter: &str, arguments: &str| Piece::Variable {
            converter: converter.to_owned(),
            arguments: arguments.to_owned(),
        };
        let text = |text: &str| Piece::Static(text.to_owned());
        assert_eq!(
            pieces("/a/<b>-<int(min=1):c>.x/"),
            [text("/a/"), variable("default", ""), text("-"), variable("int", "min=1"), text(".x/")]
        );
    }

    #[test]
    fn paths_that_may_fit_are_told_from_those_that_cannot() {
        for (rule, path, fits) in [
            ("/a/<tag:t>/b", "/a/x/b/", true),
            ("/a/<tag:t>/b", "//a//x/y/b", true),
            ("/a/<tag:t>/b", "/a/x/c", false),
            ("/a/<tag:t>", "/a/x/c", true),
            ("/a", "/a/", true),
            ("/a", "/ab", false),
        ] {
            assert_eq!(may_fit(rule, path), fits, "{rule} {path}");
        }
    }
}
