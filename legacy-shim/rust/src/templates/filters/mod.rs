//! Jinja2's filters where minijinja's are missing or give another text.

// minijinja hands arguments over by value.
#![allow(clippy::needless_pass_by_value)]

mod entities;
mod json;
mod lists;
mod numbers;
mod printf;
mod strings;
mod urlize;
mod urls;
mod wrap;

use minijinja::Environment;

pub(super) use printf::printf;
pub(super) use strings::centered;

use crate::Profile;

/// Adds all of them.
pub(super) fn add(env: &mut Environment<'static>, profile: Profile) {
    strings::add(env, profile);
    wrap::add(env);
    numbers::add(env);
    lists::add(env);
    urls::add(env);
    urlize::add(env, profile);
    json::add(env);
}
