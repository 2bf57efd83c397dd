//! `urlencode`, `urlize`, `xmlattr`.

use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Environment, Error, Value};
use regex::Regex;

use crate::Profile;
use crate::answer::escape_markup;
use crate::templates::text::{escape_value, python_str};
use crate::url::quote_with;

pub(super) fn add(env: &mut Environment<'static>, profile: Profile) {
    env.add_filter("urlencode", urlencode);
    env.add_filter("xmlattr", xmlattr);
    // Jinja2 3 links www.example.org with https.
    let scheme = if profile == Profile::Werkzeug10 { "http" } else { "https" };
    env.add_filter(
        "urlize",
        move |text: &Value, limit: Option<usize>, nofollow: Option<bool>, kwargs: Kwargs| {
            let target: Option<String> = kwargs.get("target")?;
            let limit = limit.or(kwargs.get("trim_url_limit")?);
            let nofollow = nofollow.or(kwargs.get("nofollow")?).unwrap_or(false);
            urlize(&Links { scheme, limit, nofollow, target }, text)
        },
    );
}

/// A text is quoted, a dictionary or a list of pairs becomes a query string.
fn urlencode(value: &Value) -> Result<String, Error> {
    let quote = |value: &Value| quote_with(python_str(value).as_bytes(), " ").replace(' ', "%20");
    let plus = |value: &Value| quote_with(python_str(value).as_bytes(), " ").replace(' ', "+");
    let mut parts = Vec::new();
    match value.kind() {
        ValueKind::Map => {
            for key in value.try_iter()? {
                parts.push(format!("{}={}", plus(&key), plus(&value.get_item(&key)?)));
            }
        }
        ValueKind::Seq | ValueKind::Iterable => {
            for pair in value.try_iter()? {
                parts.push(format!(
                    "{}={}",
                    plus(&pair.get_item_by_index(0)?),
                    plus(&pair.get_item_by_index(1)?)
                ));
            }
        }
        _ => return Ok(quote(value).replace("%2F", "/")),
    }
    Ok(parts.join("&"))
}

/// ` class="x" id="7"`: attributes without a value are left out.
fn xmlattr(map: &Value, autospace: Option<bool>) -> Result<Value, Error> {
    let mut parts = Vec::new();
    for key in map.try_iter()? {
        let value = map.get_item(&key)?;
        if !value.is_none() && !value.is_undefined() {
            parts.push(format!("{}=\"{}\"", escape_value(&key), escape_value(&value)));
        }
    }
    let space = if autospace.unwrap_or(true) && !parts.is_empty() { " " } else { "" };
    Ok(Value::from_safe_string(format!("{space}{}", parts.join(" "))))
}

struct Links {
    scheme: &'static str,
    limit: Option<usize>,
    nofollow: bool,
    target: Option<String>,
}

/// Makes links of addresses in a text. Covers what Jinja2 recognizes in ordinary prose, not its every corner.
fn urlize(links: &Links, text: &Value) -> Result<Value, Error> {
    let mail = Regex::new(r"^\S+@\w[\w.-]*\.\w+$")
        .map_err(|error| Error::new(minijinja::ErrorKind::InvalidOperation, error.to_string()))?;
    let text = escape_value(text);
    let mut out = String::with_capacity(text.len());
    for word in text.split_inclusive(char::is_whitespace) {
        let body = word.trim_end_matches(char::is_whitespace);
        let blank = &word[body.len()..];
        let (lead, middle, trail) = split_word(body);
        out.push_str(lead);
        let web = ["http://", "https://"]
            .iter()
            .any(|start| middle.starts_with(start) && middle.len() > start.len());
        let host = middle.split('/').next().unwrap_or_default();
        let bare = !middle.contains('@')
            && !web
            && (middle.starts_with("www.")
                || [".org", ".net", ".com"].iter().any(|end| host.len() > end.len() && host.ends_with(end)));
        if web {
            out.push_str(&link(links, middle, middle));
        } else if bare {
            out.push_str(&link(links, &format!("{}://{middle}", links.scheme), middle));
        } else if mail.is_match(middle) && !middle.starts_with("www.") && !middle.contains(':') {
            out.push_str(&format!("<a href=\"mailto:{middle}\">{middle}</a>"));
        } else {
            out.push_str(middle);
        }
        out.push_str(trail);
        out.push_str(blank);
    }
    Ok(Value::from_safe_string(out))
}

/// Punctuation before and after an address.
fn split_word(word: &str) -> (&str, &str, &str) {
    let mut middle = word;
    while let Some(rest) = ["(", "&lt;"].iter().find_map(|lead| middle.strip_prefix(lead)) {
        middle = rest;
    }
    let lead = &word[..word.len() - middle.len()];
    let after_lead = middle;
    while let Some(rest) = [".", ",", ")", "&gt;", "\n"].iter().find_map(|trail| middle.strip_suffix(trail)) {
        middle = rest;
    }
    (lead, middle, &after_lead[middle.len()..])
}

fn link(links: &Links, href: &str, shown: &str) -> String {
    let mut rel: Vec<&str> = Vec::new();
    if links.nofollow {
        rel.push("nofollow");
    }
    rel.push("noopener");
    rel.sort_unstable();
    let target = links
        .target
        .as_deref()
        .map(|target| format!(" target=\"{}\"", escape_markup(target)))
        .unwrap_or_default();
    let shown = match links.limit {
        Some(limit) if shown.chars().count() > limit => shown.chars().take(limit).collect::<String>() + "...",
        _ => shown.to_owned(),
    };
    format!("<a href=\"{href}\" rel=\"{}\"{target}>{shown}</a>", rel.join(" "))
}
