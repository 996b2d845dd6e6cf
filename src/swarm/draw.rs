//! From a seed to a world.

mod annex;
mod options;
mod records;

use super::dice::Dice;
use super::world::{
    Fault, FunctionScript, Incident, Part, Planned, START, Service, Size, Trouble, World, gives_up,
};
use crate::engine::{SourceKind, Span, Time};

/// How much is drawn for one part of a world.
#[derive(Clone, Copy, Debug)]
struct Measures {
    parts: (u64, u64),
    records: (u64, u64),
    /// Seconds in which records arrive.
    arrivals: (u64, u64),
    shards: (u64, u64),
}

impl Size {
    const fn measures(self) -> Measures {
        match self {
            Self::Small => Measures {
                parts: (1, 1),
                records: (0, 20),
                arrivals: (2, 30),
                shards: (1, 2),
            },
            Self::Medium => Measures {
                parts: (1, 4),
                records: (10, 150),
                arrivals: (10, 120),
                shards: (1, 4),
            },
            Self::Large => Measures {
                parts: (2, 8),
                records: (100, 1_500),
                arrivals: (30, 600),
                shards: (2, 8),
            },
        }
    }
}

const KINDS: [SourceKind; 14] = [
    SourceKind::Kinesis,
    SourceKind::Kinesis,
    SourceKind::Kinesis,
    SourceKind::DynamoDb,
    SourceKind::DynamoDb,
    SourceKind::Sqs,
    SourceKind::Sqs,
    SourceKind::SqsFifo,
    SourceKind::SqsFifo,
    SourceKind::Msk,
    SourceKind::Msk,
    SourceKind::SelfManagedKafka,
    SourceKind::ActiveMq,
    SourceKind::RabbitMq,
];

impl World {
    /// The world of a seed.
    pub fn draw(seed: u64, size: Size) -> Self {
        let mut world = Self::drawn(seed, size, |thing| Dice::new(seed, thing));
        world.annex = annex::draw(seed, size).map(Box::new);
        world
    }

    /// A small world of somebody else's choice: whatever would be drawn is read from `bytes`.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        let (seed, rest) = bytes.split_at(bytes.len().min(2));
        let seed = seed
            .iter()
            .fold(0, |seed, byte| seed << 8 | u64::from(*byte));
        let (world, parts) = rest.split_at(rest.len().min(8));
        let (first, second) = parts.split_at(parts.len() * 2 / 3);
        Self::drawn(seed, Size::Small, |thing| {
            Dice::of_bytes(match thing {
                0 => world,
                1 => first,
                _ => second,
            })
        })
    }

    fn drawn<'b>(seed: u64, size: Size, dice_of: impl Fn(u64) -> Dice<'b>) -> Self {
        let measures = size.measures();
        let mut dice = dice_of(0);
        let mut count = dice.between(measures.parts.0, measures.parts.1);
        if size == Size::Small && dice.percent(15) {
            count += 1;
        }
        let arrivals = dice.between(measures.arrivals.0, measures.arrivals.1);
        let calm = START + Span::from_secs(arrivals + dice.between(0, 40));
        let mut functions = Vec::new();
        let mut parts: Vec<Part> = Vec::new();
        for index in 0..count {
            let mut dice = dice_of(index + 1);
            let shared = !functions.is_empty() && dice.percent(25);
            let function = if shared {
                dice.below(functions.len() as u64) as usize
            } else {
                functions.push(function(&mut dice));
                functions.len() - 1
            };
            let slowest = functions[function].timeout;
            let end = START + Span::from_secs(arrivals);
            let kind = dice.pick(&KINDS);
            let part = part(&mut dice, kind, function, slowest, measures, (end, calm));
            parts.push(part);
        }
        let reserves = functions.iter().any(|it| it.reserved.is_some());
        let account = if reserves {
            1_000
        } else {
            dice.pick(&[1_000, 1_000, 10, 3])
        };
        Self {
            seed,
            size,
            account,
            functions,
            parts,
            calm,
            fleet: None,
            annex: None,
        }
    }
}

fn function(dice: &mut Dice<'_>) -> FunctionScript {
    let quickest = dice.millis(0, 100);
    let slowest = quickest + dice.pick(&[0, 0, 50, 300, 2_000, 8_000].map(Span::from_millis));
    let is_sound = dice.percent(50);
    let mut rate = |chance| {
        let rate = dice.perhaps(chance, &[3, 10, 30]).unwrap_or(0);
        if is_sound { 0 } else { rate }
    };
    let (throws, rambles, misreports, bloats) = (rate(60), rate(20), rate(30), rate(20));
    FunctionScript {
        reserved: dice.perhaps(25, &[1, 2, 5]),
        quickest,
        slowest,
        timeout: slowest + dice.pick(&[1, 3, 10].map(Span::from_secs)),
        throws,
        rambles,
        misreports,
        bloats,
    }
}

fn part(
    dice: &mut Dice<'_>,
    kind: SourceKind,
    function: usize,
    timeout: Span,
    measures: Measures,
    (end, calm): (Time, Time),
) -> Part {
    let parameters = options::draw(dice, kind, end);
    let service = service(dice, kind, timeout);
    let mut part = Part {
        kind,
        function,
        parameters,
        service,
        shards: Vec::new(),
        records: Vec::new(),
        faults: Vec::new(),
        events: Vec::new(),
        begins: START,
    };
    part.events = events(dice, &part, calm);
    let ends = part
        .configs()
        .iter()
        .all(|config| gives_up(config, part.service.receives_max));
    records::draw(dice, &mut part, measures, end, ends);
    part.faults = faults(dice, kind, calm);
    part
}

fn service(dice: &mut Dice<'_>, kind: SourceKind, timeout: Span) -> Service {
    let poll_interval = match kind {
        SourceKind::DynamoDb => dice.pick(&[500, 1_000, 2_000]),
        _ => dice.pick(&[1_000, 2_000, 5_000]),
    };
    // Twice the time that a batch may wait and run, so that leases end in time only while something is wrong.
    let least = timeout.times(2) + Span::from_secs(15);
    Service {
        latency: dice.pick(&[0, 0, 20, 150].map(Span::from_millis)),
        visibility: least + dice.pick(&[0, 10, 30].map(Span::from_secs)),
        long_poll: if kind.is_queue() && dice.percent(10) {
            Span::ZERO
        } else {
            dice.pick(&[2, 5, 20].map(Span::from_secs))
        },
        receives_max: dice.perhaps(40, &[2, 3, 5]),
        page_max: dice.pick(&[1, 3, 10, 1_000]),
        consumers: match kind {
            SourceKind::RabbitMq => dice.pick(&[1, 1, 2, 3]),
            _ => dice.pick(&[1, 2, 5]),
        },
        poll_interval: Span::from_millis(poll_interval),
        backoff_max: dice.pick(&[2, 5, 20, 60].map(Span::from_secs)),
        retention: None,
    }
}

/// An instant between the start and the calm.
fn moment(dice: &mut Dice<'_>, calm: Time) -> Time {
    START + dice.millis(0, calm.since(START).as_millis())
}

fn faults(dice: &mut Dice<'_>, kind: SourceKind, calm: Time) -> Vec<Fault> {
    let count = dice.pick(&[0, 0, 0, 1, 1, 2, 3, 5]);
    let mut faults = Vec::new();
    for _ in 0..count {
        let (what, _) = dice.pick(&Trouble::ALL[..Trouble::WITHOUT_LEASES]);
        let (one, other) = (moment(dice, calm), moment(dice, calm));
        let percent = dice.pick(&[10, 30, 60, 100]);
        if what.concerns(kind) {
            faults.push(Fault {
                what,
                from: one.min(other),
                to: one.max(other),
                percent,
            });
        }
    }
    faults
}

fn events(dice: &mut Dice<'_>, part: &Part, calm: Time) -> Vec<Planned> {
    let mut events = Vec::new();
    let mut at = |dice: &mut Dice<'_>, what| {
        let at = moment(dice, calm);
        events.push(Planned { at, what });
    };
    for _ in 0..dice.pick(&[0, 0, 0, 1, 1, 2]) {
        let down = dice.millis(0, 5_000);
        at(dice, Incident::Crash { down });
    }
    if dice.percent(20) {
        at(dice, Incident::Disable);
        at(dice, Incident::Enable);
    }
    if dice.percent(20) {
        let update = options::update(dice, &part.parameters, part.kind);
        at(dice, Incident::Update(Box::new(update)));
    }
    if part.kind.is_broker() {
        for _ in 0..dice.pick(&[0, 0, 1, 2]) {
            at(dice, Incident::Disconnect);
        }
    }
    if part.kind.is_kafka() {
        for _ in 0..dice.pick(&[0, 0, 1, 2, 4]) {
            let bits = dice.key();
            at(dice, Incident::Revoke(bits));
        }
        for _ in 0..dice.pick(&[0, 0, 0, 1, 2]) {
            let bits = dice.key();
            at(dice, Incident::Lose(bits));
        }
    }
    events.sort_by_key(|event| event.at);
    events
}
