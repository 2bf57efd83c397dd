//! What happens to a fleet, drawn from a seed before anything runs: the same seed is the same story, however fast or slow
//! the machine is.

use std::fmt;

pub(super) const NODES: usize = 3;
pub(super) const ROUTES: [&str; 3] = ["a", "b", "c"];
/// Steps between two quiet points.
const LEG: usize = 12;

/// A node, a route.
pub(super) type At = (usize, &'static str);

/// Something that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Flip(At, &'static str),
    Canary(At, u32),
    Rollback(At),
    RollbackAll(usize),
    Resume(At),
    Undo(usize),
    /// A flip to rust on one node, and at the same moment a rollback on another one.
    Clash(At, usize),
    /// The file of a node is edited by hand: this route to rust, the others to legacy.
    Edit(At),
    /// The candidate fails, and this node's users see the route's guard trip.
    Sick(At),
    Cut(usize),
    Silence(usize),
    Heal(usize),
    Kill(usize),
    Start(usize),
    Stop(usize),
    Continue(usize),
    /// The database is ended without warning.
    Crash,
    Restart,
    /// Its connections are closed.
    ThrowOut,
    /// Everything is mended, and all must agree.
    Quiet,
    /// A copy of the database is made; only at a quiet point.
    Backup,
    /// The database is lost, and is empty or the last copy; only at a quiet point.
    Lose(bool),
    /// A node loses its memory; only at a quiet point. Perhaps it cannot reach the store when it starts.
    Forget(usize, bool),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

/// Small, fast and the same every time.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        let mut dice = Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5851_F42D_4C95_7F2D);
        dice.below(2);
        dice
    }

    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }
}

/// The story of a seed: so many legs, each with a quiet point at its end.
pub(super) fn story(seed: u64, legs: usize) -> Vec<Step> {
    let mut dice = Dice::new(seed);
    let mut steps = vec![Step::Quiet];
    for _ in 0..legs {
        // What loses something follows a quiet point: one copy of the truth is always left.
        steps.extend(match dice.below(6) {
            0 => Some(Step::Backup),
            1 => Some(Step::Lose(dice.below(2) == 0)),
            2 => Some(Step::Forget(dice.below(NODES), dice.below(2) == 0)),
            _ => None,
        });
        for _ in 0..LEG {
            steps.push(any(&mut dice));
        }
        steps.push(Step::Quiet);
    }
    steps
}

fn any(dice: &mut Dice) -> Step {
    let (node, route) = (dice.below(NODES), ROUTES[dice.below(ROUTES.len())]);
    let at = (node, route);
    match dice.below(40) {
        0..=6 => Step::Flip(at, "rust"),
        7 => Step::Flip(at, "legacy"),
        8..=9 => Step::Canary(at, [1, 25, 100][dice.below(3)]),
        10..=15 => Step::Rollback(at),
        16 => Step::RollbackAll(node),
        17..=20 => Step::Resume(at),
        21 => Step::Undo(node),
        22..=23 => Step::Clash(at, (node + 1) % NODES),
        24 => Step::Edit(at),
        25 => Step::Sick(at),
        26..=27 => Step::Cut(node),
        28 => Step::Silence(node),
        29..=30 => Step::Heal(node),
        31 => Step::Kill(node),
        32..=33 => Step::Start(node),
        34 => Step::Stop(node),
        35 => Step::Continue(node),
        36 => Step::Crash,
        37..=38 => Step::Restart,
        _ => Step::ThrowOut,
    }
}

#[test]
fn a_seed_is_a_story() {
    assert_eq!(story(7, 4), story(7, 4));
    assert_ne!(story(7, 4), story(8, 4));
    let steps: Vec<Step> = (0..40).flat_map(|seed| story(seed, 4)).collect();
    for wanted in [Step::Crash, Step::Backup, Step::Lose(true), Step::Lose(false), Step::Forget(1, true)] {
        assert!(steps.contains(&wanted), "{wanted} never happens");
    }
}
