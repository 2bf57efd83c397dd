//! The difference between two texts as people read it: a unified diff, line by line.
//!
//! Pure. Equal lines at both ends are set aside first, so that the rest is small for what really happens to a routing
//! file; what is still too large to compare well is shown as removed and added whole.

use std::fmt::Write;
use std::ops::Range;

/// Equal lines around a change.
const CONTEXT: usize = 3;
/// Most cells of the table of common lines.
const LARGEST: usize = 4_000_000;

/// A run of equal lines: where it begins in both texts, and how long it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Same {
    old: usize,
    new: usize,
    length: usize,
}

/// The unified diff from `old` to `new`, without file names; empty if they are the same.
pub fn unified(old: &str, new: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (old.split('\n').collect(), new.split('\n').collect());
    let mut text = String::new();
    for hunk in hunks(&gaps(&old, &new)) {
        write_hunk(&mut text, &old, &new, &hunk);
    }
    text
}

/// What differs: lines of the old text and the lines in their place, in order.
type Gap = (Range<usize>, Range<usize>);

fn gaps(old: &[&str], new: &[&str]) -> Vec<Gap> {
    let mut gaps = Vec::new();
    let (mut i, mut j) = (0, 0);
    for same in common(old, new) {
        if i < same.old || j < same.new {
            gaps.push((i..same.old, j..same.new));
        }
        (i, j) = (same.old + same.length, same.new + same.length);
    }
    if i < old.len() || j < new.len() {
        gaps.push((i..old.len(), j..new.len()));
    }
    gaps
}

fn common(old: &[&str], new: &[&str]) -> Vec<Same> {
    let start = old.iter().zip(new).take_while(|(a, b)| a == b).count();
    let (old_rest, new_rest) = (&old[start..], &new[start..]);
    let end = old_rest.iter().rev().zip(new_rest.iter().rev()).take_while(|(a, b)| a == b).count();
    let middle = (&old_rest[..old_rest.len() - end], &new_rest[..new_rest.len() - end]);
    let mut runs = vec![Same { old: 0, new: 0, length: start }];
    runs.extend(longest(middle.0, middle.1).into_iter().map(|(i, j)| Same {
        old: start + i,
        new: start + j,
        length: 1,
    }));
    runs.push(Same { old: old.len() - end, new: new.len() - end, length: end });
    runs
}

/// A longest common subsequence, as pairs of indices.
fn longest(old: &[&str], new: &[&str]) -> Vec<(usize, usize)> {
    let width = new.len() + 1;
    if old.is_empty() || new.is_empty() || old.len().saturating_mul(new.len()) > LARGEST {
        return Vec::new();
    }
    let mut lengths = vec![0_u32; (old.len() + 1) * width];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            lengths[i * width + j] = if old[i] == new[j] {
                lengths[(i + 1) * width + j + 1] + 1
            } else {
                lengths[(i + 1) * width + j].max(lengths[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j, mut pairs) = (0, 0, Vec::new());
    while i < old.len() && j < new.len() {
        if old[i] == new[j] {
            pairs.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else if lengths[(i + 1) * width + j] >= lengths[i * width + j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    pairs
}

/// Gaps that are close enough to share their context.
fn hunks(gaps: &[Gap]) -> Vec<Vec<Gap>> {
    let mut hunks: Vec<Vec<Gap>> = Vec::new();
    for gap in gaps {
        match hunks.last_mut() {
            Some(hunk) if hunk.last().is_some_and(|last| gap.0.start - last.0.end <= 2 * CONTEXT) => {
                hunk.push(gap.clone());
            }
            _ => hunks.push(vec![gap.clone()]),
        }
    }
    hunks
}

fn write_hunk(text: &mut String, old: &[&str], new: &[&str], hunk: &[Gap]) {
    let (Some(first), Some(last)) = (hunk.first(), hunk.last()) else { return };
    let before = first.0.start.min(CONTEXT);
    let after = (old.len() - last.0.end).min(CONTEXT);
    let olds = first.0.start - before..last.0.end + after;
    let news = first.1.start - before..last.1.end + after;
    let _ = writeln!(text, "@@ -{} +{} @@", numbers(&olds), numbers(&news));
    let mut at = olds.start;
    for (removed, added) in hunk {
        write_lines(text, ' ', &old[at..removed.start]);
        write_lines(text, '-', &old[removed.clone()]);
        write_lines(text, '+', &new[added.clone()]);
        at = removed.end;
    }
    write_lines(text, ' ', &old[at..olds.end]);
}

fn write_lines(text: &mut String, mark: char, lines: &[&str]) {
    for line in lines {
        let _ = writeln!(text, "{}", format!("{mark}{line}").trim_end());
    }
}

fn numbers(lines: &Range<usize>) -> String {
    match lines.len() {
        0 => format!("{},0", lines.start),
        1 => (lines.start + 1).to_string(),
        n => format!("{},{n}", lines.start + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_line_stands_between_its_neighbours() {
        let old = "a\nb\nc\nd\ne\nf\ng\nh\n";
        let new = old.replace("e\n", "E\n");
        assert_eq!(unified(old, &new), "@@ -2,7 +2,7 @@\n b\n c\n d\n-e\n+E\n f\n g\n h\n");
    }

    #[test]
    fn changes_far_apart_are_two_hunks_and_close_ones_are_one() {
        let lines: Vec<String> = (0..30).map(|n| n.to_string()).collect();
        let old = lines.join("\n");
        let changed = |places: &[usize]| {
            let mut lines = lines.clone();
            for place in places {
                lines[*place].push('x');
            }
            unified(&old, &lines.join("\n")).matches("@@ -").count()
        };
        assert_eq!((changed(&[3, 25]), changed(&[3, 8]), changed(&[])), (2, 1, 0));
    }

    #[test]
    fn lines_come_and_go() {
        assert_eq!(unified("", "a\n"), "@@ -1 +1,2 @@\n+a\n\n");
        assert_eq!(unified("a\nb\nc", "a\nc"), "@@ -1,3 +1,2 @@\n a\n-b\n c\n");
        assert_eq!(unified("a\nc", "a\nb\nc"), "@@ -1,2 +1,3 @@\n a\n+b\n c\n");
    }
}
