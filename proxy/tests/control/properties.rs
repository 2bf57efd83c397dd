//! Whatever is done in whatever order: a route that was rolled back gets no traffic away from its fallback before somebody
//! resumes it, revisions never go back, and the audit holds together.
//!
//! The control itself, in this process: commands, hand edits, read-only files, restarts, and a memory of which parts are lost
//! or damaged. Ends of the process in the middle of a change are in `crashes`.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use ficus::control::{Change, Control, Crowd, Edit, Refused, Standing};
use ficus::settings::{Inputs, Settings, load};
use tempfile::TempDir;

const ROUTES: [&str; 3] = ["a", "b", "c"];

/// Small, fast and the same every time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }

    fn one_of<'t>(&mut self, list: &[&'t str]) -> &'t str {
        list[self.below(list.len())]
    }
}

struct World {
    directory: TempDir,
    settings: Settings,
    control: Option<Control>,
    dice: Dice,
    /// Rolled back and not resumed since.
    back: BTreeSet<String>,
    revision: u64,
    told: Vec<String>,
}

impl World {
    fn new(seed: u64) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let config = directory.path().join("ficus.toml");
        let text = "[backends]\nrust = { upstreams = [\"http://127.0.0.1:1\"] }\n[store]\nurl = \"sqlite:state/ficus.db\"\n";
        std::fs::write(&config, text).unwrap();
        std::fs::write(directory.path().join("routes.toml"), file(|_| "")).unwrap();
        let settings = load(&Inputs { config: Some(config), ..Inputs::default() }).0.unwrap();
        let control = Some(Control::start(&settings).unwrap());
        Self {
            directory,
            settings,
            control,
            dice: Dice(seed),
            back: BTreeSet::new(),
            revision: 1,
            told: Vec::new(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn control(&self) -> &Control {
        self.control.as_ref().unwrap()
    }

    fn change(&mut self, edit: Edit) -> Result<(), Refused> {
        self.told.push(format!("{edit:?}"));
        let change = Change { author: "ana".into(), reason: None, based_on: None, edit };
        self.control().apply(&change).map(drop)
    }

    fn step(&mut self) {
        let route = self.dice.one_of(&ROUTES).to_owned();
        match self.dice.below(13) {
            0 => drop(self.change(Edit::Flip { route, to: "rust".into(), canary: None })),
            1 => {
                let to = self.dice.one_of(&["legacy", "off", "rust"]).to_owned();
                drop(self.change(Edit::Flip { route, to, canary: None }));
            }
            2 => {
                let buckets = Some(u32::try_from(self.dice.below(100_001)).unwrap());
                let crowd = Crowd { buckets, users: Some(vec!["7".into()]), ..Crowd::default() };
                drop(self.change(Edit::Canary { route, crowd }));
            }
            3 | 4 => {
                let all = self.dice.below(4) == 0;
                let name = (!all).then(|| route.clone());
                let before = self.standings();
                self.change(Edit::Rollback { route: name, lasts: None }).expect("a rollback never fails");
                let moved = before.into_iter().filter(|(name, standing)| {
                    let named = if all { standing.serve != "off" } else { *name == route };
                    named && !standing.is_safe()
                });
                self.back.extend(moved.map(|(name, _)| name));
            }
            5 => {
                if self.change(Edit::Resume { route: route.clone() }).is_ok() {
                    self.back.remove(&route);
                }
            }
            6 => {
                let revision = Some(u64::try_from(self.dice.below(12)).unwrap());
                drop(self.change(Edit::Undo { revision, force: self.told.len().is_multiple_of(2) }));
            }
            7 => {
                let text = self.any_file();
                drop(self.change(Edit::Apply { text, name: "new.toml".into() }));
            }
            8 | 9 => self.edit_by_hand(),
            10 => self.toggle_write_protection(),
            11 => self.restart(false),
            _ => self.restart(true),
        }
    }

    fn any_file(&mut self) -> String {
        let lines: Vec<&str> = ROUTES
            .iter()
            .map(|_| {
                self.dice.one_of(&[
                    "",
                    "serve = 'rust'",
                    "canary = { percent = 25 }",
                    "serve = 'off'",
                    "serve = 'legacy'",
                ])
            })
            .collect();
        file(|number| lines[number])
    }

    fn edit_by_hand(&mut self) {
        let text = if self.dice.below(5) == 0 { "version = 1\nbroken".to_owned() } else { self.any_file() };
        self.told.push(format!("hand edit: {text}"));
        let (path, next) = (self.path("routes.toml"), self.path("routes.toml~"));
        let mode = std::fs::metadata(&path).unwrap().permissions();
        std::fs::write(&next, text).unwrap();
        std::fs::set_permissions(&next, mode).unwrap();
        std::fs::rename(next, path).unwrap();
        if self.dice.below(3) > 0 {
            self.control().reload();
        }
    }

    fn toggle_write_protection(&mut self) {
        let path = self.path("routes.toml");
        let writable = std::fs::metadata(&path).unwrap().permissions().mode() & 0o222 != 0;
        self.told.push(format!("read-only: {writable}"));
        std::fs::set_permissions(path, PermissionsExt::from_mode(if writable { 0o444 } else { 0o644 }))
            .unwrap();
    }

    /// Stops and starts; perhaps with a part of the memory lost or damaged in between. One copy of the past is always left.
    fn restart(&mut self, lossy: bool) {
        drop(self.control.take());
        let state = self.path("state");
        let lost = if lossy { self.dice.below(5) } else { 9 };
        self.told.push(format!("restart, lost: {lost}"));
        match lost {
            0 => remove(&state, &["routing.json"]),
            1 => std::fs::write(state.join("routing.json"), "{\"revision\": 1").unwrap(),
            2 => remove(&state, &["ficus.db", "ficus.db-wal", "ficus.db-shm"]),
            3 => remove(&state, &["routing.json", "ficus.db", "ficus.db-wal", "ficus.db-shm"]),
            4 => remove(&state, &["routing.json", "audit.jsonl"]),
            _ => {}
        }
        match Control::start(&self.settings) {
            Ok(control) => self.control = Some(control),
            Err(error) => {
                // A bad file and a lost memory of the last good one: nothing is served, and a person has to come.
                assert!(lossy, "{error}\n{}", self.told.join("\n"));
                std::fs::set_permissions(self.path("routes.toml"), PermissionsExt::from_mode(0o644)).unwrap();
                std::fs::write(self.path("routes.toml"), file(|_| "")).unwrap();
                self.control = Some(Control::start(&self.settings).unwrap());
            }
        }
    }

    fn standings(&self) -> Vec<(String, Standing)> {
        // A change looks at the file first; so does this.
        self.control().reload();
        let live = self.control().live().load();
        live.table.routes().iter().map(|route| (route.name.clone(), Standing::of(route))).collect()
    }

    fn check(&mut self) {
        let story = || self.told.join("\n");
        let live = self.control().live().load();
        for route in live.table.routes() {
            let standing = Standing::of(route);
            let safe = standing.is_safe() || standing.serve == "off";
            assert!(
                safe || !self.back.contains(&route.name),
                "{}: {}\n{}",
                route.name,
                standing.words(),
                story()
            );
        }
        assert!(live.revision >= self.revision, "{} after {}\n{}", live.revision, self.revision, story());
        self.revision = live.revision;
    }
}

fn remove(directory: &Path, names: &[&str]) {
    for name in names {
        let _ = std::fs::remove_file(directory.join(name));
    }
}

/// A routing file with these lines for each route.
fn file<'t>(lines: impl Fn(usize) -> &'t str) -> String {
    let route = |(number, name): (usize, &&str)| {
        format!("\n[[route]]\nname = \"{name}\"\nrule = \"/{name}\"\n{}\n", lines(number))
    };
    let routes: String = ROUTES.iter().enumerate().map(route).collect();
    format!("version = 1\n{routes}")
}

#[test]
fn a_route_that_was_rolled_back_stays_so_until_somebody_resumes_it() {
    let mut rollbacks = 0;
    for seed in 0..24 {
        let mut world = World::new(seed);
        for _ in 0..40 {
            world.step();
            world.check();
            rollbacks += usize::from(!world.back.is_empty());
        }
    }
    assert!(rollbacks > 200, "only {rollbacks} of 960 steps were made while a route was rolled back");
}

#[test]
fn the_audit_holds_together_through_restarts() {
    for seed in 100..106 {
        let mut world = World::new(seed);
        for _ in 0..25 {
            world.step();
            let audit = world.control().audit(1).unwrap();
            assert_eq!(audit.broken, None, "{}", world.told.join("\n"));
        }
    }
}
