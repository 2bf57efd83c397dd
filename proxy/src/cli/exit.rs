//! How a command ends when it does not end well.

use crate::admin::{IN_PROGRESS, MOVED, Problem};

use super::screen;

/// Code and message.
#[derive(Debug)]
pub(super) struct Exit {
    code: u8,
    message: String,
    details: Option<String>,
    moved: bool,
    in_progress: bool,
}

impl Exit {
    fn new(code: u8, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), details: None, moved: false, in_progress: false }
    }

    /// It did not work.
    pub(super) fn failed(message: impl Into<String>) -> Self {
        Self::new(1, message)
    }

    /// Something is missing on the command line.
    pub(super) fn usage(message: impl Into<String>) -> Self {
        Self::new(2, message)
    }

    /// A gate does not hold.
    pub(super) fn refusal(message: impl Into<String>) -> Self {
        Self::new(3, message)
    }

    /// It did not work, and everything is said already.
    pub(super) fn silent(code: u8) -> Self {
        Self::new(code, "")
    }

    /// Somebody pressed Ctrl-C.
    pub(super) fn interrupted() -> Self {
        Self::new(130, "interrupted")
    }

    /// Nobody answers at this place.
    pub(super) fn unreachable(place: &str, cause: &str) -> Self {
        let message = format!(
            "cannot reach ficus at `{place}`: {cause}\n\
             is it running? `ficus serve` starts it; `--socket` or `--config` say where it is\n\
             `ficus rollback ROUTE --offline` works without it"
        );
        Self::new(5, message)
    }

    /// Whoever answers at this place must not be asked.
    pub(super) fn distrusted(place: &str, why: &str) -> Self {
        Self::new(5, format!("ficus at `{place}` is not asked: {why}"))
    }

    /// The running ficus refused.
    pub(super) fn refused(problem: Problem) -> Self {
        let mut message = problem.detail;
        match (problem.code.as_str(), problem.near.as_slice()) {
            (_, []) => {}
            ("unknown_backend", near) => message.push_str(&format!("; there are: {}", quoted(near))),
            (_, near) => message.push_str(&format!(
                "; did you mean {}?",
                near.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(" or ")
            )),
        }
        if problem.code == "unknown_route" && problem.near.is_empty() {
            message.push_str("; `ficus routes` lists them");
        }
        let code = match problem.code.as_str() {
            "held" | "gate" | "vetoed" => 3,
            "stale" | "changed_since" => 4,
            "needs_tls" => 5,
            _ => 1,
        };
        let (moved, in_progress) = (problem.code == MOVED, problem.code == IN_PROGRESS);
        Self { code, message, details: problem.errors, moved, in_progress }
    }

    /// Whether another process has taken over, and asking again helps.
    pub(super) fn has_moved(&self) -> bool {
        self.moved
    }

    /// Whether the same is being answered already.
    pub(super) fn is_in_progress(&self) -> bool {
        self.in_progress
    }

    /// What is wrong, without advice.
    pub(super) fn first_line(&self) -> &str {
        self.message.lines().next().unwrap_or_default()
    }

    /// The exit code.
    pub(super) fn code(&self) -> u8 {
        self.code
    }

    /// Says why.
    pub(super) fn print(&self) {
        if let Some(details) = &self.details {
            eprintln!("{}", details.trim_end());
        }
        if !self.message.is_empty() {
            eprintln!("{} {}", screen::error_word(), self.message);
        }
    }
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
