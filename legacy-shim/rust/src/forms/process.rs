//! Reading: default or object data, then form data, then filters, as `Field.process` does.

use super::choice::{text_to_integer, to_integer};
use super::data::FormData;
use super::dates;
use super::decimal::Decimal;
use super::field::{Field, Kind};
use super::value::Value;
use super::version::Version;

impl Field {
    /// `field.process(formdata, data)`; without data the default is taken.
    pub(super) fn process(&mut self, form: Option<&FormData>, data: Option<Value>) {
        self.process_errors.clear();
        self.object_data = data.unwrap_or_else(|| self.spec.default.clone());
        if let Err(message) = self.process_data() {
            self.process_errors.push(message);
        }
        if let Some(form) = form {
            let values = form.get_all(&self.spec.name);
            if let Err(message) = self.process_form_data(&values) {
                self.process_errors.push(message);
            }
            self.raw_data = Some(values);
        }
        let filters = self.spec.clone();
        for filter in &filters.filters {
            match filter(self.data.clone()) {
                Ok(data) => self.data = data,
                Err(message) => {
                    self.process_errors.push(message);
                    break;
                }
            }
        }
    }

    fn process_data(&mut self) -> Result<(), String> {
        let value = self.object_data.clone();
        self.data = match self.spec.kind {
            Kind::Boolean => Value::Bool(value.is_true()),
            Kind::Select if !value.is_none() => self.spec.coerce.apply(&value).unwrap_or(Value::None),
            Kind::Integer if !value.is_none() => {
                self.data = Value::None;
                let number = to_integer(&value);
                Value::Integer(number.ok_or_else(|| self.version.sentence("Not a valid integer value"))?)
            }
            _ => value,
        };
        Ok(())
    }

    fn process_form_data(&mut self, values: &[String]) -> Result<(), String> {
        if let Some(parse) = &self.spec.parse {
            match parse(values) {
                Ok(data) => self.data = data,
                Err(rejected) => {
                    if rejected.clears {
                        self.data = Value::None;
                    }
                    return Err(rejected.message);
                }
            }
            return Ok(());
        }
        if self.spec.kind == Kind::Boolean {
            let off = values.first().is_none_or(|value| self.spec.false_values.contains(value));
            self.data = Value::Bool(!off);
            return Ok(());
        }
        let Some(first) = values.first() else {
            if self.spec.kind.is_text() && self.version == Version::Two && self.data.is_none() {
                self.data = Value::Text(String::new());
            }
            return Ok(());
        };
        let (read, complaint) = self.read(first, values);
        match read {
            Some(data) => self.data = data,
            None => {
                if self.spec.kind != Kind::Select {
                    self.data = Value::None;
                }
                return Err(self.version.sentence(complaint));
            }
        }
        Ok(())
    }

    /// The data, if the input can be read, and what to say if not.
    fn read(&self, first: &str, values: &[String]) -> (Option<Value>, &'static str) {
        match self.spec.kind {
            Kind::Integer => (text_to_integer(first).map(Value::Integer), "Not a valid integer value"),
            Kind::Decimal => (Decimal::parse(first).map(Value::Decimal), "Not a valid decimal value"),
            Kind::Date => {
                (self.read_moment(values).map(|moment| Value::Date(moment.date())), "Not a valid date value")
            }
            Kind::DateTime => (self.read_moment(values).map(Value::DateTime), "Not a valid datetime value"),
            Kind::Select => (self.spec.coerce.apply(&Value::from(first)), "Invalid Choice: could not coerce"),
            Kind::Text | Kind::Csrf | Kind::Boolean => (Some(Value::from(first)), ""),
        }
    }

    fn read_moment(&self, values: &[String]) -> Option<chrono::NaiveDateTime> {
        let text = values.join(" ");
        self.formats().iter().find_map(|format| dates::parse(&text, format))
    }

    /// The date formats that are read; the first one is written.
    pub(super) fn formats(&self) -> Vec<&str> {
        if !self.spec.formats.is_empty() {
            return self.spec.formats.iter().map(String::as_str).collect();
        }
        match (&self.spec.kind, self.version) {
            (Kind::Date, _) => vec!["%Y-%m-%d"],
            (_, Version::Three) if self.spec.type_name == "DateTimeLocalField" => {
                vec!["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"]
            }
            _ => vec!["%Y-%m-%d %H:%M:%S"],
        }
    }

    /// `field._value()`: the `value` attribute, which repeats what was sent where it can.
    pub(super) fn shown_value(&self) -> String {
        let raw = self.raw_data.as_deref().filter(|values| !values.is_empty());
        match (&self.spec.kind, raw) {
            (Kind::Csrf, _) => self.token.clone(),
            (Kind::Integer | Kind::Decimal | Kind::Boolean, Some(values)) => values[0].clone(),
            (Kind::Date | Kind::DateTime, Some(values)) => values.join(" "),
            (Kind::Boolean, None) => "y".to_owned(),
            (Kind::Decimal, None) => self.shown_decimal(),
            (Kind::Date | Kind::DateTime, None) => self.shown_moment(),
            (Kind::Text | Kind::Select | Kind::Integer, _) => none_is_empty(&self.data),
        }
    }

    /// Rounded to the places. Where Python would raise, because the number is too large for its context, it is shown as it is.
    fn shown_decimal(&self) -> String {
        match (&self.data, self.spec.places) {
            (Value::Decimal(number), Some(places)) => {
                number.quantize(places, self.spec.rounding).as_ref().unwrap_or(number).to_string()
            }
            (Value::Integer(number), Some(places)) => {
                format!("{:.*}", usize::try_from(places).unwrap_or(0), number.to_f64())
            }
            (data, _) => none_is_empty(data),
        }
    }

    fn shown_moment(&self) -> String {
        let moment = match &self.data {
            Value::Date(date) => date.and_time(chrono::NaiveTime::MIN),
            Value::DateTime(moment) => *moment,
            _ => return String::new(),
        };
        self.formats().first().map(|format| dates::write(moment, format)).unwrap_or_default()
    }
}

impl Kind {
    /// Fields that derive from `StringField`.
    pub(super) fn is_text(&self) -> bool {
        matches!(self, Kind::Text | Kind::Csrf)
    }
}

fn none_is_empty(data: &Value) -> String {
    if data.is_none() { String::new() } else { data.to_string() }
}
