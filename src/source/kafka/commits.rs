//! Commits of one consumer: one call at a time, which carries all that has come up since the last one.

use crate::engine::Token;
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use std::collections::BTreeMap;

/// How often in a row a commit is made again that a rebalance got in the way of.
const REFUSALS_MAX: u32 = 40;

/// A commit that the engine waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Asked {
    token: Token,
    partition: u32,
}

/// What became of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) token: Token,
    pub(super) partition: u32,
    pub(super) result: Result<(), String>,
}

#[derive(Debug, Default)]
pub(super) struct Commits {
    /// Offsets that no call has carried yet.
    next: BTreeMap<u32, u64>,
    waiting: Vec<Asked>,
    on_its_way: Option<Vec<Asked>>,
    /// Offsets that the call on its way carries.
    carried: BTreeMap<u32, u64>,
    /// How often in a row the group was too busy to take a commit.
    refusals: u32,
    /// The furthest offset that was ever sent for a partition.
    sent: BTreeMap<u32, u64>,
}

impl Commits {
    /// Rule `kafka-commit-forward`: an offset that is behind one which was sent before is not sent.
    pub(super) fn ask(&mut self, token: Option<Token>, partition: u32, offset: u64) {
        let sent = self.sent.get(&partition).copied().unwrap_or(0);
        if offset >= sent {
            let next = self.next.entry(partition).or_insert(offset);
            *next = offset.max(*next);
        }
        self.waiting
            .extend(token.map(|token| Asked { token, partition }));
    }

    /// What to send now, if anything.
    pub(super) fn send(&mut self) -> Option<BTreeMap<u32, u64>> {
        if self.on_its_way.is_some() || (self.next.is_empty() && self.waiting.is_empty()) {
            return None;
        }
        let mut offsets = std::mem::take(&mut self.next);
        for asked in &self.waiting {
            // Asked for something that is stored already: asking for it once more answers for it.
            let sent = self.sent.get(&asked.partition);
            if let Some(sent) = sent {
                offsets.entry(asked.partition).or_insert(*sent);
            }
        }
        for (&partition, &offset) in &offsets {
            self.sent.insert(partition, offset);
        }
        self.on_its_way = Some(std::mem::take(&mut self.waiting));
        self.carried.clone_from(&offsets);
        Some(offsets)
    }

    /// The call on its way was answered.
    pub(super) fn answered(&mut self, result: KafkaResult<()>) -> Vec<Answer> {
        let asked = self.on_its_way.take().unwrap_or_default();
        self.refusals = 0;
        let result = result.map_err(|error| error.to_string());
        if result.is_err() {
            // Whatever it was: it may be asked for again.
            self.sent.clear();
        }
        let answer = |it: Asked| Answer {
            token: it.token,
            partition: it.partition,
            result: result.clone(),
        };
        asked.into_iter().map(answer).collect()
    }

    /// Takes the call on its way back, which a rebalance has kept the group from taking, so that it is made again.
    /// Returns those whose partition has gone meanwhile; `None` if it is not worth while.
    pub(super) fn take_back(&mut self, result: &KafkaResult<()>) -> Option<Vec<Answer>> {
        let is_rebalance = matches!(
            result,
            Err(KafkaError::ConsumerCommit(
                RDKafkaErrorCode::RebalanceInProgress | RDKafkaErrorCode::IllegalGeneration
            ))
        );
        if !is_rebalance || self.refusals >= REFUSALS_MAX {
            return None;
        }
        self.refusals += 1;
        let asked = self.on_its_way.take().unwrap_or_default();
        let (kept, gone) = asked
            .into_iter()
            .partition::<Vec<_>, _>(|it| self.carried.contains_key(&it.partition));
        for (partition, offset) in std::mem::take(&mut self.carried) {
            let next = self.next.entry(partition).or_insert(offset);
            *next = offset.max(*next);
        }
        let later = std::mem::replace(&mut self.waiting, kept);
        self.waiting.extend(later);
        Some(gone.into_iter().map(not_assigned).collect())
    }

    /// Gives up what was not sent for these partitions.
    pub(super) fn forget(&mut self, partitions: &[u32]) -> Vec<Answer> {
        for partition in partitions {
            self.next.remove(partition);
            self.carried.remove(partition);
            self.sent.remove(partition);
        }
        let (gone, kept) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition::<Vec<_>, _>(|asked| partitions.contains(&asked.partition));
        self.waiting = kept;
        gone.into_iter().map(not_assigned).collect()
    }

    /// Gives up everything, on its way or not.
    pub(super) fn abandon(&mut self) -> Vec<Answer> {
        let all = std::mem::take(self);
        let asked = all.on_its_way.into_iter().flatten().chain(all.waiting);
        asked.map(not_assigned).collect()
    }
}

fn not_assigned(asked: Asked) -> Answer {
    Answer {
        token: asked.token,
        partition: asked.partition,
        result: Err("the partition is not assigned any more".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(answers: &[Answer]) -> Vec<(u64, bool)> {
        let shown = answers.iter().map(|it| (it.token.0, it.result.is_ok()));
        shown.collect()
    }

    #[test]
    fn one_call_carries_what_has_come_up_since_the_last() {
        let mut commits = Commits::default();
        commits.ask(Some(Token(1)), 0, 10);
        assert_eq!(commits.send(), Some(BTreeMap::from([(0, 10)])));
        commits.ask(Some(Token(2)), 0, 20);
        commits.ask(Some(Token(3)), 4, 7);
        commits.ask(Some(Token(4)), 0, 30);
        assert_eq!(commits.send(), None, "one call at a time");
        assert_eq!(tokens(&commits.answered(Ok(()))), [(1, true)]);
        assert_eq!(commits.send(), Some(BTreeMap::from([(0, 30), (4, 7)])));
        let failed = KafkaError::ConsumerCommit(RDKafkaErrorCode::IllegalGeneration);
        let answers = commits.answered(Err(failed));
        assert_eq!(tokens(&answers), [(2, false), (3, false), (4, false)]);
        assert_eq!(commits.send(), None);
        commits.ask(Some(Token(5)), 0, 20);
        assert_eq!(commits.send(), Some(BTreeMap::from([(0, 20)])));
    }

    #[test]
    fn kafka_commit_forward() {
        let mut commits = Commits::default();
        commits.ask(Some(Token(1)), 0, 10);
        commits.send();
        commits.answered(Ok(()));
        commits.ask(Some(Token(2)), 0, 5);
        assert_eq!(commits.send(), Some(BTreeMap::from([(0, 10)])));
        assert_eq!(tokens(&commits.answered(Ok(()))), [(2, true)]);
        commits.ask(None, 0, 12);
        commits.ask(Some(Token(3)), 0, 11);
        assert_eq!(commits.send(), Some(BTreeMap::from([(0, 12)])));
    }

    #[test]
    fn a_commit_that_met_a_rebalance_is_made_again_for_what_is_still_there() {
        let busy = || {
            Err(KafkaError::ConsumerCommit(
                RDKafkaErrorCode::RebalanceInProgress,
            ))
        };
        let mut commits = Commits::default();
        commits.ask(Some(Token(1)), 0, 1);
        commits.ask(Some(Token(2)), 1, 5);
        commits.ask(Some(Token(9)), 2, 8);
        commits.send();
        commits.ask(Some(Token(3)), 1, 6);
        assert_eq!(tokens(&commits.forget(&[2])), []);
        let gone = commits.take_back(&busy()).expect("worth while");
        assert_eq!(tokens(&gone), [(9, false)]);
        assert_eq!(tokens(&commits.forget(&[0])), [(1, false)]);
        assert_eq!(commits.send(), Some(BTreeMap::from([(1, 6)])));
        assert_eq!(commits.take_back(&Ok(())), None);
        assert_eq!(tokens(&commits.answered(Ok(()))), [(2, true), (3, true)]);
        commits.ask(Some(Token(4)), 1, 7);
        for _ in 0..REFUSALS_MAX {
            assert!(commits.send().is_some());
            assert_eq!(commits.take_back(&busy()), Some(Vec::new()));
        }
        commits.send();
        assert_eq!(commits.take_back(&busy()), None, "not for ever");
        assert_eq!(tokens(&commits.answered(busy())), [(4, false)]);
    }

    #[test]
    fn what_was_not_sent_goes_with_its_partition() {
        let mut commits = Commits::default();
        commits.ask(Some(Token(1)), 0, 1);
        commits.send();
        commits.ask(Some(Token(2)), 0, 2);
        commits.ask(Some(Token(3)), 1, 2);
        assert_eq!(tokens(&commits.forget(&[0])), [(2, false)]);
        assert_eq!(tokens(&commits.answered(Ok(()))), [(1, true)]);
        assert_eq!(commits.send(), Some(BTreeMap::from([(1, 2)])));
        commits.ask(Some(Token(4)), 1, 9);
        assert_eq!(tokens(&commits.abandon()), [(3, false), (4, false)]);
        assert_eq!(commits.send(), None);
    }
}
