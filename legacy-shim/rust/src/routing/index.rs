//! Which rules could match a path at all: a trie over the segments between slashes, for the sorted matcher.
//!
//! Werkzeug up to 2.1 tries every rule in sorted order. The order is kept: the trie only names the candidates, a superset
//! of the rules that match, and the matcher tries those in sorted order. A rule is filed under its leading segments, each
//! either a text or a wildcard (anything with a variable in it), empty segments left out, up to the first variable that
//! may hold a slash or be empty.

use super::converter::Shape;
use super::fnv::FnvMap;
use super::rule::{Piece, Rule, split_slashes};

/// The trie.
#[derive(Debug, Clone, Default)]
pub(super) struct Index {
    nodes: Vec<Node>,
    all: Vec<u32>,
}

#[derive(Debug, Clone, Default)]
struct Node {
    children: FnvMap<Box<str>, usize>,
    wildcard: Option<usize>,
    /// Rules that end here.
    here: Vec<u32>,
    /// Rules that may go on in any way from here.
    open: Vec<u32>,
}

/// Ranks of candidate rules; the first sixteen need no allocation.
pub(super) struct Ranks {
    inline: [u32; 16],
    length: usize,
    more: Vec<u32>,
}

impl Ranks {
    pub(super) fn new() -> Self {
        Ranks { inline: [0; 16], length: 0, more: Vec::new() }
    }

    fn add(&mut self, ranks: &[u32]) {
        if self.more.is_empty() && self.length + ranks.len() <= self.inline.len() {
            self.inline[self.length..self.length + ranks.len()].copy_from_slice(ranks);
            self.length += ranks.len();
            return;
        }
        if self.more.is_empty() {
            self.more.extend_from_slice(&self.inline[..self.length]);
        }
        self.more.extend_from_slice(ranks);
    }

    /// The ranks in order.
    pub(super) fn sorted(&mut self) -> &[u32] {
        let ranks =
            if self.more.is_empty() { &mut self.inline[..self.length] } else { self.more.as_mut_slice() };
        ranks.sort_unstable();
        ranks
    }
}

/// A segment of a rule while it is read.
enum Segment {
    Text(String),
    Wildcard,
}

impl Index {
    /// Files a rule under its rank in the sorted order.
    pub(super) fn insert(&mut self, rank: u32, rule: &Rule) {
        if self.nodes.is_empty() {
            self.nodes.push(Node::default());
        }
        self.all.push(rank);
        let mut node = 0;
        let mut segment = Segment::Text(String::new());
        for piece in &rule.path {
            match piece {
                Piece::Variable(number) if is_bounded(&rule.variables[*number].converter.shape) => {
                    segment = Segment::Wildcard;
                }
                Piece::Variable(_) => {
                    self.nodes[node].open.push(rank);
                    return;
                }
                Piece::Text(text) => {
                    for part in split_slashes(text, true) {
                        if part.starts_with('/') {
                            node = self
                                .child(node, std::mem::replace(&mut segment, Segment::Text(String::new())));
                        } else if let Segment::Text(text) = &mut segment {
                            text.push_str(part);
                        }
                    }
                }
            }
        }
        node = self.child(node, segment);
        self.nodes[node].here.push(rank);
    }

    /// The child for a segment, made if needed; an empty segment stays where it is.
    fn child(&mut self, node: usize, segment: Segment) -> usize {
        let new = self.nodes.len();
        let child = match segment {
            Segment::Text(text) if text.is_empty() => return node,
            Segment::Text(text) => *self.nodes[node].children.entry(text.into()).or_insert(new),
            Segment::Wildcard => *self.nodes[node].wildcard.get_or_insert(new),
        };
        if child == new {
            self.nodes.push(Node::default());
        }
        child
    }

    /// Adds the candidates for a path.
    pub(super) fn candidates(&self, path: &str, ranks: &mut Ranks) {
        if path.ends_with('\n') {
            // `$` also fits before a last newline: rare enough to try all rules.
            ranks.add(&self.all);
        } else if !self.nodes.is_empty() {
            self.walk(0, path, ranks);
        }
    }

    fn walk(&self, node: usize, rest: &str, ranks: &mut Ranks) {
        let (mut node, mut rest) = (&self.nodes[node], rest);
        loop {
            ranks.add(&node.open);
            rest = rest.trim_start_matches('/');
            if rest.is_empty() {
                ranks.add(&node.here);
                return;
            }
            let end = rest.bytes().position(|b| b == b'/').unwrap_or(rest.len());
            let (segment, after) = rest.split_at(end);
            let child = node.children.get(segment).copied();
            let next = match (child, node.wildcard) {
                (Some(child), Some(wildcard)) => {
                    self.walk(child, after, ranks);
                    wildcard
                }
                (Some(next), None) | (None, Some(next)) => next,
                (None, None) => return,
            };
            (node, rest) = (&self.nodes[next], after);
        }
    }
}

/// True if the variable holds at least one character and no slash.
fn is_bounded(shape: &Shape) -> bool {
    match shape {
        Shape::Segment { min, .. } => *min > 0,
        Shape::Digits { .. } | Shape::Decimal { .. } | Shape::Uuid => true,
        Shape::OneOf(items) => {
            !items.is_empty() && items.iter().all(|item| !item.is_empty() && !item.contains('/'))
        }
        Shape::Path | Shape::Custom(_) => false,
    }
}
