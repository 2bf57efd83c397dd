//! The rehearsal of a rollback: a test identity goes to the candidate and back, while everybody else stays where they are.
//!
//! On a route without a canary the way there and back are real flips, of a canary for testers alone; where users are in the
//! canary already, the tester's token changes sides. A `journey` writes through the candidate and reads everything back
//! from both sides; answers must mean the same. Step by step in `Rig::run`.

mod client;
mod journey;
mod report;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;
use http::Method;
use http::header::LOCATION;

use crate::control::{Change, Control, Crowd, Edit, Refused};
use crate::route::{Route, Serve};
use crate::shadow::Shadow;
use crate::shadow::compare::{Asked, Verdict};
use client::{Answered, Client};
use journey::Line;
pub use journey::{Journey, parse};
pub use report::{Drills, Report};

/// Who makes the flips of a rehearsal.
pub(super) const AUTHOR: &str = "drill";
/// A flip that nobody sees for so long has failed.
const LONGEST_FLIP: Duration = Duration::from_secs(5);
/// So many answers of the fallback in a row are a way back.
const SETTLED: u32 = 20;
/// A flip is slow from here on.
const SLOW: Duration = Duration::from_secs(1);
/// Most failures that are told.
const MOST_TOLD: usize = 20;

/// What a rehearsal needs.
#[derive(Debug)]
pub struct Rig {
    /// The one door.
    pub control: Arc<Control>,
    /// Compares.
    pub shadow: Arc<Shadow>,
    /// Where Ficus listens for HTTP.
    pub address: SocketAddr,
    /// Tokens for the candidate and for the fallback.
    pub tokens: (String, String),
    /// The route.
    pub route: Arc<Route>,
    /// The `Host` of all requests.
    pub host: String,
    /// Method and path of a request that changes nothing, by which sides are told apart.
    pub probe: (Method, String),
    /// What is written and read back.
    pub journey: Journey,
    /// Who asked for it.
    pub author: String,
}

/// A rehearsal under way.
struct Run<'r> {
    rig: &'r Rig,
    client: Client,
    probe: Line,
    report: Report,
}

impl Rig {
    /// Rehearses. The route is left as it was.
    ///
    /// # Errors
    /// When it cannot begin.
    pub async fn run(&self) -> Result<Report, Refused> {
        let route = &self.route;
        let by_token = route.active_canary().is_some();
        if route.serve != Serve::Backend(route.fallback.clone()) {
            return Err(Refused::Held(format!(
                "`{}` is not answered by its fallback any more: `ficus rollback` and `ficus undo` are its rehearsal",
                route.name
            )));
        }
        let mut run = Run::new(self, by_token);
        let token = if by_token { &self.tokens.1 } else { &self.tokens.0 };
        run.must_be(token, false, "before the rehearsal").await;
        let began = Instant::now();
        if !by_token {
            self.testers(true).await?;
        }
        run.reach_candidate(began).await;
        if run.report.to_candidate_ms.is_some() {
            run.journey().await;
        }
        let began = Instant::now();
        if !by_token && let Err(refused) = self.testers(false).await {
            run.fail(format!("the way back was refused: {refused}"));
        }
        run.back(began, token).await;
        Ok(run.end())
    }

    /// Testers alone are given the choice, or nobody is.
    async fn testers(&self, on: bool) -> Result<(), Refused> {
        let crowd = Crowd { testers: Some(on), ..Crowd::default() };
        let change = Change {
            author: AUTHOR.to_owned(),
            reason: Some(format!(
                "`{}` rehearses a rollback: a tester goes to the {}",
                self.author,
                if on { "candidate" } else { "fallback" }
            )),
            based_on: None,
            edit: Edit::Canary { route: self.route.name.clone(), crowd },
        };
        let control = Arc::clone(&self.control);
        let applied = tokio::task::spawn_blocking(move || control.apply(&change)).await;
        applied.unwrap_or(Err(Refused::Moved)).map(drop)
    }
}

impl<'r> Run<'r> {
    fn new(rig: &'r Rig, by_token: bool) -> Self {
        let headers = rig.journey.headers.iter().cloned().collect();
        let (address, host, cookies) = (rig.address, rig.host.clone(), Default::default());
        let mut client = Client { address, host, headers, cookies };
        client.unpack_cookies();
        let (method, path) = rig.probe.clone();
        let probe = Line { number: 0, method, path, body: None };
        let report = Report {
            route: rig.route.name.clone(),
            author: rig.author.clone(),
            by: if by_token { "token" } else { "flip" }.to_owned(),
            ..Report::default()
        };
        Self { rig, client, probe, report }
    }

    fn fail(&mut self, sentence: String) {
        if self.report.failures.len() < MOST_TOLD {
            self.report.failures.push(sentence);
        }
    }

    /// Asks, and counts. What was not answered is `None`.
    async fn ask(&mut self, token: &str, line: &Line) -> Option<Answered> {
        self.report.requests += 1;
        match self.client.ask(token, line).await {
            Ok(answered) => {
                self.report.errors += u64::from(answered.answer.status >= 500);
                Some(answered)
            }
            Err(error) => {
                tracing::debug!(%error, "a request of a rehearsal was not answered");
                self.report.errors += 1;
                None
            }
        }
    }

    /// Without a word about it, it was not the candidate: Ficus tells testers who answered.
    fn is_candidate(&self, answered: &Answered) -> bool {
        answered.by.as_ref() == Some(&self.rig.route.candidate)
    }

    async fn must_be(&mut self, token: &str, candidate: bool, when: &str) {
        let probe = self.probe.clone();
        let answered = self.ask(token, &probe).await;
        if answered.is_none_or(|answered| self.is_candidate(&answered) != candidate) {
            let route = &self.rig.route;
            let side = if candidate { &route.candidate } else { &route.fallback };
            self.fail(format!("{when} the test identity was not answered by `{side}`"));
        }
    }

    async fn reach_candidate(&mut self, began: Instant) {
        let (probe, token) = (self.probe.clone(), self.rig.tokens.0.clone());
        while began.elapsed() < LONGEST_FLIP {
            let Some(answered) = self.ask(&token, &probe).await else { continue };
            // Ficus' own cookies are set now, and not in one of two answers that are compared later.
            self.client.keep_cookies(&answered.answer);
            if self.is_candidate(&answered) {
                self.report.to_candidate_ms = Some(milliseconds(began.elapsed()));
                return;
            }
        }
        let candidate = &self.rig.route.candidate;
        self.fail(format!("`{candidate}` never answered the test identity, which was sent there"));
    }

    async fn back(&mut self, began: Instant, token: &str) {
        let probe = self.probe.clone();
        let (mut last, mut in_a_row) = (began, 0);
        while in_a_row < SETTLED {
            if began.elapsed() >= LONGEST_FLIP {
                self.fail(
                    "the test identity was still answered by the candidate after the way back".to_owned(),
                );
                return;
            }
            let answered = self.ask(token, &probe).await;
            match answered.is_some_and(|answered| self.is_candidate(&answered)) {
                true => (last, in_a_row) = (Instant::now(), 0),
                false => in_a_row += 1,
            }
        }
        self.report.back_ms = Some(milliseconds(last.duration_since(began)));
        if last.duration_since(began) > SLOW {
            self.fail(format!("the way back took {} ms", milliseconds(last.duration_since(began))));
        }
    }

    /// Writes through the candidate; what is read is read from both sides and compared.
    async fn journey(&mut self) {
        let (mut csrf, mut location): (Option<String>, Option<String>) = (None, None);
        for line in &self.rig.journey.lines {
            let Some(filled) = filled(line, csrf.as_deref(), location.as_deref()) else {
                self.fail(format!(
                    "line {}: no page had a token, or no answer a location, before it",
                    line.number
                ));
                return;
            };
            let cookies = self.client.cookie_header();
            let candidate = self.rig.tokens.0.clone();
            let Some(new) = self.ask(&candidate, &filled).await else {
                self.fail(format!("line {}: no answer", line.number));
                return;
            };
            if filled.is_safe() {
                self.compare(&filled, &new, &cookies).await;
            } else {
                self.count_write(&filled, &new);
            }
            self.client.keep_cookies(&new.answer);
            let page = String::from_utf8_lossy(&new.answer.body);
            csrf = journey::csrf_token(&page).or(csrf);
            location = path_of(&new.answer).or(location);
        }
        let wrote = self.rig.journey.lines.iter().any(|line| !line.is_safe());
        if wrote && self.report.writes == 0 {
            let candidate = &self.rig.route.candidate;
            self.fail(format!("`{candidate}` answered none of the requests of the journey that write"));
        }
    }

    fn count_write(&mut self, line: &Line, new: &Answered) {
        if new.answer.status >= 400 {
            self.fail(format!("line {}: it was answered with {}", line.number, new.answer.status));
        } else if self.is_candidate(new) {
            self.report.writes += 1;
        }
    }

    async fn compare(&mut self, line: &Line, new: &Answered, cookies: &str) {
        let fallback = self.rig.tokens.1.clone();
        let Some(old) = self.ask(&fallback, line).await else {
            self.fail(format!("line {}: `{}` did not answer", line.number, self.rig.route.fallback));
            return;
        };
        self.report.reads += 1;
        let asked = Asked {
            url: format!("http://{}{}", self.rig.host, line.path),
            cookies: cookies.as_bytes().to_vec(),
        };
        let compared = self.rig.shadow.compare_pair(&self.rig.route, &asked, (&old.answer, &new.answer));
        let where_it_differs = match compared.verdict {
            Verdict::Match | Verdict::Empty | Verdict::Ignored => return,
            Verdict::Mismatch => {
                compared.differences.first().map(|one| one.path.masked_signature()).unwrap_or_default()
            }
            Verdict::Incomparable => "it could not be compared in full".to_owned(),
        };
        self.report.different += 1;
        let route = &self.rig.route;
        self.fail(format!(
            "line {}: `{}` does not answer as `{}` does: {where_it_differs}",
            line.number, route.fallback, route.candidate
        ));
    }

    fn end(mut self) -> Report {
        self.report.at = Utc::now();
        if self.report.errors > 0 {
            let (errors, requests) = (self.report.errors, self.report.requests);
            self.fail(format!("{errors} of {requests} requests failed"));
        }
        self.report
    }
}

/// A line with its places filled in; `None`: there is nothing to fill in.
fn filled(line: &Line, csrf: Option<&str>, location: Option<&str>) -> Option<Line> {
    let mut filled = line.clone();
    if filled.path.contains("{location}") {
        filled.path = filled.path.replace("{location}", location?);
    }
    if let Some(body) = filled.body.as_mut().filter(|body| body.contains("{csrf_token}")) {
        *body = body.replace("{csrf_token}", csrf?);
    }
    Some(filled)
}

/// The path of a redirect.
fn path_of(answer: &crate::shadow::compare::Answer) -> Option<String> {
    let location = answer.headers.get(LOCATION)?.to_str().ok()?.parse::<http::Uri>().ok()?;
    location.path_and_query().map(|path| path.as_str().to_owned())
}

fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}
