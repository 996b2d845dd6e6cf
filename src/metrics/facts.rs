//! Facts for tests: how invocations end, and records that are given up.

use crate::engine::{Condition, Delivery, Fact, Meta, Outcome, Seq, ShardId, Time, Token};

/// An invocation of `records` ends.
pub(super) fn ended(records: u32, outcome: Outcome) -> Fact {
    Fact::InvokeEnded {
        token: Token(0),
        records,
        succeeded: outcome.succeeded(records),
        outcome,
    }
}

/// So many records are given up.
pub(super) fn discarded(records: u32, condition: Condition, destination: Delivery) -> Fact {
    let meta = Meta {
        seq: Seq::from(1),
        group: 0,
        arrival: Time::ZERO,
        wire_len: 1,
    };
    Fact::Discarded {
        shard: ShardId(0),
        records,
        condition,
        invoke_count: 1,
        first: meta,
        last: meta,
        destination,
    }
}
