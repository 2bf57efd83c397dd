//! The part of the routing file that says how one route is matched and compared: what a capsule needs, and nothing about who
//! is served by whom.

use toml_edit::{DocumentMut, Item, Table};

use super::Control;

/// Keys of a route that are about traffic.
const TRAFFIC: &[&str] = &["serve", "canary", "guard", "plan", "rate"];

impl Control {
    /// The routing file with this route alone; `None`: it has none, or its routes stand in one line.
    pub fn excerpt(&self, route: &str) -> Option<String> {
        excerpt(&self.lock().state.text, route)
    }
}

fn excerpt(text: &str, route: &str) -> Option<String> {
    let mut document: DocumentMut = text.parse().ok()?;
    let Some(Item::ArrayOfTables(routes)) = document.get_mut("route") else { return None };
    routes.retain(|table| table.get("name").and_then(Item::as_str) == Some(route));
    let table = routes.get_mut(0)?;
    for key in TRAFFIC {
        table.remove(key);
    }
    // Comments are for whoever reads the whole file.
    table.decor_mut().set_prefix("\n");
    if let Some(defaults) = document.get_mut("defaults").and_then(Item::as_table_mut) {
        without(defaults, TRAFFIC);
    }
    document.set_trailing("");
    Some(document.to_string())
}

fn without(table: &mut Table, keys: &[&str]) {
    for key in keys {
        table.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_route_stays_with_its_rules_and_without_its_users() {
        let text = "version = 1\n\n[defaults]\nserve = \"rust\"\ncandidate = \"rust\"\n\n[[route]]\nname = \"a\"\nrule = \"/a\"\n\
            \n# ana wants this\n[[route]]\nname = \"b\"\nrule = \"/b\"\ncanary = { users = [\"ana\"] }\nshadow = { ignore = [\n  { path = \"x\" }] }\n";
        let found = excerpt(text, "b").unwrap();
        assert!(
            found.contains("rule = \"/b\"") && found.contains("path = \"x\"") && found.contains("candidate")
        );
        assert!(!found.contains("ana") && !found.contains("\"/a\"") && !found.contains("serve"), "{found}");
        assert_eq!(excerpt(text, "c"), None);
    }
}
