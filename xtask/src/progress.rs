//! What a person sees while things happen: numbered steps that update in place on a terminal, and plain lines
//! elsewhere. Nothing here decides anything.

use std::io::{IsTerminal, Write, stderr};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// `[3/6] legacy     virtual environment ready      3.4 s`, several at once.
pub(crate) struct Board {
    terminal: bool,
    state: Mutex<State>,
}

struct State {
    steps: Vec<Step>,
    drawn: usize,
}

struct Step {
    name: &'static str,
    text: String,
    started: Option<Instant>,
    took: Option<Duration>,
    said: Instant,
}

/// Without a terminal, a long step says something this often.
const REPEAT: Duration = Duration::from_secs(30);

impl Board {
    /// A board with these steps, none begun.
    pub(crate) fn new(names: &[&'static str]) -> Self {
        let step = |name: &&'static str| Step {
            name,
            text: String::new(),
            started: None,
            took: None,
            said: Instant::now(),
        };
        let steps = names.iter().map(step).collect();
        Self { terminal: stderr().is_terminal(), state: Mutex::new(State { steps, drawn: 0 }) }
    }

    /// The step is being worked on, and this is how far it is.
    pub(crate) fn say(&self, name: &str, text: impl Into<String>) {
        self.change(name, |step| {
            step.text = text.into();
            let first = step.started.is_none();
            step.started.get_or_insert_with(Instant::now);
            first || step.said.elapsed() > REPEAT
        });
    }

    /// The step is over.
    pub(crate) fn done(&self, name: &str, text: impl Into<String>) {
        self.change(name, |step| {
            step.text = text.into();
            step.took = Some(step.started.map_or(Duration::ZERO, |started| started.elapsed()));
            true
        });
    }

    fn change(&self, name: &str, edit: impl FnOnce(&mut Step) -> bool) {
        let Ok(mut state) = self.state.lock() else { return };
        let total = state.steps.len();
        let Some(index) = state.steps.iter().position(|step| step.name == name) else { return };
        let Some(step) = state.steps.get_mut(index) else { return };
        if !edit(step) && !self.terminal {
            return;
        }
        step.said = Instant::now();
        let line = step.line(index + 1, total);
        if self.terminal {
            state.redraw();
        } else {
            eprintln!("{line}");
        }
    }
}

impl Step {
    fn line(&self, number: usize, total: usize) -> String {
        let time = self.took.map(|took| format!("  {}", seconds(took))).unwrap_or_default();
        format!("[{number}/{total}] {:<10} {}{time}", self.name, self.text)
    }
}

impl State {
    /// Moves up over what was drawn before and draws the steps begun so far again.
    fn redraw(&mut self) {
        let total = self.steps.len();
        let begun =
            self.steps.iter().enumerate().filter(|(_, step)| step.started.is_some() || step.took.is_some());
        let lines: Vec<String> = begun.map(|(index, step)| step.line(index + 1, total)).collect();
        let mut screen = stderr().lock();
        if self.drawn > 0 {
            let _ = write!(screen, "\x1b[{}A", self.drawn);
        }
        for line in &lines {
            // A line that wraps would be counted once and take two: cut it to a width every terminal has.
            let cut: String = line.chars().take(118).collect();
            let _ = writeln!(screen, "\r\x1b[2K{cut}");
        }
        self.drawn = lines.len();
    }
}

/// `0.8 s`, `3 m 07 s`.
pub(crate) fn seconds(time: Duration) -> String {
    let whole = time.as_secs();
    if whole >= 60 {
        return format!("{} m {:02} s", whole / 60, whole % 60);
    }
    format!("{:.1} s", time.as_secs_f64())
}

/// A bar of ten cells.
pub(crate) fn bar(done: usize, total: usize) -> String {
    let full = (done * 10).checked_div(total).unwrap_or(0).min(10);
    format!("{}{} {done}/{total}", "█".repeat(full), "░".repeat(10 - full))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_bars_are_short() {
        assert_eq!(seconds(Duration::from_millis(840)), "0.8 s");
        assert_eq!(seconds(Duration::from_secs(187)), "3 m 07 s");
        assert_eq!(bar(271, 336), "████████░░ 271/336");
        assert_eq!(bar(0, 0), "░░░░░░░░░░ 0/0");
    }
}
