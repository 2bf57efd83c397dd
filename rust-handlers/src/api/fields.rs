//! How rows look as JSON (`crm/blueprints/api/fields.py`): times in ISO 8601 (UTC, without zone), money as text with two
//! places. The order of the fields is the order of the keys.

use chrono::{NaiveDateTime, Timelike};
use rust_decimal::{Decimal, RoundingStrategy};
use serde::{Serialize, Serializer};

use crate::crm::contact::Contact;
use crate::crm::customer::Customer;
use crate::crm::user::Person;

/// A customer in a list.
#[derive(Serialize)]
pub(super) struct CustomerFields<'a> {
    id: i32,
    name: &'a str,
    status: &'a str,
    industry: Option<&'a str>,
    city: Option<&'a str>,
    country: Option<&'a str>,
    website: Option<&'a str>,
    phone: Option<&'a str>,
    #[serde(serialize_with = "money")]
    annual_revenue: Option<Decimal>,
    notes: Option<&'a str>,
    owner: &'a Person,
    #[serde(serialize_with = "time")]
    created_at: Option<NaiveDateTime>,
    #[serde(serialize_with = "time")]
    updated_at: Option<NaiveDateTime>,
    #[serde(serialize_with = "time")]
    archived_at: Option<NaiveDateTime>,
}

impl<'a> From<&'a Customer> for CustomerFields<'a> {
    fn from(customer: &'a Customer) -> Self {
        Self {
            id: customer.id,
            name: &customer.name,
            status: &customer.status,
            industry: customer.industry.as_deref(),
            city: customer.city.as_deref(),
            country: customer.country.as_deref(),
            website: customer.website.as_deref(),
            phone: customer.phone.as_deref(),
            annual_revenue: customer.annual_revenue,
            notes: customer.notes.as_deref(),
            owner: &customer.owner,
            created_at: Some(customer.created_at),
            updated_at: Some(customer.updated_at),
            archived_at: customer.archived_at,
        }
    }
}

/// A customer by itself also carries its contacts.
#[derive(Serialize)]
pub(super) struct CustomerWithContacts<'a> {
    #[serde(flatten)]
    customer: CustomerFields<'a>,
    contacts: Vec<ContactFields<'a>>,
}

impl<'a> CustomerWithContacts<'a> {
    pub(super) fn new(customer: &'a Customer, contacts: &'a [Contact]) -> Self {
        Self { customer: customer.into(), contacts: contacts.iter().map(ContactFields::from).collect() }
    }
}

#[derive(Serialize)]
struct ContactFields<'a> {
    id: i32,
    customer_id: i32,
    name: &'a str,
    title: Option<&'a str>,
    email: Option<&'a str>,
    phone: Option<&'a str>,
    #[serde(serialize_with = "time")]
    created_at: Option<NaiveDateTime>,
    #[serde(serialize_with = "time")]
    updated_at: Option<NaiveDateTime>,
}

impl<'a> From<&'a Contact> for ContactFields<'a> {
    fn from(contact: &'a Contact) -> Self {
        Self {
            id: contact.id,
            customer_id: contact.customer_id,
            name: &contact.name,
            title: contact.title.as_deref(),
            email: contact.email.as_deref(),
            phone: contact.phone.as_deref(),
            created_at: Some(contact.created_at),
            updated_at: Some(contact.updated_at),
        }
    }
}

/// Flask-RESTful's `Fixed(decimals=2)`.
#[allow(clippy::ref_option, reason = "serde passes the field by reference")]
fn money<S: Serializer>(amount: &Option<Decimal>, serializer: S) -> Result<S::Ok, S::Error> {
    match amount {
        None => serializer.serialize_none(),
        Some(amount) => {
            let rounded = amount.round_dp_with_strategy(2, RoundingStrategy::MidpointNearestEven);
            serializer.serialize_str(&format!("{rounded:.2}"))
        }
    }
}

/// Flask-RESTful's `DateTime(dt_format="iso8601")` of a naive time: Python's `isoformat()`.
#[allow(clippy::ref_option, reason = "serde passes the field by reference")]
fn time<S: Serializer>(time: &Option<NaiveDateTime>, serializer: S) -> Result<S::Ok, S::Error> {
    match time {
        None => serializer.serialize_none(),
        Some(time) if time.nanosecond() < 1000 => serializer.collect_str(&time.format("%Y-%m-%dT%H:%M:%S")),
        Some(time) => serializer.collect_str(&time.format("%Y-%m-%dT%H:%M:%S%.6f")),
    }
}
