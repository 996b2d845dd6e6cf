//! Simulation testing: worlds that failed once, and some that have not.

use std::num::NonZeroU32;
use tidegate::swarm::{Manner, Size, World, campaign, examine};

fn size(name: &str) -> Size {
    let known = Size::ALL.iter().find(|(known, _)| *known == name);
    known
        .unwrap_or_else(|| panic!("`{name}` is no size of worlds"))
        .1
}

#[test]
fn worlds_that_failed_once_do_not_any_more() {
    let lines = include_str!("seeds.txt").lines();
    let mut ran = 0;
    for line in lines.filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let mut words = line.split_whitespace();
        let size = size(words.next().expect("a size"));
        let seed = words.next().expect("a seed").parse().expect("a number");
        let verdict = examine(&World::draw(seed, size), Manner::default());
        assert_eq!(verdict.failure, None, "{line}");
        ran += 1;
    }
    assert!(ran > 0, "no world was run");
}

#[test]
fn a_few_worlds_of_every_size() {
    let two = NonZeroU32::new(2).expect("not zero");
    for (size, seeds) in [
        (Size::Small, 0..3_000),
        (Size::Medium, 0..150),
        (Size::Large, 0..8),
    ] {
        let outcome = campaign(&seeds, size, Manner::default(), two, |_| {});
        assert_eq!(outcome.failures, [], "{}", size.name());
        assert_eq!(outcome.tally.worlds, seeds.end);
    }
}

#[test]
fn a_world_depends_on_its_seed_alone() {
    let manner = Manner::traced();
    let run = |seed| {
        let world = World::draw(seed, Size::Small);
        (world.words(), examine(&world, manner).trace)
    };
    assert_eq!(run(3), run(3));
    assert_ne!(run(3).0, run(4).0);
}
