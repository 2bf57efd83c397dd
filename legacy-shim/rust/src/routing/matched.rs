//! What `Map::find` answers: the rule with its arguments, a redirect, or why there is none.

use std::borrow::Cow;

use super::Map;
use super::rule::Rule;
use super::spans::Spans;
use super::value::Value;

/// The answer for one request.
#[derive(Debug)]
pub enum Match<'m, 'p> {
    /// This rule's endpoint answers.
    Rule(Matched<'m, 'p>),
    /// Werkzeug redirects, status 308.
    Redirect(Redirect),
    /// Rules fit the path but none takes the method, status 405.
    MethodNotAllowed {
        /// Methods of all rules that fit, sorted. Flask lists them in arbitrary order.
        allow: Vec<&'m str>,
    },
    /// A WebSocket request for an HTTP rule or the reverse, status 400.
    WebsocketMismatch,
    /// No rule fits, status 404.
    NotFound,
    /// The host cannot be bound, status 400.
    BadHost,
    /// Werkzeug itself raises an exception that is no HTTP answer: Flask answers 500.
    ServerError {
        /// Index of the rule.
        rule: usize,
        /// What goes wrong.
        reason: String,
    },
}

/// A redirect that the map asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redirect {
    /// The absolute URL, `RequestRedirect.new_url`.
    pub location: String,
    /// Index of the rule that redirects, where Werkzeug knows it.
    pub rule: Option<usize>,
}

/// A rule that answers, with the arguments for its view.
#[derive(Debug, Clone)]
pub struct Matched<'m, 'p> {
    pub(super) map: &'m Map,
    pub(super) index: usize,
    pub(super) domain: Cow<'p, str>,
    pub(super) path: Cow<'p, str>,
    pub(super) spans: Spans,
}

/// One argument of the view.
#[derive(Debug, Clone, Copy)]
pub struct Arg<'a> {
    source: Source<'a>,
}

#[derive(Debug, Clone, Copy)]
enum Source<'a> {
    Url { text: &'a str, rule: &'a Rule, variable: usize },
    Default(&'a Value),
}

impl<'m> Matched<'m, '_> {
    /// Index of the `RuleSpec`.
    #[must_use]
    pub fn index(&self) -> usize {
        self.index
    }

    /// The Flask endpoint.
    #[must_use]
    pub fn endpoint(&self) -> &'m str {
        &self.map.rules[self.index].endpoint
    }

    /// Whether Flask answers OPTIONS here by itself, without the view.
    #[must_use]
    pub fn automatic_options(&self) -> bool {
        self.map.rules[self.index].automatic_options
    }

    /// The argument of this name: a default of the rule, else the text from the URL.
    #[must_use]
    pub fn arg(&self, name: &str) -> Option<Arg<'_>> {
        let rule = &self.map.rules[self.index];
        if let Some(value) = rule.default_of(name) {
            return Some(Arg { source: Source::Default(value) });
        }
        let variable = rule.variables.iter().position(|variable| variable.name == name)?;
        Some(self.variable(rule, variable))
    }

    /// All arguments: variables in the order of the rule, then other defaults.
    pub fn args(&self) -> impl Iterator<Item = (&str, Arg<'_>)> {
        let rule = &self.map.rules[self.index];
        let variables = rule.variables.iter().enumerate().map(move |(number, variable)| {
            let default = rule.default_of(&variable.name).map(|value| Arg { source: Source::Default(value) });
            (variable.name.as_str(), default.unwrap_or_else(|| self.variable(rule, number)))
        });
        let others =
            rule.defaults.iter().filter(|(name, _)| rule.variables.iter().all(|known| known.name != *name));
        variables.chain(others.map(|(name, value)| (name.as_str(), Arg { source: Source::Default(value) })))
    }

    fn variable<'a>(&'a self, rule: &'a Rule, variable: usize) -> Arg<'a> {
        let text = variable_text(rule, variable, (&self.domain, &self.path), &self.spans);
        Arg { source: Source::Url { text, rule, variable } }
    }
}

/// The text of a variable: the first ones lie in the domain.
pub(super) fn variable_text<'t>(
    rule: &Rule,
    variable: usize,
    (domain, path): (&'t str, &'t str),
    spans: &Spans,
) -> &'t str {
    spans.text(variable, if variable < rule.domain_variables { domain } else { path })
}

impl<'a> Arg<'a> {
    /// The decoded text from the URL, or the text of the default.
    #[must_use]
    pub fn text(&self) -> Cow<'a, str> {
        match self.source {
            Source::Url { text, .. } => Cow::Borrowed(text),
            Source::Default(Value::Str(text)) => Cow::Borrowed(text),
            Source::Default(value) => Cow::Owned(value.to_text().unwrap_or_default()),
        }
    }

    /// The value that the view gets.
    #[must_use]
    pub fn value(&self) -> Value {
        match self.source {
            Source::Url { text, rule, variable } => rule.variables[variable].converter.to_python(text),
            Source::Default(value) => value.clone(),
        }
    }

    /// The value as an integer, if it is one that fits.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        match self.value() {
            Value::Int(value) => value.to_i64(),
            _ => None,
        }
    }

    /// The value as a float, if it is one.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        match self.value() {
            Value::Float(value) => Some(value),
            _ => None,
        }
    }
}
