//! The matcher of Werkzeug up to 2.1: all rules in one order, each with one regular expression over `domain|/path`; the
//! first that fits and takes the method wins.
//!
//! Source: `Rule.compile`, `Rule.match_compare_key` and `Map.update` of werkzeug/routing.py 1.0.1. The order is: rules
//! without arguments, then more static parts, then the positions and lengths of the static parts, then more variables,
//! then their weights, then order of definition. `merge_slashes` makes every slash of a rule `/+?`; the tail
//! `(?<!/)(/*)` takes trailing slashes. `index` keeps the search from being linear.

use super::fnv::FnvMap;
use super::index::{Index, Ranks};
use super::pattern::{Element, Pattern};
use super::rule::{Piece, Rule, split_slashes};
use super::spans::Spans;

/// The sorted rules of a map.
#[derive(Debug, Clone)]
pub(super) struct SortedMatcher {
    entries: Vec<Entry>,
    by_domain: FnvMap<Box<str>, Index>,
    any_domain: Option<Index>,
}

#[derive(Debug, Clone)]
struct Entry {
    rule: usize,
    /// Absent: the domain is static and was looked up.
    domain: Option<Pattern>,
    path: Pattern,
}

type Key = (bool, isize, Vec<(usize, isize)>, isize, Vec<i64>);

impl SortedMatcher {
    pub(super) fn new(rules: &[Rule]) -> Self {
        let mut order: Vec<usize> = (0..rules.len()).collect();
        order.sort_by_cached_key(|&rule| match_key(&rules[rule]));
        let mut matcher =
            SortedMatcher { entries: Vec::new(), by_domain: FnvMap::default(), any_domain: None };
        for index in order {
            let rule = &rules[index];
            if rule.build_only {
                continue;
            }
            let rank = u32::try_from(matcher.entries.len()).unwrap_or(u32::MAX);
            let static_domain = static_text(&rule.domain);
            let domain = static_domain.is_none().then(|| domain_pattern(rule));
            matcher.entries.push(Entry { rule: index, domain, path: path_pattern(rule) });
            let index = match static_domain {
                Some(text) => matcher.by_domain.entry(text.into()).or_default(),
                None => matcher.any_domain.get_or_insert_default(),
            };
            index.insert(rank, rule);
        }
        matcher
    }

    /// Ranks of the rules that may match.
    pub(super) fn candidates(&self, domain: &str, path: &str) -> Ranks {
        let mut ranks = Ranks::new();
        if let Some(index) = self.by_domain.get(domain) {
            index.candidates(path, &mut ranks);
        }
        if let Some(index) = &self.any_domain {
            index.candidates(path, &mut ranks);
        }
        ranks
    }

    /// Number of the rule at a rank.
    pub(super) fn rule(&self, rank: u32) -> usize {
        self.entries[rank as usize].rule
    }

    /// Matches one rule; the answer says whether the path has trailing slashes beyond the rule's text.
    pub(super) fn run(
        &self,
        rank: u32,
        rule: &Rule,
        (domain, path): (&str, &str),
        spans: &mut Spans,
    ) -> Option<bool> {
        let entry = &self.entries[rank as usize];
        if let Some(pattern) = &entry.domain {
            pattern.run(domain, 0, spans, 0)?;
        }
        entry.path.run(path, 0, spans, rule.domain_variables)
    }
}

/// The text of a rule without variables.
fn static_text(pieces: &[Piece]) -> Option<String> {
    pieces
        .iter()
        .map(|piece| match piece {
            Piece::Text(text) => Some(text.as_str()),
            Piece::Variable(_) => None,
        })
        .collect()
}

/// The sort key; weights of domain and path follow each other, positions count from zero in each.
fn match_key(rule: &Rule) -> Key {
    let (mut statics, mut arguments) = (Vec::new(), Vec::new());
    for pieces in [&rule.domain, &rule.path] {
        for (position, piece) in pieces.iter().enumerate() {
            match piece {
                Piece::Variable(number) => arguments.push(rule.variables[*number].converter.weight),
                Piece::Text(text) => statics.extend(
                    split_slashes(text, true)
                        .filter(|part| !part.starts_with('/'))
                        .map(|part| (position, -part.chars().count().cast_signed())),
                ),
            }
        }
    }
    let (static_count, argument_count) = (-statics.len().cast_signed(), -arguments.len().cast_signed());
    (!rule.arguments.is_empty(), static_count, statics, argument_count, arguments)
}

fn domain_pattern(rule: &Rule) -> Pattern {
    let mut elements: Vec<Element> = rule.domain.iter().map(|piece| element(rule, piece, 0)).collect();
    elements.push(Element::End);
    Pattern::new(elements)
}

fn element(rule: &Rule, piece: &Piece, base: usize) -> Element {
    match piece {
        Piece::Text(text) => Element::Literal(text.as_str().into()),
        Piece::Variable(number) => Element::Variable {
            shape: rule.variables[*number].converter.shape.clone(),
            number: number - base,
        },
    }
}

fn path_pattern(rule: &Rule) -> Pattern {
    let mut elements = Vec::new();
    for piece in &rule.path {
        match piece {
            Piece::Text(text) if rule.merge_slashes => {
                elements.extend(split_slashes(text, true).map(|part| {
                    if part.starts_with('/') { Element::Slashes } else { Element::Literal(part.into()) }
                }))
            }
            _ => elements.push(element(rule, piece, rule.domain_variables)),
        }
    }
    if !(rule.is_leaf && rule.strict_slashes) {
        elements.push(Element::Tail { many: rule.merge_slashes });
    }
    elements.push(Element::EndOrNewline);
    Pattern::new(elements)
}
