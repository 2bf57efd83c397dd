//! Lists and dictionaries that templates change: `{% do l.append(x) %}`, `d.update(a=1)`. Shared by all who hold them, as in
//! Python. Literals are these in templates that call such a method; what a handler hands over cannot be changed.

// minijinja hands arguments over by value.
#![allow(clippy::needless_pass_by_value)]

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indexmap::IndexMap;
use minijinja::value::{Enumerator, Kwargs, Object, ObjectRepr, Rest, Tuple, ValueKind, from_args};
use minijinja::{Error, ErrorKind, State, Value};

use crate::templates::text::python_repr;

/// `[...]`.
#[derive(Debug)]
pub(in crate::templates) struct List(Mutex<Vec<Value>>);

impl List {
    pub(in crate::templates) fn new(items: Vec<Value>) -> Self {
        Self(Mutex::new(items))
    }

    fn items(&self) -> MutexGuard<'_, Vec<Value>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place as Python counts them, from the end if negative; outside is moved to the nearest end.
    fn place(&self, at: i64) -> usize {
        let length = self.items().len();
        let back = usize::try_from(at.unsigned_abs()).unwrap_or(usize::MAX);
        if at < 0 { length.saturating_sub(back) } else { back.min(length) }
    }
}

fn wrong(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message.into())
}

fn none() -> Value {
    Value::from(())
}

impl Object for List {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.items().get(key.as_usize()?).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.items().clone())
    }

    fn call_method(
        self: &Arc<Self>,
        _: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        match method {
            "append" => self.items().push(from_args::<(Value,)>(args)?.0),
            "extend" => {
                let more: Vec<Value> = from_args::<(Value,)>(args)?.0.try_iter()?.collect();
                self.items().extend(more);
            }
            "insert" => {
                let (at, value): (i64, Value) = from_args(args)?;
                let at = self.place(at);
                self.items().insert(at, value);
            }
            "pop" => {
                let (at,): (Option<i64>,) = from_args(args)?;
                let at = at.unwrap_or(-1);
                let length = i64::try_from(self.items().len()).unwrap_or(i64::MAX);
                if !(-length..length).contains(&at) {
                    return Err(wrong("pop index out of range"));
                }
                let at = self.place(at);
                return Ok(self.items().remove(at));
            }
            "remove" => {
                let (value,): (Value,) = from_args(args)?;
                let at = self.items().iter().position(|item| *item == value);
                let at = at.ok_or_else(|| wrong("list.remove(x): x not in list"))?;
                self.items().remove(at);
            }
            "reverse" => self.items().reverse(),
            "clear" => self.items().clear(),
            "sort" => {
                let (kwargs,): (Kwargs,) = from_args(args)?;
                let reverse: Option<Value> = kwargs.get("reverse")?;
                kwargs.assert_all_used()?;
                let mut items = self.items();
                if reverse.is_some_and(|value| value.is_true()) {
                    items.sort_by(|one, other| other.cmp(one));
                } else {
                    items.sort();
                }
            }
            "copy" => return Ok(Value::from_object(List::new(self.items().clone()))),
            _ => return Err(Error::from(ErrorKind::UnknownMethod)),
        }
        Ok(none())
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let items: Vec<String> = self.items().clone().iter().map(python_repr).collect();
        write!(f, "[{}]", items.join(", "))
    }
}

/// `{...}` and `dict(...)`.
#[derive(Debug)]
pub(in crate::templates) struct Dictionary(Mutex<IndexMap<Value, Value>>);

impl Dictionary {
    /// `dict(other, **named)`.
    pub(in crate::templates) fn of(args: Rest<Value>, named: Kwargs) -> Result<Value, Error> {
        let new = Self(Mutex::default());
        new.update(&args, &named)?;
        Ok(Value::from_object(new))
    }

    fn items(&self) -> MutexGuard<'_, IndexMap<Value, Value>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn update(&self, args: &[Value], named: &Kwargs) -> Result<(), Error> {
        let mut pairs = Vec::new();
        match args {
            [] => {}
            [map] if map.kind() == ValueKind::Map => {
                for key in map.try_iter()? {
                    let value = map.get_item(&key)?;
                    pairs.push((key, value));
                }
            }
            [list] => {
                for pair in list.try_iter()? {
                    let pair: Vec<Value> = pair.try_iter()?.collect();
                    let [key, value] = pair.as_slice() else { return Err(wrong("pairs have two items")) };
                    pairs.push((key.clone(), value.clone()));
                }
            }
            _ => return Err(Error::from(ErrorKind::TooManyArguments)),
        }
        for name in named.args() {
            pairs.push((Value::from(name), named.get(name)?));
        }
        self.items().extend(pairs);
        Ok(())
    }
}

impl Object for Dictionary {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.items().get(key).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.items().keys().cloned().collect())
    }

    fn call_method(
        self: &Arc<Self>,
        _: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        match method {
            "update" => {
                let (args, named): (Rest<Value>, Kwargs) = from_args(args)?;
                self.update(&args, &named)?;
            }
            "pop" => {
                let (key, default): (Value, Option<Value>) = from_args(args)?;
                let missing = || wrong(format!("KeyError: {}", python_repr(&key)));
                return self.items().shift_remove(&key).or(default).ok_or_else(missing);
            }
            "popitem" => {
                let pair = self.items().pop().ok_or_else(|| wrong("popitem(): dictionary is empty"))?;
                return Ok(Value::from(Tuple::new(vec![pair.0, pair.1])));
            }
            "setdefault" => {
                let (key, default): (Value, Option<Value>) = from_args(args)?;
                let default = default.unwrap_or_else(none);
                return Ok(self.items().entry(key).or_insert(default).clone());
            }
            "clear" => self.items().clear(),
            "copy" => return Ok(Value::from_object(Self(Mutex::new(self.items().clone())))),
            _ => return Err(Error::from(ErrorKind::UnknownMethod)),
        }
        Ok(none())
    }
}
