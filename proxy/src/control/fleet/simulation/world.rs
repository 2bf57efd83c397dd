//! The nodes and the store of the simulation, what may happen to them, and what must be true after each step.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::super::merge::{Own, Side, Step, merge, step};
use crate::control::change::Crowd;
use crate::control::edit::{RouteEdit, edit};
use crate::control::pins::{Hold, Pins, nothing_tried};
use crate::control::standing::Standing;
use crate::diagnostic::Source;
use crate::route::{Context, Table, read};

const ROUTES: [&str; 3] = ["a", "b", "c"];
const NODES: usize = 3;

pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct State {
    text: String,
    pub(super) pins: Pins,
}

#[derive(Debug, Clone)]
pub(super) struct Revision {
    number: u64,
    digest: String,
    state: State,
}

pub(super) struct Node {
    revision: u64,
    synced: Option<(u64, String)>,
    pub(super) apart: bool,
    blind: bool,
    cut_off: bool,
    state: State,
    /// Rollbacks that it has heard of.
    aware: BTreeSet<&'static str>,
}

pub(super) struct World {
    pub(super) dice: Dice,
    pub(super) nodes: Vec<Node>,
    store: Vec<Revision>,
    /// How the store was at some time.
    copies: Vec<Vec<Revision>>,
    /// Rolled back, and not resumed by a person since.
    pub(super) back: BTreeSet<&'static str>,
    digests: u64,
    told: Vec<String>,
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000, 0).unwrap()
}

fn table(text: &str) -> Table {
    let (table, report) = read(&Source::new("routes.toml", text), &Context::default());
    table.unwrap_or_else(|| panic!("{}\n{text}", report.render(false)))
}

pub(super) fn first_file() -> State {
    let routes: String =
        ROUTES.map(|name| format!("\n[[route]]\nname = \"{name}\"\nrule = \"/{name}\"\n")).concat();
    State { text: format!("version = 1\n{routes}"), pins: Pins::default() }
}

impl State {
    fn table(&self) -> Table {
        self.pins.over(&table(&self.text))
    }

    pub(super) fn standing(&self, route: &str) -> Standing {
        Standing::of(self.table().route(route).unwrap())
    }

    pub(super) fn set(&mut self, route: &str, serve: &str, buckets: u32) {
        let crowd =
            if buckets > 0 { Crowd { buckets: Some(buckets), ..Crowd::nobody() } } else { Crowd::nobody() };
        let wanted = RouteEdit { route: route.into(), serve: serve.into(), candidate: None, crowd };
        self.text = edit(&self.text, &[wanted], "legacy").unwrap();
        self.pins.overrides.remove(route);
    }

    pub(super) fn hold(&mut self, route: &str, author: &str) {
        let hold =
            Hold { since: now(), author: author.into(), reason: None, by_rollback: true, expires: None };
        self.pins.holds.insert(route.into(), hold);
    }
}

impl Node {
    fn new() -> Self {
        Self {
            revision: 0,
            synced: None,
            apart: false,
            blind: true,
            cut_off: false,
            state: first_file(),
            aware: BTreeSet::new(),
        }
    }

    fn effective(&self) -> Table {
        let table = self.state.table();
        if self.blind { nothing_tried(&table) } else { table }
    }

    fn run(&mut self, revision: &Revision) {
        self.revision = revision.number;
        self.synced = Some((revision.number, revision.digest.clone()));
        self.state = revision.state.clone();
        (self.apart, self.blind) = (false, false);
    }
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let nodes = (0..NODES).map(|_| Node::new()).collect();
        let dice = Dice(seed);
        Self {
            dice,
            nodes,
            store: Vec::new(),
            copies: Vec::new(),
            back: BTreeSet::new(),
            digests: 0,
            told: Vec::new(),
        }
    }

    fn publish(&mut self, number: u64, state: State) -> Revision {
        self.digests += 1;
        let revision = Revision { number, digest: format!("d{}", self.digests), state };
        self.store.push(revision.clone());
        revision
    }

    /// What `Control::catch_up` does.
    fn catch_up(&mut self, node: usize) {
        let this = &self.nodes[node];
        if this.cut_off {
            return;
        }
        let head = self.store.last().cloned();
        let known = |synced: &(u64, String)| {
            self.store.iter().find(|r| r.number == synced.0 && r.digest == synced.1).cloned()
        };
        let from = this.synced.as_ref().and_then(known);
        let own = Own {
            synced: this.synced.as_ref().map(|(number, digest)| (*number, digest.as_str())),
            apart: this.apart,
            blind: this.blind,
        };
        let told = head.as_ref().map(|head| (head.number, head.digest.as_str()));
        let revision = match (step(&own, told, from.is_some()), head) {
            (Step::Stay, _) => return,
            (Step::Follow, Some(head)) => head,
            (Step::Meet { from: wanted }, Some(head)) => {
                let merged =
                    together(from.as_ref().filter(|_| wanted).map(|r| &r.state), &this.state, &head.state);
                let number = head.number.max(this.revision) + 1;
                if merged == head.state && head.number >= this.revision {
                    head
                } else {
                    self.publish(number, merged)
                }
            }
            (_, _) => {
                let (number, state) = (this.revision + 1, this.state.clone());
                self.publish(number, state)
            }
        };
        assert!(revision.number >= self.nodes[node].revision, "{}", self.told.join("\n"));
        self.nodes[node].run(&revision);
    }

    /// A change that has to hold for everybody, or nobody.
    fn change(&mut self, node: usize, change: impl Fn(&mut State)) -> bool {
        self.catch_up(node);
        if self.nodes[node].cut_off || self.nodes[node].blind {
            return false;
        }
        let mut state = self.nodes[node].state.clone();
        change(&mut state);
        let number = self.nodes[node].revision + 1;
        let revision = self.publish(number, state);
        self.nodes[node].run(&revision);
        true
    }

    /// A change that is made also when nobody hears of it.
    fn safe_change(&mut self, node: usize, change: impl Fn(&mut State)) -> bool {
        if self.nodes[node].blind || self.change(node, &change) {
            return !self.nodes[node].blind;
        }
        let this = &mut self.nodes[node];
        change(&mut this.state);
        this.revision += 1;
        this.apart = true;
        true
    }

    pub(super) fn step(&mut self) {
        let (node, route) = (self.dice.below(NODES), ROUTES[self.dice.below(ROUTES.len())]);
        let what = self.dice.below(14);
        self.told.push(format!("{what} on {node}: {route}"));
        match what {
            0..=2 => {
                let buckets = [0, 5_000, 25_000][what];
                let to = if what == 0 { "rust" } else { "legacy" };
                self.catch_up(node);
                if !self.nodes[node].state.pins.holds.contains_key(route) {
                    self.change(node, |state| state.set(route, to, buckets));
                }
            }
            3..=5 => self.roll_back(node, route),
            6 => {
                let standing = self.nodes[node].state.standing(route);
                if standing.has_canary() {
                    self.safe_change(node, |state| {
                        let now = state.standing(route).buckets;
                        if state.standing(route).has_canary() {
                            state.set(route, "legacy", now / 2 + 1);
                        }
                    });
                }
            }
            7 => {
                self.catch_up(node);
                if self.nodes[node].state.pins.holds.contains_key(route)
                    && self.change(node, |state| {
                        state.pins.holds.remove(route);
                        state.pins.overrides.remove(route);
                    })
                {
                    self.back.remove(route);
                    for node in &mut self.nodes {
                        node.aware.remove(route);
                    }
                }
            }
            8 | 9 => self.nodes[node].cut_off = !self.nodes[node].cut_off,
            10 => self.catch_up(node),
            11 => self.copies.push(self.store.clone()),
            12 => self.lose_memory(node),
            _ => self.lose_store(),
        }
    }

    fn roll_back(&mut self, node: usize, route: &'static str) {
        let author = format!("ana on {node}");
        let moved = |state: &State| !state.standing(route).is_safe();
        if moved(&self.nodes[node].state)
            && self.safe_change(node, |state| {
                state.set(route, "legacy", 0);
                state.hold(route, &author);
            })
        {
            self.back.insert(route);
        }
    }

    /// A node forgets everything, when what it knew is known elsewhere.
    fn lose_memory(&mut self, node: usize) {
        let this = &self.nodes[node];
        let elsewhere = this.synced.as_ref().is_some_and(|(number, digest)| {
            self.store.iter().any(|r| r.number == *number && r.digest == *digest)
        });
        if !this.apart && elsewhere {
            self.nodes[node] = Node { cut_off: this.cut_off, ..Node::new() };
        }
    }

    /// The store is empty, or as it was; somebody who knows the last revision is there and hears of it.
    fn lose_store(&mut self) {
        let head = self.store.last().map(|head| (head.number, head.digest.clone()));
        let Some(witness) =
            self.nodes.iter().position(|node| node.synced == head && !node.blind && !node.apart)
        else {
            return;
        };
        let copies = self.copies.len();
        self.store = match self.dice.below(copies + 1) {
            choice if choice < copies => self.copies[choice].clone(),
            _ => Vec::new(),
        };
        self.nodes[witness].cut_off = false;
        // Others may be faster.
        for _ in 0..self.dice.below(4) {
            let node = self.dice.below(NODES);
            if !self.nodes[node].blind {
                self.catch_up(node);
            }
        }
        self.catch_up(witness);
    }

    pub(super) fn check(&mut self) {
        for (number, node) in self.nodes.iter_mut().enumerate() {
            let table = node.effective();
            for route in ROUTES {
                if node.state.pins.holds.contains_key(route) && self.back.contains(route) && !node.blind {
                    node.aware.insert(route);
                }
                let standing = Standing::of(table.route(route).unwrap());
                assert!(
                    standing.is_safe() || !node.aware.contains(route),
                    "{route} on {number}: {}\n{}",
                    standing.words(),
                    self.told.join("\n")
                );
            }
        }
    }

    pub(super) fn everybody_is_back(&mut self) {
        self.nodes.iter_mut().for_each(|node| node.cut_off = false);
        for _ in 0..2 {
            (0..NODES).for_each(|node| self.catch_up(node));
            self.check();
        }
        (0..NODES).for_each(|node| self.catch_up(node));
        let story = self.told.join("\n");
        let first = &self.nodes[0];
        for node in &self.nodes {
            assert_eq!((&node.synced, &node.state), (&first.synced, &first.state), "{story}");
            assert!(!node.blind && !node.apart, "{story}");
            for route in &self.back {
                assert!(
                    node.state.standing(route).is_safe(),
                    "{route}: {}\n{story}",
                    node.state.standing(route).words()
                );
            }
        }
    }
}

pub(super) fn together(from: Option<&State>, own: &State, head: &State) -> State {
    let tables = [from.map(|state| table(&state.text)), Some(table(&own.text)), Some(table(&head.text))];
    let [from_table, Some(own_table), Some(head_table)] = &tables else { unreachable!() };
    let side = |state, base| side_of(state, base);
    let from = from.zip(from_table.as_ref()).map(|(state, base)| side_of(state, base));
    let context = Context::default();
    let (text, pins) = merge(from, side(own, own_table), side(head, head_table), &context, now());
    State { text, pins }
}

fn side_of<'a>(state: &'a State, base: &'a Table) -> Side<'a> {
    Side { text: &state.text, base, pins: &state.pins }
}
