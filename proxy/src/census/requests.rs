//! Requests to try: for every rule the ones it is made for, then their neighbours. The seed decides, nothing else.

use std::collections::BTreeSet;

use serde::Serialize;

use super::dice::Dice;
use super::document::RuleFacts;
use super::rule::{Piece, pieces};
use super::values::value;

/// A request, as far as routing sees it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Question {
    /// The method.
    pub method: String,
    /// The Host header.
    pub host: String,
    /// The path as a client sends it: percent-encoded, without query.
    pub path: String,
    /// The query as a client sends it.
    pub query: String,
}

const METHODS: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "get"];
const HOSTS: &[&str] =
    &["localhost", "127.0.0.1:8080", "crm.example.com", "CRM.Example.COM", "a.b.example.com:80"];
const QUERIES: &[&str] = &["page=2", "q=%C3%A9&a=b+c", "a=1&a=2", "x"];

/// What requests are made of.
#[derive(Debug)]
pub struct Generator<'a> {
    rules: &'a [RuleFacts],
    server_name: &'a str,
    /// The words between the slashes of all rules.
    words: Vec<String>,
    dice: Dice,
}

impl<'a> Generator<'a> {
    /// For these rules; `server_name` is Flask's, or what clients call the application.
    #[must_use]
    pub fn new(rules: &'a [RuleFacts], server_name: &'a str, seed: u64) -> Self {
        let mut words = BTreeSet::new();
        for rule in rules {
            for piece in pieces(&rule.rule) {
                if let Piece::Static(text) = piece {
                    words.extend(text.split('/').filter(|word| !word.is_empty()).map(encoded));
                }
            }
        }
        Self { rules, server_name, words: words.into_iter().collect(), dice: Dice::new(seed) }
    }

    /// So many requests, spread evenly over the rules.
    #[must_use]
    pub fn questions(&mut self, count: usize) -> Vec<Question> {
        let rules = self.rules;
        if rules.is_empty() {
            return (0..count).map(|_| self.anywhere()).collect();
        }
        (0..count).map(|number| self.question(&rules[number % rules.len()], number / rules.len())).collect()
    }

    /// The first rounds are plain: every rule as it is meant, with its slash turned, with a wrong method.
    fn question(&mut self, rule: &RuleFacts, round: usize) -> Question {
        let mut path = self.filled(&rule.rule);
        let mut method = match round {
            2 => self.dice.pick(METHODS).to_owned(),
            _ => self.dice.pick(&rule.methods).to_owned(),
        };
        if method == "*" {
            method = self.dice.pick(METHODS).to_owned();
        }
        match round {
            0 | 2 => {}
            1 => path = turned_slash(&path),
            _ => {
                if self.dice.percent(35) {
                    method = self.dice.pick(METHODS).to_owned();
                }
                while self.dice.percent(40) {
                    path = self.changed(path);
                }
            }
        }
        let query = if self.dice.percent(10) { self.dice.pick(QUERIES).to_owned() } else { String::new() };
        Question { method, host: self.host(rule), path, query }
    }

    fn anywhere(&mut self) -> Question {
        let path = format!("/{}", value("path", "", &self.words, &mut self.dice));
        let (method, host) = (self.dice.pick(METHODS).to_owned(), self.server_name.to_owned());
        Question { method, host, path, query: String::new() }
    }

    /// A rule with values for its variables.
    fn filled(&mut self, rule: &str) -> String {
        let mut path = String::new();
        for piece in pieces(rule) {
            match piece {
                Piece::Static(text) => path.push_str(&encoded(&text)),
                Piece::Variable { converter, arguments } => {
                    path.push_str(&value(&converter, &arguments, &self.words, &mut self.dice));
                }
            }
        }
        path
    }

    fn host(&mut self, rule: &RuleFacts) -> String {
        if self.dice.percent(5) {
            return self.dice.pick(HOSTS).to_owned();
        }
        let host = match (&rule.host, &rule.subdomain) {
            (Some(host), _) => self.filled(host),
            (None, Some(subdomain)) => format!("{}.{}", self.filled(subdomain), self.server_name),
            (None, None) => self.server_name.to_owned(),
        };
        // What is no name of a host is refused before anything is routed.
        host.chars().filter(|c| c.is_ascii_alphanumeric() || ".-_:".contains(*c)).collect()
    }

    /// One step away from a path.
    fn changed(&mut self, path: String) -> String {
        let at = self.slash_in(&path);
        let word = self.dice.pick(&self.words).to_owned();
        match self.dice.below(12) {
            0 => turned_slash(&path),
            1 => format!("{}/{}", &path[..at], &path[at..]),
            2 => format!("/{path}"),
            3 => format!("{path}//"),
            4 => self.escaped(&path),
            5 => format!("{path}/{word}"),
            6 => format!("{}/{word}{}", &path[..at], &path[at..]),
            7 => path[..at].to_owned() + "/",
            8 => path + self.dice.pick(&["%20", "%0A", ".json", "%2F", "%00", ";x=1", "."]),
            9 => path.to_uppercase(),
            10 => format!("{}{}{}", &path[..at], self.dice.pick(&["/.", "/..", "/%2e", "/%20"]), &path[at..]),
            _ => path.replacen(
                self.dice.pick(&["a", "e", "1", "-", "."]),
                self.dice.pick(&["", "%61", "x"]),
                1,
            ),
        }
    }

    /// The place of one of the slashes.
    fn slash_in(&mut self, path: &str) -> usize {
        let places: Vec<usize> = path.match_indices('/').map(|(place, _)| place).collect();
        places.get(self.dice.below(places.len())).copied().unwrap_or_default()
    }

    /// One letter or digit as an escape, which says the same.
    fn escaped(&mut self, path: &str) -> String {
        let plain: Vec<usize> = path
            .char_indices()
            .filter(|(place, c)| c.is_ascii_alphanumeric() && !in_escape(path, *place))
            .map(|(place, _)| place)
            .collect();
        let Some(place) = plain.get(self.dice.below(plain.len())).copied() else { return path.to_owned() };
        let code = path.as_bytes()[place];
        let escape = if self.dice.percent(50) { format!("%{code:02X}") } else { format!("%{code:02x}") };
        format!("{}{escape}{}", &path[..place], &path[place + 1..])
    }
}

fn in_escape(path: &str, place: usize) -> bool {
    (1..=2).any(|back| place >= back && path.as_bytes()[place - back] == b'%')
}

fn turned_slash(path: &str) -> String {
    match path.strip_suffix('/') {
        Some(without) if !without.is_empty() => without.to_owned(),
        _ => format!("{path}/"),
    }
}

/// Text as it stands in a path.
pub(super) fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:@|".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Vec<RuleFacts> {
        ["/customers/<int:id>", "/caf\u{e9}/<path:rest>", "/"]
            .map(|rule| RuleFacts {
                rule: rule.to_owned(),
                endpoint: rule.to_owned(),
                methods: vec!["GET".to_owned()],
                host: None,
                subdomain: None,
                kind: "view".to_owned(),
            })
            .to_vec()
    }

    #[test]
    fn a_seed_repeats_everything() {
        let rules = rules();
        let questions = |seed| Generator::new(&rules, "localhost", seed).questions(500);
        assert_eq!(questions(7), questions(7));
        assert_ne!(questions(7), questions(8));
        assert!(questions(7).iter().all(|question| !question.path.contains(['?', '#', ' '])));
    }
}
