//! What changes routes by itself: guards, which roll a route back when its candidate misbehaves.
//!
//! Evidence comes from `observe`, one request at a time; verdicts are in `guard` (pure), what follows from them in
//! `watch`, what is kept of them in `incident`. Every change goes through `control`, like anybody else's.

mod guard;
mod incident;
mod latency;
pub mod progress;
mod sequential;
mod side;
mod watch;

pub use guard::{Fault, Verdict};
pub use incident::{Incident, Incidents, Sample, SideReport};
pub use watch::{share, watch};
