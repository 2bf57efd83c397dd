//! What is sent in place of masks: the words that people typed in are nowhere in a recording, so whoever replays it gives some,
//! of test accounts. `MASK = VALUE`, one a line; read from a file or the environment, and never written: where an answer shows
//! such a value, the mask takes its place again.

use std::path::Path;

use serde_json::Value;

use crate::shadow::compare::Answer;
use crate::shadow::corpus::{Masker, encode, pairs};

/// Shortest value that is looked for in answers.
const SHORTEST: usize = 3;

/// Values by their masks.
#[derive(Clone, Default)]
pub struct Given(Vec<Pair>);

#[derive(Clone)]
struct Pair {
    mask: String,
    value: String,
    line: usize,
}

/// Values stay out of dumps.
impl std::fmt::Debug for Given {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|pair| &pair.mask)).finish()
    }
}

impl Given {
    /// Reads the file.
    ///
    /// # Errors
    /// When it cannot be read; every line that makes no sense, with its place.
    pub fn load(path: &Path, masker: &Masker) -> Result<Self, String> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("cannot read `{}`: {error}", path.display()))?;
        Self::parse(&path.display().to_string(), &text, masker, |name| std::env::var(name).ok())
    }

    fn parse(
        name: &str,
        text: &str,
        masker: &Masker,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, String> {
        let (mut given, mut wrong) = (Self::default(), Vec::new());
        for (index, line) in text.lines().enumerate() {
            if !line.trim().is_empty() && !line.trim_start().starts_with('#') {
                match pair(line, masker, &variable) {
                    Ok((mask, value)) => match given.0.iter().find(|known| known.mask == mask) {
                        Some(known) => wrong.push(format!(
                            "{name}:{}: `{mask}` has a value already, in line {}",
                            index + 1,
                            known.line
                        )),
                        None => given.0.push(Pair { mask, value, line: index + 1 }),
                    },
                    Err(why) => wrong.push(format!("{name}:{}: {why}", index + 1)),
                }
            }
        }
        // The longest mask first: another one may stand inside of it.
        given.0.sort_by(|one, other| other.mask.len().cmp(&one.mask.len()).then(one.mask.cmp(&other.mask)));
        if wrong.is_empty() { Ok(given) } else { Err(wrong.join("\n")) }
    }

    /// Whether nothing was given.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The masks for which this text has no place, with their lines.
    pub fn missing_in(&self, text: &str) -> Vec<(usize, String)> {
        let mut missing: Vec<_> = self
            .0
            .iter()
            .filter(|pair| ![pair.mask.clone(), encode(&pair.mask)].iter().any(|mask| text.contains(mask)))
            .map(|pair| (pair.line, pair.mask.clone()))
            .collect();
        missing.sort();
        missing
    }

    /// A text in which the values stand in place of their masks.
    pub(super) fn text(&self, text: &str) -> String {
        let replace = |text: String, pair: &Pair| replaced(&text, &pair.mask, &pair.value).unwrap_or(text);
        self.0.iter().fold(text.to_owned(), replace)
    }

    /// The same in a form or a query.
    pub(super) fn form(&self, form: &str) -> String {
        if self.is_empty() {
            return form.to_owned();
        }
        let shown = |(name, value): (String, Option<String>)| match value {
            Some(value) => format!("{}={}", encode(&name), encode(&self.text(&value))),
            None => encode(&name),
        };
        pairs(form).into_iter().map(shown).collect::<Vec<_>>().join("&")
    }

    /// The same in path and query.
    pub(super) fn target(&self, target: &str) -> String {
        if self.is_empty() {
            return target.to_owned();
        }
        let (path, query) =
            target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        let segment = |segment: &str| {
            let decoded = percent_encoding::percent_decode_str(segment).decode_utf8_lossy().into_owned();
            let sent = self.text(&decoded);
            if sent == decoded { segment.to_owned() } else { encode(&sent).replace('+', "%20") }
        };
        let path = path.split('/').map(segment).collect::<Vec<_>>().join("/");
        query.map_or(path.clone(), |query| format!("{path}?{}", self.form(query)))
    }

    /// The same in a JSON document.
    pub(super) fn document(&self, text: &str) -> String {
        let Ok(mut document) = serde_json::from_str::<Value>(text) else { return self.text(text) };
        if self.is_empty() {
            return text.to_owned();
        }
        self.fill(&mut document);
        document.to_string()
    }

    fn fill(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.text(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.fill(item)),
            Value::Object(map) => map.values_mut().for_each(|value| self.fill(value)),
            _ => {}
        }
    }

    /// An answer in which the masks stand in place of the values, as pages, documents and addresses write them.
    pub fn hidden(&self, mut answer: Answer) -> Answer {
        let pairs: Vec<(String, String)> = self
            .0
            .iter()
            .filter(|pair| pair.value.chars().count() >= SHORTEST)
            .flat_map(|pair| FORMS.map(|form| (form(&pair.value), form(&pair.mask))))
            .collect();
        if pairs.is_empty() {
            return answer;
        }
        let hide = |text: &str| {
            let replace =
                |text: String, (value, mask): &(String, String)| replaced(&text, value, mask).unwrap_or(text);
            pairs.iter().fold(text.to_owned(), replace)
        };
        if let Ok(text) = std::str::from_utf8(&answer.body) {
            answer.body = hide(text).into();
        }
        for value in answer.headers.values_mut() {
            let hidden = value.to_str().ok().map(&hide).and_then(|hidden| hidden.parse().ok());
            if let Some(hidden) = hidden {
                *value = hidden;
            }
        }
        answer
    }
}

/// How a value is written: as it is, in HTML, in an address, in JSON of ASCII only.
const FORMS: [fn(&str) -> String; 5] = [str::to_owned, in_html, encode, in_path, in_json];

fn in_html(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&#34;").replace('\'', "&#39;")
}

fn in_path(text: &str) -> String {
    encode(text).replace('+', "%20")
}

fn in_json(text: &str) -> String {
    let quoted = Value::String(text.to_owned()).to_string();
    let text = &quoted[1..quoted.len() - 1];
    let unit = |c: char| match c {
        c if c.is_ascii() => c.to_string(),
        c => c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect(),
    };
    text.chars().map(unit).collect()
}

/// `MASK = VALUE`.
fn pair(
    line: &str,
    masker: &Masker,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<(String, String), String> {
    let (mask, value) =
        line.split_once('=').ok_or("a line is `MASK = VALUE`, or `= VALUE` for the mask of this value")?;
    let (mask, value) = (mask.trim(), value.trim());
    let value = match value.strip_prefix("env:").map(str::trim) {
        Some(name) => variable(name).ok_or_else(|| format!("the variable `{name}` is not set"))?,
        None => value.to_owned(),
    };
    if value.is_empty() {
        return Err(match mask {
            "" => "there is neither a mask nor a value".to_owned(),
            mask => format!("`{mask}` has no value"),
        });
    }
    if mask.contains("{{") {
        return Err(format!("`{mask}` is no mask: logins, passwords and tokens are in the users' file"));
    }
    if !mask.is_empty() {
        return Ok((mask.to_owned(), value));
    }
    let mask = masker.text(&value);
    if mask == value {
        return Err("nothing of this value was masked: its words are the application's own".to_owned());
    }
    Ok((mask, value))
}

/// `None`: it is not in there as a word of its own.
fn replaced(text: &str, from: &str, to: &str) -> Option<String> {
    if !text.contains(from) {
        return None;
    }
    let is_inside = |before: Option<char>, edge: Option<char>| {
        before.is_some_and(char::is_alphanumeric) && edge.is_some_and(char::is_alphanumeric)
    };
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find(from) {
        let (before, after) = (&rest[..at], &rest[at + from.len()..]);
        let left = before.chars().next_back().or_else(|| out.chars().next_back());
        let inside =
            is_inside(left, from.chars().next()) || is_inside(after.chars().next(), from.chars().next_back());
        out.push_str(before);
        out.push_str(if inside { from } else { to });
        rest = after;
    }
    out.push_str(rest);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masker() -> Masker {
        Masker::new(b"key", ["new".to_owned()].into()).live()
    }

    fn given(text: &str) -> Result<Given, String> {
        let variable = |name: &str| (name == "WORD").then(|| "Ö & 'Söhne'".to_owned());
        Given::parse("values.txt", text, &masker(), variable)
    }

    #[test]
    fn values_are_sent_in_place_of_masks_and_hidden_again() {
        let mask = masker().text("Quartermaine");
        let text = "# of the test accounts\n\nRtqbv = Bern\nRtqbv Hqsnw = env:WORD\n= Quartermaine\nab@masked.example=ana@example.com\n";
        let given = given(text).unwrap();
        assert_eq!(
            given.form("q=Rtqbv&x=Rtqbvkm&to=ab%40masked.example"),
            "q=Bern&x=Rtqbvkm&to=ana%40example.com"
        );
        assert_eq!(given.form("name=Rtqbv+Hqsnw&t={{csrf}}"), "name=%C3%96+%26+%27S%C3%B6hne%27&t={{csrf}}");
        assert_eq!(
            given.target(&format!("/by/Rtqbv%20Hqsnw/7?q={mask}")),
            "/by/%C3%96%20%26%20%27S%C3%B6hne%27/7?q=Quartermaine"
        );
        assert_eq!(given.document("{\"a\":[\"Rtqbv, new\"],\"b\":1}"), "{\"a\":[\"Bern, new\"],\"b\":1}");
        let body = "<p>Ö &amp; &#39;Söhne&#39;, Bern, Berner</p> \\u00d6 & 'S\\u00f6hne' q=%C3%96+%26+%27S%C3%B6hne%27";
        let mut answer = Answer { body: body.into(), ..Answer::default() };
        answer.headers.insert("location", "/x?q=Bern".parse().unwrap());
        let hidden = given.hidden(answer);
        assert_eq!(&hidden.body[..], b"<p>Rtqbv Hqsnw, Rtqbv, Berner</p> Rtqbv Hqsnw q=Rtqbv+Hqsnw");
        assert_eq!(hidden.headers["location"], "/x?q=Rtqbv");
        assert_eq!(given.missing_in("q=Rtqbv to=ab%40masked.example").first().map(|one| one.0), Some(4));
        assert!(!format!("{given:?}").contains("Bern"));
    }

    #[test]
    fn every_line_that_makes_no_sense_is_named() {
        let wrong =
            given("Rtqbv Bern\n= \nA =\nB = env:NONE\n{{csrf}} = x\n= new\nC = 1\nC = 2\n").unwrap_err();
        let told: Vec<&str> = wrong.lines().collect();
        assert_eq!(told.len(), 7, "{wrong}");
        for (line, (place, words)) in told.iter().zip([
            ("values.txt:1: ", "`MASK = VALUE`"),
            ("values.txt:2: ", "neither a mask nor a value"),
            ("values.txt:3: ", "`A` has no value"),
            ("values.txt:4: ", "the variable `NONE` is not set"),
            ("values.txt:5: ", "users' file"),
            ("values.txt:6: ", "the application's own"),
            ("values.txt:8: ", "`C` has a value already, in line 7"),
        ]) {
            assert!(line.starts_with(place) && line.contains(words), "{line}");
        }
    }
}
