//! `find`: from a request to the endpoint that Flask would have chosen.
//!
//! Source: `MapAdapter.match`, `get_default_redirect`, `make_alias_redirect_url`, and `Rule.match` of werkzeug/routing.py
//! 1.0.1; `StateMachineMatcher.match` of werkzeug/routing/matcher.py 2.3.8 and 3.1. Both algorithms end in `conclude`.
//! Redirects differ: up to 2.1 they belong to a rule and happen while rules are tried (a rule that a converter refuses is
//! skipped); from 2.2 on the whole machine is asked once, then again with merged slashes, and a refused value is 404.

use std::borrow::Cow;

use super::adapter::{Adapter, BadHost};
use super::bind::{merge_slashes, placeholder};
use super::build::UrlFor;
use super::converter::Verdict;
use super::decode::path_info;
use super::join::url_join;
use super::machine::{Found, Search, StateMachine};
use super::matched::{Match, Matched, Redirect, variable_text};
use super::method::MethodSet;
use super::rule::Rule;
use super::sorted::SortedMatcher;
use super::spans::Spans;
use super::value::Value;
use super::{Map, Matcher};
use crate::Profile;

/// A request, as far as routing sees it.
#[derive(Debug, Clone, Copy)]
pub struct Request<'p> {
    /// The Host header.
    pub host: &'p str,
    /// The method.
    pub method: &'p str,
    /// The path as sent: percent-encoded, without query.
    pub path: &'p str,
    /// The query string as sent; redirects keep it.
    pub query: &'p str,
    /// `http`, `https`, `ws` or `wss`. Werkzeug 1.0 knows WebSockets only from a server that says so.
    pub scheme: &'p str,
    /// `SCRIPT_NAME`.
    pub script_name: &'p str,
}

impl<'p> Request<'p> {
    /// A plain HTTP request to the root application.
    #[must_use]
    pub fn new(host: &'p str, method: &'p str, path: &'p str) -> Self {
        Request { host, method, path, query: "", scheme: "http", script_name: "/" }
    }
}

/// A request in the course of being matched.
struct Course<'m, 'p> {
    map: &'m Map,
    adapter: Adapter<'p>,
    request: Request<'p>,
    domain: Cow<'p, str>,
    path: Cow<'p, str>,
    method: Option<u32>,
    websocket: bool,
}

impl Map {
    /// The rule that Flask would have chosen for an HTTP request; `path` as sent, without query.
    #[must_use]
    pub fn find<'m, 'p>(&'m self, host: &'p str, method: &'p str, path: &'p str) -> Match<'m, 'p>
    where
        'm: 'p,
    {
        self.find_request(&Request::new(host, method, path))
    }

    /// The same with query, scheme and script name, which redirects and WebSocket rules need.
    #[must_use]
    pub fn find_request<'m, 'p>(&'m self, request: &Request<'p>) -> Match<'m, 'p>
    where
        'm: 'p,
    {
        let adapter = match Adapter::new(&self.options, request.host, request.scheme, request.script_name) {
            Ok(adapter) => adapter,
            Err(BadHost) => return Match::BadHost,
        };
        let course = Course {
            map: self,
            domain: adapter.domain(),
            websocket: adapter.is_websocket(),
            adapter,
            request: *request,
            path: path_info(request.path),
            method: self.methods.bit(request.method),
        };
        match &self.matcher {
            Matcher::Sorted(matcher) => course.sorted(matcher),
            Matcher::Machine(machine) => course.machine(machine),
        }
    }

    /// Methods of all rules that fit the path, as `MapAdapter.allowed_methods`.
    #[must_use]
    pub fn allowed_methods(&self, host: &str, path: &str) -> Vec<&str> {
        match self.find(host, "--", path) {
            Match::MethodNotAllowed { allow } => allow,
            _ => Vec::new(),
        }
    }
}

impl<'m, 'p> Course<'m, 'p> {
    /// Werkzeug up to 2.1.
    fn sorted(self, matcher: &SortedMatcher) -> Match<'m, 'p> {
        let (mut allowed, mut websocket_mismatch) = (MethodSet::default(), false);
        let unusual = self.path.contains("//") || self.path.ends_with('\n') || self.domain.contains('/');
        let mut ranks = matcher.candidates(&self.domain, &self.path);
        for &rank in ranks.sorted() {
            let index = matcher.rule(rank);
            let rule = &self.map.rules[index];
            let mut spans = Spans::default();
            let Some(tail) = matcher.run(rank, rule, (&self.domain, &self.path), &mut spans) else {
                continue;
            };
            match self.judge(rule, &spans) {
                Verdict::Accepted => {}
                Verdict::Refused => continue,
                Verdict::Raises => return too_long(index),
            }
            let slash_missing = rule.strict_slashes && !rule.is_leaf && !tail && rule.allows(self.method);
            let merged = if rule.merge_slashes && (unusual || rule.has_constant_variable()) {
                match self.with_fewer_slashes(rule, &spans, slash_missing) {
                    Ok(merged) => merged,
                    Err(reason) => return Match::ServerError { rule: index, reason },
                }
            } else {
                None
            };
            if let Some(path) = merged.or_else(|| slash_missing.then(|| format!("{}/", self.path))) {
                return self.redirect(&path, Some(index));
            }
            if rule.alias && self.map.options.redirect_defaults {
                return self.alias(index, &spans);
            }
            match rule.methods {
                Some(methods) if !methods.contains(self.method) => allowed.add(methods),
                _ if rule.websocket != self.websocket => websocket_mismatch = true,
                _ => return self.conclude(index, spans),
            }
        }
        self.no_match(allowed, websocket_mismatch)
    }

    /// The path that the rule would have written, if it has fewer slashes than the one that was asked for.
    fn with_fewer_slashes(
        &self,
        rule: &Rule,
        spans: &Spans,
        add_slash: bool,
    ) -> Result<Option<String>, String> {
        let values = self.values(rule, spans);
        let borrowed: Vec<(&str, &Value)> = values.iter().map(|(name, value)| (*name, value)).collect();
        let (domain, path) = self.map.write(rule, &borrowed, false)?;
        let asked = format!("{}|{}{}", self.domain, self.path, if add_slash { "/" } else { "" });
        let mut written = format!("{domain}|{path}");
        if asked.ends_with('/') && !written.ends_with('/') {
            written.push('/');
        }
        let slashes = |text: &str| text.bytes().filter(|&b| b == b'/').count();
        let fewer = slashes(&written) < slashes(&asked);
        Ok(fewer.then(|| written.split_once('|').map_or_else(String::new, |(_, path)| path.to_owned())))
    }

    /// Werkzeug from 2.2 on.
    fn machine(self, machine: &StateMachine) -> Match<'m, 'p> {
        let merged = merge_slashes(&self.path, self.map.options.profile);
        let mut search = Search {
            rules: &self.map.rules,
            domain: &self.domain,
            path: &self.path,
            method: self.method,
            websocket: self.websocket,
            spans: Spans::default(),
            allowed: MethodSet::default(),
            websocket_mismatch: false,
        };
        match machine.search(&mut search) {
            Found::SlashRequired => return self.redirect(&format!("{}/", self.path), None),
            Found::Rule(index) => {
                let Search { spans, allowed, websocket_mismatch, .. } = search;
                return self.found(index, spans, (allowed, websocket_mismatch));
            }
            Found::Nothing => {}
        }
        if self.map.options.merge_slashes && merged != self.path {
            search.path = &merged;
            match machine.search(&mut search) {
                Found::SlashRequired => return self.redirect(&format!("{merged}/"), None),
                Found::Rule(index) if self.merges(index) => return self.redirect(&merged, Some(index)),
                Found::Rule(_) | Found::Nothing => {}
            }
        }
        let (allowed, websocket_mismatch) = (search.allowed, search.websocket_mismatch);
        self.no_match(allowed, websocket_mismatch)
    }

    /// From 3.0 on, a rule that does not merge slashes is not redirected to.
    fn merges(&self, index: usize) -> bool {
        self.map.options.profile < Profile::Werkzeug30 || self.map.rules[index].merge_slashes
    }

    /// The machine's rule: its converters may still refuse.
    fn found(self, index: usize, spans: Spans, (allowed, mismatch): (MethodSet, bool)) -> Match<'m, 'p> {
        let rule = &self.map.rules[index];
        match self.judge(rule, &spans) {
            Verdict::Refused => return self.no_match(allowed, mismatch),
            Verdict::Raises => return too_long(index),
            Verdict::Accepted => {}
        }
        if rule.alias && self.map.options.redirect_defaults {
            return self.alias(index, &spans);
        }
        self.conclude(index, spans)
    }

    /// `to_python` of all variables in order.
    fn judge(&self, rule: &Rule, spans: &Spans) -> Verdict {
        for (number, variable) in rule.variables.iter().enumerate() {
            let text = variable_text(rule, number, (&self.domain, &self.path), spans);
            match variable.converter.judge(text, self.map.options.profile) {
                Verdict::Accepted => {}
                other => return other,
            }
        }
        Verdict::Accepted
    }

    /// Arguments of the view: the variables, overridden and joined by the defaults.
    fn values<'a>(&self, rule: &'a Rule, spans: &Spans) -> Vec<(&'a str, Value)> {
        let mut values: Vec<(&str, Value)> = Vec::new();
        for (number, variable) in rule.variables.iter().enumerate() {
            let text = variable_text(rule, number, (&self.domain, &self.path), spans);
            values.push((variable.name.as_str(), variable.converter.to_python(text)));
        }
        update(&mut values, rule);
        values
    }

    fn no_match(&self, allowed: MethodSet, websocket_mismatch: bool) -> Match<'m, 'p> {
        if !allowed.is_empty() {
            Match::MethodNotAllowed { allow: self.map.methods.names(allowed) }
        } else if websocket_mismatch {
            Match::WebsocketMismatch
        } else {
            Match::NotFound
        }
    }

    fn redirect(&self, path: &str, rule: Option<usize>) -> Match<'m, 'p> {
        Match::Redirect(Redirect { location: self.adapter.redirect_to_path(path, self.request.query), rule })
    }

    /// An alias redirects to the URL that `build` gives for its endpoint.
    fn alias(&self, index: usize, spans: &Spans) -> Match<'m, 'p> {
        let rule = &self.map.rules[index];
        let values = self.values(rule, spans);
        let borrowed: Vec<(&str, &Value)> = values.iter().map(|(name, value)| (*name, value)).collect();
        let method = self.request.method.to_uppercase();
        let to = UrlFor { method: Some(&method), external: true, append_unknown: false, ..UrlFor::default() };
        match self.map.build_bound(&self.adapter, &rule.endpoint, &borrowed, &to) {
            Err(error) => Match::ServerError { rule: index, reason: error.to_string() },
            Ok(mut location) => {
                if !self.request.query.is_empty() {
                    location.push('?');
                    location.push_str(self.request.query);
                }
                Match::Redirect(Redirect { location, rule: Some(index) })
            }
        }
    }

    /// The rule is chosen: it answers, unless its defaults or its `redirect_to` redirect.
    fn conclude(self, index: usize, spans: Spans) -> Match<'m, 'p> {
        let rule = &self.map.rules[index];
        let redirect = match self.default_redirect(index, &spans) {
            Ok(None) => self.redirect_to(rule, &spans),
            other => other,
        };
        match redirect {
            Ok(None) => {
                Match::Rule(Matched { map: self.map, index, domain: self.domain, path: self.path, spans })
            }
            Ok(Some(location)) => Match::Redirect(Redirect { location, rule: Some(index) }),
            Err(reason) => Match::ServerError { rule: index, reason },
        }
    }

    fn default_redirect(&self, index: usize, spans: &Spans) -> Result<Option<String>, String> {
        let preferred = &self.map.default_forms[index];
        if preferred.is_empty() || !self.map.options.redirect_defaults {
            return Ok(None);
        }
        let mut values = self.values(&self.map.rules[index], spans);
        for other in preferred.iter().map(|&other| &self.map.rules[other]) {
            let borrowed: Vec<(&str, &Value)> = values.iter().map(|(name, value)| (*name, value)).collect();
            if other.suitable_for(&borrowed, Some(self.method)) {
                update(&mut values, other);
                let borrowed: Vec<(&str, &Value)> =
                    values.iter().map(|(name, value)| (*name, value)).collect();
                let (domain, path) = self.map.write(other, &borrowed, true)?;
                return Ok(Some(self.adapter.redirect_url(&path, self.request.query, Some(&domain))));
            }
        }
        Ok(None)
    }

    fn redirect_to(&self, rule: &Rule, spans: &Spans) -> Result<Option<String>, String> {
        let Some(target) = rule.redirect_to.as_deref() else { return Ok(None) };
        let values = self.values(rule, spans);
        let (mut url, mut at) = (String::new(), 0);
        while let Some((open, close)) = placeholder(target, at) {
            let name = &target[open + 1..close - 1];
            let variable = rule.variables.iter().find(|variable| variable.name == name);
            let value = values.iter().find(|(known, _)| *known == name);
            let (Some(variable), Some((_, value))) = (variable, value) else {
                return Err(format!("the rule has no variable `{name}`"));
            };
            url.push_str(&target[at..open]);
            url.push_str(&variable.converter.to_url(value, self.map.options.profile)?);
            at = close;
        }
        url.push_str(&target[at..]);
        url_join(&self.adapter.root_url(), &url, self.map.options.profile).map(Some)
    }
}

/// `values.update(rule.defaults)`.
fn update<'a>(values: &mut Vec<(&'a str, Value)>, rule: &'a Rule) {
    for (name, value) in &rule.defaults {
        match values.iter_mut().find(|(known, _)| known == name) {
            Some(entry) => entry.1 = value.clone(),
            None => values.push((name, value.clone())),
        }
    }
}

fn too_long<'m, 'p>(rule: usize) -> Match<'m, 'p> {
    Match::ServerError { rule, reason: "an integer of more than 4300 digits".to_owned() }
}
