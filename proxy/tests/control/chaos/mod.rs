//! Real nodes over a real PostgreSQL: whatever is done to them in whatever order, a route that was rolled back is answered by
//! its fallback on every node that can know of it until a person resumes it; and when everything is mended, no two nodes
//! disagree for longer than the poll.
//!
//! A `plan` is drawn from a seed, the `world` carries it out, the `model` says what must be true. A few seeds run in CI,
//! many in `cargo xtask nightly`; `FICUS_SEED=N` runs one again and tells its story.

mod backends;
mod model;
mod plan;
mod world;

use std::time::{Duration, Instant};

use plan::story;
use world::World;

/// Quiet points of one seed.
const LEGS: usize = 4;
/// Seeds of CI: tried ones, so that its time is known.
const SEEDS: [u64; 4] = [1, 2, 3, 4];

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap())
}

fn live_through(seed: u64) -> World {
    let mut world = World::new(seed);
    for step in story(seed, LEGS) {
        world.step(step);
    }
    world
}

/// One seed that was asked for; or as many as there is time for; or those of CI.
fn seeds() -> Box<dyn Iterator<Item = u64>> {
    if let Some(seed) = number("FICUS_SEED") {
        return Box::new(std::iter::once(seed));
    }
    let Some(seconds) = number("FICUS_CHAOS_SECONDS") else { return Box::new(SEEDS.into_iter()) };
    let (first, began) = (number("FICUS_CHAOS_FROM").unwrap_or(1_000), Instant::now());
    Box::new((first..).take_while(move |_| began.elapsed() < Duration::from_secs(seconds)))
}

#[test]
fn whatever_happens_nothing_that_was_rolled_back_comes_back_and_all_agree_in_the_end() {
    let mut lived = 0;
    for seed in seeds() {
        let began = Instant::now();
        let world = live_through(seed);
        lived += 1;
        println!(
            "seed {seed}: {} changes acknowledged, all agreed {:.1} s after a quiet point at the latest, {:.1} s in all",
            world.acknowledged,
            world.slowest.as_secs_f64(),
            began.elapsed().as_secs_f64()
        );
    }
    println!("{lived} stories lived through");
}
