//! The program's own log, on stderr: for people at a terminal, JSON for everything else.

use std::io::{IsTerminal, Write};

use tracing_subscriber::EnvFilter;

/// pingora says at `error` that clients leave, and shows what they sent; what matters is in the access log. A
/// directive of the settings for the same target counts more.
const QUIET: &str = "pingora_core=off,pingora_proxy=off";

/// Starts the log; whoever started one before keeps it.
pub(super) fn start(level: &str) {
    let filter = EnvFilter::new(format!("{QUIET},{level}"));
    // A log that cannot be written (its disk is full) must not take anything else with it: complaining there would panic.
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .log_internal_errors(false);
    let started = if std::io::stderr().is_terminal() { log.try_init() } else { log.json().try_init() };
    if started.is_err() {
        tracing::debug!("a log was started before");
    }
}

/// Says something to whoever started us; if nobody can be told, nothing else happens.
pub(super) fn say(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}
