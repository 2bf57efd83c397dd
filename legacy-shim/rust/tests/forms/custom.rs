//! Fields that process their input in a way of their own, as `forms_vectors.py` has them: amounts of money and days.

use std::cmp::Ordering;

use chrono::NaiveDate;
use flask_compat::forms::{
    Decimal, FieldSpec, Rejected, Rounding, Validator, Value, Widget, custom, date, decimal,
};
use flask_compat::python;

/// A filter: no blanks around; an empty value is `None`.
pub(crate) fn strip(value: Value) -> Value {
    match value.as_text().map(python::strip) {
        Some("") => Value::None,
        Some(text) => text.into(),
        None => value,
    }
}

/// Money, typed as text.
pub(crate) fn amount(name: &str) -> FieldSpec {
    decimal(name).widget(Widget::Text("text")).custom("AmountField", |sent| {
        match sent.first().map(|text| python::strip(text)) {
            None | Some("") => Ok(Value::None),
            Some(text) => {
                let number = Decimal::parse(text).filter(|_| looks_like_amount(text));
                let cents = number.and_then(|number| number.quantize(2, Rounding::HalfUp));
                cents.map(Value::from).ok_or_else(|| "Enter an amount such as 1200 or 99.50.".into())
            }
        }
    })
}

fn looks_like_amount(text: &str) -> bool {
    let (whole, cents) = text.strip_prefix('-').unwrap_or(text).split_once('.').unwrap_or((text, "0"));
    let digits =
        |part: &str| (1..=15).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    digits(whole.strip_prefix('-').unwrap_or(whole)) && digits(cents)
}

pub(crate) fn amount_range() -> Validator {
    custom(|_, field| {
        let Some(number) = field.data().as_decimal() else { return Ok(()) };
        let above = number.partial_cmp(&Decimal::from(999_999_999_999)) == Some(Ordering::Greater);
        if above || number.partial_cmp(&Decimal::from(0)) == Some(Ordering::Less) {
            return Err("Enter an amount between 0 and 999,999,999,999.".into());
        }
        Ok(())
    })
}

/// A day in ISO format, shown by the browser's own picker.
pub(crate) fn day(name: &str) -> FieldSpec {
    date(name).widget(Widget::Text("text")).render_kw("type", "date").custom("DateInput", |sent| {
        match sent.first().map(|text| python::strip(text)) {
            None | Some("") => Ok(Value::None),
            Some(text) => NaiveDate::parse_from_str(text, "%Y-%m-%d")
                .map(Value::from)
                .map_err(|_| Rejected::and_clear("Enter a date such as 2020-03-31.")),
        }
    })
}
