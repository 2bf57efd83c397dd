//! How long the fallback of each guarded route usually takes, kept over restarts in a file of this node.
//!
//! Without it a process that begins with everybody on the candidate would never learn what slow is: nobody asks the
//! fallback any more.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::book;
use super::latency::Usual;
use crate::route::Route;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    /// Whose times these are.
    fallback: String,
    p95_us: u64,
    rare_us: u64,
}

/// All routes of this node.
#[derive(Debug)]
pub struct Usuals {
    path: PathBuf,
    book: BTreeMap<String, Kept>,
    changed: bool,
}

impl Usuals {
    /// Those kept in this directory.
    pub fn load(directory: &Path) -> Self {
        let path = directory.join("usual.json");
        Self { book: book::load(&path), path, changed: false }
    }

    /// What is known of a route's fallback.
    pub(super) fn of(&self, route: &Route) -> Option<Usual> {
        let kept = self.book.get(&route.name).filter(|kept| kept.fallback == route.fallback)?;
        let [p95, rare] = [kept.p95_us, kept.rare_us].map(Duration::from_micros);
        Some(Usual { p95, rare })
    }

    /// A guard has learnt how long a route's fallback takes.
    pub(super) fn learnt(&mut self, route: &Route, usual: Usual) {
        if self.of(route) == Some(usual) {
            return;
        }
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let (p95_us, rare_us) = (micros(usual.p95), micros(usual.rare));
        let kept = Kept { fallback: route.fallback.clone(), p95_us, rare_us };
        self.changed |= self.book.insert(route.name.clone(), kept.clone()) != Some(kept);
    }

    /// How to write what has changed since this was last asked; it waits for the disk. None if nothing has.
    pub(super) fn unsaved(&mut self) -> Option<impl FnOnce() -> io::Result<()> + Send + 'static> {
        let (path, book) =
            std::mem::take(&mut self.changed).then(|| (self.path.clone(), self.book.clone()))?;
        Some(move || book::save(&path, &book))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnostic::Source;
    use crate::route::{Context, read};

    #[test]
    fn what_was_learnt_outlives_the_process_and_belongs_to_one_fallback() {
        let route = |lines: &str| {
            let text = format!("version = 1\n[[route]]\nname = \"a\"\nrule = \"/a\"\n{lines}");
            let table = read(&Source::new("routes.toml", text), &Context::default()).0.unwrap();
            table.route("a").unwrap().clone()
        };
        let (legacy, blue) = (route(""), route("fallback = \"blue\"\n"));
        let usual = Usual { p95: Duration::from_millis(40), rare: Duration::from_micros(70_001) };
        let directory = tempfile::tempdir().unwrap();
        let mut usuals = Usuals::load(directory.path());
        assert!(usuals.of(&legacy).is_none() && usuals.unsaved().is_none());
        usuals.learnt(&legacy, usual);
        usuals.unsaved().unwrap()().unwrap();
        usuals.learnt(&legacy, usual);
        assert!(usuals.unsaved().is_none(), "nothing new");
        let usuals = Usuals::load(directory.path());
        assert_eq!((usuals.of(&legacy), usuals.of(&blue)), (Some(usual), None));
        std::fs::write(directory.path().join("usual.json"), "{").unwrap();
        assert_eq!(Usuals::load(directory.path()).of(&legacy), None);
    }
}
