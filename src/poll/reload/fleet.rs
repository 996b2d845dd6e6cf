//! The mappings that run, and how a new file reaches them.

use super::{Plan, Reloaded, Request, Step, find, shown};
use crate::engine::Position;
use crate::poll::board::State;
use crate::poll::driver::{Change, Driver, MappingFailed, Order};
use crate::poll::open::{OpenError, Shared};
use crate::poll::{Board, counters};
use crate::scenario::{PollerFile, PollerMapping};
use crate::target::Target;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

/// What ends in the run's set of tasks.
#[derive(Debug)]
pub(crate) enum Ended {
    Mapping(Arc<str>),
    InvokeApi,
}

/// Every mapping of the run, with the file that it goes by now.
pub(crate) struct Fleet {
    shared: Arc<Shared>,
    board: Arc<Board>,
    /// Mappings whose loops run: their numbers tell a mapping from an earlier one of its name.
    orders: BTreeMap<Arc<str>, mpsc::UnboundedSender<Order>>,
    /// Mappings that are opened again once they have drained.
    again: BTreeSet<Arc<str>>,
    /// Of one new file at a time.
    preparing: JoinSet<Result<Prepared, OpenError>>,
    request: Option<Waiting>,
    /// Of mappings that have drained.
    reopening: JoinSet<Reopened>,
}

/// A mapping that drained is open again, or cannot be opened, by the file of that moment.
pub(crate) struct Reopened {
    name: Arc<str>,
    shared: Arc<Shared>,
    driver: Result<Driver, OpenError>,
}

struct Waiting {
    plan: Plan,
    answer: oneshot::Sender<Reloaded>,
}

/// Everything new, open.
struct Prepared {
    shared: Arc<Shared>,
    drivers: Vec<Driver>,
    changes: BTreeMap<String, Change>,
}

/// Something new is open, or could not be opened.
pub(crate) enum News {
    Prepared(Box<Result<PreparedFile, OpenError>>),
    Reopened(Box<Reopened>),
}

pub(crate) struct PreparedFile(Prepared);

impl Fleet {
    pub(crate) fn new(shared: Arc<Shared>, board: Arc<Board>) -> Self {
        Self {
            shared,
            board,
            orders: BTreeMap::new(),
            again: BTreeSet::new(),
            preparing: JoinSet::new(),
            request: None,
            reopening: JoinSet::new(),
        }
    }

    /// The file that the run goes by.
    pub(crate) fn file(&self) -> &PollerFile {
        &self.shared.file
    }

    pub(crate) fn targets(&self) -> &[Arc<Target>] {
        &self.shared.targets
    }

    /// Whether something is on its way that is not among the tasks of the run.
    pub(crate) fn is_busy(&self) -> bool {
        !self.again.is_empty() || !self.reopening.is_empty() || !self.preparing.is_empty()
    }

    /// Lets a mapping run as one of `tasks`.
    pub(crate) fn start(
        &mut self,
        mut driver: Driver,
        tasks: &mut JoinSet<Result<Ended, MappingFailed>>,
    ) {
        let name = driver.io.name.clone();
        let (orders, arrivals) = mpsc::unbounded_channel();
        driver.orders = Some(arrivals);
        self.orders.insert(name.clone(), orders);
        tasks.spawn(async move {
            driver.run().await?;
            Ok(Ended::Mapping(name))
        });
    }

    /// A mapping has drained.
    pub(crate) fn ended(&mut self, name: Arc<str>) {
        self.orders.remove(&name);
        let panel = self.board.find(&name);
        if let Some(panel) = &panel {
            panel.waits(None);
            panel.set(State::Disabled);
        }
        let is_wanted = self.again.remove(&name);
        let Some(mapping) = find(self.file(), &name) else {
            self.board.remove(&name);
            return;
        };
        if !(is_wanted && mapping.enabled) {
            return;
        }
        if let Some(panel) = panel {
            panel.set(State::Updating);
        }
        let mapping = mapping.clone();
        self.reopen(name, mapping);
    }

    fn reopen(&mut self, name: Arc<str>, mapping: PollerMapping) {
        let shared = self.shared.clone();
        self.reopening.spawn(async move {
            let driver = shared.mapping(&mapping).await;
            Reopened {
                name,
                shared,
                driver,
            }
        });
    }

    /// Waits for something new to be open.
    pub(crate) async fn news(&mut self) -> News {
        loop {
            tokio::select! {
                Some(prepared) = self.preparing.join_next() => match prepared {
                    Ok(prepared) => return News::Prepared(Box::new(prepared.map(PreparedFile))),
                    // Superseded.
                    Err(error) if error.is_cancelled() => {}
                    Err(error) => std::panic::resume_unwind(error.into_panic()),
                },
                Some(reopened) = self.reopening.join_next() => match reopened {
                    Ok(reopened) => return News::Reopened(Box::new(reopened)),
                    Err(error) if error.is_cancelled() => {}
                    Err(error) => std::panic::resume_unwind(error.into_panic()),
                },
                else => std::future::pending().await,
            }
        }
    }

    /// Compares a new file with the one that the run goes by, and begins to open what is new in it.
    pub(crate) fn request(&mut self, request: Request) {
        let Request { file, answer } = request;
        // What an earlier file had opened is closed with its task, done or not.
        self.preparing = JoinSet::new();
        if let Some(earlier) = self.request.take() {
            let _ = earlier.answer.send(Reloaded::Superseded);
        }
        let plan = Plan::new(self.file(), &file, |mapping| self.loses_place(mapping));
        let reloads = &self.board.reloads;
        if !plan.refusals.is_empty() {
            counters::add(&reloads.refused, 1);
            let _ = answer.send(Reloaded::Refused {
                changes: plan.changes,
                reasons: plan.refusals,
            });
        } else if plan.changes.is_empty() {
            self.try_again();
            let _ = answer.send(Reloaded::Unchanged);
        } else {
            let (shared, steps, targets) = (
                self.shared.clone(),
                plan.steps.clone(),
                plan.targets.clone(),
            );
            let running: BTreeSet<String> = self.orders.keys().map(|it| it.to_string()).collect();
            self.request = Some(Waiting { plan, answer });
            self.preparing
                .spawn(async move { prepare(&shared, file, &steps, &targets, &running).await });
        }
    }

    /// Whether a mapping would begin somewhere else if it were opened again: LATEST is a place only once something is stored.
    fn loses_place(&self, mapping: &PollerMapping) -> bool {
        let config = &mapping.config;
        if config.starting_position != Position::Latest {
            return false;
        }
        if config.source.is_kafka() {
            return true;
        }
        let panel = self.board.find(&config.name);
        panel.is_some_and(|panel| {
            let places = panel.face().shards;
            places
                .values()
                .any(|place| place.position == Some(Position::Latest))
        })
    }

    /// Goes on with the new file, now that all that is new in it is open.
    pub(crate) fn carry_out(
        &mut self,
        prepared: Result<PreparedFile, OpenError>,
        tasks: &mut JoinSet<Result<Ended, MappingFailed>>,
    ) {
        let Some(Waiting { plan, answer }) = self.request.take() else {
            return;
        };
        let prepared = match prepared {
            Ok(PreparedFile(prepared)) => prepared,
            Err(error) => {
                counters::add(&self.board.reloads.refused, 1);
                self.forget_strangers();
                let _ = answer.send(Reloaded::Failed(error.to_string()));
                return;
            }
        };
        let Prepared {
            shared,
            drivers,
            mut changes,
        } = prepared;
        self.shared = shared;
        for driver in drivers {
            self.again.remove(&driver.io.name);
            if !self.orders.contains_key(&driver.io.name) {
                self.start(driver, tasks);
            }
        }
        for step in plan.steps {
            self.step(step, &mut changes);
        }
        for mapping in &self.shared.file.mappings {
            if !mapping.enabled && self.board.find(&mapping.config.name).is_none() {
                let source = shown(&self.shared.file, mapping);
                self.board.panel(&mapping.config, source, State::Disabled);
            }
        }
        self.try_again();
        counters::add(&self.board.reloads.applied, 1);
        let _ = answer.send(Reloaded::Applied(plan.changes));
    }

    fn step(&mut self, step: Step, changes: &mut BTreeMap<String, Change>) {
        let order = |name: &str, order: Order| match self.orders.get(name) {
            Some(orders) => orders.send(order).is_ok(),
            None => false,
        };
        match step {
            // Its driver runs already.
            Step::Open(_) => {}
            Step::Remove(name) => {
                if order(&name, Order::Drain(State::Deleting)) {
                    self.again.remove(name.as_str());
                } else {
                    self.board.remove(&name);
                }
            }
            Step::Restart(name) => {
                if order(&name, Order::Drain(State::Updating)) {
                    self.again.insert(Arc::from(name.as_str()));
                }
            }
            Step::Update(name) => {
                if let Some(change) = changes.remove(&name) {
                    order(&name, Order::Change(Box::new(change)));
                }
            }
            Step::Disable(name) => {
                order(&name, Order::Disable);
            }
            Step::Enable(name) => {
                order(&name, Order::Enable);
            }
        }
    }

    /// A mapping that drained goes on, unless a later file has something else in mind.
    pub(crate) fn reopened(
        &mut self,
        reopened: Reopened,
        tasks: &mut JoinSet<Result<Ended, MappingFailed>>,
    ) {
        let Reopened {
            name,
            shared,
            driver,
        } = reopened;
        if self.orders.contains_key(&name) {
            return;
        }
        let Some(mapping) = find(self.file(), &name).filter(|mapping| mapping.enabled) else {
            self.forget_strangers();
            return;
        };
        if !Arc::ptr_eq(&shared, &self.shared) {
            let mapping = mapping.clone();
            self.reopen(name, mapping);
            return;
        }
        match driver {
            Ok(driver) => self.start(driver, tasks),
            Err(error) => {
                tracing::error!(mapping = %name, %error, "the mapping could not be opened again; change the file, or restart");
                if let Some(panel) = self.board.find(&name) {
                    panel.change(|face| {
                        face.state = State::Disabled;
                        face.trouble = Some(error.to_string());
                    });
                }
            }
        }
    }

    /// Opens the mappings that could not be opened again before: whoever brings a file may have mended their sources.
    fn try_again(&mut self) {
        let troubled = self.board.faces().into_iter();
        let troubled = troubled.filter(|(_, face)| face.trouble.is_some());
        let names: Vec<Arc<str>> = troubled.map(|(name, _)| name).collect();
        for name in names {
            let mapping = find(self.file(), &name).filter(|mapping| mapping.enabled);
            let Some(mapping) = mapping.cloned() else {
                continue;
            };
            if let Some(panel) = self.board.find(&name) {
                panel.change(|face| {
                    face.state = State::Updating;
                    face.trouble = None;
                });
            }
            self.reopen(name, mapping);
        }
    }

    /// What was prepared and not used has left panels behind.
    fn forget_strangers(&self) {
        for (name, _) in self.board.faces() {
            if find(self.file(), &name).is_none() && !self.orders.contains_key(&name) {
                self.board.remove(&name);
            }
        }
    }

    /// The run comes to its end: nothing new is begun.
    pub(crate) fn stop(&mut self) {
        self.preparing.abort_all();
        self.reopening.abort_all();
        self.again.clear();
        if let Some(waiting) = self.request.take() {
            let _ = waiting.answer.send(Reloaded::Ended);
        }
    }
}

/// Opens what is new in a file.
async fn prepare(
    before: &Arc<Shared>,
    file: PollerFile,
    steps: &[Step],
    targets: &[String],
    running: &BTreeSet<String>,
) -> Result<Prepared, OpenError> {
    let shared = Arc::new(before.with(file, targets).await?);
    let mut drivers = Vec::new();
    let mut changes = BTreeMap::new();
    for step in steps {
        let name = match step {
            Step::Open(name) | Step::Update(name) | Step::Enable(name) => name,
            Step::Remove(_) | Step::Restart(_) | Step::Disable(_) => continue,
        };
        let Some(mapping) = find(&shared.file, name) else {
            continue;
        };
        match step {
            Step::Update(_) if running.contains(name) => {
                changes.insert(name.clone(), shared.change(mapping).await?);
            }
            // What ran before goes on from where it is.
            Step::Open(_) | Step::Enable(_) if mapping.enabled && !running.contains(name) => {
                drivers.push(shared.mapping(mapping).await?);
            }
            _ => {}
        }
    }
    Ok(Prepared {
        shared,
        drivers,
        changes,
    })
}
