//! Which items of two lists belong together: a row that was added must not make every row after it differ.

/// An item of a list, as far as alignment looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Item {
    /// Equal for equal items.
    pub(super) content: u64,
    /// Equal for items of one kind: the same element, the same type.
    pub(super) shape: u64,
}

/// Two items that belong together, or one that has no partner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pair {
    Both(usize, usize),
    Reference(usize),
    Candidate(usize),
}

/// Largest table of distances; beyond it items are paired in order.
const LARGEST: usize = 400 * 400;

/// Pairs the items. Equal lists give equal pairs; lists of the same length without a better fit are paired in order.
pub(super) fn align(reference: &[Item], candidate: &[Item]) -> Vec<Pair> {
    let start = reference.iter().zip(candidate).take_while(|(a, b)| a.content == b.content).count();
    let (a, b) = (&reference[start..], &candidate[start..]);
    let end = a.iter().rev().zip(b.iter().rev()).take_while(|(a, b)| a.content == b.content).count();
    let (a, b) = (&a[..a.len() - end], &b[..b.len() - end]);
    let mut pairs: Vec<Pair> = (0..start).map(|index| Pair::Both(index, index)).collect();
    pairs.extend(middle(a, b).into_iter().map(|pair| match pair {
        Pair::Both(i, j) => Pair::Both(i + start, j + start),
        Pair::Reference(i) => Pair::Reference(i + start),
        Pair::Candidate(j) => Pair::Candidate(j + start),
    }));
    let (from_a, from_b) = (start + a.len(), start + b.len());
    pairs.extend((0..end).map(|index| Pair::Both(from_a + index, from_b + index)));
    pairs
}

/// Whether the same items stand there in another order.
pub(super) fn is_reordered(one: &[Item], other: &[Item]) -> bool {
    if one.len() != other.len() || one.iter().zip(other).all(|(a, b)| a.content == b.content) {
        return false;
    }
    let sorted = |items: &[Item]| {
        let mut contents: Vec<u64> = items.iter().map(|item| item.content).collect();
        contents.sort_unstable();
        contents
    };
    sorted(one) == sorted(other)
}

fn middle(a: &[Item], b: &[Item]) -> Vec<Pair> {
    let same_shapes = a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.shape == b.shape);
    if same_shapes || a.len().saturating_mul(b.len()) > LARGEST {
        return in_order(a, b);
    }
    by_score(a, b)
}

fn in_order(a: &[Item], b: &[Item]) -> Vec<Pair> {
    let common = a.len().min(b.len());
    let mut pairs: Vec<Pair> = (0..common).map(|index| Pair::Both(index, index)).collect();
    pairs.extend((common..a.len()).map(Pair::Reference));
    pairs.extend((common..b.len()).map(Pair::Candidate));
    pairs
}

/// The pairing with the most equal items, and among those with the most of one kind.
fn by_score(a: &[Item], b: &[Item]) -> Vec<Pair> {
    let score = |i: usize, j: usize| match (a[i].content == b[j].content, a[i].shape == b[j].shape) {
        (true, _) => 1_000u32,
        (false, true) => 1,
        (false, false) => 0,
    };
    let width = b.len() + 1;
    let mut best = vec![0u32; (a.len() + 1) * width];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            let alone = best[(i + 1) * width + j].max(best[i * width + j + 1]);
            let together = match score(i, j) {
                0 => 0,
                score => score + best[(i + 1) * width + j + 1],
            };
            best[i * width + j] = alone.max(together);
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut pairs = Vec::new();
    while i < a.len() && j < b.len() {
        let here = best[i * width + j];
        let score = score(i, j);
        if score > 0 && here == score + best[(i + 1) * width + j + 1] {
            pairs.push(Pair::Both(i, j));
            (i, j) = (i + 1, j + 1);
        } else if here == best[(i + 1) * width + j] {
            pairs.push(Pair::Reference(i));
            i += 1;
        } else {
            pairs.push(Pair::Candidate(j));
            j += 1;
        }
    }
    pairs.extend((i..a.len()).map(Pair::Reference));
    pairs.extend((j..b.len()).map(Pair::Candidate));
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(text: &str) -> Vec<Item> {
        let shape = |c: char| u64::from(c.is_ascii_digit());
        text.chars().map(|c| Item { content: u64::from(c), shape: shape(c) }).collect()
    }

    #[track_caller]
    fn check(reference: &str, candidate: &str, expected: &str) {
        let pairs = align(&items(reference), &items(candidate));
        let (a, b): (Vec<char>, Vec<char>) = (reference.chars().collect(), candidate.chars().collect());
        let text: Vec<String> = pairs
            .iter()
            .map(|pair| match *pair {
                Pair::Both(i, j) => format!("{}{}", a[i], b[j]),
                Pair::Reference(i) => format!("{}-", a[i]),
                Pair::Candidate(j) => format!("-{}", b[j]),
            })
            .collect();
        assert_eq!(text.join(" "), expected);
    }

    #[test]
    fn items_find_their_partners() {
        check("abc", "abc", "aa bb cc");
        check("abc", "axc", "aa bx cc");
        check("abc", "xabc", "-x aa bb cc");
        check("abcd", "acd", "aa b- cc dd");
        check("ab", "ba", "ab ba");
        check("a1b", "a2xb", "aa 12 -x bb");
        check("", "a", "-a");
    }
}
