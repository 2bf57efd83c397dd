//! What goes wrong in xtask, as one sentence for the person at the keyboard, and the way to put context before it.
//! Nobody branches on these errors, so a text is all they are.

use std::fmt;

/// A sentence: lower case, no full stop, the value in backticks.
#[derive(Debug)]
pub(crate) struct Problem(String);

/// The result of nearly everything here.
pub(crate) type Outcome<T = ()> = Result<T, Problem>;

impl Problem {
    /// A problem from its sentence.
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl From<lexopt::Error> for Problem {
    fn from(error: lexopt::Error) -> Self {
        Self(error.to_string())
    }
}

/// Puts what was being done before why it failed.
pub(crate) trait Context<T> {
    /// `cannot read `x`: no such file`.
    fn context(self, what: impl FnOnce() -> String) -> Outcome<T>;
}

impl<T, E: fmt::Display> Context<T> for Result<T, E> {
    fn context(self, what: impl FnOnce() -> String) -> Outcome<T> {
        self.map_err(|error| Problem(format!("{}: {error}", what())))
    }
}

/// Returns early with a [`Problem`] made like `format!` makes a text.
macro_rules! bail {
    ($($part:tt)*) => { return Err($crate::problem::Problem::new(format!($($part)*))) };
}
pub(crate) use bail;
