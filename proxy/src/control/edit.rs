//! Changing routes.toml as a person would: the values that are meant, and nothing else.
//!
//! Step 1 of a flip. Pure: text in, text out. Comments, order, quoting and white space stay. Whether the result is
//! a good routing file is checked afterwards, by the same code that checks a hand edit.

use toml_edit::{Array, DocumentMut, InlineTable, Item, TableLike, Value};

use super::change::Crowd;

/// What a route shall become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RouteEdit {
    /// The route's name.
    pub(super) route: String,
    /// Who answers: a backend or `off`.
    pub(super) serve: String,
    /// The backend being tried, if the route must say so itself.
    pub(super) candidate: Option<String>,
    /// Who is served by the candidate; what is `None` in it stays as it is.
    pub(super) crowd: Crowd,
}

/// Applies the edits to the text of a routing file. `inherited` is what `[defaults].serve` says.
pub(super) fn edit(text: &str, edits: &[RouteEdit], inherited: &str) -> Result<String, String> {
    let mut document: DocumentMut =
        text.parse().map_err(|error: toml_edit::TomlError| error.message().to_owned())?;
    for edit in edits {
        let routes = document.get_mut("route").ok_or("the file has no routes")?;
        let table =
            find(routes, &edit.route).ok_or_else(|| format!("the file has no route `{}`", edit.route))?;
        apply(table, edit, inherited);
    }
    Ok(document.to_string())
}

/// Sets `[defaults].serve`.
pub(super) fn edit_default(text: &str, serve: &str) -> Result<String, String> {
    let mut document: DocumentMut =
        text.parse().map_err(|error: toml_edit::TomlError| error.message().to_owned())?;
    let table = document.get_mut("defaults").and_then(Item::as_table_like_mut);
    set(table.ok_or("the file has no `[defaults]`")?, "serve", serve.into());
    Ok(document.to_string())
}

/// The table of a route, in `[[route]]` or in `route = [{ .. }]`.
pub(super) fn find<'t>(routes: &'t mut Item, name: &str) -> Option<&'t mut dyn TableLike> {
    let named = |table: &dyn TableLike| table.get("name").and_then(Item::as_str) == Some(name);
    match routes {
        Item::ArrayOfTables(tables) => {
            tables.iter_mut().find(|table| named(*table)).map(|table| table as &mut dyn TableLike)
        }
        Item::Value(Value::Array(items)) => items
            .iter_mut()
            .filter_map(Value::as_inline_table_mut)
            .find(|table| named(*table))
            .map(|table| table as &mut dyn TableLike),
        _ => None,
    }
}

fn apply(table: &mut dyn TableLike, edit: &RouteEdit, inherited: &str) {
    if table.contains_key("serve") || edit.serve != inherited {
        set(table, "serve", edit.serve.as_str().into());
    }
    if let Some(candidate) = &edit.candidate {
        set(table, "candidate", candidate.as_str().into());
    }
    match table.get_mut("canary").and_then(Item::as_table_like_mut) {
        Some(canary) => apply_crowd(canary, &edit.crowd),
        None if edit.crowd.has_anybody() => {
            let mut canary = InlineTable::new();
            apply_crowd(&mut canary, &edit.crowd);
            add(table, "canary", canary.into());
        }
        None => {}
    }
}

fn apply_crowd(canary: &mut dyn TableLike, crowd: &Crowd) {
    if let Some(buckets) = crowd.buckets {
        set_share(canary, buckets);
    }
    let networks: Option<Vec<String>> =
        crowd.networks.as_ref().map(|networks| networks.iter().map(ToString::to_string).collect());
    let lists =
        [("users", crowd.users.as_ref()), ("roles", crowd.roles.as_ref()), ("networks", networks.as_ref())];
    for (key, list) in lists {
        let Some(list) = list else { continue };
        if !list.is_empty() || canary.contains_key(key) {
            set(canary, key, Value::Array(Array::from_iter(list)));
        }
    }
    if let Some(testers) = crowd.testers
        && (testers || canary.contains_key("testers"))
    {
        set(canary, "testers", testers.into());
    }
    if let Some(group) = &crowd.group {
        set(canary, "group", group.as_str().into());
    }
}

/// Writes the share if it differs: `5` stays `5` where `5.0` is meant.
fn set_share(canary: &mut dyn TableLike, buckets: u32) {
    let percent = f64::from(buckets) / 1_000.0;
    let now = canary
        .get("percent")
        .and_then(|item| item.as_float().or_else(|| item.as_integer().map(|n| n as f64)));
    if now != Some(percent) && !(now.is_none() && buckets == 0) {
        set(canary, "percent", percent.into());
    }
}

/// Replaces a value and keeps what stands around it; a value that is right already is left alone.
pub(super) fn set(table: &mut dyn TableLike, key: &str, mut value: Value) {
    match table.get_mut(key).and_then(Item::as_value_mut) {
        Some(old) if same(old, &value) => {}
        Some(old) => {
            *value.decor_mut() = old.decor().clone();
            *old = value;
        }
        None => add(table, key, value),
    }
}

/// Adds a key at the end; in `{ a = 1 }` the space before the brace stays before the brace.
fn add(table: &mut dyn TableLike, key: &str, mut value: Value) {
    let last = table.iter_mut().last().and_then(|(_, item)| item.as_value_mut().map(Value::decor_mut));
    let blank = |decor: &&mut toml_edit::Decor| {
        decor
            .suffix()
            .and_then(|text| text.as_str())
            .is_some_and(|text| !text.is_empty() && text.trim().is_empty())
    };
    if let Some(decor) = last.filter(blank) {
        value.decor_mut().set_prefix(" ");
        value.decor_mut().set_suffix(decor.suffix().cloned().unwrap_or_default());
        decor.set_suffix("");
    }
    table.insert(key, Item::Value(value));
}

fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::String(a), Value::String(b)) => a.value() == b.value(),
        (Value::Boolean(a), Value::Boolean(b)) => a.value() == b.value(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len()
                && a.iter().zip(b.iter()).all(|(a, b)| a.as_str().is_some() && a.as_str() == b.as_str())
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"# The CRM. Ask Ana before touching this.
version = 1

[defaults]
serve = "legacy"   # everything, until it moves

# -- customers --------------------------------
[[route]]
name = 'customers.list'      # the list
rule = "/customers/"
serve = 'legacy'             # CRM-812: flip me
canary = { users = ["7"], percent = 5, group = "customers" } # half the office

[[route]]   # the page
name = "customers.detail"
rule = "/customers/<int:customer_id>"
# nothing else yet

# the end
"#;

    fn flip(route: &str, serve: &str, canary: u32) -> RouteEdit {
        RouteEdit {
            route: route.to_owned(),
            serve: serve.to_owned(),
            candidate: None,
            crowd: if canary > 0 {
                Crowd { buckets: Some(canary), ..Crowd::default() }
            } else {
                Crowd::nobody()
            },
        }
    }

    #[test]
    fn only_the_value_changes() {
        let text = edit(FILE, &[flip("customers.list", "rust", 0)], "legacy").unwrap();
        let expected = FILE
            .replace("serve = 'legacy'             #", "serve = \"rust\"             #")
            .replace("users = [\"7\"], percent = 5,", "users = [], percent = 0.0,");
        assert_eq!(text, expected);
    }

    #[test]
    fn a_missing_key_is_added_where_it_belongs() {
        let text = edit(FILE, &[flip("customers.detail", "rust", 0)], "legacy").unwrap();
        let expected = FILE.replace(
            "rule = \"/customers/<int:customer_id>\"\n",
            "rule = \"/customers/<int:customer_id>\"\nserve = \"rust\"\n",
        );
        assert_eq!(text, expected);
    }

    #[test]
    fn what_is_right_already_is_left_alone() {
        assert_eq!(edit(FILE, &[flip("customers.detail", "legacy", 0)], "legacy").unwrap(), FILE);
        assert_eq!(edit(FILE, &[flip("customers.list", "legacy", 5_000)], "legacy").unwrap(), FILE);
    }

    #[test]
    fn a_new_canary_is_one_short_line() {
        let text = edit(FILE, &[flip("customers.detail", "legacy", 125)], "legacy").unwrap();
        assert!(text.contains("\ncanary = { percent = 0.125 }\n"), "{text}");
    }

    #[test]
    fn lists_are_written_where_they_are_asked_for() {
        let crowd = Crowd {
            users: Some(vec!["7".into(), "8".into()]),
            roles: Some(Vec::new()),
            networks: Some(vec!["10.0.0.0/8".parse().unwrap()]),
            testers: Some(true),
            ..Crowd::default()
        };
        let edits = [RouteEdit { crowd, ..flip("customers.list", "legacy", 0) }];
        let text = edit(FILE, &edits, "legacy").unwrap();
        let line = "canary = { users = [\"7\", \"8\"], percent = 5, group = \"customers\", networks = [\"10.0.0.0/8\"], \
                    testers = true } # half the office\n";
        assert!(text.contains(line), "{text}");
        assert_eq!(edit(&text, &edits, "legacy").unwrap(), text);
    }

    #[test]
    fn routes_in_one_inline_list_work_too() {
        let file = "version = 1\nroute = [\n  { name = \"a\", rule = \"/a\" }, # first\n]\n";
        let text = edit(file, &[flip("a", "rust", 0)], "legacy").unwrap();
        assert_eq!(text, file.replace("\"/a\" }", "\"/a\", serve = \"rust\" }"));
    }

    #[test]
    fn an_unknown_route_is_refused() {
        assert!(edit(FILE, &[flip("customers.lst", "rust", 0)], "legacy").is_err());
    }
}
