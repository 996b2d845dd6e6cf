//! Worlds that are drawn beside some others: streams whose shards several workers share, streams that forget, and queues
//! with other consumers.

use super::super::world::{Fault, Fleet, Incident, Part, Planned, START, Size, Trouble, World};
use super::{Dice, function, moment, options, part};
use crate::engine::{SourceKind, Span, Time};

/// Names the draws of an annex.
const LABEL: u64 = 1 << 32;
/// So many of 100 worlds have one.
const CHANCE: u64 = 12;

/// The annex of a seed's world, if it has one.
pub(super) fn draw(seed: u64, size: Size) -> Option<World> {
    let mut dice = Dice::new(seed, LABEL);
    if !dice.percent(CHANCE) {
        return None;
    }
    let measures = size.measures();
    let arrivals = dice.between(measures.arrivals.0, measures.arrivals.1);
    let end = START + Span::from_secs(arrivals);
    let calm = end + Span::from_secs(dice.between(0, 60));
    let function = function(&mut dice);
    let what = dice.below(10);
    let kind = match what {
        0..8 => dice.pick(&[SourceKind::Kinesis, SourceKind::DynamoDb]),
        _ => dice.pick(&[
            SourceKind::Sqs,
            SourceKind::SqsFifo,
            SourceKind::ActiveMq,
            SourceKind::RabbitMq,
        ]),
    };
    let mut one = part(&mut dice, kind, 0, function.timeout, measures, (end, calm));
    let mut world = World {
        seed,
        size,
        account: 1_000,
        functions: vec![function],
        parts: Vec::new(),
        calm,
        fleet: None,
        annex: None,
    };
    match what {
        0..6 => {
            world.fleet = Some(Fleet {
                failover: dice.pick(&[3, 10, 30].map(Span::from_secs)),
                steal_max: dice.pick(&[1, 1, 2]),
            });
            // Progress of windows has no place in a lease, and LATEST none that stays.
            one.parameters.tumbling_window_in_seconds = None;
            if one.parameters.starting_position.as_deref() == Some("LATEST") {
                one.parameters.starting_position = Some("TRIM_HORIZON".to_owned());
            }
            let workers = dice.between(2, 4);
            world.parts = (0..workers)
                .map(|worker| share(&mut dice, &one, worker, calm))
                .collect();
        }
        6..8 => {
            one.service.retention = Some(Span::from_secs(dice.between(2, 60)));
            if dice.percent(60) {
                let (from, to) = (moment(&mut dice, calm), moment(&mut dice, calm));
                let mut plan = |at, what| one.events.push(Planned { at, what });
                plan(from.min(to), Incident::Disable);
                plan(from.max(to), Incident::Enable);
            }
        }
        _ => {
            for _ in 0..dice.between(1, 4) {
                let at = moment(&mut dice, calm);
                let what = Incident::Foreign {
                    messages: dice.between(1, 10) as u32,
                    deletes: dice.percent(70),
                };
                one.events.push(Planned { at, what });
            }
        }
    }
    if world.parts.is_empty() {
        world.parts.push(one);
    }
    for part in &mut world.parts {
        part.events.sort_by_key(|event| event.at);
    }
    world.settle();
    Some(world)
}

/// One worker of a stream: when it comes, what happens to it, and what goes wrong with its calls. The first one stays.
fn share(dice: &mut Dice<'_>, one: &Part, worker: u64, calm: Time) -> Part {
    let mut part = one.clone();
    part.faults.clear();
    part.events.clear();
    for _ in 0..dice.pick(&[0, 0, 1, 2]) {
        let (what, _) = dice.pick(&Trouble::ALL);
        let (from, to) = (moment(dice, calm), moment(dice, calm));
        let percent = dice.pick(&[10, 30, 60, 100]);
        if what.concerns(part.kind) {
            part.faults.push(Fault {
                what,
                from: from.min(to),
                to: from.max(to),
                percent,
            });
        }
    }
    if worker > 0 && dice.percent(60) {
        part.begins = moment(dice, calm);
    }
    let mut plan = |at, what| part.events.push(Planned { at, what });
    for _ in 0..dice.pick(&[0, 0, 1, 2]) {
        let length = dice.millis(100, 60_000);
        let holds_calls = dice.percent(50);
        let freeze = Incident::Freeze {
            length,
            holds_calls,
        };
        plan(moment(dice, calm), freeze);
    }
    for _ in 0..dice.pick(&[0, 0, 0, 1]) {
        let down = dice.millis(0, 40_000);
        plan(moment(dice, calm), Incident::Crash { down });
    }
    if worker > 0 && dice.percent(25) {
        plan(moment(dice, calm), Incident::Leave);
    }
    if dice.percent(10) {
        let update = options::update(dice, &one.parameters, one.kind);
        let without_windows = crate::engine::MappingParameters {
            tumbling_window_in_seconds: None,
            ..update
        };
        plan(
            moment(dice, calm),
            Incident::Update(Box::new(without_windows)),
        );
    }
    part
}
