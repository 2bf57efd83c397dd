//! `request.args` and `request.form`: an immutable `MultiDict`.

use std::fmt;
use std::sync::Arc;

use minijinja::value::{Enumerator, Kwargs, Object, Rest, Tuple, from_args};
use minijinja::{Error, ErrorKind, State, Value};

use crate::python::str_repr;
use crate::url::Pairs;

/// Names and values of a query string or form.
#[derive(Debug)]
pub(super) struct PairsView(pub(super) Pairs);

impl PairsView {
    fn first_values(&self) -> Vec<(&str, &str)> {
        let names = self.0.names();
        names.into_iter().map(|name| (name, self.0.get(name).unwrap_or_default())).collect()
    }

    fn get(&self, args: &[Value]) -> Result<Value, Error> {
        let (name, places, named): (String, Rest<Value>, Kwargs) = from_args(args)?;
        let default: Option<Value> = named.get("default")?;
        let default = places.first().cloned().or(default).unwrap_or_else(|| Value::from(()));
        Ok(self.0.get(&name).map_or(default, Value::from))
    }

    fn to_dict(&self, args: &[Value]) -> Result<Value, Error> {
        let (places, named): (Rest<Value>, Kwargs) = from_args(args)?;
        let flat: Option<Value> = named.get("flat")?;
        if places.first().cloned().or(flat).is_none_or(|flat| flat.is_true()) {
            return Ok(Value::from_pairs(self.first_values()));
        }
        let all = |name: &str| self.0.get_all(name).map(Value::from).collect::<Value>();
        let lists: Vec<(&str, Value)> = self.0.names().into_iter().map(|name| (name, all(name))).collect();
        Ok(Value::from_pairs(lists))
    }
}

impl Object for PairsView {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.0.get(key.as_str()?).map(Value::from)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.0.names().into_iter().map(Value::from).collect())
    }

    fn call_method(
        self: &Arc<Self>,
        _: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        match method {
            "get" => self.get(args),
            "getlist" => {
                let (name,): (String,) = from_args(args)?;
                Ok(self.0.get_all(&name).map(Value::from).collect())
            }
            "to_dict" => self.to_dict(args),
            "keys" => Ok(self.0.names().into_iter().map(Value::from).collect()),
            "values" => Ok(self.first_values().into_iter().map(|(_, value)| Value::from(value)).collect()),
            "items" => {
                let pair =
                    |(name, value): (&str, &str)| Value::from(Tuple::new(vec![name.into(), value.into()]));
                Ok(self.first_values().into_iter().map(pair).collect())
            }
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs: Vec<String> = self
            .0
            .0
            .iter()
            .map(|(name, value)| format!("({}, {})", str_repr(name), str_repr(value)))
            .collect();
        write!(f, "ImmutableMultiDict([{}])", pairs.join(", "))
    }
}
