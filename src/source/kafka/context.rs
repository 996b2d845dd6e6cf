//! librdkafka's callbacks, turned into a list that the consumer's own task works off.
//!
//! Callbacks for rebalances and errors run inside of that task's own polls. Only log lines and wake-ups come
//! from librdkafka's threads, and none of them touches anything else.

use super::token::{Tokens, oauth_token};
use super::trouble::Trouble;
use rdkafka::client::{ClientContext, OAuthToken};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, Consumer, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::TopicPartitionList;
use rdkafka::types::RDKafkaRespErr;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Something that librdkafka wants to be answered or known.
#[derive(Debug)]
pub(super) enum Happening {
    /// The group gives partitions; librdkafka waits for `incremental_assign`.
    Assign(Vec<u32>),
    /// The group takes partitions; librdkafka waits for `incremental_unassign`.
    Revoke {
        partitions: Vec<u32>,
        /// Somebody else may have them already.
        is_lost: bool,
    },
    Trouble(Trouble),
}

/// What librdkafka calls back.
pub(super) struct Context {
    mapping: Arc<str>,
    tokens: Option<Tokens>,
    inbox: Mutex<VecDeque<Happening>>,
    /// The consumer is being closed: nobody works off the list any more.
    closing: AtomicBool,
}

/// Partition numbers of a list; librdkafka has none below 0 in assignments.
pub(super) fn partitions_of(list: &TopicPartitionList) -> Vec<u32> {
    let elements = list.elements();
    let numbers = elements
        .iter()
        .map(|element| u32::try_from(element.partition()));
    numbers.filter_map(Result::ok).collect()
}

impl Context {
    pub(super) const fn new(mapping: Arc<str>, tokens: Option<Tokens>) -> Self {
        Self {
            mapping,
            tokens,
            inbox: Mutex::new(VecDeque::new()),
            closing: AtomicBool::new(false),
        }
    }

    fn inbox(&self) -> MutexGuard<'_, VecDeque<Happening>> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, happening: Happening) {
        self.inbox().push_back(happening);
    }

    pub(super) fn next(&self) -> Option<Happening> {
        self.inbox().pop_front()
    }

    /// From now on rebalances are answered at once.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::Release);
    }
}

impl ClientContext for Context {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    fn generate_oauth_token(
        &self,
        _config: Option<&str>,
    ) -> Result<OAuthToken, Box<dyn std::error::Error>> {
        oauth_token(self.tokens.as_ref())
    }

    fn log(&self, level: RDKafkaLogLevel, fac: &str, log_message: &str) {
        // What matters comes as an error event, too, and is logged where its consequences are known.
        tracing::debug!(mapping = %self.mapping, ?level, fac, log_message, "librdkafka");
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let code = error.rdkafka_error_code();
        self.push(Happening::Trouble(Trouble {
            code: code.unwrap_or(RDKafkaErrorCode::Unknown),
            text: reason.to_owned(),
            is_fatal: code == Some(RDKafkaErrorCode::Fatal),
        }));
    }
}

impl ConsumerContext for Context {
    fn rebalance(
        &self,
        consumer: &BaseConsumer<Self>,
        err: RDKafkaRespErr,
        list: &mut TopicPartitionList,
    ) {
        let is_assignment = err == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
        if self.closing.load(Ordering::Acquire) {
            let result = match is_assignment {
                true => consumer.incremental_assign(&TopicPartitionList::new()),
                false => consumer.incremental_unassign(list),
            };
            if let Err(error) = result {
                tracing::debug!(mapping = %self.mapping, %error, "a rebalance while the consumer closes");
            }
            return;
        }
        let partitions = partitions_of(list);
        self.push(match is_assignment {
            true => Happening::Assign(partitions),
            false => Happening::Revoke {
                partitions,
                is_lost: consumer.assignment_lost(),
            },
        });
    }
}
