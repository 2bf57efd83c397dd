//! Proof before the switch: the side that does not serve gets a copy of the request, and both answers are compared.
//!
//! `compare` is the pure half: what two answers have in common by meaning. What is stored of a difference is its
//! shape (`mask`). Users never wait for anything in this room, and what the other side answers is never sent to anyone.

pub mod compare;
pub mod mask;
