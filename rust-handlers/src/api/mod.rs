//! The API, version 1 (`crm/blueprints/api`): bearer tokens instead of sessions, Flask-RESTful's error shapes.

mod arguments;
pub mod customer;
pub mod customers;
mod fields;
mod token;
