//! Rules of leases: who has which shard when several processes share a stream.

use super::lease_world::{FAILOVER, State, World};
use tidegate::engine::lease::{LeaseAction, LeaseChange, LeaseConfig, LeaseEvent, Leases, Row};
use tidegate::engine::{Rng, Span, Time};

const MINUTE: Span = Span::from_secs(60);

fn twice(span: Span) -> Span {
    span.times(2)
}

#[test]
fn lease_for_every_listed_shard() {
    let mut world = World::flat(1, 5);
    world.join();
    world.join();
    world.run(MINUTE);
    assert_eq!(world.table.len(), 5);
    let mut loads = world.loads();
    loads.sort_unstable();
    assert_eq!(loads, [2, 3]);
}

#[test]
fn lease_fair_share() {
    let mut world = World::flat(2, 12);
    world.join();
    world.run(MINUTE);
    assert_eq!(world.loads(), [12]);
    world.join();
    world.join();
    // A newcomer steals one lease a scan.
    world.run(MINUTE.times(2));
    assert_eq!(world.loads(), [4, 4, 4]);
    let settled = world.gained.len();
    world.run(MINUTE.times(10));
    assert_eq!(world.gained.len(), settled, "and then nothing moves");
}

#[test]
fn lease_steal_from_the_busiest() {
    let mut world = World::flat(3, 8);
    world.join();
    world.run(MINUTE);
    world.join();
    world.run(MINUTE.times(2));
    assert_eq!(world.loads(), [4, 4]);
    let before = world.revoked.len();
    world.join();
    world.run(MINUTE.times(2));
    let mut loads = world.loads();
    loads.sort_unstable();
    assert_eq!(loads, [2, 3, 3]);
    // One from each: the second was taken when its owner was the busiest of the two.
    let victims: Vec<usize> = world.revoked[before..]
        .iter()
        .map(|(_, who, _)| *who)
        .collect();
    assert!(victims.contains(&0) && victims.contains(&1), "{victims:?}");
}

#[test]
fn lease_expires_by_own_clock() {
    for seed in 0..200 {
        let mut world = World::flat(seed, 6);
        world.join();
        world.join();
        world.join();
        world.run(MINUTE.times(2));
        let victim = (seed % 3) as usize;
        let had: Vec<String> = world.workers[victim].leases.held().cloned().collect();
        assert_eq!(had.len(), 2);
        world.die(victim);
        let died = world.now;
        let before = world.gained.len();
        world.run(MINUTE);
        let taken: Vec<(Span, &String)> = world.gained[before..]
            .iter()
            .map(|(at, _, key)| (at.since(died), key))
            .collect();
        for key in &had {
            let (after, _) = taken.iter().find(|(_, one)| *one == key).expect("taken");
            // Not before a third of the failover time is left of it, and within twice the failover time.
            assert!(*after > Span::from_millis(6_600), "{after} of seed {seed}");
            assert!(*after < twice(FAILOVER), "{after} of seed {seed}");
        }
    }
}

#[test]
fn lease_owner_lets_go_first() {
    // Nothing gets through to the table from some moment on: the owner gives up by its own clock, and the world checks
    // at every step that nobody else has the lease before that.
    let mut world = World::flat(5, 4);
    world.join();
    world.join();
    world.run(MINUTE);
    world.trouble = 500;
    let cut = world.now;
    world.run(FAILOVER + Span::from_secs(1));
    let late: Vec<&Time> = world.lost.iter().map(|(at, ..)| at).collect();
    assert!(!late.is_empty());
    assert!(late.iter().all(|at| at.since(cut) <= FAILOVER));
    world.trouble = 0;
    world.run(MINUTE);
    assert_eq!(world.loads().iter().sum::<usize>(), 4);
}

#[test]
fn a_frozen_owner_wakes_up_without_its_leases() {
    let mut world = World::flat(6, 4);
    world.join();
    world.join();
    world.run(MINUTE);
    assert_eq!(world.loads(), [2, 2]);
    world.freeze(0);
    world.run(MINUTE);
    assert_eq!(world.loads(), [4]);
    let before = world.lost.len();
    world.thaw(0);
    let lost = world.lost[before..].iter().filter(|(_, who, _)| *who == 0);
    assert_eq!(lost.count(), 2, "before anything else");
    world.run(MINUTE.times(2));
    assert_eq!(world.loads(), [2, 2]);
}

/// A stolen lease is worked on by its old owner until what was in work is stored, or until its time is over; the world
/// checks at every step that nobody else works on it before.
#[test]
fn lease_handover() {
    for work_ms in [0, 2_000, 30_000] {
        let mut world = World::flat(work_ms, 10);
        world.work_ms = work_ms;
        world.join();
        world.run(MINUTE);
        world.join();
        world.run(MINUTE.times(3));
        assert_eq!(world.loads(), [5, 5]);
        assert_eq!(world.revoked.len(), 5);
        let cut_short = world.lost.len();
        match work_ms {
            30_000 => assert!(cut_short > 0),
            _ => assert_eq!(cut_short, 0),
        }
    }
}

#[test]
fn lease_children_after_parents() {
    let mut world = World::new(
        7,
        &[
            ("parent", &[]),
            ("left", &["parent"]),
            ("right", &["parent"]),
            ("merged", &["left", "right"]),
        ],
    );
    world.join();
    world.run(MINUTE);
    let held = |world: &World| -> Vec<String> {
        let held = world.workers[0].leases.held();
        held.map(ToString::to_string).collect()
    };
    assert_eq!(held(&world), ["parent"]);
    world.finish(0, "parent");
    world.run(FAILOVER);
    assert_eq!(held(&world), ["left", "right"]);
    world.finish(0, "right");
    world.run(MINUTE);
    assert_eq!(held(&world), ["left"]);
    world.finish(0, "left");
    world.run(FAILOVER);
    assert_eq!(held(&world), ["merged"]);
}

#[test]
fn a_worker_that_leaves_gives_its_leases_back() {
    let mut world = World::flat(8, 4);
    world.join();
    world.join();
    world.run(MINUTE);
    world.tell(0, LeaseEvent::Drain);
    let had: Vec<String> = world.workers[0].leases.held().cloned().collect();
    world.run(FAILOVER.times(3));
    assert_eq!(world.loads(), [2, 2], "it keeps what it still works on");
    for key in had {
        world.tell(0, LeaseEvent::Released { key });
    }
    world.run(FAILOVER);
    assert!(world.workers[0].leases.is_drained());
    assert_eq!(world.loads(), [0, 4]);
}

/// A worker with nothing in work leaves, which takes so long.
fn leave(world: &mut World, worker: usize) -> Span {
    let begun = world.now;
    world.tell(worker, LeaseEvent::Drain);
    while !world.workers[worker].leases.is_drained() {
        let held: Vec<String> = world.workers[worker].leases.held().cloned().collect();
        for key in held {
            world.tell(worker, LeaseEvent::Released { key });
        }
        world.run(Span::from_millis(10));
        assert!(world.now.since(begun) < MINUTE, "it never leaves");
    }
    world.now.since(begun)
}

/// Half the failover time and a fifth of that between two looks, and calls of up to 305 ms each way.
#[test]
fn what_a_leaving_worker_had_is_taken_at_the_next_look_whenever_it_leaves() {
    for seed in 0..400 {
        let mut world = World::flat(seed, 6);
        world.work_ms = 100;
        world.join();
        world.run(MINUTE);
        world.join();
        // In the middle of taking, waiting for and working on what it steals.
        world.run(Span::from_millis(seed * 50));
        let took = leave(&mut world, 1);
        assert!(took < Span::from_secs(2), "seed {seed}: it took {took}");
        world.run(Span::from_millis(6_000 + 4 * 305));
        assert_eq!(world.loads(), [6, 0], "seed {seed}");
    }
}

#[test]
fn what_could_not_be_given_back_is_given_back_at_the_next_try() {
    for seed in 0..100 {
        let mut world = World::flat(seed, 6);
        world.join();
        world.join();
        world.run(MINUTE);
        assert_eq!(world.loads(), [3, 3], "seed {seed}");
        world.trouble = 300;
        leave(&mut world, 1);
        let left = |row: &&Row| row.owner.as_deref() == Some("worker-1");
        assert_eq!(world.table.values().filter(left).count(), 0, "seed {seed}");
    }
}

#[test]
fn a_worker_of_the_same_name_takes_its_own_leases_back_at_once() {
    let mut world = World::flat(9, 3);
    world.join();
    world.run(MINUTE);
    world.die(0);
    world.workers.clear();
    world.join();
    world.run(Span::from_secs(2));
    assert_eq!(world.loads(), [3]);
}

/// A worker on its own, and everything that it asks for at first.
fn alone(shards: &[(&str, &[&str])]) -> (Leases, Vec<LeaseAction>) {
    let now = Time::from_secs(1);
    let mut leases = Leases::new(LeaseConfig::new("one"), Rng::stream(1, "leases"), now);
    let shard = |(key, parents): &(&str, &[&str])| {
        let parents = parents.iter().map(ToString::to_string).collect();
        (String::from(*key), parents)
    };
    let listed = shards.iter().map(shard).collect();
    let token = match leases.poll_action() {
        Some(LeaseAction::Scan { token }) => token,
        other => panic!("it looks first: {other:?}"),
    };
    let rows = Vec::new();
    leases.handle(now, LeaseEvent::Scanned { token, rows });
    leases.handle(now, LeaseEvent::Listed(listed));
    let actions = std::iter::from_fn(|| leases.poll_action()).collect();
    (leases, actions)
}

/// Another worker that saw a child's row alone would take its parent for finished and forgotten.
#[test]
fn a_child_gets_its_row_after_its_parents() {
    let (mut leases, actions) = alone(&[("child", &["parent"]), ("parent", &[])]);
    let [LeaseAction::Create { token, key, .. }] = &actions[..] else {
        panic!("one row at first: {actions:?}");
    };
    assert_eq!(key, "parent");
    leases.handle(Time::from_secs(2), LeaseEvent::Done { token: *token });
    let next = leases.poll_action();
    assert!(
        matches!(&next, Some(LeaseAction::Create { key, .. }) if key == "child"),
        "{next:?}"
    );
}

/// A worker that stood still hears that it got a lease when others may have it already.
#[test]
fn a_lease_whose_answer_came_too_late_is_not_gained() {
    for (secs, expected) in [(9, Some(LeaseChange::Gained("shard".into()))), (10, None)] {
        let (mut leases, actions) = alone(&[("shard", &[])]);
        let [LeaseAction::Create { token, .. }] = &actions[..] else {
            panic!("one row: {actions:?}");
        };
        let taken = Time::from_secs(1);
        leases.handle(taken, LeaseEvent::Done { token: *token });
        let Some(LeaseAction::Scan { token }) = leases.poll_action() else {
            panic!("it looks again");
        };
        let rows = vec![Row::new("shard", Vec::new())];
        leases.handle(taken, LeaseEvent::Scanned { token, rows });
        let Some(LeaseAction::Take { token, .. }) = leases.poll_action() else {
            panic!("it takes what is free");
        };
        leases.handle_timeout(taken + Span::from_secs(secs));
        leases.handle(taken + Span::from_secs(secs), LeaseEvent::Done { token });
        assert_eq!(leases.poll_change(), expected, "after {secs} s");
    }
}

/// A mapping that heard of them one after the other would go on with the second when it hears of the first.
#[test]
fn leases_that_are_lost_together_are_told_together() {
    let mut world = World::flat(1, 3);
    let worker = world.join();
    world.run(MINUTE);
    assert_eq!(world.loads(), [3]);
    let later = world.now + twice(FAILOVER);
    let leases = &mut world.workers[worker].leases;
    leases.handle_timeout(later);
    let lost = leases.poll_change();
    assert!(
        matches!(&lost, Some(LeaseChange::Lost(keys)) if keys.len() == 3),
        "{lost:?}"
    );
    assert_eq!(leases.poll_change(), None);
}

#[test]
fn refused_progress_is_a_lost_lease() {
    let mut world = World::flat(10, 1);
    world.join();
    world.run(MINUTE);
    let key: String = "shard-000".into();
    world.tell(0, LeaseEvent::Disowned { key: key.clone() });
    assert_eq!(
        world.lost.last().map(|(_, who, key)| (*who, key)),
        Some((0, &key))
    );
}

/// Workers join, die, freeze and wake at random while calls and answers get lost: at no moment do two of them believe that
/// they have one lease, and when the trouble is over everything has an owner and the shares are fair.
#[test]
fn leases_have_one_holder_through_trouble() {
    for seed in 0..300 {
        let mut rng = Rng::stream(seed, "script");
        let shards = 1 + rng.below(20) as u32;
        let mut world = World::flat(seed, shards);
        world.join();
        world.trouble = rng.below(300);
        for _ in 0..30 {
            world.run(Span::from_millis(rng.below(15_000)));
            let worker = rng.below(world.workers.len() as u64) as usize;
            match (rng.below(4), world.workers[worker].state) {
                (0, _) if world.workers.len() < 6 => {
                    world.join();
                }
                (1, State::Runs) if rng.below(3) == 0 => world.die(worker),
                (2, State::Runs) => world.freeze(worker),
                (_, State::Frozen) => world.thaw(worker),
                _ => {}
            }
        }
        for worker in 0..world.workers.len() {
            if world.workers[worker].state == State::Frozen {
                world.thaw(worker);
            }
        }
        if world.loads().is_empty() {
            world.join();
        }
        world.trouble = 0;
        world.run(MINUTE.times(5));
        let loads = world.loads();
        assert_eq!(loads.iter().sum::<usize>(), shards as usize, "seed {seed}");
        let share = (shards as usize).div_ceil(loads.len());
        assert!(
            loads.iter().all(|load| *load <= share),
            "seed {seed}: {loads:?}"
        );
    }
}
