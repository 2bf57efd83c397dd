//! A Jinja2 template rewritten so that minijinja gives Jinja2's text where its own meaning is another.
//!
//! Text, comments and raw blocks stay as they are, and so do the lines; what changes is inside of the tags: operators
//! that know safe text and formats (`+`, `~`, `%`, slices) become calls of [`super::operators`], lists and dictionaries
//! that are changed become ones that can be, macros take `varargs` and `kwargs` and their defaults see the other
//! arguments, `{% trans %}` becomes a call of the application's `gettext`. A template that is included or imported
//! without context is loaded under a name of its own ([`ALONE`]), in which free names mean globals only.
//!
//! `lexer` cuts the source, `expression` and `operand` rewrite expressions, `statement` tags, `macros` and `trans` the longer ones.
//! What minijinja cannot do at all is left to it, and fails there.

mod expression;
mod lexer;
mod macros;
mod operand;
mod scope;
mod statement;
mod trans;

use minijinja::{Error, ErrorKind};

use scope::Scope;

/// What stands before the name of a template that sees no context.
const ALONE: &str = "without context/";
/// The same for one that is included by such a template: then its names, with commas, and `/`.
const ALONE_BUT: &str = "without context but ";

/// The names under which a template that sees no context, but these names, is loaded.
pub(super) fn alone(name: &str, but: &str) -> String {
    match standing(name).0 {
        Some(_) => name.to_owned(),
        None if but.is_empty() => format!("{ALONE}{name}"),
        None => format!("{ALONE_BUT}{but}/{name}"),
    }
}

/// What a template sees if it stands alone, and the name of its file.
pub(super) fn standing(name: &str) -> (Option<&str>, &str) {
    match name.strip_prefix(ALONE) {
        Some(file) => (Some(""), file),
        None => match name.strip_prefix(ALONE_BUT).and_then(|rest| rest.split_once('/')) {
            Some((but, file)) => (Some(but), file),
            None => (None, name),
        },
    }
}

/// The template `name` (which says whether it stands alone) in the words of minijinja.
///
/// # Errors
/// It is no Jinja2 template, or one that uses what cannot be rewritten.
pub(super) fn translate(name: &str, source: &str) -> Result<String, Error> {
    // As Jinja2's `newline_sequence` has it.
    let source = &source.replace("\r\n", "\n").replace('\r', "\n");
    let pieces = lexer::pieces(source).map_err(|mistake| syntax(name, &mistake))?;
    let scope = Scope::of(&pieces, standing(name).0);
    statement::rewrite(source, &pieces, &scope).map_err(|mistake| syntax(name, &mistake))
}

/// What is wrong, and in which line.
#[derive(Debug)]
struct Mistake {
    line: usize,
    message: String,
}

fn syntax(name: &str, mistake: &Mistake) -> Error {
    let place = standing(name).1;
    Error::new(ErrorKind::SyntaxError, format!("{} (in {place}:{})", mistake.message, mistake.line))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(source: &str) -> String {
        translate("a.html", source).unwrap_or_else(|error| error.to_string())
    }

    #[test]
    fn what_means_the_same_stays() {
        for same in [
            "plain } text {",
            "{# a {{ b }} #}",
            "{%- raw -%}{{ a + b }}{% endraw %}",
            "{{ a.b|f(1, c=2) }}",
            "{% if a is not none and not b or c in d and e not in f %}x{% elif g %}{% else %}{% endif %}",
            "{% for a, (b, c) in d|dictsort if b recursive %}{% else %}{% endfor %}",
            "{{ a if b else c }}",
            "{{ -a.b ** 2 // 3 - 4 }}",
            "{% with a = 1, b = c %}{% endwith %}",
            "{% set x | upper %}y{% endset %}",
            "{% call(x, y=1) m(2) %}{% endcall %}",
            "{%- block a scoped required +%}\n{%- endblock a -%}",
            "{% filter upper|replace(\"a\", \"b\") %}{% endfilter %}",
            "{{ {\"a\": [1, (2,)]}[\"a\"].0 }}",
        ] {
            assert_eq!(of(same), same);
        }
    }

    #[test]
    fn operators_become_calls() {
        for (source, expected) in [
            ("{{ a + b - c }}", "{{ __add(a, b) - c }}"),
            ("{{ loop.index + 1 }}", "{{ loop.index + 1 }}"),
            ("{{ a ~ 'b' ~ c|d }}", "{{ __tilde(a, 'b', c|d) }}"),
            ("{{ '%s' % (a, b) }}", "{{ __mod('%s', (a, b)) }}"),
            ("{{ a[1:] }}{{ a[::-1] }}", "{{ __slice(a, 1, none, none) }}{{ __slice(a, none, none, -1) }}"),
            ("{{ +a }}", "{{ __pos(a) }}"),
            ("{{ 1, 2 }}", "{{ (1, 2) }}"),
            ("{{ a is divisibleby 3 and b }}", "{{ a is divisibleby(3) and b }}"),
            ("{% do l.append(a) %}{{ [1] }}", "{% do l.append(a) %}{{ __list(1) }}"),
            (
                "{{ d.update(a=1) }}{% set d = {'a': 1} %}",
                "{{ d.update(a=1) }}{% set d = __dict({'a': 1}) %}",
            ),
        ] {
            assert_eq!(of(source), expected, "{source}");
        }
    }

    #[test]
    fn lines_stay_where_they_are() {
        let text = of("{{ a\n +\n b }}\n{% macro m(a,\n b=a) %}x{% endmacro %}\n{{ c }}");
        assert_eq!(text.matches('\n').count(), 5, "{text}");
    }

    #[test]
    fn a_template_alone_sees_globals() {
        let source = "{% set a = b %}{% macro m(c) %}{{ a }}{{ c }}{{ d.e }}{{ range(2) }}{% endmacro %}";
        let expected = "{% set a = __global(\"b\") %}{% macro m(c) %}{{ a }}{{ c }}{{ __global(\"d\").e }}\
                        {{ __global(\"range\")(2) }}{% endmacro %}";
        assert_eq!(translate("without context/m.html", source).unwrap_or_default(), expected);
    }

    #[test]
    fn broken_templates_are_told_with_their_line() {
        for (source, expected) in [
            ("a\n{{ b", "is not closed (in a.html:2)"),
            ("\n\n{{ a b }}", "unexpected `b` (in a.html:3)"),
            ("{{ }}", "an expression is missing"),
            ("{{ 'a }}", "a text is not closed"),
        ] {
            assert!(of(source).contains(expected), "{source}: {}", of(source));
        }
    }
}
