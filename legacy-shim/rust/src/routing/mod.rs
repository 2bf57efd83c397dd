//! Werkzeug's router: which endpoint Flask would have chosen for a request, and the URL of an endpoint.
//!
//! A [`Map`] is made once from [`RuleSpec`]s, checks them all, and is immutable: share it, look up with [`Map::find`] (no
//! allocation in the common case), write URLs with [`Map::build`].
//!
//! Two algorithms, chosen by the profile, because they choose different endpoints in known cases:
//! - `sorted`: Werkzeug up to 2.1. One sorted list of regular expressions.
//! - `machine`: Werkzeug from 2.2 on. A state machine over the parts between slashes.
//!
//! The way of a rule: `parse` (text to tokens), `factory` (arguments to converters), `bind` (all checks), `rule`, then one
//! of the two matchers over `pattern`. The way of a request: `adapter` (host), `decode` (path), `find` (matcher, redirects),
//! `matched` (answer). `build` is `url_for`.
//!
//! ```
//! use flask_compat::Profile;
//! use flask_compat::routing::{Map, MapOptions, Match, RuleSpec, UrlFor};
//!
//! let rules = [RuleSpec::new("/customers/<int:customer_id>", "customers.detail").methods(["GET"]).automatic_options()];
//! let map = Map::new(MapOptions::new(Profile::Werkzeug10), &rules).expect("the rules are good");
//! let Match::Rule(matched) = map.find("crm.example.com", "HEAD", "/customers/%34%37") else { panic!("no rule fits") };
//! assert_eq!(matched.endpoint(), "customers.detail");
//! assert_eq!(matched.arg("customer_id").and_then(|arg| arg.as_i64()), Some(47));
//! let url = map.build("customers.detail", &[("customer_id", 47.into()), ("tab", "notes".into())], &UrlFor::default());
//! assert_eq!(url.as_deref(), Ok("/customers/47?tab=notes"));
//! ```
//!
//! A lookup in a map of 1,000 rules takes a fraction of a microsecond and depends on the rules that could fit, not on how
//! many there are: `cargo run --release -p flask-compat --example bench_routing` prints the numbers.
//!
//! Checked against the real Werkzeug 1.0.1, 2.3.8 and 3.1: see `tests/routing/main.rs`.

mod adapter;
mod arguments;
mod bind;
mod build;
mod converter;
mod decode;
mod error;
mod factory;
mod find;
mod fnv;
mod foreign;
mod index;
mod join;
mod machine;
mod matched;
mod method;
pub(crate) mod number;
mod parse;
mod pattern;
mod quote;
mod rule;
mod sorted;
mod spans;
mod spec;
mod value;

pub use build::{BuildError, UrlFor};
pub use error::{RuleError, RuleField};
pub use find::Request;
pub use matched::{Arg, Match, Matched, Redirect};
pub use number::Integer;
pub use spec::{ConverterSpec, MapOptions, RuleSpec};
pub use value::Value;

use crate::Profile;
use fnv::FnvMap;
use machine::StateMachine;
use method::MethodNames;
use rule::Rule;
use sorted::SortedMatcher;

/// The value of a decimal digit of any script, for other readers of Python's numbers.
#[cfg(feature = "templates")]
pub(crate) fn decimal_digit(c: char) -> Option<u8> {
    number::digit_value(c)
}

/// `int(text)`, for other readers of Python's numbers.
#[cfg(feature = "templates")]
pub(crate) fn parse_integer(text: &str) -> Option<Integer> {
    Integer::parse(text).ok()
}

/// A checked, immutable URL map.
#[derive(Debug, Clone)]
pub struct Map {
    options: MapOptions,
    rules: Vec<Rule>,
    methods: MethodNames,
    /// The rules of an endpoint, in the order in which `build` tries them.
    by_endpoint: FnvMap<String, Vec<usize>>,
    /// For each rule, the rules that provide defaults for it.
    default_forms: Vec<Vec<usize>>,
    matcher: Matcher,
}

#[derive(Debug, Clone)]
enum Matcher {
    Sorted(SortedMatcher),
    Machine(StateMachine),
}

impl Map {
    /// Checks all rules and makes the map; the errors are all errors of all rules.
    pub fn new(options: MapOptions, specs: &[RuleSpec]) -> Result<Map, Vec<RuleError>> {
        let (rules, methods) = bind::bind_all(&options, specs)?;
        let mut by_endpoint: FnvMap<String, Vec<usize>> = FnvMap::default();
        for (index, rule) in rules.iter().enumerate() {
            by_endpoint.entry(rule.endpoint.clone()).or_default().push(index);
        }
        let mut default_forms = vec![Vec::new(); rules.len()];
        for indices in by_endpoint.values_mut() {
            indices.sort_by_key(|&index| rules[index].build_key());
            for (position, &index) in indices.iter().enumerate() {
                let before = indices[..position].iter().copied();
                default_forms[index] =
                    before.filter(|&other| rules[other].provides_defaults_for(&rules[index])).collect();
            }
        }
        let matcher = match options.profile {
            Profile::Werkzeug10 => Matcher::Sorted(SortedMatcher::new(&rules)),
            profile => Matcher::Machine(StateMachine::new(&rules, profile)),
        };
        Ok(Map { options, rules, methods, by_endpoint, default_forms, matcher })
    }

    /// The options the map was made with.
    #[must_use]
    pub fn options(&self) -> &MapOptions {
        &self.options
    }

    /// Number of rules.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// True without rules.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    fn rules_of(&self, endpoint: &str) -> &[usize] {
        self.by_endpoint.get(endpoint).map_or(&[], Vec::as_slice)
    }
}
