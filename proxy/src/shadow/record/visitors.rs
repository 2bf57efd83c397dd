//! Which requests belong to the same visitor. Flask's session cookie is another one with every answer that changes the session,
//! so a visitor is followed from the cookies that answers set to the requests that bring them back. Pure; values come in
//! hashed.

use std::collections::HashMap;

/// Most visitors of one recording.
const MOST_VISITORS: usize = 10_000;
/// Most cookies that are remembered.
const MOST_KEYS: usize = 200_000;

/// A visitor's number, from 0 in the order of their first requests.
pub(super) type Visitor = usize;

/// Everybody who was seen.
#[derive(Debug, Default)]
pub(super) struct Visitors {
    /// Who brought or got a cookie, and from where; nearly always one.
    by_key: HashMap<u64, Vec<(Visitor, u64)>>,
    /// Visitors that no cookie is known of yet, by where they come from.
    by_place: HashMap<u64, Visitor>,
    count: usize,
}

impl Visitors {
    /// Whose request this is, and whether it is their first one. `keys`: cookies that tell visitors apart; `place`: address and
    /// browser, by which those without cookies are told apart. `None`: there are too many visitors.
    pub(super) fn find(&mut self, keys: &[u64], place: u64) -> Option<(Visitor, bool)> {
        for key in keys {
            let Some(known) = self.by_key.get(key) else { continue };
            let here = known.iter().rev().find(|(_, where_from)| *where_from == place);
            if let Some((visitor, _)) = here.or(known.last()) {
                return Some((*visitor, false));
            }
        }
        if keys.is_empty()
            && let Some(visitor) = self.by_place.get(&place)
        {
            return Some((*visitor, false));
        }
        if self.count >= MOST_VISITORS {
            return None;
        }
        let visitor = self.count;
        self.count += 1;
        if keys.is_empty() {
            self.by_place.insert(place, visitor);
        }
        Some((visitor, true))
    }

    /// The visitor has these cookies from now on.
    pub(super) fn learn(&mut self, visitor: Visitor, keys: &[u64], place: u64) {
        for key in keys {
            if self.by_key.len() >= MOST_KEYS && !self.by_key.contains_key(key) {
                continue;
            }
            let known = self.by_key.entry(*key).or_default();
            if !known.contains(&(visitor, place)) {
                known.push((visitor, place));
            }
            // Somebody else at the same place who brings no cookie is another visitor.
            if self.by_place.get(&place) == Some(&visitor) {
                self.by_place.remove(&place);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_visitor_is_followed_from_cookie_to_cookie() {
        let mut visitors = Visitors::default();
        assert_eq!(visitors.find(&[], 1), Some((0, true)));
        visitors.learn(0, &[10], 1);
        assert_eq!(visitors.find(&[10], 1), Some((0, false)));
        visitors.learn(0, &[11], 1);
        // From another address now, as telephones do.
        assert_eq!(visitors.find(&[11], 2), Some((0, false)));
        assert_eq!(visitors.find(&[10], 2), Some((0, false)), "an older cookie is still theirs");
        assert_eq!(visitors.find(&[12], 1), Some((1, true)), "a cookie that nobody gave");
    }

    #[test]
    fn those_without_cookies_are_told_apart_by_place_until_they_have_one() {
        let mut visitors = Visitors::default();
        assert_eq!(visitors.find(&[], 1), Some((0, true)));
        assert_eq!(visitors.find(&[], 1), Some((0, false)));
        assert_eq!(visitors.find(&[], 2), Some((1, true)));
        visitors.learn(0, &[10], 1);
        assert_eq!(visitors.find(&[], 1), Some((2, true)), "a second one behind the same address");
    }

    #[test]
    fn the_same_cookie_of_two_visitors_does_not_make_one_of_them() {
        let mut visitors = Visitors::default();
        for place in [1, 2] {
            let (visitor, _) = visitors.find(&[], place).unwrap();
            visitors.learn(visitor, &[10], place);
        }
        assert_eq!(visitors.find(&[10], 1), Some((0, false)));
        assert_eq!(visitors.find(&[10], 2), Some((1, false)));
    }
}
