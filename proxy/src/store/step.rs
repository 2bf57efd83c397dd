//! The steps of a change at which a test may end the process, to see what is found afterwards.

/// Marks a step. In a build for development the process ends here, as by a power cut, if the file that `FICUS_KILL_AT`
/// names holds the step's name; in a release there is nothing here.
#[cfg(debug_assertions)]
pub fn step(name: &str) {
    let wanted = std::env::var_os("FICUS_KILL_AT").and_then(|path| std::fs::read_to_string(path).ok());
    if wanted.is_some_and(|wanted| wanted == name) {
        let _ = nix::sys::signal::raise(nix::sys::signal::Signal::SIGKILL);
    }
}

/// Marks a step.
#[cfg(not(debug_assertions))]
#[inline]
pub fn step(_name: &str) {}
