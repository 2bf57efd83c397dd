//! Texts, line by line; and bytes, by their hash.

use std::hash::{Hash, Hasher};

use sha2::{Digest, Sha256};
use siphasher::sip::SipHasher13;

use super::align::{Item, Pair, align};
use super::findings::{Difference, Findings};
use super::path::Path;

/// Reports the lines that differ, and the first line that ends in another way: whoever reads a file line by line may
/// stumble over either.
pub(super) fn compare(reference: &str, candidate: &str, findings: &mut Findings<'_>) {
    let (one, other): (Vec<&str>, Vec<&str>) = (reference.lines().collect(), candidate.lines().collect());
    ends(reference, candidate, findings);
    let items = |lines: &[&str]| -> Vec<Item> { lines.iter().map(item).collect() };
    for pair in align(&items(&one), &items(&other)) {
        let difference = match pair {
            Pair::Both(i, j) if one[i] == other[j] => continue,
            Pair::Both(i, j) => Difference::changed(Path::Line(i + 1), one[i], other[j]),
            Pair::Reference(i) => Difference::one_sided(Path::Line(i + 1), Some(one[i].to_owned()), None),
            Pair::Candidate(j) => Difference::one_sided(Path::Line(j + 1), None, Some(other[j].to_owned())),
        };
        findings.report(difference);
    }
}

/// How lines end: told once, and only of texts with as many lines.
fn ends(reference: &str, candidate: &str, findings: &mut Findings<'_>) {
    let all = |text: &str| text.split_inclusive('\n').map(end).collect::<Vec<_>>();
    let (one, other) = (all(reference), all(candidate));
    let differing = one.iter().zip(&other).position(|(one, other)| one != other);
    if let Some(index) = differing.filter(|_| one.len() == other.len()) {
        let difference = Difference::changed(Path::Line(index + 1), one[index], other[index]);
        findings.report(difference.in_own_words());
    }
}

fn end(line: &str) -> &'static str {
    match line {
        line if line.ends_with("\r\n") => "ends with CR and LF",
        line if line.ends_with('\n') => "ends with LF",
        _ => "has no end",
    }
}

fn item(line: &&str) -> Item {
    let mut hasher = SipHasher13::new();
    line.hash(&mut hasher);
    Item { content: hasher.finish(), shape: 0 }
}

/// Reports bytes that differ.
pub(super) fn compare_bytes(reference: &[u8], candidate: &[u8], findings: &mut Findings<'_>) {
    if reference != candidate {
        findings.report(Difference::changed(Path::Body, digest(reference), digest(candidate)).in_own_words());
    }
}

fn digest(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("sha256 {hex}, {} bytes", bytes.len())
}
