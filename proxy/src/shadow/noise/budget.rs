//! How often the fallback may be asked twice: so many times a minute, of all routes and of each. Pure.

use std::collections::HashMap;

/// What is left in this minute.
#[derive(Debug)]
pub(super) struct Budget {
    overall: u32,
    per_route: u32,
    minute: i64,
    used: u32,
    by_route: HashMap<String, u32>,
}

impl Budget {
    pub(super) fn new(overall: u32, per_route: u32) -> Self {
        Self { overall, per_route, minute: 0, used: 0, by_route: HashMap::new() }
    }

    /// Takes one, if there is one left; `now` in unix seconds.
    pub(super) fn take(&mut self, route: &str, now: i64) -> bool {
        let minute = now.div_euclid(60);
        if minute != self.minute {
            (self.minute, self.used) = (minute, 0);
            self.by_route.clear();
        }
        let own = self.by_route.get(route).copied().unwrap_or_default();
        if self.used >= self.overall || own >= self.per_route {
            return false;
        }
        self.used += 1;
        self.by_route.insert(route.to_owned(), own + 1);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_route_and_all_of_them_have_a_share_of_every_minute() {
        let mut budget = Budget::new(5, 2);
        let taken =
            |budget: &mut Budget, route: &str, now| (0..9).filter(|_| budget.take(route, now)).count();
        assert_eq!(taken(&mut budget, "a", 60), 2);
        assert_eq!(taken(&mut budget, "b", 119), 2);
        assert_eq!(taken(&mut budget, "c", 119), 1);
        assert_eq!(taken(&mut budget, "a", 120), 2);
        assert_eq!(taken(&mut Budget::new(0, 2), "a", 60), 0);
    }
}
