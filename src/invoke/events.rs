//! Asynchronous invocation in real time: who keeps an event after its caller was told 202, and drives the engine's queues.
//!
//! ```text
//!  caller ─▶ Inlet ─▶ Reader: EventQueue ─▶ Target ─▶ answer ─▶ EventQueue ─▶ Outlets: destination, dead-letter queue
//!                       ▲ one for each function or alias        │ again after 1 and 2 min
//!                       └───────────────────────────────────────┘
//! ```
//! Events live in memory only. A stop lets what is at work, and what could be at work, come to its end; what waits for a later
//! try is lost with the run, and counted.

use super::delivery::{Errand, Outlets, Refused};
use crate::destination::{AsyncRecord, AsyncResponse, DeadLetterAttributes, qualified_arn};
use crate::engine::lambda::{
    AsyncFact, AsyncOutcome, Attempt, Ended, EventQueue, ThrottleReason, check_payload,
};
use crate::engine::{Outcome, Profile, Rng, Span, Time};
use crate::poll::{Clock, Counters};
use crate::target::{Region, Reply, RequestId, Target};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::task::{JoinError, JoinSet};

/// Bytes of all events that are kept, with [`EVENT_BYTES`] for each; beyond them callers are refused.
pub(super) const KEPT_BYTES_MAX: usize = 256 << 20;
/// What an event costs besides its payload, about.
const EVENT_BYTES: usize = 512;
/// Invocations at once by the queue of a target that says nothing of its limits.
const AT_ONCE_DEFAULT: u32 = 1_000;

/// Where events come in.
#[derive(Clone, Debug)]
pub(super) struct Inlet(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    inputs: UnboundedSender<Input>,
    /// Indexes of queues by the name that callers use.
    places: BTreeMap<String, usize>,
    kept: Arc<AtomicUsize>,
    counters: Arc<Counters>,
    profile: Profile,
    /// Ids of events that no caller sent: records on their way to a function of the same file.
    ids: Mutex<Rng>,
}

#[derive(Debug)]
enum Input {
    Event(usize, Box<Entry>),
    /// No more events of callers will come.
    Drain,
}

/// There is no memory left for events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;

/// A share of [`KEPT_BYTES_MAX`], given back when it is dropped.
#[derive(Debug)]
struct Share {
    kept: Arc<AtomicUsize>,
    bytes: usize,
}

impl Share {
    fn grow(&mut self, bytes: usize) {
        self.kept.fetch_add(bytes, Relaxed);
        self.bytes += bytes;
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.kept.fetch_sub(self.bytes, Relaxed);
    }
}

/// What belongs to the number of an event.
#[derive(Debug)]
struct Entry {
    /// The function as it was called, with version or alias.
    name: String,
    request: RequestId,
    payload: Bytes,
    share: Share,
    /// The last answers of the function, where somebody will be told: to the event, and to the copy that the queue made.
    answers: [Option<AsyncResponse>; 2],
    /// The event and its copy, as long as they are not over, and errands that are not done.
    open: u32,
}

impl Inlet {
    /// Queues an event for the function that was called as `name`.
    ///
    /// # Panics
    /// When there is no such function: callers and destinations are checked before.
    pub(super) fn accept(
        &self,
        name: &str,
        request: RequestId,
        payload: Bytes,
    ) -> Result<(), Full> {
        let Shared {
            inputs,
            places,
            kept,
            counters,
            ..
        } = &*self.0;
        let bare = name.split(':').next().unwrap_or(name);
        // Versions and aliases that are not known here share the queue of their function.
        let place = places.get(name).or_else(|| places.get(bare));
        let Some(&place) = place else {
            panic!("an event for `{name}`, which is not in the file");
        };
        let bytes = payload.len() + EVENT_BYTES;
        let share = Share {
            kept: kept.clone(),
            bytes,
        };
        if kept.fetch_add(bytes, Relaxed) + bytes > KEPT_BYTES_MAX {
            return Err(Full);
        }
        let entry = Entry {
            name: name.to_owned(),
            request,
            payload,
            share,
            answers: [None, None],
            open: 1,
        };
        counters.events.received();
        // The reader lives as long as anybody is served.
        let _ = inputs.send(Input::Event(place, Box::new(entry)));
        Ok(())
    }

    /// Queues a record for the function of the same file that is named `name`.
    pub(super) fn tell(&self, name: &str, record: Bytes) -> Result<(), Refused> {
        if let Err(error) = check_payload(self.0.profile, record.len() as u64) {
            return Err(Refused {
                text: error.to_string(),
                is_final: true,
            });
        }
        let request = {
            let mut ids = self.0.ids.lock().unwrap_or_else(PoisonError::into_inner);
            RequestId(u128::from(ids.next_u64()) << 64 | u128::from(ids.next_u64()))
        };
        self.accept(name, request, record).map_err(|Full| Refused {
            text: "too many events are queued".to_owned(),
            is_final: false,
        })
    }

    /// Lets the reader end when nothing is left that it could do at once.
    pub(super) fn drain(&self) {
        let _ = self.0.inputs.send(Input::Drain);
    }
}

/// A queue to be opened.
#[derive(Debug)]
pub(super) struct Plan {
    /// `function`, or `function:alias`.
    pub(super) name: String,
    pub(super) target: Arc<Target>,
    /// `None` for a process, which knows what can run at once.
    pub(super) at_once: Option<u32>,
    pub(super) queue: EventQueue<u64>,
    /// Its draws of duplicates.
    pub(super) duplicates: Rng,
    pub(super) outlets: Arc<Outlets>,
    /// Somebody will be told what the function answered.
    pub(super) is_told: bool,
}

/// What all queues share.
#[derive(Debug)]
pub(super) struct Surroundings {
    pub(super) clock: Clock,
    pub(super) service: Arc<Region>,
    pub(super) counters: Arc<Counters>,
    pub(super) profile: Profile,
    pub(super) seed: u64,
    /// Of functions in records: `arn:aws:lambda:REGION:000000000000:function:`.
    pub(super) arn_prefix: String,
}

/// Drives every queue.
#[derive(Debug)]
pub(super) struct Reader {
    surroundings: Surroundings,
    queues: Vec<Plan>,
    entries: BTreeMap<u64, Box<Entry>>,
    next: u64,
    inlet: Inlet,
    inputs: UnboundedReceiver<Input>,
    running: JoinSet<Ran>,
    errands: JoinSet<u64>,
    is_draining: bool,
}

/// An invocation that is over.
#[derive(Debug)]
struct Ran {
    queue: usize,
    attempt: Attempt<u64>,
    /// Of the event when it was handed over.
    age: Span,
    reply: Reply,
}

/// Opens the queues of a run.
pub(super) fn open(queues: Vec<Plan>, surroundings: Surroundings) -> (Inlet, Reader) {
    let (sender, inputs) = tokio::sync::mpsc::unbounded_channel();
    let names = queues.iter().map(|plan| plan.name.clone());
    let inlet = Inlet(Arc::new(Shared {
        inputs: sender,
        places: names.zip(0..).collect(),
        kept: Arc::default(),
        counters: surroundings.counters.clone(),
        profile: surroundings.profile,
        ids: Mutex::new(Rng::stream(surroundings.seed, "invoke-api/records")),
    }));
    let reader = Reader {
        queues,
        entries: BTreeMap::new(),
        next: 0,
        inlet: inlet.clone(),
        inputs,
        running: JoinSet::new(),
        errands: JoinSet::new(),
        is_draining: false,
        surroundings,
    };
    (inlet, reader)
}

impl Reader {
    /// Drives the queues until they are drained.
    pub(super) async fn run(mut self) {
        loop {
            let mut wake: Option<Time> = None;
            let mut is_blocked = false;
            for queue in 0..self.queues.len() {
                is_blocked |= self.hand_over(queue);
                let next = self.queues[queue].queue.next_wake();
                wake = wake.into_iter().chain(next).min();
            }
            let at_rest =
                self.running.is_empty() && self.errands.is_empty() && self.inputs.is_empty();
            if self.is_draining && at_rest {
                return;
            }
            let clock = self.surroundings.clock;
            let due = async {
                match wake {
                    Some(wake) => tokio::time::sleep_until(clock.instant(wake)).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                Some(ran) = self.running.join_next() => self.answered(joined(ran)),
                Some(event) = self.errands.join_next() => self.close(joined(event)),
                Some(input) = self.inputs.recv() => self.take(input),
                // The room of a function may be taken by those who wait for their answers.
                () = self.surroundings.service.freed(), if is_blocked => {}
                () = due => {}
            }
        }
    }

    fn take(&mut self, input: Input) {
        let Input::Event(queue, entry) = input else {
            self.is_draining = true;
            return;
        };
        let event = self.next;
        self.next += 1;
        self.entries.insert(event, entry);
        let plan = &mut self.queues[queue];
        let now = self.surroundings.clock.now();
        plan.queue.accept(now, event, &mut plan.duplicates);
        self.tell(queue);
    }

    /// Starts what there is room for. Returns whether some wait for room that others than this queue can make.
    fn hand_over(&mut self, index: usize) -> bool {
        let now = self.surroundings.clock.now();
        let plan = &mut self.queues[index];
        if plan.queue.backlog() == 0 {
            return false;
        }
        plan.queue.tick(now);
        let mut has_room = plan.has_room();
        while has_room {
            let Some(attempt) = plan.queue.poll_invoke(now) else {
                break;
            };
            let Some(entry) = self.entries.get(&attempt.event()) else {
                panic!("an event without a payload");
            };
            match plan.target.admit_event(&entry.name) {
                Ok(admission) => {
                    let (request, payload) = (entry.request, entry.payload.clone());
                    let age = now.since(attempt.accepted());
                    self.running.spawn(async move {
                        let reply = admission.run(request, payload).await;
                        Ran {
                            queue: index,
                            attempt,
                            age,
                            reply,
                        }
                    });
                }
                Err(reason) => {
                    let outcome = AsyncOutcome::Throttled(reason);
                    plan.queue.answered(now, attempt, outcome);
                }
            }
            has_room = plan.has_room();
        }
        let waits = !has_room && plan.queue.backlog() > 0;
        self.tell(index);
        waits
    }

    fn answered(&mut self, ran: Ran) {
        let Ran {
            queue,
            attempt,
            age,
            reply,
        } = ran;
        let outcome = outcome(&reply);
        let was_invoked = !matches!(
            outcome,
            AsyncOutcome::Throttled(_) | AsyncOutcome::ServiceError(_)
        );
        if was_invoked {
            self.surroundings.counters.events.invoked(age);
        }
        let plan = &mut self.queues[queue];
        if plan.is_told
            && was_invoked
            && let Some(entry) = self.entries.get_mut(&attempt.event())
        {
            let kept = &mut entry.answers[usize::from(attempt.is_duplicate())];
            let before = kept.as_ref().map_or(0, answer_len);
            entry.share.grow(reply.body.len().saturating_sub(before));
            *kept = Some(response(outcome, reply));
        }
        let now = self.surroundings.clock.now();
        plan.queue.answered(now, attempt, outcome);
        self.tell(queue);
    }

    /// Takes what has become of events.
    fn tell(&mut self, queue: usize) {
        while let Some(fact) = self.queues[queue].queue.poll_fact() {
            match fact {
                AsyncFact::Duplicated(event) => {
                    if let Some(entry) = self.entries.get_mut(&event) {
                        entry.open += 1;
                    }
                }
                AsyncFact::Returned {
                    event,
                    due,
                    is_retry,
                } => {
                    let request = self.entries.get(&event).map(|entry| entry.request);
                    let wait = due.since(self.surroundings.clock.now());
                    let function = &self.queues[queue].name;
                    tracing::debug!(function, ?request, %wait, is_retry, "the event will be tried again");
                }
                AsyncFact::Ended(end) => {
                    self.ended(queue, &end);
                    self.close(end.event);
                }
            }
        }
    }

    fn ended(&mut self, queue: usize, end: &Ended<u64>) {
        let Surroundings {
            counters,
            arn_prefix,
            clock,
            ..
        } = &self.surroundings;
        counters.events.ended(end.condition);
        let Some(entry) = self.entries.get_mut(&end.event) else {
            return;
        };
        let answer = entry.answers[usize::from(end.is_duplicate)].take();
        let request_id = entry.request.to_string();
        let dead_letter = end.dead_letter.map(|letter| {
            let message = answer.as_ref().and_then(message_of).unwrap_or_default();
            let attributes = DeadLetterAttributes::new(letter, &request_id, &message);
            Errand::Bury(entry.payload.clone(), attributes)
        });
        let record = end.to_destination.then(|| {
            let arn = format!("{arn_prefix}{}", entry.name);
            Errand::Tell(AsyncRecord {
                request_id,
                function_arn: Arc::from(qualified_arn(&arn)),
                condition: end.condition,
                invoke_count: end.invoke_count,
                at: clock.now(),
                request_payload: entry.payload.clone(),
                // Nothing answered if it was never tried, or if that does not count any more.
                response: answer.filter(|_| end.last.is_some()),
            })
        });
        let event = end.event;
        for errand in record.into_iter().chain(dead_letter) {
            entry.open += 1;
            let outlets = self.queues[queue].outlets.clone();
            let (inlet, counters) = (self.inlet.clone(), counters.clone());
            self.errands.spawn(async move {
                let took = outlets.run(&errand, &inlet).await;
                match errand {
                    Errand::Tell(_) => counters.events.told(took),
                    Errand::Bury(..) => counters.events.buried(took),
                }
                event
            });
        }
    }

    /// One thing less is to be done for an event.
    fn close(&mut self, event: u64) {
        let Some(entry) = self.entries.get_mut(&event) else {
            return;
        };
        entry.open -= 1;
        if entry.open == 0 {
            self.entries.remove(&event);
            self.surroundings.counters.events.finished();
        }
    }
}

impl Plan {
    fn has_room(&self) -> bool {
        let at_once = match self.at_once {
            Some(at_once) => u64::from(at_once),
            None => u64::MAX,
        };
        self.queue.in_flight() < at_once && self.target.has_room_for_event(&self.name)
    }
}

/// What a queue may have at work by a target that takes calls, and not by a process.
pub(super) fn at_once(concurrency: Option<u32>) -> u32 {
    concurrency.unwrap_or(AT_ONCE_DEFAULT)
}

fn joined<T>(result: Result<T, JoinError>) -> T {
    result.unwrap_or_else(|error| {
        let panic = error.try_into_panic();
        std::panic::resume_unwind(panic.unwrap_or_else(|_| Box::new("an event was cancelled")))
    })
}

fn outcome(reply: &Reply) -> AsyncOutcome {
    match reply.outcome {
        // What the function says of records is for mappings.
        Outcome::Success | Outcome::Partial { .. } | Outcome::Rejected | Outcome::StateTooLarge => {
            AsyncOutcome::Success
        }
        // A target that takes less than the service will not take it next time either.
        Outcome::FunctionError | Outcome::TooLarge => AsyncOutcome::FunctionError,
        Outcome::Throttled { .. } => {
            let usual = ThrottleReason::ConcurrentInvocationLimitExceeded;
            AsyncOutcome::Throttled(reply.refused.unwrap_or(usual))
        }
        Outcome::ServiceError if reply.is_misconfigured => AsyncOutcome::Missing,
        Outcome::ServiceError => AsyncOutcome::ServiceError(500),
    }
}

fn response(outcome: AsyncOutcome, reply: Reply) -> AsyncResponse {
    let executed_version = Arc::from(reply.executed_version.as_deref().unwrap_or("$LATEST"));
    let payload = as_json(reply.body);
    match outcome {
        AsyncOutcome::Success => AsyncResponse::Returned {
            executed_version,
            payload,
        },
        AsyncOutcome::Missing => AsyncResponse::Missing,
        _ => AsyncResponse::Failed {
            executed_version,
            payload,
        },
    }
}

/// Functions of Lambda answer in JSON. What else a web server may answer is told as a text.
fn as_json(body: Bytes) -> Bytes {
    if body.is_empty() || serde_json::from_slice::<serde::de::IgnoredAny>(&body).is_ok() {
        return body;
    }
    let text = String::from_utf8_lossy(&body).into_owned();
    Bytes::from(serde_json::Value::String(text).to_string())
}

fn answer_len(answer: &AsyncResponse) -> usize {
    match answer {
        AsyncResponse::Returned { payload, .. } | AsyncResponse::Failed { payload, .. } => {
            payload.len()
        }
        AsyncResponse::Missing => 0,
    }
}

/// The `errorMessage` of a function's error.
fn message_of(answer: &AsyncResponse) -> Option<String> {
    let AsyncResponse::Failed { payload, .. } = answer else {
        return None;
    };
    let error: serde_json::Value = serde_json::from_slice(payload).ok()?;
    error["errorMessage"].as_str().map(str::to_owned)
}

#[cfg(test)]
#[path = "events_tests.rs"]
mod tests;
