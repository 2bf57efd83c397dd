//! What changes routes by itself or step by step: guards, which roll a route back when its candidate misbehaves, and gates,
//! which let it up.
//!
//! Evidence comes from `observe`, one request at a time; verdicts are in `guard` (pure), what follows from them in
//! `watch`, what is kept of them in `incident`. The way up: where a route stands is in `steps`, whether its next step may be
//! taken in `gate` (both pure), what is known in `facts`, plans that advance by themselves in `advance`, the rehearsal of a
//! rollback in `drill`, who is asked and told in `hooks`. Every change goes through `control`, like anybody else's.

mod advance;
mod book;
mod drill;
mod facts;
mod gate;
mod guard;
mod hooks;
mod incident;
mod latency;
pub mod progress;
mod sequential;
mod side;
mod sights;
mod soak;
mod steps;
mod usuals;
mod watch;

pub use advance::advance;
pub use drill::{Drills, Journey, Report, Rig, parse as parse_journey};
pub use facts::{Gates, NotPromoted, Outlook, Wish};
pub use gate::Condition;
pub use guard::{Fault, Verdict};
pub use hooks::Hooks;
pub use incident::{Incident, Incidents, Sample, SideReport};
pub use sights::Sights;
pub use soak::Soaks;
pub use usuals::Usuals;
pub use watch::{share, watch};
