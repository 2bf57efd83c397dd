//! Both copies of the audit, checked: each on its own, then against each other.

use serde::Serialize;

use super::chain::{self, Broken, Link};

/// What the audit says, and whether it can be believed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Audit {
    /// How many records there are.
    pub records: u64,
    /// Digest of the last one: whoever writes it down elsewhere can later prove that nothing before it was changed.
    pub head: Option<String>,
    /// The first record that is wrong or missing; absent: none.
    pub broken: Option<Broken>,
    /// The highest revision on record.
    #[serde(skip)]
    pub revision: u64,
    /// Whether the store's copy could be read.
    pub store_read: bool,
    /// The last records, newest first.
    pub links: Vec<Link>,
}

/// One copy, in the order in which it is kept.
pub(super) type Copy = Vec<Result<Link, String>>;

/// Checks both. `pending` records may be missing at the end of the store's copy.
pub(super) fn audit(file: &Copy, store: Option<&Copy>, pending: usize, limit: u32) -> Audit {
    let in_file = chain::verify(file).map_err(|broken| in_copy("audit.jsonl", &broken));
    let in_store = store.map(|copy| chain::verify(copy).map_err(|broken| in_copy("the store", &broken)));
    let ends = |tip: &Result<Option<chain::Tip>, Broken>| tip.as_ref().ok().and_then(|tip| tip.clone());
    let head = ends(&in_file);
    let mut broken: Vec<Broken> = in_file.as_ref().err().cloned().into_iter().collect();
    if let (Some(copy), Some(tip)) = (store, &in_store) {
        broken.extend(tip.as_ref().err().cloned());
        if broken.is_empty() {
            broken.extend(disagreement(file, copy, pending));
        }
    }
    let good = file.iter().flatten();
    Audit {
        records: file.len() as u64,
        revision: revision(file),
        head: head.map(|tip| tip.digest),
        broken: broken.into_iter().min_by_key(|broken| broken.seq),
        store_read: store.is_some(),
        links: good.rev().take(limit as usize).cloned().collect(),
    }
}

/// Checks the fleet's audit, and this node's own, which holds what came to hold here. What is shown is the fleet's, or while
/// it cannot be read this node's.
pub(super) fn audit_of_fleet(file: &Copy, store: Option<&Copy>, limit: u32) -> Audit {
    let in_file = chain::verify(file).map_err(|broken| in_copy("audit.jsonl", &broken));
    let in_store = store.map(|copy| chain::verify(copy).map_err(|broken| in_copy("the store", &broken)));
    let shown = store.unwrap_or(file);
    let tip = in_store.as_ref().unwrap_or(&in_file).as_ref().ok().and_then(|tip| tip.clone());
    let of_store = in_store.and_then(Result::err);
    Audit {
        records: shown.len() as u64,
        revision: revision(shown),
        head: tip.map(|tip| tip.digest),
        broken: of_store.or(in_file.err()),
        store_read: store.is_some(),
        links: shown.iter().flatten().rev().take(limit as usize).cloned().collect(),
    }
}

/// In a fleet the last one may be what a node did while it was cut off, with a lower number.
fn revision(copy: &Copy) -> u64 {
    copy.iter().flatten().filter_map(|link| link.record["revision"].as_u64()).max().unwrap_or_default()
}

fn in_copy(copy: &str, broken: &Broken) -> Broken {
    Broken { seq: broken.seq, why: format!("in {copy}: {}", broken.why) }
}

/// The first record on which two good copies do not agree.
fn disagreement(file: &Copy, store: &Copy, pending: usize) -> Option<Broken> {
    let pairs = file.iter().flatten().zip(store.iter().flatten());
    if let Some((own, _)) = pairs.clone().find(|(own, other)| own.digest != other.digest) {
        return Some(Broken {
            seq: own.seq,
            why: "audit.jsonl and the store say different things".to_owned(),
        });
    }
    let missing = |seq: usize, copy: &str| {
        Some(Broken { seq: seq as u64 + 1, why: format!("it and what follows are missing in {copy}") })
    };
    match (file.len(), store.len()) {
        (own, other) if own < other => missing(own, "audit.jsonl"),
        (own, other) if own > other + pending => missing(other, "the store"),
        _ => None,
    }
}
