//! Which changes of both sides belong together. Their order does not matter, and the ids of new rows do not either.
//!
//! From certain to likely: rows that look the same with all that is around them (one such pair decides about its
//! neighbours), rows with the same key, rows that look the same under partners, rows that look the same, rows that are alike.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::ids::Ids;
use super::net::identity;
use super::sketch::{Sketches, sketches};
use super::{Change, Op, RowRules, value};

/// Largest table of similarities; beyond it changes are paired in order.
const LARGEST: usize = 300 * 300;
/// How far partners of partners are followed.
const ROUNDS: usize = 4;

/// Two changes that belong together, or one that has no partner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pair {
    Both(usize, usize),
    Left(usize),
    Right(usize),
}

/// Pairs the changes.
pub(super) fn pairs(left: &[Change], right: &[Change], rules: &RowRules<'_>) -> Vec<Pair> {
    let mut pairing = Pairing {
        left,
        right,
        of_left: sketches(left, rules),
        of_right: sketches(right, rules),
        partner_of_left: vec![None; left.len()],
        partner_of_right: vec![None; right.len()],
        pairs: Vec::new(),
    };
    let groups = groups(left, right, rules);
    pairing.certain(&groups);
    for (kind, ones, others) in &groups {
        if !kind.by_content {
            pairing.equal(ones, others, |p, i| key(&p.left[i]), |p, j| key(&p.right[j]));
        }
    }
    for _ in 0..ROUNDS {
        for (_, ones, others) in groups.iter().filter(|(kind, ..)| kind.by_content) {
            pairing.equal(ones, others, |p, i| p.under(i, true), |p, j| p.under(j, false));
        }
    }
    for (_, ones, others) in groups.iter().filter(|(kind, ..)| kind.by_content) {
        pairing.equal(ones, others, |p, i| Some(p.of_left.own(i)), |p, j| Some(p.of_right.own(j)));
        pairing.equal(ones, others, |p, i| key(&p.left[i]), |p, j| key(&p.right[j]));
        pairing.alike(ones, others, rules);
    }
    pairing.finish()
}

/// Table, kind of change, and whether its rows are known by their content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Kind<'a> {
    depth: usize,
    table: &'a str,
    op: Op,
    by_content: bool,
}

type Group<'a> = (Kind<'a>, Vec<usize>, Vec<usize>);

/// What may be paired at all; tables that others refer to come first.
fn groups<'a>(left: &'a [Change], right: &'a [Change], rules: &RowRules<'_>) -> Vec<Group<'a>> {
    let mut groups: BTreeMap<Kind<'a>, (Vec<usize>, Vec<usize>)> = BTreeMap::new();
    let kind = |change: &'a Change| Kind {
        depth: rules.schema.depth(&change.change.table),
        table: &change.change.table,
        op: change.change.op,
        by_content: change.is_known_by_content(),
    };
    for (index, change) in left.iter().enumerate() {
        groups.entry(kind(change)).or_default().0.push(index);
    }
    for (index, change) in right.iter().enumerate() {
        groups.entry(kind(change)).or_default().1.push(index);
    }
    groups.into_iter().map(|(kind, (ones, others))| (kind, ones, others)).collect()
}

fn key(change: &Change) -> Option<String> {
    identity("", &change.change.key).map(|(_, key)| key)
}

struct Pairing<'a> {
    left: &'a [Change],
    right: &'a [Change],
    of_left: Sketches,
    of_right: Sketches,
    partner_of_left: Vec<Option<usize>>,
    partner_of_right: Vec<Option<usize>>,
    pairs: Vec<Pair>,
}

impl Pairing<'_> {
    fn join(&mut self, one: usize, other: usize) {
        self.partner_of_left[one] = Some(other);
        self.partner_of_right[other] = Some(one);
        self.pairs.push(Pair::Both(one, other));
    }

    /// Rows of the same colour. Where several rows have one colour, those with the same key come first; and what is
    /// around a pair is paired with it, so that children follow their parents.
    fn certain(&mut self, groups: &[Group<'_>]) {
        for with_key in [true, false] {
            for (_, ones, others) in groups.iter().filter(|(kind, ..)| kind.by_content) {
                let mut waiting: BTreeMap<(u64, Option<String>), VecDeque<usize>> = BTreeMap::new();
                let mark = |colour: u64, change: &Change| (colour, key(change).filter(|_| with_key));
                for &other in others {
                    let mark = mark(self.of_right.colour(other), &self.right[other]);
                    waiting.entry(mark).or_default().push_back(other);
                }
                for &one in ones {
                    let mark = mark(self.of_left.colour(one), &self.left[one]);
                    let Some(partners) = waiting.get_mut(&mark) else { continue };
                    while self.partner_of_left[one].is_none()
                        && let Some(other) = partners.pop_front()
                    {
                        if self.partner_of_right[other].is_none() {
                            self.join_with_neighbours(one, other);
                        }
                    }
                }
            }
        }
    }

    fn join_with_neighbours(&mut self, one: usize, other: usize) {
        let mut waiting = vec![(one, other)];
        while let Some((one, other)) = waiting.pop() {
            if self.partner_of_left[one].is_some() || self.partner_of_right[other].is_some() {
                continue;
            }
            self.join(one, other);
            let mut taken = BTreeSet::new();
            for (link, neighbour) in self.of_left.around(one) {
                let colour = self.of_left.colour(*neighbour);
                let fits = |&&(ref its, found): &&(super::sketch::Link, usize)| {
                    its == link
                        && self.of_right.colour(found) == colour
                        && self.partner_of_right[found].is_none()
                        && !taken.contains(&found)
                };
                let wanted = key(&self.left[*neighbour]);
                let all = || self.of_right.around(other).iter().filter(fits);
                let partner =
                    all().find(|(_, found)| key(&self.right[*found]) == wanted).or_else(|| all().next());
                if let Some(&(_, partner)) = partner {
                    taken.insert(partner);
                    waiting.push((*neighbour, partner));
                }
            }
        }
    }

    /// How a row looks, and who the partners of the rows are that it refers to; `None` unless all have one.
    fn under(&self, index: usize, is_left: bool) -> Option<(u64, Vec<(String, usize)>)> {
        let sketches = if is_left { &self.of_left } else { &self.of_right };
        let mut targets = Vec::new();
        for (link, target) in sketches.around(index).iter().filter(|(link, _)| link.is_to) {
            let partner = if is_left {
                self.partner_of_left[*target]?
            } else {
                self.partner_of_right[*target].map(|_| *target)?
            };
            targets.push((link.column.clone(), partner));
        }
        targets.sort_unstable();
        Some((sketches.own(index), targets))
    }

    /// Pairs what has equal marks, the earlier ones first.
    fn equal<M: Ord>(
        &mut self,
        ones: &[usize],
        others: &[usize],
        mark_one: impl Fn(&Self, usize) -> Option<M>,
        mark_other: impl Fn(&Self, usize) -> Option<M>,
    ) {
        let mut waiting: BTreeMap<M, VecDeque<usize>> = BTreeMap::new();
        for &other in others.iter().filter(|other| self.partner_of_right[**other].is_none()) {
            if let Some(mark) = mark_other(self, other) {
                waiting.entry(mark).or_default().push_back(other);
            }
        }
        for &one in ones {
            if self.partner_of_left[one].is_none()
                && let Some(mark) = mark_one(self, one)
                && let Some(other) = waiting.get_mut(&mark).and_then(VecDeque::pop_front)
            {
                self.join(one, other);
            }
        }
    }

    /// Pairs what is left by how much of it is equal, if that is a quarter at least: a row with one wrong value is not two
    /// differences.
    fn alike(&mut self, ones: &[usize], others: &[usize], rules: &RowRules<'_>) {
        let ones: Vec<usize> =
            ones.iter().copied().filter(|one| self.partner_of_left[*one].is_none()).collect();
        let others: Vec<usize> =
            others.iter().copied().filter(|other| self.partner_of_right[*other].is_none()).collect();
        if ones.is_empty() || others.is_empty() {
            return;
        }
        let mut scores = Vec::new();
        if ones.len().saturating_mul(others.len()) <= LARGEST {
            // What is known by now tells rows apart: who refers to a new row, also without saying so.
            let ids = Ids::of(self.left, self.right, &self.pairs, rules.schema);
            for &one in &ones {
                for &other in &others {
                    let (equal, columns) = self.likeness(one, other, &ids);
                    if equal * 2 >= columns {
                        scores.push((std::cmp::Reverse(equal), one, other));
                    }
                }
            }
            scores.sort_unstable();
        } else {
            scores.extend(ones.iter().zip(&others).map(|(one, other)| (std::cmp::Reverse(0), *one, *other)));
        }
        for (_, one, other) in scores {
            if self.partner_of_left[one].is_none() && self.partner_of_right[other].is_none() {
                self.join(one, other);
            }
        }
    }

    /// How many columns look the same, of how many: two for each, one if only a number in its text differs.
    fn likeness(&self, one: usize, other: usize, ids: &Ids<'_>) -> (usize, usize) {
        let (columns, counterparts) = (self.of_left.columns(one), self.of_right.columns(other));
        let raw = |change: &Change, column: &str| change.content()?.get(column).map(value::text);
        let stands = |column: &str| {
            let (left, right) = (raw(&self.left[one], column)?, raw(&self.right[other], column)?);
            Some(ids.stands_for(&left, &right))
        };
        let mut equal = 0;
        for (column, look) in columns {
            let other = counterparts.get(column).copied().flatten();
            equal += match look.zip(other) {
                Some((one, other)) if one.fine == other.fine => 2,
                _ if stands(column).unwrap_or_default() => 2,
                Some((one, other)) if one.coarse == other.coarse => 1,
                _ => 0,
            };
        }
        (equal, columns.len().max(counterparts.len()))
    }

    fn finish(self) -> Vec<Pair> {
        let mut out = self.pairs;
        let alone = |partners: &[Option<usize>]| -> Vec<usize> {
            partners
                .iter()
                .enumerate()
                .filter(|(_, partner)| partner.is_none())
                .map(|(index, _)| index)
                .collect()
        };
        out.extend(alone(&self.partner_of_left).into_iter().map(Pair::Left));
        out.extend(alone(&self.partner_of_right).into_iter().map(Pair::Right));
        let (left, right) = (self.left, self.right);
        out.sort_by_key(|pair| match *pair {
            Pair::Both(i, _) | Pair::Left(i) => (left[i].change.table.as_str(), left[i].change.op, i),
            Pair::Right(j) => (right[j].change.table.as_str(), right[j].change.op, left.len() + j),
        });
        out
    }
}
