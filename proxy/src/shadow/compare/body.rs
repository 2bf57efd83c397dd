//! Bodies: uncompressed, decoded, then compared by what they are.

use http::header::CONTENT_TYPE;

use super::answer::{Answer, Case};
use super::csrf::Tokens;
use super::findings::{Difference, Findings, Incomparable};
use super::html::{self, Reading};
use super::json::{self, Root, Unread};
use super::lines;
use super::path::{Path, Step};
use super::session::Sessions;
use crate::shadow::coding::{codings, decoded};

/// Largest body after decompression.
const LARGEST: usize = 8 << 20;

pub(super) fn compare(case: &Case<'_>, sessions: &Sessions<'_>, findings: &mut Findings<'_>) {
    let (one, other) = (Media::of(case.reference), Media::of(case.candidate));
    content_types(&one, &other, findings);
    if !case.reference.complete || !case.candidate.complete {
        findings.cannot(Incomparable::Truncated);
        return;
    }
    let bodies = (plain(case.reference), plain(case.candidate));
    let (Some(reference), Some(candidate)) = bodies else {
        // Not even decompressed: equal bytes are equal, and of others nothing is known.
        if case.reference.body != case.candidate.body || coding(case.reference) != coding(case.candidate) {
            findings.cannot(Incomparable::Undecodable);
        }
        return;
    };
    if coding(case.reference) != coding(case.candidate) {
        findings.by_design("content-encoding");
    }
    if reference.is_empty() && candidate.is_empty() {
        return;
    }
    // What the reference is decides how both are read: an ignored content type hides nothing.
    let texts = (one.decode(&reference), other.decode(&candidate));
    let (Some(reference_text), Some(candidate_text)) = texts else {
        lines::compare_bytes(&reference, &candidate, findings);
        return;
    };
    let texts = Texts { case, reference: &reference_text, candidate: &candidate_text };
    let tokens = (sessions.tokens(true), sessions.tokens(false));
    match one.kind() {
        Kind::Json => texts.json((&tokens.0, &tokens.1), findings),
        Kind::Html => texts.html((&tokens.0, &tokens.1), findings),
        Kind::Text => texts.lines((&tokens.0, &tokens.1), findings),
        Kind::Binary => lines::compare_bytes(&reference, &candidate, findings),
    }
}

fn content_types(one: &Media, other: &Media, findings: &mut Findings<'_>) {
    if one == other {
        return;
    }
    let path = Path::Header(CONTENT_TYPE.as_str().to_owned());
    let difference = match (one.shown(), other.shown()) {
        (Some(one), Some(other)) => Difference::changed(path, one, other),
        (one, other) => Difference::one_sided(path, one, other),
    };
    findings.report(difference.in_own_words());
}

struct Texts<'a> {
    case: &'a Case<'a>,
    reference: &'a str,
    candidate: &'a str,
}

type BothTokens<'a> = (&'a Tokens<'a>, &'a Tokens<'a>);

impl Texts<'_> {
    fn json(&self, tokens: BothTokens<'_>, findings: &mut Findings<'_>) {
        self.csrf(tokens, findings);
        let (one, other) = (tokens.0.mask(self.reference), tokens.1.mask(self.candidate));
        match (json::read(&one), json::read(&other)) {
            (Ok(one), Ok(other)) => json::walk(Root::Body, &one, &other, findings),
            (Err(Unread::TooDeep), _) | (_, Err(Unread::TooDeep)) => {
                if one != other {
                    findings.cannot(Incomparable::TooDeep);
                }
            }
            (Err(Unread::Malformed), Err(Unread::Malformed)) => lines::compare(&one, &other, findings),
            (read, _) => {
                let (one, other) = if read.is_ok() { ("JSON", "no JSON") } else { ("no JSON", "JSON") };
                let difference = Difference::changed(Path::Json(Vec::<Step>::new()), one, other);
                findings.report(difference.of(super::Kind::Type).in_own_words());
            }
        }
    }

    fn html(&self, tokens: BothTokens<'_>, findings: &mut Findings<'_>) {
        self.csrf(tokens, findings);
        let base = self.case.asked.url.as_str();
        let page = |text: &str, tokens| html::page(text, Reading { base, tokens });
        let (one, other) = match (page(self.reference, tokens.0), page(self.candidate, tokens.1)) {
            (Ok(one), Ok(other)) => (one, other),
            _ if self.reference == self.candidate => return,
            (Err(why), _) | (_, Err(why)) => return findings.cannot(why),
        };
        let titles = (one.stock_title(), other.stock_title());
        let stock = self.case.design.pages && self.case.reference.status >= 300;
        if stock && titles.0.is_some() && titles.0 == titles.1 {
            if self.reference != self.candidate {
                findings.by_design("stock-page");
            }
            return;
        }
        html::walk(base, &one, &other, findings);
    }

    fn lines(&self, tokens: BothTokens<'_>, findings: &mut Findings<'_>) {
        self.csrf(tokens, findings);
        lines::compare(&tokens.0.mask(self.reference), &tokens.1.mask(self.candidate), findings);
    }

    /// Tokens are good on both sides, or bad in the same way.
    fn csrf(&self, tokens: BothTokens<'_>, findings: &mut Findings<'_>) {
        let (one, other) = (tokens.0.states(self.reference), tokens.1.states(self.candidate));
        if one != other {
            let words = |states: std::collections::BTreeSet<&str>| match states.len() {
                0 => "no token".to_owned(),
                _ => states.into_iter().collect::<Vec<_>>().join(", "),
            };
            findings.report(Difference::changed(Path::Csrf, words(one), words(other)).in_own_words());
        }
    }
}

/// What a `Content-Type` says.
#[derive(Debug, PartialEq, Eq)]
struct Media {
    name: String,
    charset: String,
}

enum Kind {
    Json,
    Html,
    Text,
    Binary,
}

impl Media {
    fn of(answer: &Answer) -> Self {
        let header = answer.header(&CONTENT_TYPE).unwrap_or_default();
        let mut parts = header.split(';');
        let name = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
        let charset = parts.find_map(|part| {
            let (key, value) = part.split_once('=')?;
            let value = value.trim().trim_matches('"').to_ascii_lowercase();
            (key.trim().eq_ignore_ascii_case("charset")).then_some(value)
        });
        // JSON is UTF-8 whether it says so or not.
        let charset = charset.map(|charset| if charset == "utf8" { "utf-8".to_owned() } else { charset });
        let charset = match charset {
            Some(charset) if is_json(&name) && charset == "utf-8" => String::new(),
            Some(charset) => charset,
            None => String::new(),
        };
        Self { name, charset }
    }

    fn shown(&self) -> Option<String> {
        match (self.name.is_empty(), self.charset.is_empty()) {
            (true, _) => None,
            (false, true) => Some(self.name.clone()),
            (false, false) => Some(format!("{}; charset={}", self.name, self.charset)),
        }
    }

    fn kind(&self) -> Kind {
        match self.name.as_str() {
            name if is_json(name) => Kind::Json,
            "text/html" | "application/xhtml+xml" => Kind::Html,
            name if name.starts_with("text/") || name.ends_with("+xml") => Kind::Text,
            "application/javascript"
            | "application/x-ndjson"
            | "application/xml"
            | "application/x-www-form-urlencoded"
            | "" => Kind::Text,
            _ => Kind::Binary,
        }
    }

    /// The text, if it is what the charset says.
    fn decode(&self, bytes: &[u8]) -> Option<String> {
        match self.charset.as_str() {
            "" | "utf-8" | "us-ascii" | "ascii" => String::from_utf8(bytes.to_vec()).ok(),
            "iso-8859-1" | "latin-1" | "latin1" => Some(bytes.iter().map(|byte| char::from(*byte)).collect()),
            _ => None,
        }
    }
}

fn is_json(name: &str) -> bool {
    matches!(name, "application/json" | "text/json") || name.ends_with("+json")
}

fn coding(answer: &Answer) -> Vec<String> {
    codings(&answer.headers)
}

/// The body without its coding; `None` if that is not known here or is broken.
fn plain(answer: &Answer) -> Option<Vec<u8>> {
    decoded(&coding(answer), &answer.body, LARGEST).ok()
}
