//! Rules of shards that come and go with their leases.

use super::harness::{after, kinesis, record};
use tidegate::engine::{
    Action, BatchId, Control, Delta, Event, Fact, Mapping, MappingConfig, Outcome, Page, Position,
    Profile, Record, ReturnCause, Rng, Shard, ShardId, Span, Time, Token, Tuning,
};

/// A mapping whose every answer is given by hand.
struct Hand {
    mapping: Mapping<&'static str>,
    now: Time,
    actions: Vec<Action>,
    facts: Vec<Fact>,
}

impl Hand {
    fn new(config: MappingConfig) -> Self {
        let now = Time::from_secs(100);
        let tuning = Tuning::new(Profile::Current);
        let rng = Rng::stream(1, "tenure");
        Self {
            mapping: Mapping::new(config, tuning, rng, now).expect("a mapping"),
            now,
            actions: Vec::new(),
            facts: Vec::new(),
        }
    }

    fn drain(&mut self) {
        self.facts
            .extend(std::iter::from_fn(|| self.mapping.poll_fact()));
        let now = self.now;
        self.actions
            .extend(std::iter::from_fn(|| self.mapping.poll_action(now)));
    }

    fn tell(&mut self, event: Event<&'static str>) {
        self.mapping.handle(self.now, event);
        self.drain();
    }

    fn wait(&mut self, span: Span) {
        self.now += span;
        self.mapping.handle_timeout(self.now);
        self.drain();
    }

    fn assign(&mut self, from: Position) {
        self.tell(Event::Control(Control::Assigned {
            poller: 0,
            shards: vec![Shard {
                id: ShardId(0),
                from,
                parents: Vec::new(),
                window: None,
            }],
        }));
    }

    fn revoke(&mut self) {
        let shards = vec![ShardId(0)];
        self.tell(Event::Control(Control::Revoked { poller: 0, shards }));
    }

    fn lose(&mut self) {
        let shards = vec![ShardId(0)];
        self.tell(Event::Control(Control::Lost { poller: 0, shards }));
    }

    fn next(&mut self) -> Action {
        assert!(!self.actions.is_empty(), "nothing is asked for");
        self.actions.remove(0)
    }

    fn read(&mut self) -> (Token, Position) {
        match self.next() {
            Action::Read { token, from, .. } => (token, from),
            other => panic!("{other:?}"),
        }
    }

    fn invoke(&mut self) -> (Token, BatchId) {
        match self.next() {
            Action::Invoke { token, batch, .. } => (token, batch),
            other => panic!("{other:?}"),
        }
    }

    fn store(&mut self) -> (Token, Delta) {
        match self.next() {
            Action::Checkpoint { token, delta, .. } => (token, delta),
            other => panic!("{other:?}"),
        }
    }

    fn leave(&mut self) -> Token {
        match self.next() {
            Action::Yield { token, shards, .. } => {
                assert_eq!(shards, [ShardId(0)]);
                token
            }
            other => panic!("{other:?}"),
        }
    }

    fn give(&mut self, token: Token, records: Vec<Record<&'static str>>) {
        let end = records.last().map(|record| record.meta.seq);
        let page = Page {
            records,
            end,
            behind: Span::from_secs(5),
            ..Page::default()
        };
        self.tell(Event::Fetched { token, page });
    }

    fn returned(&self) -> u32 {
        let returned = self.facts.iter().map(|fact| match fact {
            Fact::Returned {
                records,
                cause: ReturnCause::Rebalanced,
            } => *records,
            _ => 0,
        });
        returned.sum()
    }
}

fn batches_of(batch_size: u32) -> MappingConfig {
    MappingConfig {
        batch_size,
        ..kinesis()
    }
}

fn three() -> Vec<Record<&'static str>> {
    vec![record(1, "a", 0), record(2, "b", 0), record(3, "c", 0)]
}

#[test]
fn lost_shard_stores_nothing() {
    let mut hand = Hand::new(batches_of(2));
    hand.assign(Position::Horizon);
    let (read, from) = hand.read();
    assert_eq!(from, Position::Horizon);
    hand.give(read, three());
    let (call, batch) = hand.invoke();
    hand.wait(Span::from_secs(1));
    let (read, _) = hand.read();
    hand.lose();
    assert_eq!(hand.mapping.in_hand(), 0);
    assert_eq!(hand.returned(), 1, "what waited behind the batch");
    // The call goes on for nobody: its records are still there for the driver.
    assert_eq!(hand.mapping.batch(batch).len(), 2);
    let outcome = Outcome::Success;
    hand.tell(Event::Invoked {
        token: call,
        outcome,
    });
    hand.give(read, vec![record(4, "d", 0)]);
    hand.wait(Span::from_secs(100));
    assert_eq!(hand.actions, []);
    assert_eq!(hand.returned(), 1);
    // It comes back from where somebody else left it.
    hand.assign(after(2));
    assert_eq!(hand.read().1, after(2));
}

#[test]
fn a_checkpoint_that_was_under_way_is_answered_for_nobody() {
    let mut hand = Hand::new(batches_of(3));
    hand.assign(Position::Horizon);
    let (read, _) = hand.read();
    hand.give(read, three());
    let (call, _) = hand.invoke();
    hand.actions.clear();
    let outcome = Outcome::Success;
    hand.tell(Event::Invoked {
        token: call,
        outcome,
    });
    let (store, _) = hand.store();
    hand.lose();
    hand.tell(Event::Done { token: store });
    let checkpointed = |fact: &Fact| matches!(fact, Fact::Checkpointed { .. });
    assert!(!hand.facts.iter().any(checkpointed));
    assert!(hand.mapping.is_drained());
}

#[test]
fn a_failed_call_of_a_lost_shard_is_not_made_again() {
    let mut hand = Hand::new(batches_of(3));
    hand.assign(Position::Horizon);
    let (read, _) = hand.read();
    hand.give(read, three());
    let (call, _) = hand.invoke();
    hand.lose();
    hand.actions.clear();
    let outcome = Outcome::FunctionError;
    hand.tell(Event::Invoked {
        token: call,
        outcome,
    });
    assert_eq!(hand.returned(), 3);
    hand.wait(Span::from_secs(100));
    assert_eq!(hand.actions, []);
}

#[test]
fn revoked_shard_finishes() {
    let mut hand = Hand::new(batches_of(2));
    hand.assign(Position::Horizon);
    let (read, _) = hand.read();
    hand.give(read, three());
    let (call, _) = hand.invoke();
    hand.actions.clear();
    hand.revoke();
    assert_eq!(hand.actions, [], "the call is waited for");
    let outcome = Outcome::Success;
    hand.tell(Event::Invoked {
        token: call,
        outcome,
    });
    // Its progress is stored, though not that of what was let go, and then the shard leaves.
    let (store, delta) = hand.store();
    assert_eq!(delta.to, after(2));
    assert_eq!(hand.actions, []);
    hand.tell(Event::Done { token: store });
    let leave = hand.leave();
    assert!(!hand.mapping.is_drained());
    hand.tell(Event::Done { token: leave });
    assert!(hand.mapping.is_drained());
    assert_eq!(hand.returned(), 1);
    hand.assign(after(2));
    assert_eq!(hand.read().1, after(2));
}

#[test]
fn a_revoked_shard_does_not_try_again() {
    let mut hand = Hand::new(batches_of(2));
    hand.assign(Position::Horizon);
    let (read, _) = hand.read();
    hand.give(read, three());
    let (call, _) = hand.invoke();
    hand.actions.clear();
    hand.revoke();
    let outcome = Outcome::FunctionError;
    hand.tell(Event::Invoked {
        token: call,
        outcome,
    });
    let leave = hand.leave();
    hand.tell(Event::Done { token: leave });
    assert_eq!(hand.returned(), 3);
}

#[test]
fn a_shard_that_waits_for_its_next_try_leaves_at_once() {
    let mut hand = Hand::new(batches_of(3));
    hand.assign(Position::Horizon);
    let (read, _) = hand.read();
    hand.give(read, three());
    let (call, _) = hand.invoke();
    let outcome = Outcome::FunctionError;
    hand.tell(Event::Invoked {
        token: call,
        outcome,
    });
    hand.actions.clear();
    hand.revoke();
    hand.leave();
    assert_eq!(hand.returned(), 3);
}

#[test]
fn progress_never_passes_what_another_lane_let_go() {
    let lane = |seq, payload, lane: u64| {
        let mut record = record(seq, payload, 0);
        record.meta.group = u64::MAX / 2 * lane + 17;
        record
    };
    let config = MappingConfig {
        parallelization_factor: 2,
        ..batches_of(1)
    };
    let mut hand = Hand::new(config);
    hand.assign(Position::Horizon);
    let (read, _) = hand.read();
    // The first lane fails and waits with record 1; the second is at work on record 2.
    hand.give(
        read,
        vec![lane(1, "a", 0), lane(2, "b", 1), lane(3, "c", 1)],
    );
    let (first, _) = hand.invoke();
    let (second, _) = hand.invoke();
    let outcome = Outcome::FunctionError;
    hand.tell(Event::Invoked {
        token: first,
        outcome,
    });
    hand.actions.clear();
    hand.revoke();
    let outcome = Outcome::Success;
    hand.tell(Event::Invoked {
        token: second,
        outcome,
    });
    // Record 2 is done, but 1 is not: nothing may be stored.
    hand.leave();
}

#[test]
fn progress_never_splits_an_aggregate_that_was_let_go() {
    let mut hand = Hand::new(batches_of(2));
    hand.assign(Position::Horizon);
    let (read, _) = hand.read();
    // Three records of one aggregate share the number 2.
    let aggregate = |payload| record(2, payload, 0);
    let held = vec![record(1, "a", 0), aggregate("b"), aggregate("c")];
    hand.give(read, held);
    let (call, _) = hand.invoke();
    hand.actions.clear();
    hand.revoke();
    let outcome = Outcome::Success;
    hand.tell(Event::Invoked {
        token: call,
        outcome,
    });
    assert_eq!(hand.store().1.to, after(1));
}

#[test]
fn losing_a_shard_that_leaves_ends_its_leaving() {
    let mut hand = Hand::new(batches_of(2));
    hand.assign(Position::Horizon);
    let (read, _) = hand.read();
    hand.give(read, three());
    let (call, _) = hand.invoke();
    hand.actions.clear();
    hand.revoke();
    hand.lose();
    let outcome = Outcome::Success;
    hand.tell(Event::Invoked {
        token: call,
        outcome,
    });
    assert_eq!(hand.actions, []);
    assert!(hand.mapping.is_drained());
    assert_eq!(hand.returned(), 1);
}
