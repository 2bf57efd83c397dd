//! From specs to bound rules: parses, makes converters, checks what Werkzeug's `Rule` and `Map` would refuse, and collects
//! every fault instead of stopping at the first.

use std::borrow::Cow;

use super::error::{Fault, RuleError, RuleField};
use super::factory::Factory;
use super::method::{MethodNames, MethodSet};
use super::parse::{Token, parse};
use super::rule::{Piece, Rule, Tokens, Variable};
use super::spec::{MapOptions, RuleSpec};
use crate::Profile;

/// Binds all specs; the names of methods are numbered on the way.
pub(super) fn bind_all(
    options: &MapOptions,
    specs: &[RuleSpec],
) -> Result<(Vec<Rule>, MethodNames), Vec<RuleError>> {
    let mut names = MethodNames::default();
    let (mut rules, mut errors) = (Vec::new(), Vec::new());
    for (index, spec) in specs.iter().enumerate() {
        let mut binder = Binder { options, spec, names: &mut names, faults: Vec::new() };
        if let Some(rule) = binder.bind() {
            rules.push(rule);
        }
        errors.extend(binder.faults.into_iter().map(|(field, fault)| fault.at(index, field)));
    }
    if errors.is_empty() { Ok((rules, names)) } else { Err(errors) }
}

struct Binder<'a> {
    options: &'a MapOptions,
    spec: &'a RuleSpec,
    names: &'a mut MethodNames,
    faults: Vec<(RuleField, Fault)>,
}

impl Binder<'_> {
    fn bind(&mut self) -> Option<Rule> {
        let (options, spec) = (self.options, self.spec);
        let mut variables = Vec::new();
        let domain = if options.host_matching {
            spec.host.as_deref().unwrap_or("")
        } else {
            spec.subdomain.as_deref().unwrap_or(&options.default_subdomain)
        };
        let domain = self.pieces(domain, RuleField::Domain, &mut variables);
        let domain_variables = variables.len();
        self.check_start();
        let path = self.path_pieces(&mut variables);
        let methods = self.methods();
        self.check_redirect(&variables);
        if !self.faults.is_empty() {
            return None;
        }
        let tokens = Tokens { domain, path, variables, domain_variables, methods };
        match Rule::new(spec, tokens, options.profile, (options.strict_slashes, options.merge_slashes)) {
            Ok(rule) => Some(rule),
            Err(bad) => {
                let message =
                    format!("the default of `{}` does not fit its converter: {}", bad.name, bad.reason);
                self.fault(RuleField::Defaults, Fault::new(0..0, message));
                None
            }
        }
    }

    fn fault(&mut self, field: RuleField, fault: Fault) {
        self.faults.push((field, fault));
    }

    fn check_start(&mut self) {
        let rule = &self.spec.rule;
        if !rule.starts_with('/') {
            let end = rule.chars().next().map_or(0, char::len_utf8);
            let fault = Fault::new(0..end, format!("rule `{rule}` must start with a slash"));
            self.fault(RuleField::Rule, fault.hint(format!("did you mean `/{rule}`")));
        }
    }

    /// The path: up to 2.1 trailing slashes are cut and matched apart, from 2.2 on slashes are merged before parsing.
    fn path_pieces(&mut self, variables: &mut Vec<Variable>) -> Vec<Piece> {
        let rule = self.spec.rule.as_str();
        let merge = self.spec.merge_slashes.unwrap_or(self.options.merge_slashes);
        let text = match self.options.profile {
            Profile::Werkzeug10 if rule.ends_with('/') => Cow::Borrowed(rule.trim_end_matches('/')),
            Profile::Werkzeug10 => Cow::Borrowed(rule),
            profile if merge => merge_slashes(rule, profile),
            _ => Cow::Borrowed(rule),
        };
        self.pieces(&text, RuleField::Rule, variables)
    }

    fn pieces(&mut self, text: &str, field: RuleField, variables: &mut Vec<Variable>) -> Vec<Piece> {
        let factory = Factory {
            profile: self.options.profile,
            rule: &self.spec.converters,
            map: &self.options.converters,
        };
        let (tokens, faults) = parse(text, self.options.profile);
        self.faults.extend(faults.into_iter().map(|fault| (field, fault)));
        let mut pieces = Vec::new();
        for token in tokens {
            match token {
                Token::Static(text) => pieces.push(Piece::Text(text)),
                Token::Variable(token) => {
                    let span = token.span.clone();
                    if variables.iter().any(|variable| variable.name == token.name) {
                        self.fault(
                            field,
                            Fault::new(span, format!("variable `{}` is used twice", token.name)),
                        );
                        continue;
                    }
                    match factory.make(&token) {
                        Err(fault) => self.fault(field, fault),
                        Ok(converter) => {
                            pieces.push(Piece::Variable(variables.len()));
                            variables.push(Variable { name: token.name, converter });
                        }
                    }
                }
            }
        }
        pieces
    }

    /// The set of methods; HEAD joins GET.
    fn methods(&mut self) -> Option<MethodSet> {
        let methods = self.spec.methods.as_ref()?;
        let mut set = MethodSet::default();
        for method in methods {
            if self.spec.websocket && !matches!(method.to_uppercase().as_str(), "GET" | "HEAD" | "OPTIONS") {
                let message = format!("a websocket rule takes GET, HEAD and OPTIONS only, not `{method}`");
                self.fault(RuleField::Methods, Fault::new(0..0, message));
            }
            match self.names.intern(method) {
                Some(bit) => set.insert(bit),
                None => self.fault(
                    RuleField::Methods,
                    Fault::new(
                        0..0,
                        format!("method `{method}` is one too many, a map holds 128 different methods"),
                    ),
                ),
            }
        }
        if set.contains(self.names.bit("GET"))
            && let Some(head) = self.names.intern("HEAD")
        {
            set.insert(head);
        }
        Some(set)
    }

    /// The variables of `redirect_to` must be the rule's; Werkzeug finds out at the first request.
    fn check_redirect(&mut self, variables: &[Variable]) {
        let Some(target) = self.spec.redirect_to.as_deref() else { return };
        let mut at = 0;
        while let Some((open, close)) = placeholder(target, at) {
            let name = &target[open + 1..close - 1];
            if !variables.iter().any(|variable| variable.name == name) {
                let message = format!("redirect target `{target}`: the rule has no variable `{name}`");
                self.fault(RuleField::RedirectTo, Fault::new(open..close, message));
            }
            at = close;
        }
    }
}

/// The next `<name>` of a redirect target: `<([^>]+)>`.
pub(super) fn placeholder(target: &str, from: usize) -> Option<(usize, usize)> {
    let mut at = from;
    loop {
        let open = at + target[at..].find('<')?;
        let close = open + 1 + target[open + 1..].find('>')?;
        if close > open + 1 {
            return Some((open, close + 1));
        }
        at = open + 1;
    }
}

/// Merges slashes as `re.sub` does: 2.3 and 3.0 take them two by two (`///` becomes `//`), 3.1 all at once.
pub(super) fn merge_slashes(text: &str, profile: Profile) -> Cow<'_, str> {
    if !text.contains("//") {
        return Cow::Borrowed(text);
    }
    if matches!(profile, Profile::Werkzeug23 | Profile::Werkzeug30) {
        return Cow::Owned(text.replace("//", "/"));
    }
    let mut merged = String::with_capacity(text.len());
    for c in text.chars() {
        if c != '/' || !merged.ends_with('/') {
            merged.push(c);
        }
    }
    Cow::Owned(merged)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merges_like_each_version() {
        assert_eq!(merge_slashes("/a///b//", Profile::Werkzeug23), "/a//b/");
        assert_eq!(merge_slashes("/a///b//", Profile::Werkzeug31), "/a/b/");
    }

    #[test]
    fn finds_placeholders() {
        assert_eq!(placeholder("a/<b>/<>", 0), Some((2, 5)));
        assert_eq!(placeholder("a/<b>/<>", 5), None);
    }
}
