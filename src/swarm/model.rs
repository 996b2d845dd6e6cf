//! The second model: from what was written, what the options promise and what reached function and destination, it says
//! whether every record ended as it had to.
//!
//! It knows nothing of the engine: options are read as they were written, times are plain milliseconds.

use super::log::{Log, What, Why};
use super::world::{Incident, Part, Trouble, World};
use crate::engine::{MappingParameters, SourceKind, Span};

/// What became of one record, added up.
#[derive(Clone, Copy, Debug, Default)]
struct Story {
    called: u32,
    finished: u32,
    failed: u32,
    told: [u32; 3],
    untold: [u32; 3],
    /// When it was first given up for its age.
    aged_at: Option<u64>,
    dead: bool,
    gone: bool,
    skipped: bool,
    /// When it was found to be gone from its stream.
    expired_at: Option<u64>,
    /// Another consumer of the queue has deleted it.
    foreign: bool,
}

/// What a mapping's options promise.
#[derive(Clone, Copy, Debug)]
struct Promise {
    /// Tries, if they are finite.
    tries: Option<u64>,
    age_ms: Option<u64>,
    tells: bool,
    bisects: bool,
}

/// What was written about a mapping, in the model's words.
fn promise(kind: SourceKind, options: &MappingParameters) -> Promise {
    let finite = |value: Option<i64>| value.and_then(|it| u64::try_from(it).ok());
    let is_kafka = matches!(kind, SourceKind::Msk | SourceKind::SelfManagedKafka);
    let destination = options.destination_config.as_ref();
    let tells = destination.is_some_and(|it| it.on_failure.is_some());
    // A Kafka mapping with a destination gives up after ten retries where nothing else is said.
    let capped = (is_kafka && tells).then_some(10);
    let retries = finite(options.maximum_retry_attempts).or(capped);
    Promise {
        tries: retries.map(|retries| retries + 1),
        age_ms: finite(options.maximum_record_age_in_seconds).map(|secs| secs * 1_000),
        tells,
        bisects: options.bisect_batch_on_function_error == Some(true),
    }
}

/// No event holds more than this, whatever is around its records.
const EVENT_BYTES: u64 = 6 * 1024 * 1024;
const AROUND: u64 = 1_000;

/// What is wrong with the end of a part, if anything. `given` says how often a queue gave out each of its
/// messages. Of workers that share a stream, the first part stands for all, with everybody's log.
pub(super) fn judge(world: &World, index: usize, logs: &[&Log], given: &[u32]) -> Option<String> {
    let part = &world.parts[index];
    let stories = stories(part, logs);
    let workers = match world.fleet {
        Some(_) => &world.parts[..],
        None => std::slice::from_ref(part),
    };
    let events = workers.iter().flat_map(|worker| &worker.events);
    let updates = events.filter_map(|event| match &event.what {
        Incident::Update(options) => Some(&**options),
        _ => None,
    });
    let options = std::iter::once(&part.parameters).chain(updates);
    let promises: Vec<Promise> = options.map(|it| promise(part.kind, it)).collect();
    let case = Case {
        world,
        part,
        workers,
        promises: &promises,
        is_quiet: world.fleet.is_none() && is_quiet(world, part),
    };
    (0..part.records.len()).find_map(|record| {
        let wrong = case.wrong(record, &stories[record], given[record])?;
        Some(format!("record {record} {wrong} ({:?})", stories[record]))
    })
}

fn stories(part: &Part, logs: &[&Log]) -> Vec<Story> {
    let mut stories = vec![Story::default(); part.records.len()];
    for (what, at, records) in logs.iter().flat_map(|log| log.lines()) {
        for &record in records {
            let story = &mut stories[record as usize];
            match what {
                What::Called => story.called += 1,
                What::Finished => story.finished += 1,
                What::Failed => story.failed += 1,
                What::Diverted(why) => story.told[why as usize] += 1,
                What::Dropped(why) => story.untold[why as usize] += 1,
                What::Dead => story.dead = true,
                What::Gone => story.gone = true,
                What::Skipped => story.skipped = true,
                What::Expired => story.expired_at = story.expired_at.or(Some(at)),
                What::Foreign => story.foreign = true,
            }
            if let What::Diverted(Why::Age) | What::Dropped(Why::Age) = what {
                story.aged_at = story.aged_at.or(Some(at));
            }
        }
    }
    stories
}

/// Whether nothing at all goes wrong in a part, so that everything has to happen once.
fn is_quiet(world: &World, part: &Part) -> bool {
    let function = &world.functions[part.function];
    let is_alone = function.reserved.is_none() && world.account >= 1_000;
    let pollers = part.parameters.provisioned_poller_config.as_ref();
    let one_poller = pollers.is_none_or(|it| it.maximum_pollers == Some(1));
    let is_queue = matches!(part.kind, SourceKind::Sqs | SourceKind::SqsFifo);
    let is_kafka = matches!(part.kind, SourceKind::Msk | SourceKind::SelfManagedKafka);
    let plain = part
        .records
        .iter()
        .all(|it| it.poison.is_none() && it.bytes < 1_000_000);
    part.events.is_empty()
        && part.faults.is_empty()
        && function.is_sound()
        && plain
        && (is_alone || !is_queue)
        && (one_poller || !is_kafka)
}

struct Case<'a> {
    world: &'a World,
    part: &'a Part,
    /// All that read the stream.
    workers: &'a [Part],
    promises: &'a [Promise],
    is_quiet: bool,
}

impl Case<'_> {
    fn wrong(&self, record: usize, story: &Story, given: u32) -> Option<&'static str> {
        let script = &self.part.records[record];
        if script.filtered {
            return (story.called > 0).then_some("was delivered though the filters leave it out");
        }
        let size = u64::from(script.bytes) + AROUND;
        let is_broker = matches!(self.part.kind, SourceKind::ActiveMq | SourceKind::RabbitMq);
        let fits_nothing = is_broker && size > EVENT_BYTES;
        let given_up = story
            .told
            .iter()
            .chain(&story.untold)
            .any(|count| *count > 0);
        let has_ended = story.finished > 0
            || given_up
            || story.dead
            || story.skipped
            || story.expired_at.is_some()
            || story.foreign
            || (fits_nothing && story.gone);
        if !has_ended {
            return Some("is lost");
        }
        if story.gone && story.finished == 0 && !fits_nothing {
            return Some("was deleted though no function finished it");
        }
        self.wrong_start(record, story)
            .or_else(|| self.wrong_expiry(record, story))
            .or_else(|| self.wrong_give_up(record, story))
            .or_else(|| self.wrong_poison(record, story, given_up))
            .or_else(|| {
                let most = self.part.service.receives_max;
                let too_early = story.dead && most.is_none_or(|most| given < most);
                too_early.then_some("went to the dead-letter queue before its last delivery")
            })
            .or_else(|| {
                let once = story.called == 1
                    || story.skipped
                    || story.expired_at.is_some()
                    || given_up
                    || fits_nothing;
                (self.is_quiet && !once).then_some("was delivered again though nothing went wrong")
            })
    }

    fn wrong_start(&self, record: usize, story: &Story) -> Option<&'static str> {
        if !story.skipped {
            return None;
        }
        let options = &self.part.parameters;
        match options.starting_position.as_deref() {
            Some("LATEST") => None,
            Some("AT_TIMESTAMP") => {
                let from = options.starting_position_timestamp?;
                let is_later = self.part.records[record].at >= from;
                is_later.then_some("was skipped though it is not older than the start")
            }
            // A mapping that was resumed begins at what is stored, which says so itself.
            _ => Some("was skipped though the mapping starts at the horizon"),
        }
    }

    /// Only what is older than the stream keeps it may be gone.
    fn wrong_expiry(&self, record: usize, story: &Story) -> Option<&'static str> {
        let at = story.expired_at?;
        let keeps = self.part.service.retention.map(Span::as_millis);
        let age = at.saturating_sub(self.part.records[record].at.as_millis());
        let is_early = keeps.is_none_or(|keeps| age < keeps);
        is_early.then_some("is gone from its stream before its time")
    }

    fn wrong_give_up(&self, record: usize, story: &Story) -> Option<&'static str> {
        let script = &self.part.records[record];
        let (told, untold) = (story.told, story.untold);
        let by = |why: Why| told[why as usize] + untold[why as usize] > 0;
        if by(Why::Retries) {
            let least = self.promises.iter().filter_map(|it| it.tries).min();
            if least.is_none_or(|least| u64::from(story.failed) < least) {
                return Some("was given up before its tries were used up");
            }
        }
        if by(Why::Age) {
            let least = self.promises.iter().filter_map(|it| it.age_ms).min();
            let age = story
                .aged_at
                .map(|at| at.saturating_sub(script.at.as_millis()));
            // Both instants are cut to milliseconds, so that what is just too old may seem to be exactly as old.
            if least.is_none() || age < least {
                return Some("was given up before it was too old");
            }
        }
        if by(Why::Size) && u64::from(script.bytes) + AROUND <= EVENT_BYTES {
            return Some("was given up for its size, which is allowed");
        }
        let always_tells = self.promises.iter().all(|it| it.tells);
        let mut faults = self.workers.iter().flat_map(|worker| &worker.faults);
        let may_refuse = faults.any(|fault| {
            matches!(
                fault.what,
                Trouble::DestinationRefuses
                    | Trouble::DestinationDenies
                    | Trouble::DestinationAnswerLost
            )
        });
        if untold.iter().sum::<u32>() > 0 && always_tells && !may_refuse {
            return Some("was given up and its destination does not know");
        }
        if told.iter().sum::<u32>() > 0 && !self.promises.iter().any(|it| it.tells) {
            return Some("reached a destination that the mapping does not have");
        }
        None
    }

    fn wrong_poison(&self, record: usize, story: &Story, given_up: bool) -> Option<&'static str> {
        let function = &self.world.functions[self.part.function];
        match self.part.records[record].poison {
            Some(poison) if !poison.heals && story.finished > 0 => {
                Some("was finished though the function cannot")
            }
            None => {
                // With halves a failing record ends up alone, and takes nobody along.
                let is_isolated = self.promises.iter().all(|it| it.bisects);
                let nobody_else = self.part.records.iter().all(|it| it.poison.is_none());
                let by_retries = story.told[0] + story.untold[0] > 0;
                let fits = u64::from(self.part.records[record].bytes) + AROUND <= EVENT_BYTES;
                let harmed = given_up && by_retries && fits && function.is_sound();
                (harmed && (is_isolated || nobody_else))
                    .then_some("was given up though nothing is wrong with it")
            }
            Some(_) => None,
        }
    }
}
