//! From a world that fails to a small one that fails in the same way.

use super::tally::Failure;
use super::world::{START, World};
use super::{Manner, examine};
use crate::engine::{MappingParameters, Span};

/// Runs that shrinking takes at most.
const RUNS_MAX: u32 = 3_000;

/// A small world that fails.
#[derive(Clone, Debug, PartialEq)]
pub struct Shrunk {
    /// The world.
    pub world: World,
    /// What is found in it, by the checker that failed at first.
    pub failure: Failure,
    /// Worlds that were tried.
    pub runs: u32,
}

/// Leaves out of a world whatever can be left out while the same checker fails: parts, records, faults, incidents,
/// options. What is tried first are large pieces, then single things.
pub fn shrink(world: &World, failure: &Failure, manner: Manner) -> Shrunk {
    let mut search = Search {
        best: Shrunk {
            world: world.clone(),
            failure: failure.clone(),
            runs: 0,
        },
        manner,
    };
    search.annex();
    loop {
        let before = search.best.world.clone();
        search.parts();
        search.records();
        search.faults();
        search.options();
        search.services();
        if search.best.world == before || search.is_spent() {
            return search.best;
        }
    }
}

struct Search {
    best: Shrunk,
    manner: Manner,
}

impl Search {
    const fn is_spent(&self) -> bool {
        self.best.runs >= RUNS_MAX
    }

    /// Keeps a change if the world still fails in the same way.
    fn attempt(&mut self, change: impl FnOnce(&mut World)) -> bool {
        let mut world = self.best.world.clone();
        change(&mut world);
        world.settle();
        if world == self.best.world || self.is_spent() {
            return false;
        }
        self.best.runs += 1;
        let found = examine(&world, self.manner).failure;
        match found {
            Some(failure) if failure.checker == self.best.failure.checker => {
                self.best.world = world;
                self.best.failure = failure;
                true
            }
            _ => false,
        }
    }

    /// The world or the one beside it: whichever fails.
    fn annex(&mut self) {
        if let Some(annex) = self.best.world.annex.clone() {
            let is_alone = self.attempt(|world| world.annex = None);
            if !is_alone {
                self.attempt(|world| *world = *annex);
            }
        }
    }

    fn parts(&mut self) {
        for index in (0..self.best.world.parts.len()).rev() {
            if self.best.world.parts.len() == 1 {
                return;
            }
            self.attempt(|world| {
                world.parts.remove(index);
            });
        }
    }

    /// Leaves out pieces of a list, halves at first.
    fn thin(&mut self, length: impl Fn(&World) -> usize, cut: impl Fn(&mut World, usize, usize)) {
        let mut piece = length(&self.best.world).div_ceil(2);
        while piece > 0 {
            let mut from = 0;
            while from < length(&self.best.world) {
                let to = (from + piece).min(length(&self.best.world));
                if !self.attempt(|world| cut(world, from, to)) {
                    from = to;
                }
            }
            piece /= 2;
        }
    }

    fn records(&mut self) {
        for index in 0..self.best.world.parts.len() {
            self.thin(
                |world| world.parts[index].records.len(),
                |world, from, to| {
                    world.change(index, |part| {
                        part.records.drain(from..to);
                    });
                },
            );
            for record in 0..self.best.world.parts[index].records.len() {
                self.attempt(|world| {
                    world.change(index, |part| part.records[record].poison = None);
                });
                self.attempt(|world| {
                    world.change(index, |part| part.records[record].glued = false);
                });
                self.attempt(|world| {
                    world.change(index, |part| part.records[record].filtered = false);
                });
                self.attempt(|world| world.change(index, |part| part.records[record].bytes = 100));
            }
        }
    }

    fn faults(&mut self) {
        for index in 0..self.best.world.parts.len() {
            self.thin(
                |world| world.parts[index].events.len(),
                |world, from, to| {
                    world.parts[index].events.drain(from..to);
                },
            );
            self.thin(
                |world| world.parts[index].faults.len(),
                |world, from, to| {
                    world.parts[index].faults.drain(from..to);
                },
            );
            // Shards can only go from the end on, while nobody has one of them for a parent.
            loop {
                let part = &self.best.world.parts[index];
                let last = part.shards.len() as u32 - 1;
                let is_used = part.records.iter().any(|record| record.shard == last);
                let goes = last > 0 && !is_used;
                let gone = goes
                    && self.attempt(|world| {
                        world.change(index, |part| {
                            let shards = &mut part.shards;
                            let parents = shards.pop().map_or(Vec::new(), |shard| shard.parents);
                            for parent in parents {
                                shards[parent as usize].closes = None;
                            }
                        });
                    });
                if !gone {
                    break;
                }
            }
        }
    }

    fn options(&mut self) {
        type Change = fn(&mut MappingParameters);
        const CHANGES: [Change; 13] = [
            |it| it.maximum_batching_window_in_seconds = None,
            |it| it.parallelization_factor = None,
            |it| it.maximum_record_age_in_seconds = None,
            |it| it.maximum_retry_attempts = None,
            |it| it.bisect_batch_on_function_error = None,
            |it| it.function_response_types = None,
            |it| it.tumbling_window_in_seconds = None,
            |it| it.destination_config = None,
            |it| it.scaling_config = None,
            |it| it.provisioned_poller_config = None,
            |it| it.starting_position_timestamp = None,
            |it| it.filter_criteria = None,
            |it| it.batch_size = None,
        ];
        for index in 0..self.best.world.parts.len() {
            for change in CHANGES {
                let part = &self.best.world.parts[index];
                let mut parameters = part.parameters.clone();
                change(&mut parameters);
                if crate::engine::check(part.kind, &parameters).is_ok() {
                    self.attempt(|world| {
                        world.change(index, |part| part.parameters = parameters.clone());
                    });
                }
            }
        }
    }

    fn services(&mut self) {
        for index in 0..self.best.world.parts.len() {
            self.attempt(|world| world.parts[index].service.latency = Span::ZERO);
            self.attempt(|world| world.parts[index].service.receives_max = None);
            self.attempt(|world| world.parts[index].service.consumers = 1);
            self.attempt(|world| world.parts[index].service.retention = None);
            self.attempt(|world| world.parts[index].begins = START);
            self.attempt(|world| world.parts[index].service.page_max = 1_000);
        }
        for index in 0..self.best.world.functions.len() {
            self.attempt(|world| world.functions[index].reserved = None);
            self.attempt(|world| world.functions[index].throws = 0);
            self.attempt(|world| world.functions[index].rambles = 0);
            self.attempt(|world| world.functions[index].misreports = 0);
            self.attempt(|world| world.functions[index].bloats = 0);
            self.attempt(|world| {
                let function = &mut world.functions[index];
                function.slowest = function.quickest;
            });
        }
        self.attempt(|world| world.account = 1_000);
    }
}
