//! The form of a customer (`CustomerForm` in `crm/blueprints/customers/forms.py`, parts from `crm/forms.py`).

use std::sync::LazyLock;

use flask_compat::forms::{
    Coerce, Decimal, Failure as Refused, Form, FormSpec, Rejected, Rounding, Validator, Value, Widget,
    custom, data_required, decimal, length, optional, regexp, select, string, text_area,
};
use flask_compat::python;
use flask_compat::web::FormClass;
use regex::Regex;

use crate::crm::customer::{INDUSTRIES, NewCustomer, STATUSES};
use crate::crm::user::{Person, User};
use crate::failure::Failure;

const MAX_REVENUE: i64 = 999_999_999_999;

/// `CustomerForm`; it cannot be wrong once the tests have opened it.
pub struct CustomerForm;

impl FormClass for CustomerForm {
    fn spec() -> Result<&'static FormSpec, String> {
        static SPEC: LazyLock<Result<FormSpec, String>> =
            LazyLock::new(|| FormSpec::new(fields()).map_err(|mistakes| mistakes.to_string()));
        SPEC.as_ref().map_err(Clone::clone)
    }
}

static AMOUNT: LazyLock<Result<Regex, regex::Error>> =
    LazyLock::new(|| Regex::new(r"^-?[0-9]{1,15}(\.[0-9]{1,15})?\n?$"));

fn fields() -> Vec<flask_compat::forms::FieldSpec> {
    let statuses = STATUSES.into_iter().filter(|status| *status != "archived");
    let industries = std::iter::once(("", "–")).chain(INDUSTRIES.into_iter().map(|name| (name, name)));
    vec![
        string("name")
            .label("Name")
            .validators([data_required().message("Enter a name."), at_most(120)])
            .filter(strip)
            .render_kw("autofocus", true),
        select("status")
            .label("Status")
            .choices(statuses.map(|status| (status, capitalized(status))))
            .default("lead"),
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
        decimal("annual_revenue")
            .label("Annual revenue (€)")
            .custom("AmountField", parse_amount)
            .widget(Widget::Text("text"))
            .validators([optional(), amount_range()])
            .render_kw("inputmode", "decimal"),
        select("owner_id").label("Owner").coerce(Coerce::Integer),
        text_area("notes").label("Notes").validators([optional(), at_most(5000)]).filter(strip),
    ]
}

/// `offer_owners`: managers choose among active people; reps own what they make.
pub(super) fn offer_owners(form: &mut Form, user: &User, people: &[Person]) {
    form.set_choices("owner_id", people.iter().map(|person| (i64::from(person.id), person.name.clone())));
    if form.data("owner_id").is_none() {
        form.set_data("owner_id", i64::from(user.id));
    }
}

/// `save_to`: the values as a row. The form is valid.
pub(super) fn new_customer(form: &Form) -> Result<NewCustomer, Failure> {
    let text = |name: &str| form.text(name).filter(|text| !text.is_empty()).map(str::to_owned);
    let unusable = |name: &str| Failure::Internal(format!("the valid form has no usable `{name}`"));
    let owner_id = form.integer("owner_id").and_then(|id| i32::try_from(id).ok());
    let annual_revenue = match form.decimal("annual_revenue") {
        Some(amount) => Some(amount.to_string().parse().map_err(|_| unusable("annual_revenue"))?),
        None => None,
    };
    Ok(NewCustomer {
        name: text("name").ok_or_else(|| unusable("name"))?,
        status: text("status").ok_or_else(|| unusable("status"))?,
        industry: text("industry"),
        city: text("city"),
        country: text("country"),
        website: text("website"),
        phone: text("phone"),
        annual_revenue,
        owner_id: owner_id.ok_or_else(|| unusable("owner_id"))?,
        notes: text("notes"),
    })
}

fn at_most(size: usize) -> Validator {
    length(None, size).message(format!("Use at most {size} characters."))
}

/// `strip(value) or None`.
fn strip(value: Value) -> Value {
    match value.as_text().map(python::strip) {
        Some("") => Value::None,
        Some(text) => text.into(),
        None => value,
    }
}

/// `AmountField.process_formdata`: two places, half up; nothing sent is no amount.
fn parse_amount(values: &[String]) -> Result<Value, Rejected> {
    let text = values.first().map(|text| python::strip(text)).unwrap_or_default();
    if text.is_empty() {
        return Ok(Value::None);
    }
    let fits = AMOUNT.as_ref().is_ok_and(|pattern| pattern.is_match(text));
    let amount = fits.then(|| Decimal::parse(text)?.quantize(2, Rounding::HalfUp)).flatten();
    amount.map(Value::Decimal).ok_or_else(|| Rejected::from("Enter an amount such as 1200 or 99.50."))
}

/// `AmountRange`.
fn amount_range() -> Validator {
    custom(|_, field| {
        let Some(amount) = field.data().as_decimal() else { return Ok(()) };
        let fits = amount >= Decimal::from(0) && amount <= Decimal::from(MAX_REVENUE);
        if fits { Ok(()) } else { Err(Refused::error("Enter an amount between 0 and 999,999,999,999.")) }
    })
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_class_has_no_mistakes() {
        assert!(CustomerForm::spec().is_ok());
    }

    #[test]
    fn amounts_are_rounded_half_up_and_nonsense_is_refused() {
        let read = |text: &str| {
            parse_amount(&[text.to_owned()]).ok().and_then(|value| value.as_decimal()).map(|d| d.to_string())
        };
        assert_eq!(read(" 0.005 "), Some("0.01".to_owned()));
        assert_eq!(read("1234.565"), Some("1234.57".to_owned()));
        for text in ["lots", "1,5", "1e3", "+1", "\u{661}", "1.", ".5", "inf"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
