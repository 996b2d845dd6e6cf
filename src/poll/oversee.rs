//! The run as a whole: it waits for its mappings while signals, new files, stops and deadlines come.

use super::driver::{MappingFailed, Phase};
use super::reload::{Ended, Fleet, News, Reloaded, Request};
use super::signals::Signals;
use super::{PollError, RunOptions};
use crate::engine::Span;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;

type Tasks = JoinSet<Result<Ended, MappingFailed>>;

pub(super) struct Overseer<'a> {
    fleet: Fleet,
    phase: &'a Arc<watch::Sender<Phase>>,
    options: &'a RunOptions,
    signals: Signals,
    requests: Option<mpsc::UnboundedReceiver<Request>>,
    /// When what is still in flight is left to itself; set once the run drains.
    deadline: Option<Instant>,
}

enum Woken {
    Ended(Option<Result<Result<Ended, MappingFailed>, JoinError>>),
    Request(Box<Request>),
    News(News),
    Signal,
    Stop,
    Draining,
    DrainOver,
    Tick,
}

impl<'a> Overseer<'a> {
    pub(super) fn new(
        fleet: Fleet,
        phase: &'a Arc<watch::Sender<Phase>>,
        options: &'a RunOptions,
        signals: Signals,
    ) -> Self {
        let requests = options.reload.as_ref().and_then(|it| it.arrivals());
        Self {
            fleet,
            phase,
            options,
            signals,
            requests,
            deadline: None,
        }
    }

    /// Waits for the end of the run. Returns whether all mappings were drained.
    pub(super) async fn run(mut self, tasks: &mut Tasks) -> (Result<bool, PollError>, Fleet) {
        let result = self.oversee(tasks).await;
        self.fleet.stop();
        (result, self.fleet)
    }

    async fn oversee(&mut self, tasks: &mut Tasks) -> Result<bool, PollError> {
        let mut status = status_timer(self.options.status_interval);
        let mut stop = self.options.stop.clone();
        let mut phases = self.phase.subscribe();
        loop {
            if tasks.is_empty() && !self.waits_for_more() {
                return Ok(true);
            }
            let is_draining = self.deadline.is_some();
            let deadline = self.deadline;
            let woken = tokio::select! {
                ended = tasks.join_next(), if !tasks.is_empty() => Woken::Ended(ended),
                Some(request) = next_request(&mut self.requests), if !is_draining => Woken::Request(Box::new(request)),
                news = self.fleet.news(), if !is_draining => Woken::News(news),
                () = self.signals.next() => Woken::Signal,
                () = stopped(&mut stop), if !is_draining => Woken::Stop,
                Ok(_) = phases.wait_for(|phase| *phase == Phase::Drain), if !is_draining => Woken::Draining,
                () = until(deadline) => Woken::DrainOver,
                () = tick(&mut status) => Woken::Tick,
            };
            let timeout = self.drain_timeout();
            match woken {
                Woken::Ended(None) => {}
                Woken::Ended(Some(Ok(ended))) => {
                    if let Ended::Mapping(name) = ended? {
                        self.fleet.ended(name);
                    }
                }
                Woken::Ended(Some(Err(error))) => std::panic::resume_unwind(
                    error
                        .try_into_panic()
                        .unwrap_or_else(|_| Box::new("a mapping was cancelled")),
                ),
                Woken::Request(request) => self.fleet.request(*request),
                Woken::News(News::Prepared(prepared)) => self.fleet.carry_out(*prepared, tasks),
                Woken::News(News::Reopened(reopened)) => self.fleet.reopened(*reopened, tasks),
                Woken::Signal if is_draining => {
                    self.tell_what_is_left(
                        "stopping at once; what is in flight will be delivered again",
                    );
                    return Ok(false);
                }
                Woken::Signal => {
                    tracing::info!(%timeout, "draining; a second signal stops at once");
                    self.phase.send_replace(Phase::Drain);
                }
                Woken::Stop => {
                    self.phase.send_replace(Phase::Drain);
                }
                Woken::Draining => {
                    self.options.board.drain();
                    self.fleet.stop();
                    self.refuse_requests();
                    self.deadline = Some(Instant::now() + timeout.to_std());
                }
                Woken::DrainOver => {
                    let text = format!(
                        "the drain timeout of {timeout} is over; what is in flight will be delivered again"
                    );
                    self.tell_what_is_left(&text);
                    return Ok(false);
                }
                Woken::Tick => tracing::info!("{}", self.options.counters.line()),
            }
        }
    }

    fn drain_timeout(&self) -> Span {
        let own = self.options.drain_timeout;
        own.unwrap_or(self.fleet.file().poller.drain_timeout)
    }

    /// Whether a run without mappings goes on: because some are being opened, or because a new file may bring some.
    fn waits_for_more(&self) -> bool {
        let may_come = self.requests.is_some()
            && self.options.stop_when_idle.is_none()
            && self.options.records_max.is_none();
        self.deadline.is_none()
            && *self.phase.borrow() == Phase::Run
            && (self.fleet.is_busy() || may_come)
    }

    fn tell_what_is_left(&self, text: &str) {
        let left = self.options.board.left();
        tracing::warn!(mappings = left.len(), "{text}");
        for line in left {
            tracing::warn!("left: {line}");
        }
    }

    /// Nobody reads them any more.
    fn refuse_requests(&mut self) {
        if let Some(mut requests) = self.requests.take() {
            requests.close();
            while let Ok(request) = requests.try_recv() {
                let _ = request.answer.send(Reloaded::Ended);
            }
        }
    }
}

/// The next new file; never comes where nobody brings any.
async fn next_request(requests: &mut Option<mpsc::UnboundedReceiver<Request>>) -> Option<Request> {
    match requests {
        Some(arrivals) => arrivals.recv().await,
        None => std::future::pending().await,
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

fn status_timer(interval: Span) -> Option<tokio::time::Interval> {
    if interval == Span::ZERO {
        return None;
    }
    let period = interval.to_std().max(Duration::from_millis(100));
    let start = Instant::now() + period;
    Some(tokio::time::interval_at(start, period))
}

async fn tick(timer: &mut Option<tokio::time::Interval>) {
    match timer {
        Some(timer) => drop(timer.tick().await),
        None => std::future::pending().await,
    }
}

async fn stopped(stop: &mut Option<watch::Receiver<bool>>) {
    match stop {
        Some(stop) => {
            // Either way the run is to end: it was said so, or nobody is left to say so.
            let _ = stop.wait_for(|stop| *stop).await;
        }
        None => std::future::pending().await,
    }
}
