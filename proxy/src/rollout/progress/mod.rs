//! How far the migration is: what each route does, what to move next, what stands in the way, what can go.
//!
//! `tallies` carries the observer's counters into the store, `facts` puts together what is known about the routes, `rank`
//! says what to move next, `retire` whether a view is needed any more, `tellers` which nodes of a fleet
//! were heard. Those four are pure. What only the application
//! knows comes from `census`, and is put beside this by the commands.

mod facts;
mod rank;
mod retire;
mod tallies;
mod tellers;

pub use facts::{Gathered, Numbers, Progress, RouteProgress, Stage, gather};
pub use rank::{Known, Ranked, rank};
pub use retire::{Condition, conditions};
pub use tallies::Tallies;
pub use tellers::Tellers;
