//! Filters on lists and dictionaries.

use minijinja::value::{Kwargs, Rest, Tuple, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State, Value};

use crate::templates::text::python_str;

pub(super) fn add(env: &mut Environment<'static>) {
    env.add_filter("dictsort", dictsort);
    env.add_filter("sort", sort);
    env.add_filter("random", random);
    env.add_filter("unique", unique);
    env.add_filter("first", |list: &Value| -> Result<Value, Error> {
        if list.is_undefined() { Ok(Value::UNDEFINED) } else { minijinja::filters::first(list) }
    });
    env.add_filter("last", |list: &Value| -> Result<Value, Error> {
        if list.is_undefined() { Ok(Value::UNDEFINED) } else { minijinja::filters::last(list.clone()) }
    });
    // Python asks for a length and for items: texts and dictionaries have both.
    env.add_test("sequence", |value: &Value| {
        matches!(value.kind(), ValueKind::Seq | ValueKind::Map | ValueKind::String | ValueKind::Bytes)
    });
    env.add_function("namespace", namespace);
}

/// An argument by place or by name.
fn argument(args: &[Value], kwargs: &Kwargs, at: usize, name: &str) -> Result<Option<Value>, Error> {
    let named: Option<Value> = kwargs.get(name)?;
    Ok(args.get(at).cloned().or(named))
}

/// `dictsort(case_sensitive=False, by='key', reverse=False)`: a list of tuples.
fn dictsort(map: &Value, args: Rest<Value>, kwargs: Kwargs) -> Result<Value, Error> {
    let case = argument(&args, &kwargs, 0, "case_sensitive")?.is_some_and(|value| value.is_true());
    let by_value = argument(&args, &kwargs, 1, "by")?.is_some_and(|value| python_str(&value) == "value");
    let reverse = argument(&args, &kwargs, 2, "reverse")?.is_some_and(|value| value.is_true());
    if map.kind() != ValueKind::Map {
        return Err(Error::new(ErrorKind::InvalidOperation, "dictsort needs a dictionary"));
    }
    let mut pairs = Vec::new();
    for key in map.try_iter()? {
        let value = map.get_item(&key)?;
        let by = if by_value { &value } else { &key };
        let by = match by.as_str() {
            Some(text) if !case => Value::from(text.to_lowercase()),
            _ => by.clone(),
        };
        pairs.push((by, Value::from(Tuple::new(vec![key, value]))));
    }
    pairs.sort_by(|one, other| if reverse { other.0.cmp(&one.0) } else { one.0.cmp(&other.0) });
    Ok(pairs.into_iter().map(|(_, pair)| pair).collect())
}

/// `sort(reverse=False, case_sensitive=False, attribute=None)`.
fn sort(state: &mut State, list: &Value, args: Rest<Value>, kwargs: Kwargs) -> Result<Value, Error> {
    let mut named = Vec::new();
    for (at, name) in ["reverse", "case_sensitive", "attribute"].into_iter().enumerate() {
        if let Some(value) = argument(&args, &kwargs, at, name)?.filter(|value| !value.is_none()) {
            named.push((name, value));
        }
    }
    minijinja::filters::sort(state, list.clone(), Kwargs::from_iter(named))
}

/// `unique(case_sensitive=False, attribute=None)`.
fn unique(state: &State, list: &Value, args: Rest<Value>, kwargs: Kwargs) -> Result<Value, Error> {
    let mut named = Vec::new();
    for (at, name) in ["case_sensitive", "attribute"].into_iter().enumerate() {
        if let Some(value) = argument(&args, &kwargs, at, name)?.filter(|value| !value.is_none()) {
            named.push((name, value));
        }
    }
    minijinja::filters::unique(state, list.clone(), Kwargs::from_iter(named))
}

/// `namespace(other, **named)`.
fn namespace(args: Rest<Value>, kwargs: Kwargs) -> Result<Value, Error> {
    let all = crate::templates::objects::Dictionary::of(args, kwargs)?;
    minijinja::functions::namespace(minijinja::value::from_args::<(Option<_>,)>(&[all])?.0)
}

/// `random`: any item.
fn random(list: &Value) -> Result<Value, Error> {
    let items: Vec<Value> = list.try_iter()?.collect();
    let bytes = crate::random::bytes::<8>()
        .map_err(|error| Error::new(ErrorKind::InvalidOperation, error.to_string()))?;
    let at =
        u64::from_be_bytes(bytes).checked_rem(items.len() as u64).and_then(|at| usize::try_from(at).ok());
    Ok(at.and_then(|at| items.get(at)).cloned().unwrap_or(Value::UNDEFINED))
}
