//! Regular expressions of custom converters: Python's text, executed by an automaton.
//!
//! Werkzeug puts the expression between others and lets Python backtrack through all of its matches. Here the automaton
//! names all ends of matches from one position in one pass; `pattern` tries first the one that Python would try first,
//! then the others from long to short, or from short to long if the expression has a lazy repetition. What an automaton
//! cannot do (look-around, back references, Unicode word boundaries) is an error when the map is made.

use std::sync::Arc;

use regex::Regex;
use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::{Anchored, Input, MatchKind};

/// Largest automaton in bytes; `\w+` takes a tenth of it.
const SIZE_LIMIT: usize = 4 << 20;

/// The expression of a custom converter.
#[derive(Debug, Clone)]
pub(super) struct Foreign {
    text: String,
    favourite: Regex,
    all: Arc<dense::DFA<Vec<u32>>>,
    lazy: bool,
}

impl Foreign {
    /// Compiles an expression; the error is a reason, without the expression.
    pub(super) fn new(text: &str) -> Result<Self, String> {
        let grouped = format!("(?:{text})");
        Regex::new(text).map_err(|error| reason(&error.to_string()))?;
        let favourite = Regex::new(&format!(r"\A{grouped}")).map_err(|error| reason(&error.to_string()))?;
        let config = dense::Config::new()
            .match_kind(MatchKind::All)
            .start_kind(StartKind::Anchored)
            .dfa_size_limit(Some(SIZE_LIMIT))
            .determinize_size_limit(Some(SIZE_LIMIT));
        let all =
            dense::Builder::new().configure(config).build(&grouped).map_err(|error| error.to_string())?;
        let lazy = ["*?", "+?", "??", "}?"].iter().any(|mark| text.contains(mark));
        Ok(Foreign { text: text.to_owned(), favourite, all: Arc::new(all), lazy })
    }

    /// The expression as written.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// True if short matches come before long ones.
    pub(super) fn is_lazy(&self) -> bool {
        self.lazy
    }

    /// The end of the match at `at` that Python finds first.
    pub(super) fn favourite(&self, text: &str, at: usize) -> Option<usize> {
        self.favourite.find(&text[at..]).map(|found| at + found.end())
    }

    /// The ends of all matches that start at `at`, shortest first.
    pub(super) fn ends(&self, text: &str, at: usize) -> Vec<usize> {
        let mut ends = Vec::new();
        let input = Input::new(text).range(at..).anchored(Anchored::Yes);
        let Ok(mut state) = self.all.start_state_forward(&input) else { return ends };
        for (position, &byte) in text.as_bytes().iter().enumerate().skip(at) {
            state = self.all.next_state(state, byte);
            if self.all.is_match_state(state) && text.is_char_boundary(position) {
                // A match is seen one byte after its end.
                ends.push(position);
            } else if self.all.is_dead_state(state) || self.all.is_quit_state(state) {
                return ends;
            }
        }
        if self.all.is_match_state(self.all.next_eoi_state(state)) {
            ends.push(text.len());
        }
        ends
    }
}

/// The last line of an error of `regex`, which holds the reason.
fn reason(error: &str) -> String {
    error.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
mod tests {
    use super::Foreign;

    #[test]
    fn names_all_ends() {
        let list = Foreign::new("[a-zé]+(?:,[a-z]+)*").unwrap();
        assert_eq!(list.ends("/éa,b,/", 1), [3, 4, 6]);
        assert_eq!(list.favourite("/éa,b,/", 1), Some(6));
        assert!(list.ends("/", 1).is_empty());
        let rest = Foreign::new(".*?").unwrap();
        assert!(rest.is_lazy());
        assert_eq!(rest.ends("aé", 0), [0, 1, 3]);
    }

    #[test]
    fn says_what_it_cannot_do() {
        assert!(Foreign::new("(?=x)y").unwrap_err().contains("look-around"));
        assert!(Foreign::new(r"\bx").unwrap_err().contains("word bound"));
    }
}
