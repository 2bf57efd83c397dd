//! Pages of the customers (`crm/blueprints/customers`).

pub mod create;
pub mod detail;
mod filter;
pub mod form;
#[cfg(test)]
mod form_cases;
pub mod list;
