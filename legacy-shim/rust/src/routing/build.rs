//! `url_for`: from an endpoint and values to a URL.
//!
//! Source: `MapAdapter.build`, `_partial_build`, `Rule.build` of Werkzeug 1.0.1, 2.3.8 and 3.1; `url_for` of Flask for the
//! anchor. The rules of an endpoint are tried in the order alias last, more arguments first, more defaults first.
//! Differences: 1.0 writes a lone `?` when all unknown values are empty lists.

use std::borrow::Cow;

use thiserror::Error;

use super::Map;
use super::adapter::Adapter;
use super::error::nearest;
use super::quote::{encode_query, quote_anchor};
use super::rule::{Operation, Rule};
use super::value::Value;
use crate::Profile;

/// The request that a URL is built for, and what `url_for` may be told besides values.
#[derive(Debug, Clone, Copy)]
pub struct UrlFor<'a> {
    /// Host header of the current request, or `SERVER_NAME` outside of one.
    pub host: &'a str,
    /// Scheme of the current request, or `_scheme`.
    pub scheme: &'a str,
    /// `SCRIPT_NAME` of the application.
    pub script_name: &'a str,
    /// Method of the current request: rules for it are preferred.
    pub request_method: &'a str,
    /// `_method`: only rules for this method.
    pub method: Option<&'a str>,
    /// `_external`: scheme and host in any case.
    pub external: bool,
    /// `_anchor`.
    pub anchor: Option<&'a str>,
    /// Values that the rule has no place for become the query string.
    pub append_unknown: bool,
}

impl Default for UrlFor<'_> {
    fn default() -> Self {
        UrlFor {
            host: "",
            scheme: "http",
            script_name: "/",
            request_method: "GET",
            method: None,
            external: false,
            anchor: None,
            append_unknown: true,
        }
    }
}

/// Why there is no URL.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BuildError {
    /// No rule has this endpoint.
    #[error("no rule has the endpoint `{endpoint}`{}", .suggestion.as_ref().map(|s| format!(", did you mean `{s}`")).unwrap_or_default())]
    UnknownEndpoint {
        /// The endpoint asked for.
        endpoint: String,
        /// One that looks like it.
        suggestion: Option<String>,
    },
    /// The endpoint's rules need other values or another method.
    #[error("no rule of the endpoint `{endpoint}` can be written with these values{}", missing_text(.missing))]
    NoRule {
        /// The endpoint asked for.
        endpoint: String,
        /// Variables of the first rule that have no value.
        missing: Vec<String>,
    },
    /// A value that its converter cannot write.
    #[error("cannot build a URL for `{endpoint}`: {reason}")]
    BadValue {
        /// The endpoint asked for.
        endpoint: String,
        /// What is wrong with which value.
        reason: String,
    },
    /// The host of the request cannot be bound.
    #[error("the host `{0}` is not a host name")]
    BadHost(String),
}

fn missing_text(missing: &[String]) -> String {
    if missing.is_empty() { String::new() } else { format!(", missing: {}", missing.join(", ")) }
}

/// Domain, path with query, and the rule.
type Built<'r> = (String, String, &'r Rule);

impl Map {
    /// `url_for(endpoint, **values)`: a path, or a whole URL where the rule is on another host or a WebSocket's.
    pub fn build(
        &self,
        endpoint: &str,
        values: &[(&str, Value)],
        to: &UrlFor<'_>,
    ) -> Result<String, BuildError> {
        let adapter = Adapter::new(&self.options, to.host, to.scheme, to.script_name)
            .map_err(|_| BuildError::BadHost(to.host.to_owned()))?;
        let values: Vec<(&str, &Value)> = values.iter().map(|(name, value)| (*name, value)).collect();
        self.build_bound(&adapter, endpoint, &values, to)
    }

    /// `build` within an adapter, as alias redirects need it.
    pub(super) fn build_bound(
        &self,
        adapter: &Adapter<'_>,
        endpoint: &str,
        values: &[(&str, &Value)],
        to: &UrlFor<'_>,
    ) -> Result<String, BuildError> {
        let values: Vec<(&str, &Value)> =
            values.iter().copied().filter(|(_, value)| !matches!(value, Value::None)).collect();
        let methods: &[Option<&str>] =
            if to.method.is_some() { &[to.method] } else { &[Some(to.request_method), None] };
        for method in methods {
            let method = method.map(|method| self.methods.bit_exact(method));
            if let Some(built) =
                self.first_suitable(adapter, endpoint, &values, (method, to.append_unknown))?
            {
                return Ok(self.assemble(adapter, built, to));
            }
        }
        Err(self.no_rule(endpoint, &values))
    }

    fn first_suitable(
        &self,
        adapter: &Adapter<'_>,
        endpoint: &str,
        values: &[(&str, &Value)],
        (method, append_unknown): (Option<Option<u32>>, bool),
    ) -> Result<Option<Built<'_>>, BuildError> {
        let mut first = None;
        for rule in self.rules_of(endpoint).iter().map(|&index| &self.rules[index]) {
            if !rule.suitable_for(values, method) {
                continue;
            }
            let (domain, path) = self
                .write(rule, values, append_unknown)
                .map_err(|reason| BuildError::BadValue { endpoint: endpoint.to_owned(), reason })?;
            if !adapter.host_matching || domain == adapter.server_name {
                return Ok(Some((domain, path, rule)));
            }
            first.get_or_insert((domain, path, rule));
        }
        Ok(first)
    }

    /// `Rule.build`: domain and path, with the query of the values that the rule does not know.
    pub(super) fn write(
        &self,
        rule: &Rule,
        values: &[(&str, &Value)],
        append_unknown: bool,
    ) -> Result<(String, String), String> {
        let domain = self.write_operations(rule, &rule.domain_operations, values)?;
        let mut path = self.write_operations(rule, &rule.path_operations, values)?;
        let unknown: Vec<(&str, &Value)> =
            values.iter().copied().filter(|(name, _)| !rule.arguments.contains(*name)).collect();
        if append_unknown && !unknown.is_empty() {
            let query = encode_query(&unknown, self.options.profile)?;
            if !query.is_empty() || self.options.profile == Profile::Werkzeug10 {
                path.push('?');
                path.push_str(&query);
            }
        }
        Ok((domain, path))
    }

    fn write_operations(
        &self,
        rule: &Rule,
        operations: &[Operation],
        values: &[(&str, &Value)],
    ) -> Result<String, String> {
        let mut out = String::new();
        for operation in operations {
            let text = match operation {
                Operation::Text(text) => Cow::Borrowed(text.as_str()),
                Operation::Variable(number) => {
                    let variable = &rule.variables[*number];
                    let value = values.iter().find(|(name, _)| *name == variable.name);
                    let (_, value) = value.ok_or_else(|| format!("`{}` has no value", variable.name))?;
                    Cow::Owned(variable.converter.to_url(value, self.options.profile)?)
                }
            };
            out.push_str(&text);
        }
        Ok(out)
    }

    fn assemble(&self, adapter: &Adapter<'_>, (domain, path, rule): Built<'_>, to: &UrlFor<'_>) -> String {
        let host = adapter.host_of(Some(&domain));
        let secure = matches!(adapter.scheme, "https" | "wss");
        let scheme = match (rule.websocket, adapter.scheme.is_empty(), secure) {
            (true, _, true) => "wss:",
            (true, _, false) => "ws:",
            (false, true, _) => "",
            (false, false, true) => "https:",
            (false, false, false) => "http:",
        };
        let here =
            if adapter.host_matching { host == adapter.server_name } else { domain == adapter.subdomain };
        let path = path.trim_start_matches('/');
        let mut url = if here && !to.external && !rule.websocket {
            format!("{}/{path}", adapter.script_name.trim_end_matches('/'))
        } else {
            let script = adapter.script_name.strip_suffix('/').unwrap_or("");
            format!("{scheme}//{host}{script}/{path}")
        };
        if let Some(anchor) = to.anchor {
            url.push('#');
            url.push_str(&quote_anchor(anchor, self.options.profile));
        }
        url
    }

    fn no_rule(&self, endpoint: &str, values: &[(&str, &Value)]) -> BuildError {
        let endpoint = endpoint.to_owned();
        let Some(rule) = self.rules_of(&endpoint).first().map(|&index| &self.rules[index]) else {
            let known = self.rules.iter().map(|rule| rule.endpoint.as_str());
            let suggestion = nearest(&endpoint, known).map(str::to_owned);
            return BuildError::UnknownEndpoint { endpoint, suggestion };
        };
        let missing =
            |name: &&String| rule.default_of(name).is_none() && values.iter().all(|(given, _)| given != name);
        BuildError::NoRule { missing: rule.arguments.iter().filter(missing).cloned().collect(), endpoint }
    }
}
