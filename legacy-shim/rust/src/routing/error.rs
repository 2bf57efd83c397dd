//! What is wrong with a rule: which rule, which characters of it, why, and what was probably meant.

use std::ops::Range;

use thiserror::Error;

/// One thing wrong with one rule. `Map::new` reports all of them.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}{}", .suggestion.as_ref().map(|s| format!(", {s}")).unwrap_or_default())]
pub struct RuleError {
    /// Index of the `RuleSpec`.
    pub index: usize,
    /// Which text of the spec is meant.
    pub field: RuleField,
    /// Byte range within that text.
    pub span: Range<usize>,
    /// What is wrong, naming the value.
    pub message: String,
    /// What to do about it: "did you mean `<int:id>`".
    pub suggestion: Option<String>,
}

/// The text of a `RuleSpec` that an error's span refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleField {
    /// `rule`.
    Rule,
    /// `host` or `subdomain`.
    Domain,
    /// `methods`.
    Methods,
    /// `defaults`.
    Defaults,
    /// `redirect_to`.
    RedirectTo,
}

/// A fault found while reading one text; the index and the field are added by the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) span: Range<usize>,
    pub(super) message: String,
    pub(super) suggestion: Option<String>,
}

impl Fault {
    pub(super) fn new(span: Range<usize>, message: impl Into<String>) -> Self {
        Fault { span, message: message.into(), suggestion: None }
    }

    pub(super) fn hint(mut self, suggestion: impl Into<String>) -> Self {
        self.suggestion = Some(suggestion.into());
        self
    }

    pub(super) fn at(self, index: usize, field: RuleField) -> RuleError {
        RuleError { index, field, span: self.span, message: self.message, suggestion: self.suggestion }
    }
}

/// The known name nearest to `name`, if it is near enough to be a slip of the finger.
pub(super) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (name.chars().count() / 3).max(2);
    known
        .into_iter()
        .map(|candidate| (edit_distance(&name.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|&(distance, candidate)| distance <= limit && distance < candidate.chars().count())
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let cost = if ca == *cb { diagonal } else { diagonal + 1 };
            diagonal = row[j + 1];
            row[j + 1] = cost.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn finds_near_names_only() {
        let known = ["string", "int", "float", "path", "any", "uuid"];
        assert_eq!(nearest("integer", known), None);
        assert_eq!(nearest("itn", known), Some("int"));
        assert_eq!(nearest("Uuid", known), Some("uuid"));
        assert_eq!(nearest("strng", known), Some("string"));
        assert_eq!(nearest("customer", known), None);
    }
}
