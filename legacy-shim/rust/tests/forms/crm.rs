//! The customer form of the stand-in CRM (`legacy-crm/crm/blueprints/customers/forms.py`) as a handler would declare it.

use std::cmp::Ordering;

use chrono::NaiveDate;
use flask_compat::Profile;
use flask_compat::forms::{
    Coerce, Decimal, FieldSpec, Form, FormSpec, Opening, Rejected, Rounding, Validator, Value, Widget,
    custom, data_required, date, decimal, length, optional, regexp, select, string, strip_text, text_area,
};
use serde_json::Value as Json;

use super::build::{form_data, values};

const INDUSTRIES: [&str; 13] = [
    "Agriculture",
    "Construction",
    "Education",
    "Energy",
    "Finance",
    "Food & Drink",
    "Healthcare",
    "Logistics",
    "Manufacturing",
    "Media",
    "Retail",
    "Software",
    "Travel",
];
const STATUSES: [(&str, &str); 3] = [("lead", "Lead"), ("active", "Active"), ("inactive", "Inactive")];
const PEOPLE: [(i64, &str); 3] = [(1, "Ana"), (2, "Marco"), (30, "Rita")];

/// A filter: no blanks around; an empty value is `None`.
pub(crate) fn strip(value: Value) -> Value {
    match value.as_text().map(strip_text) {
        Some("") => Value::None,
        Some(text) => text.into(),
        None => value,
    }
}

fn at_most(size: usize) -> Validator {
    length(None, size).message(format!("Use at most {size} characters."))
}

/// Money, typed as text.
pub(crate) fn amount(name: &str) -> FieldSpec {
    decimal(name).widget(Widget::Text("text")).custom("AmountField", |sent| {
        match sent.first().map(|text| strip_text(text)) {
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
        match sent.first().map(|text| strip_text(text)) {
            None | Some("") => Ok(Value::None),
            Some(text) => NaiveDate::parse_from_str(text, "%Y-%m-%d")
                .map(Value::from)
                .map_err(|_| Rejected::and_clear("Enter a date such as 2020-03-31.")),
        }
    })
}

pub(crate) fn customer_form() -> FormSpec {
    let industries = [("", "–")].into_iter().chain(INDUSTRIES.map(|name| (name, name)));
    FormSpec::new([
        string("name")
            .label("Name")
            .validators([data_required().message("Enter a name."), at_most(120)])
            .filter(strip)
            .render_kw("autofocus", true),
        select("status").label("Status").choices(STATUSES).default("lead"),
        select("industry").label("Industry").choices(industries).default(""),
        string("city").label("City").validators([optional(), at_most(80)]).filter(strip),
        string("country").label("Country").validators([optional(), at_most(80)]).filter(strip),
        string("website")
            .label("Website")
            .validators([
                optional(),
                at_most(200),
                regexp(r"^https?://[^\s/?#]+\.[^\s]+$")
                    .message("Enter a full address, such as https://www.example.com."),
            ])
            .filter(strip)
            .render_kw("placeholder", "https://www.example.com"),
        string("phone")
            .label("Phone")
            .validators([
                optional(),
                at_most(40),
                regexp(r"^[0-9+()/. -]+$").message("Use digits, spaces and + ( ) / . - only."),
            ])
            .filter(strip),
        amount("annual_revenue")
            .label("Annual revenue (€)")
            .validators([optional(), amount_range()])
            .render_kw("inputmode", "decimal"),
        select("owner_id").label("Owner").coerce(Coerce::Integer),
        text_area("notes").label("Notes").validators([optional(), at_most(5000)]).filter(strip),
    ])
    .unwrap()
}

/// The form of a case, as the view opens it: `CustomerForm(obj=customer)`, then `offer_owners`.
pub(crate) fn open(spec: &FormSpec, case: &Json, profile: Profile, token: &str) -> Form {
    let mut opening = Opening::new(profile).csrf_token(token).values(values(&case["values"]));
    if let Some(data) = form_data(&case["form"]) {
        opening = opening.submitted(data);
    }
    let mut form = spec.open(opening);
    form.set_choices("owner_id", PEOPLE);
    if form.data("owner_id").is_none() {
        form.set_data("owner_id", 1);
    }
    form
}
