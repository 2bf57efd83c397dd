//! A rule bound to a map: its tokens and converters, its methods and defaults, its place in the order of `build`, and the
//! operations that write its URL. How it is matched is `sorted` (up to 2.1) and `machine` (from 2.2).
//!
//! Source: `Rule.__init__`, `bind`, `compile`, `_compile_builder`, `suitable_for`, `provides_defaults_for`,
//! `build_compare_key` of werkzeug/routing.py 1.0.1 and werkzeug/routing/rules.py 2.3.8 and 3.1.

use std::collections::BTreeSet;

use super::converter::Converter;
use super::method::MethodSet;
use super::quote::{quote, static_safe};
use super::spec::RuleSpec;
use super::value::Value;
use crate::Profile;

/// A variable of a rule.
#[derive(Debug, Clone)]
pub(super) struct Variable {
    pub(super) name: String,
    pub(super) converter: Converter,
}

/// A piece of a rule: static text, a run of slashes that was written so, or the number of a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    Text(String),
    Variable(usize),
}

/// A piece of the URL that `build` writes.
#[derive(Debug, Clone)]
pub(super) enum Operation {
    /// Already encoded.
    Text(String),
    /// Number of a variable.
    Variable(usize),
}

/// A checked rule.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    pub(super) endpoint: String,
    /// Domain first, then path.
    pub(super) variables: Vec<Variable>,
    pub(super) domain_variables: usize,
    /// Tokens of the host or subdomain rule.
    pub(super) domain: Vec<Piece>,
    /// Tokens of the path as it is matched: without trailing slashes up to 2.1, with merged slashes from 2.2 on.
    pub(super) path: Vec<Piece>,
    pub(super) trace: Vec<(bool, String)>,
    pub(super) domain_operations: Vec<Operation>,
    pub(super) path_operations: Vec<Operation>,
    pub(super) arguments: BTreeSet<String>,
    pub(super) defaults: Vec<(String, Value)>,
    pub(super) methods: Option<MethodSet>,
    pub(super) is_leaf: bool,
    pub(super) strict_slashes: bool,
    pub(super) merge_slashes: bool,
    pub(super) build_only: bool,
    pub(super) automatic_options: bool,
    pub(super) alias: bool,
    pub(super) websocket: bool,
    pub(super) redirect_to: Option<String>,
}

/// The tokens of a rule and where the domain's variables end; what `Rule::new` needs besides the spec.
pub(super) struct Tokens {
    pub(super) domain: Vec<Piece>,
    pub(super) path: Vec<Piece>,
    pub(super) variables: Vec<Variable>,
    pub(super) domain_variables: usize,
    pub(super) methods: Option<MethodSet>,
}

/// A default that its own variable's converter cannot write.
pub(super) struct BadDefault {
    pub(super) name: String,
    pub(super) reason: String,
}

impl Rule {
    /// Binds the tokens of a spec to the options that hold for it.
    pub(super) fn new(
        spec: &RuleSpec,
        tokens: Tokens,
        profile: Profile,
        (strict_slashes, merge_slashes): (bool, bool),
    ) -> Result<Rule, BadDefault> {
        let is_leaf = !spec.rule.ends_with('/');
        let mut rule = Rule {
            endpoint: spec.endpoint.clone(),
            arguments: spec.defaults.iter().map(|(name, _)| name.clone()).collect(),
            defaults: spec.defaults.clone(),
            variables: tokens.variables,
            domain_variables: tokens.domain_variables,
            domain: tokens.domain,
            path: tokens.path,
            trace: Vec::new(),
            domain_operations: Vec::new(),
            path_operations: Vec::new(),
            methods: tokens.methods,
            is_leaf,
            strict_slashes: spec.strict_slashes.unwrap_or(strict_slashes),
            merge_slashes: spec.merge_slashes.unwrap_or(merge_slashes),
            build_only: spec.build_only,
            automatic_options: spec.provide_automatic_options,
            alias: spec.alias,
            websocket: spec.websocket,
            redirect_to: spec.redirect_to.clone(),
        };
        rule.arguments.extend(rule.variables.iter().map(|variable| variable.name.clone()));
        let mut written = rule.path.clone();
        if profile == Profile::Werkzeug10 {
            if rule.merge_slashes {
                written = written.into_iter().map(merge_all).collect();
            }
            if !is_leaf {
                written.push(Piece::Text("/".to_owned()));
            }
        }
        rule.trace = rule.trace_of(&written, profile);
        rule.domain_operations = rule.operations(&rule.domain, profile)?;
        rule.path_operations = rule.operations(&written, profile)?;
        Ok(rule)
    }

    /// Werkzeug compares rules by their trace: text split at slashes, variables by name.
    fn trace_of(&self, path: &[Piece], profile: Profile) -> Vec<(bool, String)> {
        let mut trace = Vec::new();
        for piece in self.domain.iter().chain(&[Piece::Text("|".to_owned())]).chain(path) {
            match piece {
                Piece::Variable(number) => trace.push((true, self.variables[*number].name.clone())),
                Piece::Text(text) => {
                    let joined = profile == Profile::Werkzeug10;
                    trace.extend(split_slashes(text, joined).map(|part| (false, part.to_owned())));
                }
            }
        }
        trace
    }

    fn operations(&self, pieces: &[Piece], profile: Profile) -> Result<Vec<Operation>, BadDefault> {
        let write = |piece: &Piece| match piece {
            Piece::Text(text) => Ok(Operation::Text(quote(text, static_safe(profile)))),
            Piece::Variable(number) => {
                let Variable { name, converter } = &self.variables[*number];
                let Some((_, value)) = self.defaults.iter().find(|(default, _)| default == name) else {
                    return Ok(Operation::Variable(*number));
                };
                let text = converter.to_url(value, profile);
                text.map(Operation::Text).map_err(|reason| BadDefault { name: name.clone(), reason })
            }
        };
        pieces.iter().map(write).collect()
    }

    /// True if a default has the name of a variable: then the variable's text is ignored when the URL is written.
    pub(super) fn has_constant_variable(&self) -> bool {
        self.variables.iter().any(|variable| self.default_of(&variable.name).is_some())
    }

    pub(super) fn default_of(&self, name: &str) -> Option<&Value> {
        self.defaults.iter().find(|(default, _)| default == name).map(|(_, value)| value)
    }

    /// True if the rule takes the method.
    pub(super) fn allows(&self, method: Option<u32>) -> bool {
        self.methods.is_none_or(|methods| methods.contains(method))
    }

    /// True if these values can be written with this rule.
    pub(super) fn suitable_for(&self, values: &[(&str, &Value)], method: Option<Option<u32>>) -> bool {
        let given = |name: &str| values.iter().find(|(key, _)| *key == name).map(|(_, value)| *value);
        method.is_none_or(|method| self.allows(method))
            && self.arguments.iter().all(|name| self.default_of(name).is_some() || given(name).is_some())
            && self.defaults.iter().all(|(name, value)| given(name).is_none_or(|given| given == value))
    }

    /// True if this rule is the default form of the other.
    pub(super) fn provides_defaults_for(&self, other: &Rule) -> bool {
        !self.build_only
            && !self.defaults.is_empty()
            && self.endpoint == other.endpoint
            && self.trace != other.trace
            && self.arguments == other.arguments
    }

    /// The order in which `build` tries the rules of an endpoint.
    pub(super) fn build_key(&self) -> (bool, std::cmp::Reverse<usize>, std::cmp::Reverse<usize>) {
        (self.alias, std::cmp::Reverse(self.arguments.len()), std::cmp::Reverse(self.defaults.len()))
    }
}

fn merge_all(piece: Piece) -> Piece {
    match piece {
        Piece::Text(text) => {
            let merged: String = split_slashes(&text, true)
                .map(|part| if part.starts_with('/') { "/" } else { part })
                .collect();
            Piece::Text(merged)
        }
        variable @ Piece::Variable(_) => variable,
    }
}

/// Splits text into slashes and what is between them; a run of slashes is one part if `joined`, else one part per slash.
pub(super) fn split_slashes(text: &str, joined: bool) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let is_slash = first == '/';
        let end =
            if is_slash && !joined { 1 } else { rest.find(|c| (c == '/') != is_slash).unwrap_or(rest.len()) };
        let (part, after) = rest.split_at(end);
        rest = after;
        Some(part)
    })
}

#[cfg(test)]
mod tests {
    use super::split_slashes;

    #[test]
    fn splits_at_slashes() {
        assert_eq!(split_slashes("/a//b", true).collect::<Vec<_>>(), ["/", "a", "//", "b"]);
        assert_eq!(split_slashes("//b/", false).collect::<Vec<_>>(), ["/", "/", "b", "/"]);
    }
}
