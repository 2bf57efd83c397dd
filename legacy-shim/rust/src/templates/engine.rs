//! The environment: escapes, globals, filters; and rendering a page in it.

use minijinja::value::{Rest, ValueKind, merge_maps};
use minijinja::{AutoEscape, Environment, Error, Output, State, Value};

use super::objects::Cycler;
use super::page::Page;
use super::text::{escape_value, python_str};
use super::{filters, methods, operators};
use crate::Profile;
use crate::answer::escape_markup;

/// An environment like `app.jinja_env`. Add a loader ([`super::folder_loader`]) and the application's own filters.
#[must_use]
pub fn environment(profile: Profile) -> Environment<'static> {
    let mut env = Environment::new();
    env.set_formatter(show);
    env.set_auto_escape_callback(auto_escape);
    env.set_unknown_method_callback(methods::call);
    filters::add(&mut env, profile);
    operators::add(&mut env);
    env.add_function("cycler", |items: Rest<Value>| Cycler::new(items.to_vec()).map(Value::from_object));
    env.add_function("joiner", minijinja_contrib::globals::joiner);
    // Functions and macros are plain objects; nothing else in a template is.
    env.add_test("callable", |value: &Value| value.kind() == ValueKind::Plain);
    env
}

/// `render_template(name, **context)` within a request. What the context names wins over what the request brings.
///
/// # Errors
/// The template is missing, broken, or failed.
pub fn render(env: &Environment<'_>, name: &str, page: &Page, context: Value) -> Result<String, Error> {
    let scope = Value::from_object(page.clone());
    env.get_template(name)?.render(merge_maps([context, scope]))
}

/// `Flask.select_jinja_autoescape`. Templates made from strings have no such name and are escaped.
fn auto_escape(name: &str) -> AutoEscape {
    let html =
        [".html", ".htm", ".xml", ".xhtml"].iter().any(|end| name.ends_with(end)) || name == "<string>";
    if html { AutoEscape::Html } else { AutoEscape::None }
}

fn show(out: &mut Output, state: &mut State, value: &Value) -> Result<(), Error> {
    if value.is_undefined() {
        return Ok(());
    }
    let raw = matches!(state.auto_escape(), AutoEscape::None);
    if value.kind() == ValueKind::String
        && let Some(text) = value.as_str()
    {
        let plain = raw || value.is_safe() || !text.contains(['&', '<', '>', '"', '\'']);
        return Ok(if plain { out.write_str(text) } else { out.write_str(&escape_markup(text)) }?);
    }
    Ok(out.write_str(&if raw { python_str(value) } else { escape_value(value) })?)
}
