//! The program's own log, on stderr: for people at a terminal, JSON for everything else.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// pingora says at `error` that clients leave, and shows what they sent; what matters is in the access log. A
/// directive of the settings for the same target counts more.
const QUIET: &str = "pingora_core=off,pingora_proxy=off";

/// Starts the log; whoever started one before keeps it.
pub(super) fn start(level: &str) {
    let filter = EnvFilter::new(format!("{QUIET},{level}"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = if std::io::stderr().is_terminal() { log.try_init() } else { log.json().try_init() };
    if started.is_err() {
        tracing::debug!("a log was started before");
    }
}
