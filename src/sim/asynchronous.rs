//! Queues of asynchronous events: what callers put in, and what the reader hands to the function.

use super::world::{Inner, Pending};
use crate::engine::lambda::{
    AliasId, AsyncFact, AsyncOutcome, Attempt, EventQueue, FunctionId, Lease, ThrottleReason,
};
use crate::engine::{Ratio, Rng, Span, Time};
use crate::metrics::{AsyncRecorder, AsyncRow, AsyncSummary, Told};
use crate::scenario::{Invocation, Scenario};

/// Every queue of a scenario: one for each function or alias that is called asynchronously.
#[derive(Debug, Default)]
pub(super) struct Asynchronous {
    /// Those of one function are neighbours.
    queues: Vec<QueueModel>,
    /// The queue of each traffic source, if it has one.
    of_traffic: Vec<Option<u32>>,
    /// Which of the queues each function has: from and to.
    of_function: Vec<(u32, u32)>,
    recorders: Vec<Option<Box<AsyncRecorder>>>,
    /// Queues whose reader has something to look at when this instant is over.
    due: Vec<u32>,
}

#[derive(Debug)]
struct QueueModel {
    function: usize,
    alias: Option<AliasId>,
    queue: EventQueue<()>,
    duplicates: Rng,
    refusals: Rng,
    /// Chance that whoever is told of an end refuses to hear it.
    fault_refuse_rate: Ratio,
    /// Its wake-ups in the calendar, the next one last.
    wakes: Vec<Time>,
    is_due: bool,
}

impl Asynchronous {
    pub(super) fn new(scenario: &Scenario, first_alias: &[u32], seed: u64) -> Self {
        let events = scenario.traffic.iter();
        let mut callees: Vec<(usize, Option<usize>)> = events
            .filter(|traffic| traffic.invocation == Invocation::Event)
            .map(|traffic| (traffic.function, traffic.alias))
            .collect();
        callees.sort_unstable();
        callees.dedup();
        if callees.is_empty() {
            return Self::default();
        }
        let model = |&(function, alias): &(usize, Option<usize>)| {
            let described = &scenario.functions[function];
            let alias_model = alias.map(|alias| &described.aliases[alias]);
            let own = alias_model.and_then(|alias| alias.event_invoke.as_ref());
            let settings = own.unwrap_or(&described.event_invoke);
            let name = match alias_model {
                None => described.name.clone(),
                Some(alias) => format!("{}:{}", described.name, alias.name),
            };
            let rng = |what| Rng::stream(seed, &format!("function/{name}/events/{what}"));
            let mut queue = EventQueue::new(&settings.config, settings.tuning);
            queue.stop(Time::ZERO, described.reserved_concurrency == Some(0));
            QueueModel {
                function,
                alias: alias.map(|alias| AliasId(first_alias[function] + alias as u32)),
                queue,
                duplicates: rng("duplicates"),
                refusals: rng("refusals"),
                fault_refuse_rate: Ratio::ZERO,
                wakes: Vec::new(),
                is_due: false,
            }
        };
        let place = |function| callees.partition_point(|callee| callee.0 < function) as u32;
        let functions = 0..scenario.functions.len();
        let of_function: Vec<(u32, u32)> = functions
            .map(|function| (place(function), place(function + 1)))
            .collect();
        let of_traffic = scenario.traffic.iter().map(|traffic| {
            let callee = (traffic.function, traffic.alias);
            let index = callees.binary_search(&callee).ok()? as u32;
            (traffic.invocation == Invocation::Event).then_some(index)
        });
        Self {
            of_traffic: of_traffic.collect(),
            recorders: of_function
                .iter()
                .map(|(from, to)| (from < to).then(Box::default))
                .collect(),
            of_function,
            queues: callees.iter().map(model).collect(),
            due: Vec::new(),
        }
    }

    /// Whether a reader is to look at its queue once this instant is over.
    #[inline]
    pub(super) fn is_due(&self) -> bool {
        !self.due.is_empty()
    }

    fn mark(&mut self, queue: u32) {
        let model = &mut self.queues[queue as usize];
        if !model.is_due {
            model.is_due = true;
            self.due.push(queue);
        }
    }

    /// Sets the chance that destinations and dead-letter queues of a function refuse.
    pub(super) fn set_refusals(&mut self, function: usize, rate: Ratio) {
        if let Some(&(from, to)) = self.of_function.get(function) {
            for model in &mut self.queues[from as usize..to as usize] {
                model.fault_refuse_rate = rate;
            }
        }
    }

    pub(super) fn forget_faults(&mut self) {
        for model in &mut self.queues {
            model.fault_refuse_rate = Ratio::ZERO;
        }
    }

    fn backlog(&self, function: usize) -> u64 {
        let (from, to) = self.of_function[function];
        let own = &self.queues[from as usize..to as usize];
        own.iter().map(|model| model.queue.backlog() as u64).sum()
    }

    /// Closes the bin that ends now.
    pub(super) fn roll(&mut self) {
        for function in 0..self.recorders.len() {
            let backlog = self.backlog(function);
            if let Some(recorder) = &mut self.recorders[function] {
                recorder.roll(backlog);
            }
        }
    }

    pub(super) fn end_warm_up(&mut self) {
        let recorders = self.recorders.iter_mut();
        recorders.flatten().for_each(|it| it.end_warm_up());
    }

    /// The figures of a function, and its series, at the end of the run: empty if nobody calls it asynchronously.
    pub(super) fn results(&mut self, function: usize) -> (AsyncSummary, Vec<AsyncRow>) {
        let Some(Some(mut recorder)) = self.recorders.get_mut(function).map(Option::take) else {
            return Default::default();
        };
        (
            recorder.summary(self.backlog(function)),
            recorder.take_rows(),
        )
    }

    fn recorder(&mut self, function: usize) -> &mut AsyncRecorder {
        self.recorders[function].get_or_insert_default()
    }
}

impl Inner<'_> {
    /// The queue that an asynchronous caller puts its events into.
    #[inline]
    pub(super) fn event_queue(&self, traffic: usize) -> Option<u32> {
        *self.asynchronous.of_traffic.get(traffic)?
    }

    /// A caller's event is queued: that always succeeds.
    pub(super) fn accept_event(&mut self, queue: u32) {
        let now = self.now;
        let model = &mut self.asynchronous.queues[queue as usize];
        model.queue.accept(now, (), &mut model.duplicates);
        let function = model.function;
        self.asynchronous.recorder(function).received();
        self.tell(queue);
        self.asynchronous.mark(queue);
    }

    /// An environment of a function became free, which matters to its queues if it has any.
    #[inline]
    pub(super) fn freed(&mut self, function: FunctionId) {
        if let Some(&(from, to)) = self.asynchronous.of_function.get(function.0 as usize) {
            (from..to).for_each(|queue| self.asynchronous.mark(queue));
        }
    }

    /// Rule `async-sync-first`: when everything else of this instant has happened, and direct callers have had what they
    /// asked for, the readers hand over what there is still room for.
    pub(super) fn read_queues(&mut self) {
        let mut next = 0;
        while let Some(&queue) = self.asynchronous.due.get(next) {
            next += 1;
            self.asynchronous.queues[queue as usize].is_due = false;
            self.hand_over(queue);
        }
        self.asynchronous.due.clear();
    }

    fn hand_over(&mut self, queue: u32) {
        let now = self.now;
        let index = queue as usize;
        let (function, alias) = {
            let model = &self.asynchronous.queues[index];
            (model.function, model.alias)
        };
        let id = FunctionId(function as u32);
        self.asynchronous.queues[index].queue.tick(now);
        while self.lambda.has_room_for_event(now, id, alias) {
            let Some(attempt) = self.asynchronous.queues[index].queue.poll_invoke(now) else {
                break;
            };
            match self.admit_event(id, alias) {
                Ok(lease) => self.start_event(queue, lease, attempt),
                Err(reason) => {
                    self.recorders[function].throttled(reason);
                    let model = &mut self.asynchronous.queues[index];
                    let outcome = AsyncOutcome::Throttled(reason);
                    model.queue.answered(now, attempt, outcome);
                }
            }
        }
        self.tell(queue);
        self.wake_reader(queue);
    }

    fn admit_event(
        &mut self,
        function: FunctionId,
        alias: Option<AliasId>,
    ) -> Result<Lease, ThrottleReason> {
        let lease = self.lambda.admit_event(self.now, function, alias)?;
        if let Some(alias) = alias
            && !lease.is_provisioned
            && self.lambda.provisioned(self.now, alias).allocated > 0
        {
            self.recorders[function.0 as usize].spilled_over();
        }
        self.occupied(&lease);
        Ok(lease)
    }

    /// An event begins to run: one completion in the calendar.
    fn start_event(&mut self, queue: u32, lease: Lease, attempt: Attempt<()>) {
        let function = lease.function.0 as usize;
        // Nobody waits for the answer.
        let course = self.begin(&lease, Span::ZERO, None, &[], false);
        let age = self.now.since(attempt.accepted());
        self.asynchronous.recorder(function).invoked(age);
        let (ends, lingers) = (self.now + course.busy(), course.lingers());
        if lingers > Span::ZERO {
            let (fate, failed) = (course.fate(), course.end.is_error());
            let pending = Pending::EventAnswered {
                queue,
                attempt,
                failed,
            };
            self.schedule(ends, pending);
            self.schedule(ends + lingers, Pending::CallEnds { lease, fate });
            return;
        }
        let pending = Pending::EventEnds {
            lease,
            fate: course.fate(),
            queue,
            attempt,
            failed: course.end.is_error(),
        };
        self.schedule(ends, pending);
    }

    /// The invocation of an event ended; its environment is free already.
    pub(super) fn event_ended(&mut self, queue: u32, attempt: Attempt<()>, failed: bool) {
        let outcome = if failed {
            AsyncOutcome::FunctionError
        } else {
            AsyncOutcome::Success
        };
        let model = &mut self.asynchronous.queues[queue as usize];
        model.queue.answered(self.now, attempt, outcome);
        self.tell(queue);
        self.asynchronous.mark(queue);
    }

    /// A wake-up of a queue is due.
    pub(super) fn reader_due(&mut self, queue: u32) {
        self.asynchronous.queues[queue as usize].wakes.pop();
        self.asynchronous.mark(queue);
    }

    /// Puts the next wake-up into the calendar unless an earlier one is there. Wake-ups are never taken back, so that
    /// those in the calendar are always a descending list, and never more than a few.
    fn wake_reader(&mut self, queue: u32) {
        let model = &mut self.asynchronous.queues[queue as usize];
        let Some(wake) = model.queue.next_wake() else {
            return;
        };
        if model.wakes.last().is_none_or(|next| wake < *next) {
            model.wakes.push(wake);
            self.schedule(wake, Pending::ReaderDue(queue));
        }
    }

    /// Counts what happened to events, and tells destinations and dead-letter queues of their ends.
    fn tell(&mut self, queue: u32) {
        let asynchronous = &mut self.asynchronous;
        let model = &mut asynchronous.queues[queue as usize];
        let Some(recorder) = &mut asynchronous.recorders[model.function] else {
            return;
        };
        while let Some(fact) = model.queue.poll_fact() {
            match fact {
                AsyncFact::Duplicated(()) => recorder.duplicated(),
                AsyncFact::Returned { is_retry, .. } => {
                    if is_retry {
                        recorder.retry();
                    }
                }
                AsyncFact::Ended(end) => {
                    let mut takes = || !model.refusals.chance(model.fault_refuse_rate);
                    let told = Told {
                        destination: end.to_destination.then(&mut takes),
                        dead_letter: end.dead_letter.map(|_| takes()),
                    };
                    recorder.ended(&end, told);
                }
            }
        }
    }
}
