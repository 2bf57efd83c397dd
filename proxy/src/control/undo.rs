//! Taking back one change of the past, whatever was changed since: a merge of three texts, route by route.
//!
//! Pure. `before` and `after` are the texts around the change, `now` is the text of today. A part that the change touched
//! goes back to what it was before, as long as it is today what the change made of it.

use std::collections::BTreeSet;

use toml_edit::{ArrayOfTables, DocumentMut, Item, Table};

/// Why a change is not taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NotUndone {
    /// These parts were changed again since.
    ChangedSince(Vec<String>),
    /// The texts cannot be taken apart.
    Unreadable(String),
}

/// The text of today without the change. With `force`, parts that were changed again since go back, too.
pub(super) fn undo(before: &str, after: &str, now: &str, force: bool) -> Result<String, NotUndone> {
    if now == after {
        return Ok(before.to_owned());
    }
    let read = |text: &str| {
        text.parse::<DocumentMut>().map_err(|error| NotUndone::Unreadable(error.message().to_owned()))
    };
    let (before, after, mut now) = (read(before)?, read(after)?, read(now)?);
    let mut since = tables(&before, &after, &mut now);
    since.extend(routes(&before, &after, &mut now)?);
    if since.is_empty() || force { Ok(now.to_string()) } else { Err(NotUndone::ChangedSince(since)) }
}

/// Everything but routes: `[defaults]`, `[map]`, `[converters]`. What was changed since is named, and goes back anyhow:
/// the caller decides whether that counts.
fn tables(before: &DocumentMut, after: &DocumentMut, now: &mut DocumentMut) -> Vec<String> {
    let keys: BTreeSet<&str> =
        before.iter().chain(after.iter()).map(|(key, _)| key).filter(|key| *key != "route").collect();
    let mut since = Vec::new();
    for key in keys {
        let text = |item: Option<&Item>| item.map(ToString::to_string);
        let (old, new) = (text(before.get(key)), text(after.get(key)));
        if old == new {
            continue;
        }
        if text(now.get(key)) != new {
            since.push(format!("[{key}]"));
        }
        match before.get(key) {
            Some(item) => drop(now.insert(key, item.clone())),
            None => drop(now.remove(key)),
        }
    }
    since
}

fn routes(
    before: &DocumentMut,
    after: &DocumentMut,
    now: &mut DocumentMut,
) -> Result<Vec<String>, NotUndone> {
    let (old, new) = (list(before)?, list(after)?);
    let mut today = list(now)?;
    let named = |list: &ArrayOfTables, name: &str| {
        list.iter().find(|table| name_of(table).as_deref() == Some(name)).cloned()
    };
    let names: BTreeSet<String> = old.iter().chain(new.iter()).filter_map(name_of).collect();
    let (mut since, mut left) = (Vec::new(), String::new());
    for name in names {
        let (old, new) = (named(&old, &name), named(&new, &name));
        let same = |a: &Option<Table>, b: &Option<Table>| {
            a.as_ref().map(ToString::to_string) == b.as_ref().map(ToString::to_string)
        };
        if same(&old, &new) {
            continue;
        }
        if !same(&named(&today, &name), &new) {
            since.push(name.clone());
        }
        left.push_str(&put(&mut today, &name, old));
    }
    if !left.is_empty() {
        let end = now.trailing().as_str().unwrap_or_default().to_owned();
        now.set_trailing(format!("{}\n{end}", left.trim_end()));
    }
    if today.is_empty() {
        now.remove("route");
    } else {
        now.insert("route", Item::ArrayOfTables(today));
    }
    Ok(since)
}

fn list(document: &DocumentMut) -> Result<ArrayOfTables, NotUndone> {
    match document.get("route") {
        None => Ok(ArrayOfTables::new()),
        Some(Item::ArrayOfTables(tables)) => Ok(tables.clone()),
        Some(_) => Err(NotUndone::Unreadable(
            "the routes stand in one inline list, which is not taken apart".to_owned(),
        )),
    }
}

fn name_of(table: &Table) -> Option<String> {
    table.get("name").and_then(Item::as_str).map(str::to_owned)
}

/// Comments before a route; they may belong to what stood there before it, and stay when it goes.
fn comments(route: &Table) -> String {
    let text = route.decor().prefix().and_then(|text| text.as_str()).unwrap_or_default();
    if text.trim().is_empty() { String::new() } else { text.to_owned() }
}

/// Puts a route back in its place, or takes it out. One that is not there any more comes last. What is left of the last
/// route belongs at the end of the file.
fn put(routes: &mut ArrayOfTables, name: &str, table: Option<Table>) -> String {
    let place = routes.iter().position(|route| name_of(route).as_deref() == Some(name));
    match (place, table) {
        (Some(place), Some(mut table)) => {
            if let Some(old) = routes.get_mut(place) {
                table.set_position(old.position());
                *old = table;
            }
        }
        (Some(place), None) => {
            let comments = routes.get(place).map(comments).unwrap_or_default();
            routes.remove(place);
            match routes.get_mut(place) {
                Some(next) => {
                    let own = next.decor().prefix().and_then(|text| text.as_str()).unwrap_or_default();
                    let both = format!("{comments}{own}");
                    next.decor_mut().set_prefix(both);
                }
                None => return comments.trim_start().to_owned(),
            }
        }
        (None, Some(mut table)) => {
            table.set_position(routes.iter().filter_map(Table::position).max());
            routes.push(table);
        }
        (None, None) => {}
    }
    String::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &str = "# The CRM.\nversion = 1\n\n[defaults]\nserve = \"legacy\"\n\n# -- customers --\n[[route]]\nname = \
                         \"a\" # first\nrule = \"/a\"\nserve = \"legacy\"\n\n[[route]]\nname = \"b\"\nrule = \"/b\"\nserve = \
                         \"legacy\"\n# the end\n";

    fn flip(text: &str, route: &str, to: &str) -> String {
        let start = text.find(&format!("name = \"{route}\"")).unwrap();
        let at = start + text[start..].find("serve = \"").unwrap() + 9;
        let end = at + text[at..].find('"').unwrap();
        format!("{}{to}{}", &text[..at], &text[end..])
    }

    #[test]
    fn the_last_change_goes_back_to_the_letter() {
        let second = flip(FIRST, "a", "rust");
        assert_eq!(undo(FIRST, &second, &second, false).unwrap(), FIRST);
    }

    #[test]
    fn later_changes_of_other_routes_stay() {
        let second = flip(FIRST, "a", "rust");
        let third = flip(&second, "b", "rust") + "# a word\n";
        let expected = flip(FIRST, "b", "rust") + "# a word\n";
        assert_eq!(undo(FIRST, &second, &third, false).unwrap(), expected);
    }

    #[test]
    fn a_later_change_of_the_same_route_is_named_and_only_overwritten_by_force() {
        let second = flip(FIRST, "a", "rust");
        let third = flip(&second, "a", "off");
        let refused = undo(FIRST, &second, &third, false);
        assert_eq!(refused, Err(NotUndone::ChangedSince(vec!["a".to_owned()])));
        assert_eq!(undo(FIRST, &second, &third, true).unwrap(), FIRST);
    }

    #[test]
    fn routes_that_came_go_and_routes_that_went_come_back() {
        let added = format!("{FIRST}\n[[route]]\nname = \"c\"\nrule = \"/c\"\n");
        let later = flip(&added, "b", "rust");
        assert_eq!(undo(FIRST, &added, &later, false).unwrap(), flip(FIRST, "b", "rust"));
        let back = undo(&added, FIRST, &flip(FIRST, "b", "rust"), false).unwrap();
        assert!(back.contains("name = \"c\"") && back.contains("serve = \"rust\""), "{back}");
    }

    #[test]
    fn tables_go_back_too() {
        let second = FIRST.replace("[defaults]\nserve = \"legacy\"", "[defaults]\nserve = \"rust\"");
        let third = flip(&second, "b", "off");
        assert_eq!(undo(FIRST, &second, &third, false).unwrap(), flip(FIRST, "b", "off"));
    }
}
