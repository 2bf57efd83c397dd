//! Escaping of HTML: MarkupSafe's everywhere, `werkzeug.utils.escape` in the pages of Werkzeug 1.0.

use crate::Profile;

/// `markupsafe.escape`: `&amp; &lt; &gt; &#34; &#39;`.
#[must_use]
pub fn escape_markup(text: &str) -> String {
    replace(text, "&#34;", "&#39;")
}

/// The escaping of Werkzeug's own pages: 1.0 writes `&quot;` and leaves `'`, later ones use MarkupSafe.
#[must_use]
pub fn escape(text: &str, profile: Profile) -> String {
    match profile {
        Profile::Werkzeug10 => replace(text, "&quot;", "'"),
        _ => escape_markup(text),
    }
}

fn replace(text: &str, double: &str, single: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str(double),
            '\'' => out.push_str(single),
            _ => out.push(c),
        }
    }
    out
}
