//! The matcher of Werkzeug from 2.2 on: a state machine over the parts between slashes; static transitions first, then
//! dynamic ones by weight, with backtracking.
//!
//! Source: `StateMachineMatcher` of werkzeug/routing/matcher.py and `Rule._parse_rule` of werkzeug/routing/rules.py, 2.3.8
//! and 3.1. A part whose converter may hold slashes swallows all the rest of the rule ("final"); if the rule ends in a
//! slash its expression ends in `(?<!/)(/?)` ("suffixed"). 2.3 hands the variables of a part over in the order of their
//! numbers as text (`10` before `2`); 3.1 by number.

use super::converter::{Converter, Shape};
use super::fnv::FnvMap;
use super::method::MethodSet;
use super::pattern::{Element, Pattern};
use super::rule::{Piece, Rule, split_slashes};
use super::spans::Spans;
use crate::Profile;

/// The states; the first is the root.
#[derive(Debug, Clone)]
pub(super) struct StateMachine {
    states: Vec<State>,
}

#[derive(Debug, Clone, Default)]
struct State {
    statics: FnvMap<Box<str>, usize>,
    dynamic: Vec<(Dynamic, usize)>,
    rules: Vec<usize>,
}

/// Werkzeug's `Weighting`.
type Weight = (isize, Vec<(usize, isize)>, isize, Vec<i64>);

/// A dynamic part.
#[derive(Debug, Clone)]
struct Dynamic {
    /// The regular expression as text: parts with the same text are the same transition.
    content: String,
    is_final: bool,
    suffixed: bool,
    weight: Weight,
    pattern: Pattern,
    variables: usize,
}

enum Part {
    Static(String),
    Dynamic(Box<Dynamic>),
}

/// What a search found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    Nothing,
    Rule(usize),
    /// A rule would match with a slash at the end.
    SlashRequired,
}

/// A search: the request, and what came up on the way.
pub(super) struct Search<'a> {
    pub(super) rules: &'a [Rule],
    pub(super) domain: &'a str,
    pub(super) path: &'a str,
    pub(super) method: Option<u32>,
    pub(super) websocket: bool,
    pub(super) spans: Spans,
    pub(super) allowed: MethodSet,
    pub(super) websocket_mismatch: bool,
}

impl StateMachine {
    pub(super) fn new(rules: &[Rule], profile: Profile) -> Self {
        let mut machine = StateMachine { states: vec![State::default()] };
        for (index, rule) in rules.iter().enumerate().filter(|(_, rule)| !rule.build_only) {
            let mut parts = parts(&rule.domain, rule, profile);
            parts.extend(self::parts(&rule.path, rule, profile));
            let state = parts.into_iter().fold(0, |state, part| machine.child(state, part));
            machine.states[state].rules.push(index);
        }
        for state in &mut machine.states {
            state.dynamic.sort_by(|(a, _), (b, _)| a.weight.cmp(&b.weight));
        }
        machine
    }

    fn child(&mut self, state: usize, part: Part) -> usize {
        let new = self.states.len();
        let child = match part {
            Part::Static(text) => *self.states[state].statics.entry(text.into()).or_insert(new),
            Part::Dynamic(part) => {
                let dynamic = &mut self.states[state].dynamic;
                match dynamic.iter().find(|(known, _)| known.same_as(&part)) {
                    Some(&(_, child)) => child,
                    None => {
                        dynamic.push((*part, new));
                        new
                    }
                }
            }
        };
        if child == new {
            self.states.push(State::default());
        }
        child
    }

    /// Searches from the root: the domain is the first part.
    pub(super) fn search(&self, search: &mut Search<'_>) -> Found {
        let root = &self.states[0];
        if let Some(&state) = root.statics.get(search.domain) {
            let found = self.walk(search, state, Some(0), 0);
            if found != Found::Nothing {
                return found;
            }
        }
        // A final domain part would swallow the path as well, and no rule ends there.
        for (part, state) in root.dynamic.iter().filter(|(part, _)| !part.is_final) {
            if part.pattern.run(search.domain, 0, &mut search.spans, 0).is_some() {
                let found = self.walk(search, *state, Some(0), part.variables);
                if found != Found::Nothing {
                    return found;
                }
            }
        }
        Found::Nothing
    }

    /// Matches the parts that start at `at`; none: no part is left.
    fn walk(&self, search: &mut Search<'_>, state: usize, at: Option<usize>, captured: usize) -> Found {
        let state = &self.states[state];
        let Some(at) = at else { return self.finish(search, state) };
        let path = search.path;
        let end =
            path.as_bytes()[at..].iter().position(|&b| b == b'/').map_or(path.len(), |found| at + found);
        let after = (end < path.len()).then_some(end + 1);
        if let Some(&next) = state.statics.get(&path[at..end]) {
            let found = self.walk(search, next, after, captured);
            if found != Found::Nothing {
                return found;
            }
        }
        for (part, next) in &state.dynamic {
            let target = if part.is_final { &path[at..] } else { &path[at..end] };
            let Some(tail) = part.pattern.run(target, at, &mut search.spans, captured) else { continue };
            let remaining = match (part.is_final, part.suffixed && tail) {
                (_, true) => Some(path.len()),
                (true, false) => None,
                (false, false) => after,
            };
            let found = self.walk(search, *next, remaining, captured + part.variables);
            if found != Found::Nothing {
                return found;
            }
        }
        if at == path.len() { search.lenient_rule(&state.rules) } else { Found::Nothing }
    }

    /// All parts are matched: a rule of this state, else one behind a slash.
    fn finish(&self, search: &mut Search<'_>, state: &State) -> Found {
        for &index in &state.rules {
            if search.accepts(index) {
                return Found::Rule(index);
            }
        }
        let Some(&slash) = state.statics.get("") else { return Found::Nothing };
        for &index in &self.states[slash].rules {
            let rule = &search.rules[index];
            if rule.websocket == search.websocket && rule.allows(search.method) {
                return if rule.strict_slashes { Found::SlashRequired } else { Found::Rule(index) };
            }
        }
        Found::Nothing
    }
}

impl Search<'_> {
    /// Method and websocket of a rule whose path fits; notes why not.
    fn accepts(&mut self, index: usize) -> bool {
        let rule = &self.rules[index];
        match rule.methods {
            Some(methods) if !methods.contains(self.method) => self.allowed.add(methods),
            _ if rule.websocket != self.websocket => self.websocket_mismatch = true,
            _ => return true,
        }
        false
    }

    /// Only a trailing slash is left: rules that do not mind it.
    fn lenient_rule(&mut self, rules: &[usize]) -> Found {
        for &index in rules {
            if !self.rules[index].strict_slashes && self.accepts(index) {
                return Found::Rule(index);
            }
        }
        Found::Nothing
    }
}

impl Dynamic {
    fn same_as(&self, other: &Dynamic) -> bool {
        self.content == other.content
            && self.is_final == other.is_final
            && self.suffixed == other.suffixed
            && self.weight == other.weight
    }
}

/// A part while it is read.
#[derive(Default)]
struct PartBuilder {
    text: String,
    content: String,
    elements: Vec<Element>,
    statics: Vec<(usize, isize)>,
    arguments: Vec<i64>,
    is_final: bool,
}

fn parts(pieces: &[Piece], rule: &Rule, profile: Profile) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut builder = PartBuilder::default();
    for piece in pieces {
        match piece {
            Piece::Variable(number) => builder.variable(&rule.variables[*number].converter),
            Piece::Text(text) => {
                for part in split_slashes(text, false) {
                    if part != "/" {
                        builder.static_text(part);
                    } else if builder.is_final {
                        builder.push_text("/");
                    } else {
                        parts.push(std::mem::take(&mut builder).build(false, profile));
                    }
                }
            }
        }
    }
    let suffixed = builder.is_final && builder.text.ends_with('/');
    parts.push(builder.build(suffixed, profile));
    if suffixed {
        parts.push(Part::Static(String::new()));
    }
    parts
}

impl PartBuilder {
    fn static_text(&mut self, text: &str) {
        self.statics.push((self.statics.len(), -text.chars().count().cast_signed()));
        self.push_text(text);
    }

    fn push_text(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Moves the pending text into the expression.
    fn flush(&mut self) {
        let text = std::mem::take(&mut self.text);
        if !text.is_empty() {
            self.content.push_str(&regex::escape(&text));
            self.elements.push(Element::Literal(text.into()));
        }
    }

    fn variable(&mut self, converter: &Converter) {
        self.flush();
        let number = self.arguments.len();
        self.content.push_str(&format!("(?P<__werkzeug_{number}>{})", converter.shape.expression()));
        self.elements.push(Element::Variable { shape: converter.shape.clone(), number });
        self.arguments.push(converter.weight);
        self.is_final |= !converter.part_isolating;
    }

    fn build(mut self, suffixed: bool, profile: Profile) -> Part {
        if self.arguments.is_empty() {
            return Part::Static(self.text);
        }
        if suffixed {
            self.text.pop();
        }
        self.flush();
        if suffixed {
            self.elements.push(Element::Tail { many: false });
        }
        self.elements.push(Element::End);
        let variables = self.arguments.len();
        if matches!(profile, Profile::Werkzeug23 | Profile::Werkzeug30) {
            renumber_as_text(&mut self.elements, variables);
        }
        let weight = (
            -self.statics.len().cast_signed(),
            self.statics,
            -self.arguments.len().cast_signed(),
            self.arguments,
        );
        Part::Dynamic(Box::new(Dynamic {
            content: self.content,
            is_final: self.is_final,
            suffixed,
            weight,
            pattern: Pattern::new(self.elements),
            variables,
        }))
    }
}

/// 2.3 sorts the groups of a part by name, as text.
fn renumber_as_text(elements: &mut [Element], variables: usize) {
    let mut order: Vec<usize> = (0..variables).collect();
    order.sort_by_key(usize::to_string);
    for element in elements {
        if let Element::Variable { number, .. } = element {
            *number = order.iter().position(|known| known == number).unwrap_or(*number);
        }
    }
}

impl Shape {
    /// The regular expression as Werkzeug writes it, to tell whether two parts are the same.
    fn expression(&self) -> String {
        match self {
            Shape::Segment { min, exact: true, .. } => format!("[^/]{{{min}}}"),
            Shape::Segment { min, max, .. } => {
                format!("[^/]{{{min},{}}}", max.map(|max| max.to_string()).unwrap_or_default())
            }
            Shape::Digits { signed } => format!(r"{}\d+", if *signed { "-?" } else { "" }),
            Shape::Decimal { signed } => format!(r"{}\d+\.\d+", if *signed { "-?" } else { "" }),
            Shape::Path => "[^/].*?".to_owned(),
            Shape::OneOf(items) => {
                format!("(?:{})", items.iter().map(|item| regex::escape(item)).collect::<Vec<_>>().join("|"))
            }
            Shape::Uuid => "uuid".to_owned(),
            Shape::Custom(foreign) => foreign.text().to_owned(),
        }
    }
}
