//! How long each route has been at its step: time in which this process saw it there, added up over restarts.
//!
//! Not the difference of two clocks: a clock that jumps, or a night in which nothing ran, soaks nothing. Kept in one small
//! file of this node.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::book;
use super::steps::Stage;
use crate::route::{Route, Table};

/// Time at a step.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Soak {
    /// The step, with the backends that it is between.
    step: String,
    milliseconds: u64,
}

/// All routes of this node.
#[derive(Debug)]
pub struct Soaks {
    path: PathBuf,
    book: Mutex<BTreeMap<String, Soak>>,
}

impl Soaks {
    /// Those kept in this directory.
    pub fn load(directory: &Path) -> Self {
        let path = directory.join("soak.json");
        Self { book: Mutex::new(book::load(&path)), path }
    }

    /// So much time has passed, in which routing was as in this table. Whether some route has changed its step.
    pub fn pass(&self, table: &Table, time: Duration) -> bool {
        let milliseconds = u64::try_from(time.as_millis()).unwrap_or_default();
        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut changed, mut step) = (0, String::new());
        for route in table.routes() {
            step.clear();
            write_key(&mut step, route);
            match book.get_mut(&route.name) {
                Some(soak) if soak.step == step => soak.milliseconds += milliseconds,
                _ => {
                    book.insert(route.name.clone(), Soak { step: step.clone(), milliseconds: 0 });
                    changed += 1;
                }
            }
        }
        // Every route of the table is in the book now: whoever is there beyond them is no longer in the table.
        if book.len() > table.routes().len() {
            let names: HashSet<&str> = table.routes().iter().map(|route| route.name.as_str()).collect();
            book.retain(|route, _| names.contains(route.as_str()));
            changed += 1;
        }
        changed > 0
    }

    /// How long a route has been where it is.
    pub fn soaked(&self, route: &Route) -> Duration {
        let book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        let soak = book.get(&route.name).filter(|soak| soak.step == key(route));
        Duration::from_millis(soak.map_or(0, |soak| soak.milliseconds))
    }

    /// Writes the file: whole, or not at all.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn save(&self) -> std::io::Result<()> {
        book::save(&self.path, &self.book.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Two standings with the same key are the same step.
fn key(route: &Route) -> String {
    let mut key = String::new();
    write_key(&mut key, route);
    key
}

fn write_key(key: &mut String, route: &Route) {
    key.push_str(&Stage::of(route).word(route));
    for backend in [&route.candidate, &route.fallback] {
        key.push(' ');
        key.push_str(backend);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Source;
    use crate::route::{Context, read};

    fn table(lines: &str) -> Table {
        let text = format!("version = 1\n[[route]]\nname = \"a\"\nrule = \"/a\"\n{lines}");
        read(&Source::new("routes.toml", text), &Context::default()).0.unwrap()
    }

    #[test]
    fn time_adds_up_over_restarts_and_begins_anew_with_each_step() {
        let directory = tempfile::tempdir().unwrap();
        let (five, ten) = (table("canary = { percent = 5 }\n"), table("canary = { percent = 10 }\n"));
        let soaked = |soaks: &Soaks, table: &Table| soaks.soaked(table.route("a").unwrap()).as_secs();
        let soaks = Soaks::load(directory.path());
        assert!(soaks.pass(&five, Duration::from_secs(60)), "first seen");
        assert!(!soaks.pass(&five, Duration::from_secs(60)));
        soaks.save().unwrap();
        let soaks = Soaks::load(directory.path());
        soaks.pass(&five, Duration::from_secs(5));
        assert_eq!((soaked(&soaks, &five), soaked(&soaks, &ten)), (65, 0));
        assert!(soaks.pass(&ten, Duration::from_secs(60)));
        assert!(soaks.pass(&Table::empty(crate::route::Serve::Off), Duration::ZERO), "the route is gone");
        assert!(soaks.pass(&ten, Duration::ZERO) && !soaks.pass(&ten, Duration::ZERO), "and back");
        assert_eq!((soaked(&soaks, &five), soaked(&soaks, &ten)), (0, 0));
        std::fs::write(directory.path().join("soak.json"), "{").unwrap();
        assert_eq!(soaked(&Soaks::load(directory.path()), &five), 0);
    }
}
