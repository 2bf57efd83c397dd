//! A simulated office: a handful of people who log in, look through customers, open them, search, and now and then
//! create one or tick off a task. Bounded on purpose: a few requests a second, over loopback. What they meet is counted
//! and shown; nothing is asserted. How a person keeps cookies and reads pages is in `browser`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::http::Address;

use super::browser::{Browser, Page};

const PEOPLE: &[&str] = &["ana", "marco", "rita", "raj", "ana", "rita"];
/// Between two clicks of one person.
const SHORTEST_PAUSE: u64 = 400;
const LONGEST_PAUSE: u64 = 2400;
const WORDS: &[&str] = &["ar", "inc", "berg", "lab", "ltd", "so", "on", "zu"];

/// How often each thing happened.
type Counts = Arc<Mutex<BTreeMap<String, usize>>>;

/// All people at work.
pub(super) struct Office {
    closed: Arc<AtomicBool>,
    counts: Counts,
    people: Vec<JoinHandle<()>>,
}

impl Office {
    /// Everybody starts working.
    pub(super) fn open(proxy: &Address) -> Self {
        let closed = Arc::new(AtomicBool::new(false));
        let counts = Counts::default();
        let person = |(number, name): (usize, &&'static str)| {
            let (closed, counts) = (Arc::clone(&closed), Arc::clone(&counts));
            let mut person = Person {
                name,
                browser: Browser::new(proxy.clone()),
                chance: Chance(number as u64 + 1),
                closed,
                counts,
            };
            thread::spawn(move || person.work())
        };
        let people = PEOPLE.iter().enumerate().map(person).collect();
        Self { closed, counts, people }
    }

    /// `traffic: 120 requests · 200: 112 · 302: 8 · legacy: 100 · rust: 20`.
    pub(super) fn counts(&self) -> String {
        let counts = self.counts.lock().map(|counts| counts.clone()).unwrap_or_default();
        let total = counts.get("").copied().unwrap_or(0);
        let parts = counts.iter().filter(|(what, _)| !what.is_empty());
        let parts: Vec<String> = parts.map(|(what, number)| format!("{what}: {number}")).collect();
        format!("traffic: {total} requests · {}", parts.join(" · "))
    }

    /// Everybody goes home after the click they are at.
    pub(super) fn close(self) {
        self.closed.store(true, Ordering::SeqCst);
        for person in self.people {
            let _ = person.join();
        }
    }
}

/// One of the people.
struct Person {
    name: &'static str,
    browser: Browser,
    chance: Chance,
    closed: Arc<AtomicBool>,
    counts: Counts,
}

impl Person {
    fn work(&mut self) {
        while !self.closed.load(Ordering::SeqCst) {
            self.browser.forget();
            if self.log_in() {
                for _ in 0..40 {
                    if self.closed.load(Ordering::SeqCst) {
                        return;
                    }
                    self.pause();
                    self.click();
                }
            }
            self.pause();
        }
    }

    /// Whether it worked; a proxy that is just starting or a Flask that is down is no reason to stay at home.
    fn log_in(&mut self) -> bool {
        let Some(page) = self.get("/auth/login") else { return false };
        let email = format!("{}@example.com", self.name);
        let form = vec![("email", email), ("password", "demo".into()), ("csrf_token", page.csrf_token())];
        self.post("/auth/login", form).is_some_and(|page| page.status == 302)
    }

    /// One thing that people do all day.
    fn click(&mut self) {
        match self.chance.below(20) {
            0..=6 => self.open_one("/customers/", "/customers/"),
            7..=9 => {
                let word = self.chance.one_of(WORDS);
                self.get(&format!("/customers/?q={word}"));
            }
            10..=11 => self.turn_the_page(),
            12 => self.create_customer(),
            13..=14 => self.open_one("/deals/", "/deals/"),
            15..=16 => self.finish_task(),
            17 => {
                self.get("/reports/");
            }
            _ => {
                self.get("/");
            }
        }
    }

    /// Opens a list and one of the things on it.
    fn open_one(&mut self, list: &str, prefix: &str) {
        let Some(page) = self.get(list) else { return };
        let targets = page.numbered_links(prefix);
        if let Some(target) = targets.get(self.chance.below(targets.len().max(1) as u64) as usize) {
            self.pause();
            self.get(target);
        }
    }

    /// Only as far as there are pages: a rep sees fewer customers than a manager.
    fn turn_the_page(&mut self) {
        let Some(page) = self.get("/customers/?sort=name") else { return };
        if let Some(next) = page.link_with("page=2") {
            self.pause();
            self.get(&next);
        }
    }

    fn create_customer(&mut self) {
        let Some(page) = self.get("/customers/new") else { return };
        self.pause();
        let name = format!("Visitor {} Ltd", self.chance.below(1_000_000));
        let mut form = vec![("name", name), ("status", "lead".into()), ("csrf_token", page.csrf_token())];
        if let Some(owner) = page.chosen_option("owner_id") {
            form.push(("owner_id", owner));
        }
        if let Some(made) = self.post("/customers/new", form)
            && let Some(target) = made.location
        {
            self.get(&target);
        }
    }

    /// Ticks off a task the way the page's script does.
    fn finish_task(&mut self) {
        let Some(page) = self.get("/activities/due") else { return };
        let Some(target) = page.attribute("data-post") else { return };
        self.pause();
        let token = page.csrf_token();
        let answer = self.browser.ajax(&target, &token);
        self.count(answer.as_ref());
    }

    fn get(&mut self, target: &str) -> Option<Page> {
        let page = self.browser.get(target);
        self.count(page.as_ref());
        page
    }

    fn post(&mut self, target: &str, form: Vec<(&'static str, String)>) -> Option<Page> {
        let page = self.browser.post(target, form);
        self.count(page.as_ref());
        page
    }

    fn count(&self, page: Option<&Page>) {
        let Ok(mut counts) = self.counts.lock() else { return };
        let mut add = |what: &str| *counts.entry(what.to_owned()).or_default() += 1;
        add("");
        match page {
            Some(page) => {
                add(&page.status.to_string());
                add(page.backend.as_deref().unwrap_or("unknown"));
            }
            None => add("no answer"),
        }
    }

    fn pause(&mut self) {
        let pause = SHORTEST_PAUSE + self.chance.below(LONGEST_PAUSE - SHORTEST_PAUSE);
        let end = Instant::now() + Duration::from_millis(pause);
        while Instant::now() < end && !self.closed.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Numbers that look random and are the same in every demo (SplitMix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit.max(1)
    }

    fn one_of(&mut self, words: &[&'static str]) -> &'static str {
        let index = usize::try_from(self.below(words.len() as u64)).unwrap_or(0);
        words.get(index).copied().unwrap_or_default()
    }
}
