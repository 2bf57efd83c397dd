//! `cycler('odd', 'even')`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use minijinja::value::{Object, ObjectRepr};
use minijinja::{Error, ErrorKind, State, Value};

/// Gives its items in turn: `next()`, `current`, `reset()`.
#[derive(Debug)]
pub(in crate::templates) struct Cycler {
    items: Vec<Value>,
    at: AtomicUsize,
}

impl Cycler {
    /// A cycler over at least one item.
    pub(in crate::templates) fn new(items: Vec<Value>) -> Result<Self, Error> {
        if items.is_empty() {
            return Err(Error::new(ErrorKind::MissingArgument, "at least one item has to be provided"));
        }
        Ok(Self { items, at: AtomicUsize::new(0) })
    }

    fn current(&self) -> Value {
        let at = self.at.load(Ordering::Relaxed);
        self.items.get(at % self.items.len().max(1)).cloned().unwrap_or_default()
    }
}

impl Object for Cycler {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        (key.as_str()? == "current").then(|| self.current())
    }

    fn call_method(
        self: &Arc<Self>,
        _: &mut State<'_, '_>,
        method: &str,
        _: &[Value],
    ) -> Result<Value, Error> {
        match method {
            "next" => {
                let item = self.current();
                self.at.fetch_add(1, Ordering::Relaxed);
                Ok(item)
            }
            "reset" => {
                self.at.store(0, Ordering::Relaxed);
                Ok(Value::from(()))
            }
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}
