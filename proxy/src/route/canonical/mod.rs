//! routes.toml as `ficus fmt` writes it: one way to say a thing, with every comment and the order of the routes kept.
//!
//! Pure: text in, text out. `print` writes the canonical text, `comments` finds comments. What comes out is compared
//! with what went in before anybody gets it: the same data, the same comments. Who writes the file is not here.

mod comments;
mod print;

use toml_edit::DocumentMut;

/// Why a text has no canonical form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotCanonical {
    /// It is not TOML.
    #[error("{0}")]
    Syntax(String),
    /// It would say something else afterwards.
    #[error("formatting would change what the file says; nothing was done")]
    Meaning,
    /// A comment would be lost.
    #[error("formatting would lose the comment `{0}`; nothing was done")]
    Comment(String),
}

/// The canonical form of a routing file.
///
/// # Errors
/// When it is not TOML, or when the result would not say the same with the same comments.
pub fn canonical(text: &str) -> Result<String, NotCanonical> {
    // A byte order mark is no part of any line, and an editor for Windows leaves one.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
    let document: DocumentMut = text
        .parse()
        .map_err(|error: toml_edit::TomlError| NotCanonical::Syntax(error.message().to_owned()))?;
    let done = print::document(&document);
    same_meaning(&text, &done)?;
    same_comments(&text, &done)?;
    Ok(done)
}

fn same_meaning(before: &str, after: &str) -> Result<(), NotCanonical> {
    let read = |text: &str| text.parse::<toml::Table>().ok().map(one_rule);
    match (read(before), read(after)) {
        (Some(before), Some(after)) if before == after => Ok(()),
        _ => Err(NotCanonical::Meaning),
    }
}

/// `rules = ["/x"]` and `rule = "/x"` say the same.
fn one_rule(mut file: toml::Table) -> toml::Table {
    let routes = file.get_mut("route").and_then(toml::Value::as_array_mut);
    for route in routes.into_iter().flatten().filter_map(toml::Value::as_table_mut) {
        let single = match route.get("rules").and_then(toml::Value::as_array).map(Vec::as_slice) {
            Some([rule @ toml::Value::String(_)]) if !route.contains_key("rule") => Some(rule.clone()),
            _ => None,
        };
        if let Some(rule) = single {
            route.remove("rules");
            route.insert("rule".to_owned(), rule);
        }
    }
    file
}

fn same_comments(before: &str, after: &str) -> Result<(), NotCanonical> {
    let (mut before, mut after) = (comments::comments(before), comments::comments(after));
    before.sort();
    after.sort();
    if before == after {
        return Ok(());
    }
    let lost = before.iter().find(|comment| {
        let count = |all: &[String]| all.iter().filter(|other| other == comment).count();
        count(&before) != count(&after)
    });
    Err(NotCanonical::Comment(lost.cloned().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn twice(text: &str) -> String {
        let once = canonical(text).unwrap();
        assert_eq!(canonical(&once).unwrap(), once, "not the same the second time");
        once
    }

    #[test]
    fn spacing_quotes_and_order_of_keys_are_normal() {
        let text = "version=1\n[defaults]\nserve   =  'legacy'\n[[route]]\nserve='rust'\n  rule = '/a'\nname = 'a'\n\n\n\n\
                    [[route]]\ncanary={users=['7'],percent=5}\nname=\"b\"\nrule='/b/<regex(\"[a-z]\\d\"):x>'";
        let expected = "version = 1\n\n[defaults]\nserve = \"legacy\"\n\n[[route]]\nname = \"a\"\nrule = \"/a\"\nserve = \
                        \"rust\"\n\n[[route]]\nname = \"b\"\nrule = '/b/<regex(\"[a-z]\\d\"):x>'\ncanary = { percent = 5, \
                        users = [\"7\"] }\n";
        assert_eq!(twice(text), expected);
    }

    #[test]
    fn comments_stay_where_they_belong() {
        let text = "# The CRM.\n\nversion = 1 # always\n\n\n# -- defaults --\n[defaults] # all\nserve = \"legacy\"#x\n# end \
                    of it\n\n# -- customers --\n\n# the list\n[[route]]\nserve = \"rust\"\n# by name\nname = \"a\"  # n\n\
                    rule = \"/a\"\n\n# the end";
        let expected = "# The CRM.\n\nversion = 1  # always\n\n# -- defaults --\n[defaults]  # all\nserve = \"legacy\"  \
                        #x\n# end of it\n\n# -- customers --\n\n# the list\n[[route]]\n# by name\nname = \"a\"  # n\nrule = \
                        \"/a\"\nserve = \"rust\"\n\n# the end\n";
        assert_eq!(twice(text), expected);
    }

    #[test]
    fn the_order_of_tables_stays() {
        let text = "# head\n\n[[route]]\nname = \"z\"\nrule = \"/z\"\n[route.canary]\nusers = []\npercent = 1.0\n\
                    [[route]]\nname = \"a\"\nrule = \"/a\"\n# about slashes\n[map]\nmerge_slashes = false\n";
        let expected = "# head\n\n[[route]]\nname = \"z\"\nrule = \"/z\"\n\n[route.canary]\npercent = 1.0\nusers = []\n\n\
                        [[route]]\nname = \"a\"\nrule = \"/a\"\n\n# about slashes\n[map]\nmerge_slashes = false\n";
        assert_eq!(twice(text), expected);
    }

    #[test]
    fn older_spellings_become_the_usual_one() {
        let text = "version = 1\n[[route]]\nname = \"a\"\nrules = [ '/a' ]\n";
        assert_eq!(twice(text), "version = 1\n\n[[route]]\nname = \"a\"\nrule = \"/a\"\n");
        // With both, the file is wrong, and stays as wrong as it was.
        let both = "version = 1\n\n[[route]]\nname = \"a\"\nrule = \"/b\"\nrules = [\"/a\"]\n";
        assert_eq!(twice(both), both);
    }

    #[test]
    fn long_lists_take_a_line_for_each() {
        let rules: Vec<String> = (0..9).map(|n| format!("\"/a/rather/long/path/{n}\"")).collect();
        let text = format!("version = 1\n[[route]]\nname = \"a\"\nrules = [{}]\n", rules.join(","));
        let done = twice(&text);
        assert!(done.contains("rules = [\n  \"/a/rather/long/path/0\",\n"), "{done}");
        assert!(done.ends_with("/8\",\n]\n"), "{done}");
    }

    #[test]
    fn a_list_with_comments_is_left_alone() {
        let list = "methods = [\n    \"GET\", # reads\n  \"POST\" ]";
        let text = format!("version = 1\n\n[[route]]\nname = \"a\"\nrule = \"/a\"\n{list}  # both\n");
        assert_eq!(twice(&text), text);
    }

    #[test]
    fn dotted_keys_and_inline_routes_are_kept() {
        let text = "version = 1\nroute = [ {rule=\"/a\",name=\"a\"} ]\n";
        assert_eq!(twice(text), "version = 1\nroute = [{ name = \"a\", rule = \"/a\" }]\n");
        let text = "version = 1\n[[route]]\ncanary.users=['1']\nname = 'a'\nrule='/a'\ncanary.percent=2\n";
        assert!(twice(text).ends_with("rule = \"/a\"\ncanary.percent = 2\ncanary.users = [\"1\"]\n"));
    }

    #[test]
    fn what_is_no_toml_is_refused() {
        assert!(matches!(canonical("version = \n"), Err(NotCanonical::Syntax(_))));
    }

    #[test]
    fn losing_anything_is_noticed() {
        assert_eq!(same_meaning("a = 1\n", "a = 2\n"), Err(NotCanonical::Meaning));
        assert_eq!(same_comments("# a\n# a\n", "# a\n"), Err(NotCanonical::Comment("# a".to_owned())));
    }
}
