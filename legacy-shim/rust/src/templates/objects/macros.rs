//! A macro with Jinja2's rules for its arguments: more than it names, defaults that only what is missing gets.

use std::fmt;
use std::sync::Arc;

use minijinja::value::{Enumerator, Kwargs, Object, ObjectRepr, Rest, Tuple, from_args};
use minijinja::{Error, ErrorKind, State, Value};

use super::lists::Dictionary;

/// What a macro is given for an argument that was not given.
#[derive(Debug)]
struct Missing;

impl Object for Missing {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn render(self: &Arc<Self>, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}

/// `is __missing`.
pub(in crate::templates) fn is_missing(value: &Value) -> bool {
    value.downcast_object_ref::<Missing>().is_some()
}

/// A macro of minijinja, and how its arguments are handed over.
#[derive(Debug)]
pub(in crate::templates) struct Macro {
    inner: Value,
    names: Vec<String>,
    /// How many of the names, from the end, have defaults.
    optional: usize,
    varargs: bool,
    kwargs: bool,
}

impl Macro {
    /// `__macro(inner, optional, varargs, kwargs)`.
    pub(in crate::templates) fn wrap(
        inner: &Value,
        optional: usize,
        varargs: bool,
        kwargs: bool,
    ) -> Result<Value, Error> {
        let mut names: Vec<String> =
            inner.get_attr("arguments")?.try_iter()?.map(|name| name.to_string()).collect();
        names.truncate(names.len().saturating_sub(usize::from(varargs) + usize::from(kwargs)));
        let inner = inner.clone();
        Ok(Value::from_object(Self { inner, names, optional, varargs, kwargs }))
    }

    fn too_many(&self, what: &str) -> Error {
        let name = self.inner.get_attr("name").unwrap_or_default();
        Error::new(ErrorKind::TooManyArguments, format!("macro `{name}` takes no {what}"))
    }
}

impl Object for Macro {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        Some(match key.as_str()? {
            "arguments" => Value::from(Tuple::new(self.names.iter().map(Value::from).collect())),
            "catch_varargs" => Value::from(self.varargs),
            "catch_kwargs" => Value::from(self.kwargs),
            other => return self.inner.get_attr(other).ok().filter(|value| !value.is_undefined()),
        })
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Str(&["name", "arguments", "catch_varargs", "catch_kwargs", "caller"])
    }

    fn call(self: &Arc<Self>, state: &mut State<'_, '_>, args: &[Value]) -> Result<Value, Error> {
        let (places, named): (Rest<Value>, Kwargs) = from_args(args)?;
        let mut handed = Vec::with_capacity(self.names.len() + 3);
        let required = self.names.len().saturating_sub(self.optional);
        for (at, name) in self.names.iter().enumerate() {
            let by_name = named.has(name).then(|| named.get::<Value>(name)).transpose()?;
            handed.push(match (places.get(at), by_name) {
                (Some(_), Some(_)) => return Err(self.too_many(&format!("second `{name}`"))),
                (Some(value), None) => value.clone(),
                (None, Some(value)) => value,
                _ if at < required => Value::UNDEFINED,
                _ => Value::from_object(Missing),
            });
        }
        let more = places.get(self.names.len()..).unwrap_or_default();
        if self.varargs {
            handed.push(Value::from(Tuple::new(more.to_vec())));
        } else if !more.is_empty() {
            return Err(self.too_many(&format!("more than {} arguments", self.names.len())));
        }
        let mut others = Vec::new();
        let mut caller = None;
        for name in named.args().filter(|name| self.names.iter().all(|known| known != name)) {
            match name {
                "caller" => caller = Some(named.get::<Value>(name)?),
                _ if self.kwargs => others.push((name.to_owned(), named.get::<Value>(name)?)),
                _ => return Err(self.too_many(&format!("argument `{name}`"))),
            }
        }
        if self.kwargs {
            handed.push(Dictionary::of(Rest(Vec::new()), Kwargs::from_iter(others))?);
        }
        if let Some(caller) = caller {
            handed.push(Value::from(Kwargs::from_iter([("caller", caller)])));
        }
        self.inner.call(state, &handed)
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.inner)
    }
}
