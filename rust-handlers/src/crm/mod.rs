//! What the tables hold, as far as the moved endpoints need it: users, customers, contacts, deals, activities, audit.
//!
//! One file per table. Reading rows and their derived values is here; pages and forms are in the blueprints' folders.

pub mod activity;
pub mod attachment;
pub mod audit;
pub mod contact;
pub mod customer;
pub mod deal;
pub mod search;
pub mod user;
