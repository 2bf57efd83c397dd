//! `urlize`: Jinja2 2.11's way to find links, and that of 3.x, word by word.

use std::sync::LazyLock;

use minijinja::value::{Kwargs, Rest};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, State, Value};
use regex::Regex;

use crate::Profile;
use crate::answer::escape_markup;
use crate::templates::text::{escape_value, python_str};

/// Jinja2 3's addresses.
static WEB: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?xi)^(
            (https?://|www\.) (([\w%-]+\.)+)? ( [a-z]{2,63} | xn--[\w%]{2,59} )
          | ([\w%-]{2,63}\.)+ (com|net|int|edu|gov|org|info|mil)
          | (https?://) ( (([\d]{1,3})(\.[\d]{1,3}){3}) | (\[([\da-f]{0,4}:){2}([\da-f]{0,4}:?){1,6}\]) )
        ) (?::[\d]{1,5})? (?:[/?\#]\S*)? $",
    )
    .ok()
});
static MAIL: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^\S+@\w[\w.-]*\.\w+$").ok());
static HEAD: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^([(<]|&lt;)+").ok());
static TAIL: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"([)>.,\n]|&gt;)+$").ok());

fn matches(pattern: &LazyLock<Option<Regex>>, text: &str) -> bool {
    pattern.as_ref().is_some_and(|pattern| pattern.is_match(text))
}

pub(super) fn add(env: &mut Environment<'static>, profile: Profile) {
    env.add_filter(
        "urlize",
        move |state: &State<'_, '_>, text: &Value, args: Rest<Value>, kwargs: Kwargs| {
            let html = Links::of(&args, &kwargs, profile)?.all(&escape_value(text));
            let escaping = !matches!(state.auto_escape(), AutoEscape::None);
            Ok::<_, Error>(if escaping { Value::from_safe_string(html) } else { Value::from(html) })
        },
    );
}

/// How links are written.
struct Links {
    /// Of Jinja2 2.11.
    old: bool,
    limit: Option<usize>,
    /// ` rel="..." target="..."`.
    attributes: String,
}

impl Links {
    /// `urlize(trim_url_limit=None, nofollow=False, target=None, rel=None)`.
    fn of(args: &[Value], kwargs: &Kwargs, profile: Profile) -> Result<Self, Error> {
        let argument = |at: usize, name: &str| -> Result<Option<Value>, Error> {
            let named: Option<Value> = kwargs.get(name)?;
            Ok(args.get(at).cloned().or(named).filter(|value| !value.is_none()))
        };
        if argument(4, "extra_schemes")?.is_some() {
            return Err(Error::new(ErrorKind::InvalidOperation, "`urlize` with schemes of one's own"));
        }
        let rel = argument(3, "rel")?.map(|value| python_str(&value)).unwrap_or_default();
        let mut words: Vec<&str> = rel.split_whitespace().chain(["noopener"]).collect();
        words.extend(argument(1, "nofollow")?.is_some_and(|flag| flag.is_true()).then_some("nofollow"));
        words.sort_unstable();
        words.dedup();
        let mut attributes = format!(" rel=\"{}\"", escape_markup(&words.join(" ")));
        if let Some(target) = argument(2, "target")?.filter(Value::is_true) {
            attributes.push_str(&format!(" target=\"{}\"", escape_value(&target)));
        }
        let limit = argument(0, "trim_url_limit")?.and_then(|limit| limit.as_usize());
        Ok(Self { old: profile == Profile::Werkzeug10, limit, attributes })
    }

    fn all(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        for word in text.split_inclusive(char::is_whitespace) {
            let body = word.trim_end_matches(char::is_whitespace);
            self.word(&mut out, body);
            out.push_str(&word[body.len()..]);
        }
        out
    }

    fn word(&self, out: &mut String, word: &str) {
        let found = |pattern: &LazyLock<Option<Regex>>, text: &str| {
            pattern.as_ref().and_then(|pattern| pattern.find(text)).map(|found| found.range())
        };
        let head = found(&HEAD, word).map_or(0, |range| range.end);
        let mut end = found(&TAIL, &word[head..]).map_or(word.len(), |range| head + range.start);
        if !self.old {
            for (open, close) in [("(", ")"), ("<", ">"), ("&lt;", "&gt;")] {
                let (opened, middle) = (word[head..end].matches(open).count(), &word[head..end]);
                if opened <= middle.matches(close).count() {
                    continue;
                }
                for _ in 0..opened.min(word[end..].matches(close).count()) {
                    end += word[end..].find(close).map_or(0, |at| at + close.len());
                }
            }
        }
        let middle = &word[head..end];
        out.push_str(&word[..head]);
        out.push_str(&if self.old { self.old_middle(middle) } else { self.middle(middle) });
        out.push_str(&word[end..]);
    }

    fn middle(&self, middle: &str) -> String {
        if matches(&WEB, middle) {
            let full = middle.starts_with("https://") || middle.starts_with("http://");
            return self.link(if full { "" } else { "https://" }, middle);
        }
        if let Some(address) = middle.strip_prefix("mailto:").filter(|address| matches(&MAIL, address)) {
            return format!("<a href=\"{middle}\">{address}</a>");
        }
        if !middle.starts_with('@') { mail(middle) } else { middle.to_owned() }
    }

    fn old_middle(&self, middle: &str) -> String {
        let full = middle.starts_with("https://") || middle.starts_with("http://");
        let known = [".org", ".net", ".com"].iter().any(|end| middle.ends_with(end));
        let begins = middle.starts_with(|c: char| c.is_ascii_alphanumeric());
        if middle.starts_with("www.") || (!middle.contains('@') && !full && begins && known) {
            return self.link("http://", middle);
        }
        if full { self.link("", middle) } else { mail(middle) }
    }

    fn link(&self, scheme: &str, address: &str) -> String {
        let length = address.chars().count();
        let cut = |limit: usize| address.chars().take(limit).collect::<String>();
        let shown = match self.limit {
            Some(limit) if length > limit => cut(limit) + "...",
            // 2.11 writes the dots behind an address of just this length as well.
            Some(limit) if self.old && length == limit => format!("{address}..."),
            _ => address.to_owned(),
        };
        format!("<a href=\"{scheme}{address}\"{}>{shown}</a>", self.attributes)
    }
}

fn mail(middle: &str) -> String {
    let is_mail = middle.contains('@') && !middle.starts_with("www.") && !middle.contains(':');
    if is_mail && matches(&MAIL, middle) {
        format!("<a href=\"mailto:{middle}\">{middle}</a>")
    } else {
        middle.to_owned()
    }
}
