//! Dates and times for templates: attributes and `strftime` of Python's `datetime`, `date` and `time`.

use std::fmt::{self, Write as _};
use std::sync::Arc;

use chrono::{Datelike, NaiveDate, NaiveDateTime, Timelike};
use minijinja::value::{Object, ObjectRepr, from_args};
use minijinja::{Error, ErrorKind, State, Value};

use crate::templates::page::failed;

/// A naive `datetime` or a `date`. Shows itself as Python does: `2024-03-05 09:07:00`, `2024-03-05`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DateTime {
    moment: NaiveDateTime,
    date_only: bool,
}

impl From<NaiveDateTime> for DateTime {
    fn from(moment: NaiveDateTime) -> Self {
        Self { moment, date_only: false }
    }
}

impl From<NaiveDate> for DateTime {
    fn from(date: NaiveDate) -> Self {
        Self { moment: date.into(), date_only: true }
    }
}

impl From<DateTime> for Value {
    fn from(moment: DateTime) -> Self {
        Value::from_object(moment)
    }
}

impl DateTime {
    /// The moment; midnight for a date.
    #[must_use]
    pub fn moment(&self) -> NaiveDateTime {
        self.moment
    }

    fn text(self, separator: char) -> String {
        let mut out = self.moment.format("%Y-%m-%d").to_string();
        if !self.date_only {
            let _ = write!(out, "{separator}{}", self.moment.format("%H:%M:%S"));
            let micros = self.moment.nanosecond() / 1000;
            if micros > 0 {
                let _ = write!(out, ".{micros:06}");
            }
        }
        out
    }
}

impl Object for DateTime {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let moment = &self.moment;
        let time = |part: u32| (!self.date_only).then(|| Value::from(part));
        match key.as_str()? {
            "year" => Some(Value::from(moment.year())),
            "month" => Some(Value::from(moment.month())),
            "day" => Some(Value::from(moment.day())),
            "hour" => time(moment.hour()),
            "minute" => time(moment.minute()),
            "second" => time(moment.second()),
            "microsecond" => time(moment.nanosecond() / 1000),
            _ => None,
        }
    }

    fn call_method(
        self: &Arc<Self>,
        _: &mut State<'_, '_>,
        method: &str,
        args: &[Value],
    ) -> Result<Value, Error> {
        match method {
            "strftime" => {
                let (pattern,): (String,) = from_args(args)?;
                let mut out = String::new();
                write!(out, "{}", self.moment.format(&pattern))
                    .map_err(|_| failed("pattern of strftime is not known"))?;
                Ok(Value::from(out))
            }
            "isoformat" => Ok(Value::from(
                self.text(args.first().and_then(Value::as_str).and_then(|t| t.chars().next()).unwrap_or('T')),
            )),
            "date" => Ok(DateTime::from(self.moment.date()).into()),
            "weekday" => Ok(Value::from(self.moment.weekday().num_days_from_monday())),
            "isoweekday" => Ok(Value::from(self.moment.weekday().number_from_monday())),
            "timestamp" => Ok(Value::from(self.moment.and_utc().timestamp() as f64)),
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }

    fn custom_cmp(self: &Arc<Self>, other: &minijinja::value::DynObject) -> Option<std::cmp::Ordering> {
        other.downcast_ref::<DateTime>().map(|other| self.moment.cmp(&other.moment))
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(' '))
    }
}
