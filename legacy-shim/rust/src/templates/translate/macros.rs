//! Macros that take more than they name, or whose defaults say more than a value: the arguments are handed over by
//! [`crate::templates::objects::Macro`], the defaults become assignments in the body, where they see each other.

use super::Mistake;
use super::expression::Parser;
use super::lexer::Tag;
use super::scope::Scope;
use super::statement::Rewritten;

/// What `{% macro %}` becomes, and what has to be said after its end.
pub(super) fn begin(
    tag: &Tag<'_>,
    place: usize,
    scope: &Scope<'_>,
) -> Result<(Rewritten, Option<String>), Mistake> {
    let mut parser = Parser::new(tag, scope);
    parser.next();
    let name = parser.name()?;
    parser.expect("(")?;
    let mut parameters: Vec<(&str, Option<String>)> = Vec::new();
    while !parser.sign(")") {
        if !parameters.is_empty() {
            parser.expect(",")?;
            if parser.sign(")") {
                break;
            }
        }
        let parameter = parser.name()?;
        let default = if parser.sign("=") { Some(parser.expression()?) } else { None };
        parameters.push((parameter, default));
    }
    parser.end()?;
    let uses = |word: &str| {
        let named = parameters.iter().any(|(name, _)| *name == word);
        !named && scope.macros.get(&place).is_some_and(|body| body.words.contains(word))
    };
    let (varargs, kwargs) = (uses("varargs"), uses("kwargs"));
    let has_defaults = parameters.iter().any(|(_, default)| default.is_some());
    if !(varargs || kwargs || has_defaults || scope.looks_at_macros) {
        let names: Vec<&str> = parameters.iter().map(|(name, _)| *name).collect();
        return Ok((format!("macro {name}({})", names.join(", ")).into(), None));
    }
    let mut names: Vec<&str> = parameters.iter().map(|(name, _)| *name).collect();
    names.extend(varargs.then_some("varargs"));
    names.extend(kwargs.then_some("kwargs"));
    let defaults = parameters.iter().filter_map(|(name, default)| {
        default.as_ref().map(|default| format!("set {name} = ({default}) if {name} is __missing else {name}"))
    });
    let rewritten =
        Rewritten { inside: format!("macro {name}({})", names.join(", ")), after: defaults.collect() };
    let optional = parameters.iter().filter(|(_, default)| default.is_some()).count();
    let wrap = format!("set {name} = __macro({name}, {optional}, {varargs}, {kwargs})");
    Ok((rewritten, Some(wrap)))
}

/// What `{% endmacro %}` becomes.
pub(super) fn end(wrapped: Option<String>) -> Rewritten {
    Rewritten { inside: "endmacro".to_owned(), after: wrapped.into_iter().collect() }
}
