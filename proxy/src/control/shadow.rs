//! Changing what a route's `shadow` says: who copies how much, and which differences are allowed. Pure: text in, text
//! out, like `edit`.

use toml_edit::{Array, DocumentMut, InlineTable, Item, TableLike, Value};

use super::edit::{find, set};
use crate::route::{Route, Shadow};

/// What shall change.
#[derive(Debug, Clone, PartialEq)]
pub enum ShadowEdit {
    /// The share of requests that is copied, 0 to 1.
    Sample(f64),
    /// One more difference is allowed.
    Ignore(NewRule),
}

/// A rule to be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRule {
    /// What it is about.
    pub path: String,
    /// Why.
    pub reason: String,
    /// Who answers for it.
    pub author: String,
    /// Its last day, `2027-01-31`.
    pub expires: String,
}

/// Applies an edit to the text of a routing file.
pub(super) fn edit_shadow(text: &str, route: &str, edit: &ShadowEdit) -> Result<String, String> {
    let mut document: DocumentMut =
        text.parse().map_err(|error: toml_edit::TomlError| error.message().to_owned())?;
    let routes = document.get_mut("route").ok_or("the file has no routes")?;
    let table = find(routes, route).ok_or_else(|| format!("the file has no route `{route}`"))?;
    if !table.contains_key("shadow") {
        let mut shadow = InlineTable::new();
        // A rule alone must not begin to copy anything.
        shadow.insert("sample", 0.0.into());
        set(table, "shadow", shadow.into());
    }
    let shadow = table.get_mut("shadow").and_then(Item::as_table_like_mut);
    let shadow = shadow.ok_or("`shadow` is not a table")?;
    match edit {
        ShadowEdit::Sample(sample) => set(shadow, "sample", (*sample).into()),
        ShadowEdit::Ignore(rule) => add_rule(shadow, rule)?,
    }
    Ok(document.to_string())
}

/// Each rule on a line of its own.
fn add_rule(shadow: &mut dyn TableLike, rule: &NewRule) -> Result<(), String> {
    let mut table = InlineTable::new();
    let fields = [
        ("path", &rule.path),
        ("reason", &rule.reason),
        ("author", &rule.author),
        ("expires", &rule.expires),
    ];
    for (key, value) in fields {
        table.insert(key, value.as_str().into());
    }
    if let Some(Item::ArrayOfTables(rules)) = shadow.get_mut("ignore") {
        rules.push(table.into_table());
        return Ok(());
    }
    if !shadow.contains_key("ignore") {
        set(shadow, "ignore", Value::Array(Array::new()));
    }
    let rules = shadow.get_mut("ignore").and_then(Item::as_array_mut);
    let rules = rules.ok_or("`shadow.ignore` is not a list")?;
    let mut value = Value::InlineTable(table);
    value.decor_mut().set_prefix("\n  ");
    rules.push_formatted(value);
    rules.set_trailing("\n");
    rules.set_trailing_comma(true);
    Ok(())
}

/// Whether a route became what was asked for, and nothing else of it changed.
pub(super) fn as_planned(before: &Route, after: &Route, edit: &ShadowEdit) -> bool {
    let same =
        Route { line: 0, shadow: None, ..before.clone() } == Route { line: 0, shadow: None, ..after.clone() };
    let Some(shadow) = &after.shadow else { return false };
    let rules = |route: &Route| route.shadow.as_ref().map_or(0, |shadow| shadow.ignore.len());
    let writes = |route: &Route| route.shadow.as_ref().is_some_and(|shadow| shadow.writes);
    let sample = |route: &Route| route.shadow.as_ref().map_or(0.0, |shadow| shadow.sample);
    same && writes(before) == writes(after)
        && match edit {
            ShadowEdit::Sample(share) => {
                (shadow.sample - share).abs() < f64::EPSILON && rules(before) == rules(after)
            }
            ShadowEdit::Ignore(rule) => {
                rules(after) == rules(before) + 1
                    && (sample(after) - sample(before)).abs() < f64::EPSILON
                    && shadow.ignore.last().is_some_and(|last| last.path.as_str() == rule.path)
            }
        }
}

/// `no shadow`, `shadow 25%`, `shadow 25%, 2 rules`.
pub(super) fn words(shadow: Option<&Shadow>) -> String {
    let Some(shadow) = shadow else { return "no shadow".to_owned() };
    let mut text = match shadow.sample {
        sample if sample > 0.0 => format!("shadow {}", share(sample)),
        _ => "no shadow".to_owned(),
    };
    if shadow.writes && shadow.sample > 0.0 {
        text.push_str(", writes");
    }
    match shadow.ignore.len() {
        0 => {}
        1 => text.push_str(", 1 rule"),
        n => text.push_str(&format!(", {n} rules")),
    }
    text
}

/// A share as a percentage, without noise from the way floats are written.
pub(super) fn share(sample: f64) -> String {
    super::share((sample * 100_000.0).round() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "version = 1\n\n[[route]]\nname = \"a\" # one\nrule = \"/a\"\n\n[[route]]\nname = \"b\"\nrule = \
                        \"/b\"\nshadow = { sample = 0.25 } # CRM-1\n";

    fn rule() -> NewRule {
        let text = str::to_owned;
        NewRule {
            path: text("json $.a"),
            reason: text("r"),
            author: text("ana"),
            expires: text("2027-01-31"),
        }
    }

    #[test]
    fn a_share_is_set_where_it_stands() {
        let text = edit_shadow(FILE, "b", &ShadowEdit::Sample(0.5)).unwrap();
        assert_eq!(text, FILE.replace("0.25", "0.5"));
        let text = edit_shadow(FILE, "a", &ShadowEdit::Sample(1.0)).unwrap();
        assert_eq!(text, FILE.replace("rule = \"/a\"\n", "rule = \"/a\"\nshadow = { sample = 1.0 }\n"));
    }

    #[test]
    fn rules_stand_on_lines_of_their_own() {
        let once = edit_shadow(FILE, "b", &ShadowEdit::Ignore(rule())).unwrap();
        let line = "  { path = \"json $.a\", reason = \"r\", author = \"ana\", expires = \"2027-01-31\" },\n";
        assert_eq!(once, FILE.replace("0.25 }", &format!("0.25, ignore = [\n{line}] }}")));
        let twice = edit_shadow(&once, "b", &ShadowEdit::Ignore(rule())).unwrap();
        assert_eq!(twice, FILE.replace("0.25 }", &format!("0.25, ignore = [\n{line}{line}] }}")));
    }

    #[test]
    fn a_rule_alone_copies_nothing() {
        let text = edit_shadow(FILE, "a", &ShadowEdit::Ignore(rule())).unwrap();
        assert!(text.contains("shadow = { sample = 0.0, ignore = ["), "{text}");
    }

    #[test]
    fn an_own_table_works_too() {
        let file = "version = 1\n[[route]]\nname = \"a\"\nrule = \"/a\"\n[route.shadow]\nsample = 0.1\n\
                    [[route.shadow.ignore]]\npath = \"flash\"\n";
        let text = edit_shadow(file, "a", &ShadowEdit::Ignore(rule())).unwrap();
        assert!(text.contains("[[route.shadow.ignore]]\npath = \"json $.a\"\n"), "{text}");
        let text = edit_shadow(file, "a", &ShadowEdit::Sample(0.0)).unwrap();
        assert_eq!(text, file.replace("0.1", "0.0"));
    }
}
