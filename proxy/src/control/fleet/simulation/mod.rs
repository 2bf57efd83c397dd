//! Several nodes and a store, without disk and network: whatever is done in whatever order, a route that was rolled back gets
//! nothing away from its fallback before a person resumes it, on no node that has heard of it; and when all can be heard
//! again, all run the same.
//!
//! What is lost here and there: the line to the store, a process, the memory of a node, the store, which comes back empty
//! or as it was some time ago. One copy of the truth is always left: nothing is lost while another loss is being mended.

mod world;

use super::merge::{Own, Step, step};
use world::{World, first_file, together};

#[test]
fn nothing_that_was_rolled_back_comes_back_and_all_nodes_agree_in_the_end() {
    let (mut rollbacks, mut apart) = (0, 0);
    for seed in 0..400 {
        let mut world = World::new(seed);
        for _ in 0..60 {
            world.step();
            world.check();
            rollbacks += usize::from(!world.back.is_empty());
            apart += usize::from(world.nodes.iter().any(|node| node.apart));
            if world.dice.below(15) == 0 {
                world.everybody_is_back();
            }
        }
        world.everybody_is_back();
    }
    assert!(rollbacks > 5_000 && apart > 1_000, "{rollbacks} {apart}");
}

#[test]
fn what_a_node_did_alone_is_brought_together_with_what_the_others_did() {
    let before = first_file();
    let mut own = before.clone();
    own.set("a", "legacy", 0);
    own.hold("a", "ana");
    let mut head = before.clone();
    head.set("a", "rust", 0);
    head.set("b", "rust", 0);
    let met = together(Some(&before), &own, &head);
    assert_eq!((met.standing("a").words().as_str(), met.standing("b").words().as_str()), ("legacy", "rust"));
    assert_eq!(met.pins.holds.keys().collect::<Vec<_>>(), ["a"]);
    assert!(met.pins.overrides.is_empty(), "the file itself says so");
}

#[test]
fn without_a_common_past_every_route_gets_the_less_of_the_two() {
    let states = ["rust", "legacy"].map(|serve| [0, 5_000, 25_000].map(|buckets| (serve, buckets)));
    for (one, buckets) in states.concat() {
        for (other, others) in states.concat() {
            let (mut own, mut head) = (first_file(), first_file());
            own.set("a", one, buckets);
            head.set("a", other, others);
            let met = together(None, &own, &head).standing("a");
            for side in [&own, &head] {
                let standing = side.standing("a");
                assert!(!met.sends_more_than(&standing), "{} -> {}", standing.words(), met.words());
            }
        }
    }
}

#[test]
fn every_step_is_for_a_reason() {
    let at = |number| Some((number, "d"));
    let own = |synced, apart, blind| Own { synced, apart, blind };
    let cases = [
        (own(at(3), false, false), None, false, Step::Found),
        (own(at(3), false, false), at(3), true, Step::Stay),
        (own(at(3), false, false), at(5), true, Step::Follow),
        (own(at(3), true, false), at(3), true, Step::Meet { from: true }),
        (own(at(3), false, false), at(2), false, Step::Meet { from: false }),
        (own(at(3), true, false), at(2), false, Step::Meet { from: false }),
        (own(None, false, false), at(2), false, Step::Meet { from: false }),
        (own(None, false, true), at(2), false, Step::Follow),
    ];
    for (own, head, known, expected) in cases {
        assert_eq!(step(&own, head, known), expected, "{own:?} {head:?}");
    }
}
