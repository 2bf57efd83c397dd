//! What the comparisons of a route prove, as of now. A certificate is read, never edited: it is made from what was
//! counted (`period`), and is worth something only while nothing changed that it was counted for.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::bound::upper_bound;

/// The evidence for one route.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Certificate {
    /// The route.
    pub route: String,
    /// Its number among those of the route; counting began anew with each.
    pub number: u64,
    /// When counting began.
    pub since: DateTime<Utc>,
    /// When and why it ended; a certificate that has ended proves nothing about what runs now.
    pub expired: Option<Expired>,
    /// Pairs of answers that were compared in full, and are more than empty.
    pub comparisons: u64,
    /// Of these, the ones that differ.
    pub mismatches: u64,
    /// Of these, the ones that differ as rules allow.
    pub ignored: u64,
    /// Of these, the ones whose request came from a recording, not from a user.
    pub replayed: u64,
    /// What was asked and does not count.
    pub uncounted: Uncounted,
    /// The comparisons by method, class of status and role.
    pub strata: Vec<Stratum>,
    /// With 95 % certainty at most this share of all answers differs.
    pub overall_bound: f64,
    /// The same of the stratum about which least is known.
    pub worst_bound: f64,
    /// How long the fallback took to begin its answer, served or asked.
    pub reference: Option<Latency>,
    /// How long the candidate took.
    pub candidate: Option<Latency>,
    /// Rows that writes changed, on both sides.
    pub rows: RowParity,
    /// Whether comparing this route was seen to work.
    pub self_test: SelfTest,
    /// What it was counted for.
    pub provenance: Provenance,
}

/// The end of a certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expired {
    /// When.
    pub at: DateTime<Utc>,
    /// Why, in one sentence.
    pub reason: String,
}

/// Pairs of answers that say nothing about the route.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Uncounted {
    /// Nothing against nothing.
    pub empty: u64,
    /// Not comparable in full.
    pub incomparable: u64,
    /// The other side gave no answer.
    pub unanswered: u64,
    /// The handler handed the request back.
    pub deferred: u64,
    /// The data changed between the two answers.
    pub raced: u64,
}

impl Uncounted {
    pub(super) fn add(&mut self, other: &Self) {
        self.empty += other.empty;
        self.incomparable += other.incomparable;
        self.unanswered += other.unanswered;
        self.deferred += other.deferred;
        self.raced += other.raced;
    }
}

/// One kind of request.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stratum {
    /// The method.
    pub method: String,
    /// The class of the fallback's status, such as `2xx`.
    pub status: String,
    /// The role of who asked; `-`: not known.
    pub role: String,
    /// Comparisons.
    pub n: u64,
    /// Mismatches.
    pub k: u64,
    /// With 95 % certainty at most this share differs.
    pub bound: f64,
}

impl Stratum {
    /// With its bound.
    pub fn new([method, status, role]: [&str; 3], (n, k): (u64, u64)) -> Self {
        let own = str::to_owned;
        Self { method: own(method), status: own(status), role: own(role), n, k, bound: upper_bound(n, k) }
    }
}

/// Quantiles in microseconds, to about 9 %.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Latency {
    /// Answers that were measured.
    pub count: u64,
    /// Half of them were at most this slow.
    pub p50: u64,
    /// 95 %.
    pub p95: u64,
    /// 99 %.
    pub p99: u64,
}

/// Row changes of both sides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RowParity {
    /// Requests whose row changes were compared.
    pub compared: u64,
    /// Of these, the ones that differ.
    pub different: u64,
}

/// Whether a known difference was found and a known equality was not taken for one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum SelfTest {
    /// It was not tried yet since this process began.
    Never,
    /// It was.
    Passed {
        /// When.
        at: DateTime<Utc>,
    },
    /// It was not: comparisons of this route are worth nothing.
    Failed {
        /// When.
        at: DateTime<Utc>,
        /// Why, in one sentence.
        why: String,
    },
}

/// What comparisons were made of; when one of build, code and rules changes, counting begins anew. Absent: not known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Provenance {
    /// The candidate's program: the build of the handlers, or the code of another Flask application.
    pub build: Option<String>,
    /// The fallback's program: a hash of the legacy application's source files.
    pub code: Option<String>,
    /// A hash of the route's rules.
    pub rules: String,
    /// The schema heads that the handlers say they know.
    pub known_heads: Vec<String>,
    /// The schema head of the legacy application's database.
    pub head: Option<String>,
}

impl Certificate {
    /// Ends it for whoever reads it.
    pub(super) fn expire(&mut self, reason: &str) {
        self.expired = Some(Expired { at: Utc::now(), reason: reason.to_owned() });
    }

    /// Whether it proves anything about what runs now.
    pub fn stands(&self) -> bool {
        self.expired.is_none() && matches!(self.self_test, SelfTest::Passed { .. }) && self.comparisons > 0
    }

    /// What is missing, one sentence each; what stands in the way of believing it comes first.
    pub fn missing(&self) -> Vec<String> {
        let mut missing = Vec::new();
        if let Some(expired) = &self.expired {
            missing.push(format!("it has expired: {}", expired.reason));
        }
        match &self.self_test {
            SelfTest::Passed { .. } => {}
            SelfTest::Never => missing.push("comparing this route was not tested yet".to_owned()),
            SelfTest::Failed { why, .. } => {
                missing.push(format!("comparing this route does not work: {why}"))
            }
        }
        if self.comparisons == 0 {
            missing.push("nothing was compared yet".to_owned());
        }
        if self.mismatches > 0 {
            missing.push(format!("{} of {} answers differ", self.mismatches, self.comparisons));
        }
        if self.rows.different > 0 {
            missing
                .push(format!("{} of {} writes changed other rows", self.rows.different, self.rows.compared));
        }
        if self.provenance.build.is_none() {
            missing
                .push("the build of the candidate is not known: another one would not be noticed".to_owned());
        }
        if self.provenance.code.is_none() {
            missing.push(
                "the code of the fallback is not known: a change of it would not be noticed".to_owned(),
            );
        }
        let Provenance { known_heads, head, .. } = &self.provenance;
        if let Some(head) =
            head.as_ref().filter(|head| !known_heads.is_empty() && !known_heads.contains(head))
        {
            missing.push(format!("the database's schema `{head}` is not one that the handlers know"));
        }
        missing
    }
}
