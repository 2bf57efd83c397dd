//! From a variable as written to its converter: the constructors of Werkzeug's converter classes, with everything they
//! would raise (and what would raise later, at the first request) as a fault.
//!
//! Source: the `__init__` methods in werkzeug/routing.py 1.0.1 and werkzeug/routing/converters.py 2.3.8 and 3.1.

use std::collections::BTreeMap;

use super::arguments::{Arguments, parse_arguments};
use super::converter::{Converter, Kind, Limits, Shape};
use super::error::{Fault, nearest};
use super::foreign::Foreign;
use super::number::Integer;
use super::parse::VariableToken;
use super::spec::ConverterSpec;
use super::value::Value;
use crate::Profile;

const BUILT_IN: [&str; 7] = ["default", "string", "int", "float", "path", "any", "uuid"];

/// Names that people write for Werkzeug's converters.
const OTHER_NAMES: [(&str, &str); 8] = [
    ("integer", "int"),
    ("number", "int"),
    ("str", "string"),
    ("text", "string"),
    ("slug", "string"),
    ("decimal", "float"),
    ("guid", "uuid"),
    ("filename", "path"),
];

/// Largest repeat count that is taken; the point is to refuse nonsense.
const MAX_LENGTH: i64 = 100_000;

/// Makes converters for one rule: first the rule's own, then the map's, then Werkzeug's.
pub(super) struct Factory<'a> {
    pub(super) profile: Profile,
    pub(super) rule: &'a BTreeMap<String, ConverterSpec>,
    pub(super) map: &'a BTreeMap<String, ConverterSpec>,
}

impl Factory<'_> {
    /// The converter of a variable.
    pub(super) fn make(&self, token: &VariableToken) -> Result<Converter, Fault> {
        let name = token.converter.as_ref().map_or("default", |(name, _)| name.as_str());
        let span = token.converter.as_ref().map_or(token.span.clone(), |(_, span)| span.clone());
        if let Some(spec) = self.rule.get(name).or_else(|| self.map.get(name)) {
            return custom(name, spec).map_err(|message| Fault::new(span, message));
        }
        if !BUILT_IN.contains(&name) {
            return Err(self.unknown(name, token));
        }
        let (text, span) = token.arguments.clone().unwrap_or((String::new(), span));
        let fault = |message: String| Fault::new(span.clone(), message);
        let arguments = parse_arguments(self.profile, &text).map_err(|bad| {
            fault(format!("cannot read `{}` in the arguments of `{name}`", bad.trim_end_matches(',')))
        })?;
        self.built_in(name, &arguments).map_err(|message| fault(format!("converter `{name}`: {message}")))
    }

    fn unknown(&self, name: &str, token: &VariableToken) -> Fault {
        let span = token.converter.as_ref().map_or(token.span.clone(), |(_, span)| span.clone());
        let fault = Fault::new(span, format!("unknown converter `{name}`"));
        let known = BUILT_IN.into_iter().chain(self.rule.keys().chain(self.map.keys()).map(String::as_str));
        let other = OTHER_NAMES.iter().find(|(other, _)| *other == name).map(|&(_, meant)| meant);
        match other.or_else(|| nearest(name, known)) {
            Some(meant) => fault.hint(format!("did you mean `<{meant}:{}>`", token.name)),
            None => fault.hint(format!(
                "give its regular expression: `converters.{name}`, or leave the route on the legacy backend"
            )),
        }
    }

    fn built_in(&self, name: &str, arguments: &Arguments) -> Result<Converter, String> {
        let simple = |shape, kind, weight| Converter { shape, kind, weight, part_isolating: true };
        match name {
            "int" => {
                let limits = limits(arguments, &["fixed_digits", "min", "max", "signed"])?;
                Ok(simple(Shape::Digits { signed: limits.1 }, Kind::Int(limits.0), 50))
            }
            "float" => {
                let limits = limits(arguments, &["min", "max", "signed"])?;
                Ok(simple(Shape::Decimal { signed: limits.1 }, Kind::Float(limits.0), 50))
            }
            "any" => Ok(simple(Shape::OneOf(items(arguments)?), Kind::Any, 100)),
            "path" => {
                self.no_arguments(arguments)?;
                Ok(Converter { shape: Shape::Path, kind: Kind::Text, weight: 200, part_isolating: false })
            }
            "uuid" => {
                self.no_arguments(arguments)?;
                Ok(simple(Shape::Uuid, Kind::Uuid, 100))
            }
            _ => Ok(simple(segment(arguments)?, Kind::Text, 100)),
        }
    }

    /// From 2.0 on the base class takes and ignores any arguments.
    fn no_arguments(&self, arguments: &Arguments) -> Result<(), String> {
        let none = arguments.positional.is_empty() && arguments.named.is_empty();
        if none || self.profile != Profile::Werkzeug10 {
            Ok(())
        } else {
            Err("takes no arguments".to_owned())
        }
    }
}

/// Python's call: values by parameter name.
fn bind<'a>(
    arguments: &'a Arguments,
    parameters: &[&'a str],
) -> Result<BTreeMap<&'a str, &'a Value>, String> {
    if arguments.positional.len() > parameters.len() {
        return Err(format!("takes at most {} arguments", parameters.len()));
    }
    let mut bound: BTreeMap<&str, &Value> =
        parameters.iter().copied().zip(arguments.positional.iter()).collect();
    for (name, value) in &arguments.named {
        if !parameters.contains(&name.as_str()) {
            return Err(format!("unknown argument `{name}`, known are {}", parameters.join(", ")));
        }
        if bound.insert(name, value).is_some() {
            return Err(format!("argument `{name}` is given twice"));
        }
    }
    Ok(bound)
}

fn limits(arguments: &Arguments, parameters: &[&str]) -> Result<(Limits, bool), String> {
    let bound = bind(arguments, parameters)?;
    let number = |name: &str| match bound.get(name) {
        None | Some(Value::None) => Ok(None),
        Some(value @ (Value::Int(_) | Value::Float(_) | Value::Bool(_))) => Ok(Some((*value).clone())),
        Some(other) => {
            Err(format!("`{name}` must be a number, not `{}`", other.to_text().unwrap_or_default()))
        }
    };
    let fixed_digits = match bound.get("fixed_digits") {
        Some(value @ Value::Int(_)) => length("fixed_digits", value)?,
        // Anything else cannot be written into a URL by 1.0 or never fits.
        Some(value) if value.is_true() => {
            return Err(format!(
                "`fixed_digits` must be a length, not `{}`",
                value.to_text().unwrap_or_default()
            ));
        }
        _ => 0,
    };
    let signed = bound.get("signed").is_some_and(|value| value.is_true());
    Ok((Limits { fixed_digits, min: number("min")?, max: number("max")? }, signed))
}

fn items(arguments: &Arguments) -> Result<Vec<String>, String> {
    if let Some((name, _)) = arguments.named.first() {
        return Err(format!("unknown argument `{name}`, items are given without a name"));
    }
    let text = |value: &Value| match value {
        Value::Str(text) => Ok(text.clone()),
        other => {
            let shown = other.to_text().unwrap_or_default();
            Err(format!("item `{shown}` is no text, write it in quotes: `\"{shown}\"`"))
        }
    };
    arguments.positional.iter().map(text).collect()
}

fn segment(arguments: &Arguments) -> Result<Shape, String> {
    let bound = bind(arguments, &["minlength", "maxlength", "length"])?;
    let given = |name: &str| match bound.get(name) {
        None | Some(Value::None) => Ok(None),
        Some(value) => length(name, value).map(Some),
    };
    if let Some(exact) = given("length")? {
        return Ok(Shape::Segment { min: exact, max: Some(exact), exact: true });
    }
    if matches!(bound.get("minlength"), Some(Value::None)) {
        return Err("`minlength` must be a number, not `None`".to_owned());
    }
    let (min, max) = (given("minlength")?.unwrap_or(1), given("maxlength")?);
    match max {
        Some(max) if max < min => Err(format!("`maxlength` {max} is below `minlength` {min}")),
        _ => Ok(Shape::Segment { min, max, exact: false }),
    }
}

/// `int(value)`, which must be a sensible length.
fn length(name: &str, value: &Value) -> Result<usize, String> {
    let number = match value {
        Value::Str(text) => Integer::parse(text).ok(),
        Value::Float(value) => Integer::from_float(*value),
        other => other.as_integer(),
    };
    number
        .and_then(|number| number.to_i64())
        .filter(|number| (0..=MAX_LENGTH).contains(number))
        .and_then(|number| usize::try_from(number).ok())
        .ok_or_else(|| format!("`{name}` must be a length, not `{}`", value.to_text().unwrap_or_default()))
}

fn custom(name: &str, spec: &ConverterSpec) -> Result<Converter, String> {
    let foreign = Foreign::new(&spec.regex).map_err(|reason| {
        format!("the regular expression `{}` of converter `{name}` cannot be used: {reason}", spec.regex)
    })?;
    let part_isolating = spec.part_isolating.unwrap_or(!spec.regex.contains('/'));
    Ok(Converter { shape: Shape::Custom(foreign), kind: Kind::Text, weight: spec.weight, part_isolating })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routing::parse::{Token, parse};

    fn make(rule: &str) -> Result<Converter, Fault> {
        let none = BTreeMap::new();
        let (tokens, _) = parse(rule, Profile::Werkzeug10);
        let Some(Token::Variable(token)) = tokens.last() else { panic!("{tokens:?}") };
        Factory { profile: Profile::Werkzeug10, rule: &none, map: &none }.make(token)
    }

    fn error(rule: &str) -> String {
        let fault = make(rule).expect_err(rule);
        format!("{}: {}; {}", &rule[fault.span], fault.message, fault.suggestion.unwrap_or_default())
    }

    #[test]
    fn unknown_converters_get_advice() {
        assert_eq!(error("/<integer:id>"), "integer: unknown converter `integer`; did you mean `<int:id>`");
        assert_eq!(error("/<itn:id>"), "itn: unknown converter `itn`; did you mean `<int:id>`");
        assert!(error("/<customer_ref:id>").contains("`converters.customer_ref`"));
    }

    #[test]
    fn bad_arguments_are_named() {
        assert!(error("/<any(1, b):x>").contains("write it in quotes: `\"1\"`"));
        assert!(error("/<int(mim=3):x>").contains("unknown argument `mim`"));
        assert!(error("/<string(length=abc):x>").contains("not `abc`"));
        assert!(error("/<path(1):x>").contains("takes no arguments"));
        assert!(error("/<float(fixed_digits=2):x>").contains("unknown argument `fixed_digits`"));
    }

    #[test]
    fn foreign_expressions_must_be_expressible() {
        let spec = ConverterSpec::new("(?=x)y");
        assert!(custom("odd", &spec).unwrap_err().contains("converter `odd` cannot be used: look-around"));
    }
}
