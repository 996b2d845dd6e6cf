//! What bounded the throughput of a mapping whose records had to wait.

use super::scene::{Route, Scene};
use super::words::{advised, count, finding, set, stretch};
use crate::metrics::numbers::{millis, percent};
use crate::metrics::{Finding, Setting, Severity};
use crate::scenario::{SourceModel, Stream};

/// Records that arrive in this time are on their way, not waiting, seconds.
const PASSING_S: f64 = 5.0;
/// A lane, poller or consumer that is busy for this share of the time has no more to give.
const FULL: f64 = 0.75;
/// As few workers busy as this share says that something else is missing.
const IDLE: f64 = 0.5;
/// Deliveries that fail this often hold up what comes after them.
const FAILING: f64 = 0.2;
/// How full lanes should be at the peak.
const HEADROOM: f64 = 0.8;

/// The time in which records waited.
struct Waiting {
    /// Bins in which they did.
    bins: Vec<usize>,
    first: usize,
    last: usize,
    /// Share of the mapping's lanes, pollers or consumers that were at work.
    share: f64,
    /// Mean number of them that were, and that there were.
    busy: f64,
    capacity: f64,
    /// Records per second that one of them did, when it was busy.
    each_per_sec: f64,
    /// Records per second that came at the peak.
    peak_per_sec: f64,
}

pub(super) fn of(scene: Scene<'_>, route: Route<'_>) -> Option<Finding> {
    let waiting = waiting(scene, route)?;
    let sum = |of: fn(&crate::metrics::MappingRow) -> u64| -> f64 {
        waiting
            .bins
            .iter()
            .map(|bin| of(&route.rows[*bin]) as f64)
            .sum()
    };
    let (failed, tried) = until_highest(route, &waiting);
    let invoked = sum(|row| row.invoked);
    let throttled = sum(|row| row.throttled);
    let batches = invoked / route.figures.batch_records.mean.value.max(1.0);
    let left = route.figures.backlog.end.value;
    let most = route.figures.backlog.max.value;
    let behind = left >= HEADROOM * most;
    let severity = if behind {
        Severity::Problem
    } else {
        Severity::Warning
    };
    let (code, why, remedy, changes) = if throttled >= (FAILING * batches).max(1.0) {
        function_full(route, throttled, batches)
    } else if failed >= (FAILING * tried).max(1.0) {
        failing(route, failed, tried)
    } else {
        match &route.source.kind {
            SourceModel::Stream(stream) if waiting.share >= FULL => lanes(route, stream, &waiting),
            SourceModel::Stream(stream) => hot_shard(route, stream, &waiting)?,
            SourceModel::Kafka(_) | SourceModel::Broker(_) if waiting.share < FULL => return None,
            SourceModel::Kafka(topic) => super::kafka::consumers(
                scene,
                route,
                (waiting.first, topic.partitions),
                (
                    waiting.capacity,
                    waiting.peak_per_sec / waiting.each_per_sec,
                ),
            ),
            SourceModel::Broker(_) => broker(route, &waiting),
            SourceModel::Sqs { is_fifo, .. } if *is_fifo && waiting.share < IDLE => {
                hot_group(route, &waiting)
            }
            SourceModel::Sqs { .. } if waiting.share < FULL => return None,
            SourceModel::Sqs { .. } => pollers(scene, route, &waiting),
        }
    };
    let sentence = format!(
        "Up to {} records waited between {} and {}, the oldest {} when it was sent, and {} at the end: {why}.",
        count(most),
        scene.clock(waiting.first),
        scene.clock(waiting.last + 1),
        millis(route.figures.iterator_age.max.value),
        count(left)
    );
    let measure = route.measure("IteratorAge.Maximum");
    Some(advised(
        finding(severity, code, route.name(), measure, sentence),
        remedy,
        changes,
    ))
}

fn waiting(scene: Scene<'_>, route: Route<'_>) -> Option<Waiting> {
    let rows = route.rows;
    if rows.is_empty() || !route.has_producers() {
        return None;
    }
    let length_s = rows.len() as f64 * scene.bin_s;
    let per_sec = rows.iter().map(|row| row.incoming as f64).sum::<f64>() / length_s;
    let window = route.mapping.config.window.as_secs_f64();
    let passing =
        (per_sec * (PASSING_S + window)).max(2.0 * f64::from(route.mapping.config.batch_size));
    let waits = |row: &crate::metrics::MappingRow| row.backlog as f64 > passing;
    let bins: Vec<usize> = (0..rows.len()).filter(|bin| waits(&rows[*bin])).collect();
    if bins.len() < scene.bins(PASSING_S) {
        return None;
    }
    let (first, last) = stretch(rows.iter().map(waits))?;
    let alone = route.alone(scene);
    let duration_s = route.worker.figures.duration.mean.value / 1e3;
    let records = route.figures.batch_records.mean.value.max(1.0);
    let (mut busy, mut capacity, mut done) = (0.0, 0.0, 0.0);
    for bin in &bins {
        let row = &rows[*bin];
        busy += match route.worker.rows.get(*bin) {
            Some(worker) if alone => worker.concurrency_mean,
            _ => row.invoked as f64 / records * duration_s / scene.bin_s,
        };
        capacity += capacity_at(scene, route, *bin);
        done += row.succeeded as f64 / scene.bin_s;
    }
    // An estimate by means may be above what is possible.
    let busy = f64::min(busy, capacity);
    let count = bins.len() as f64;
    let incoming = rows.iter().map(|row| row.incoming as f64 * route.passing());
    Some(Waiting {
        first,
        last,
        share: busy / capacity.max(1e-9),
        busy: busy / count,
        capacity: capacity / count,
        each_per_sec: done / busy.max(1e-9),
        peak_per_sec: scene.peak(incoming),
        bins,
    })
}

/// Records of failed deliveries and of all, while the backlog grew: what drains later says nothing of the cause.
fn until_highest(route: Route<'_>, waiting: &Waiting) -> (f64, f64) {
    let highest = waiting
        .bins
        .iter()
        .copied()
        .max_by_key(|bin| (route.rows[*bin].backlog, std::cmp::Reverse(*bin)));
    let growing = waiting.bins.iter().filter(|bin| Some(**bin) <= highest);
    growing.fold((0.0, 0.0), |(failed, tried), bin| {
        let row = &route.rows[*bin];
        (failed + row.failed as f64, tried + row.invoked as f64)
    })
}

/// How many batches the mapping may work on at once in a bin.
fn capacity_at(scene: Scene<'_>, route: Route<'_>, bin: usize) -> f64 {
    let row = &route.rows[bin];
    match &route.source.kind {
        SourceModel::Stream(stream) => {
            let at = (scene.skip + bin) as f64 * scene.bin_s;
            let open = stream.shards.iter().filter(|shard| {
                shard.opens.as_secs_f64() <= at
                    && shard.closes.is_none_or(|end| end.as_secs_f64() > at)
            });
            open.count() as f64 * f64::from(route.mapping.config.parallelization_factor)
        }
        SourceModel::Kafka(_) => f64::from(row.kafka.consumers),
        SourceModel::Broker(_) => f64::from(route.mapping.tuning.consumers),
        SourceModel::Sqs { .. } => f64::from(row.concurrency_limit),
    }
}

/// Code, reason, remedy and changes.
pub(super) type Bound = (&'static str, String, String, Vec<Setting>);

fn function_full(route: Route<'_>, throttled: f64, batches: f64) -> Bound {
    let why = format!(
        "the function refused {} batches meanwhile ({} of them), at a limit of {} units of concurrency",
        count(throttled),
        percent((throttled / batches).min(1.0)),
        count(f64::from(route.worker.limit))
    );
    let text = format!("See what {} says about its throttles.", route.worker.name());
    ("function-full", why, text, Vec::new())
}

fn failing(route: Route<'_>, failed: f64, invoked: f64) -> Bound {
    let why = format!(
        "{} of {} deliveries failed meanwhile ({}), and what failed is tried again before anything behind it",
        count(failed),
        count(invoked),
        percent(failed / invoked)
    );
    let config = &route.mapping.config;
    if !(config.source.is_stream() || config.source.is_kafka()) {
        return (
            "failures-hold-up",
            why,
            "Mend the function, or what it depends on.".to_owned(),
            Vec::new(),
        );
    }
    let text = format!(
        "Mend the function; MaximumRetryAttempts ({}) or MaximumRecordAgeInSeconds ({}) with an on-failure destination ({}) bound how long a batch may hold up the others.",
        route.path("MaximumRetryAttempts"),
        route.path("MaximumRecordAgeInSeconds"),
        route.path("DestinationConfig")
    );
    ("failures-hold-up", why, text, Vec::new())
}

fn lanes(route: Route<'_>, stream: &Stream, waiting: &Waiting) -> Bound {
    let config = &route.mapping.config;
    let factor = config.parallelization_factor;
    let shards = (waiting.capacity / f64::from(factor)).round().max(1.0);
    let why = format!(
        "{} of {} lanes (open shards × ParallelizationFactor {factor}) were busy on average, each with {} records/s, and up to {} a second came",
        count(waiting.busy),
        count(waiting.capacity),
        count(waiting.each_per_sec),
        count(waiting.peak_per_sec)
    );
    let needed = waiting.peak_per_sec / waiting.each_per_sec / HEADROOM;
    let wanted = (needed / shards).ceil().max(f64::from(factor) + 1.0);
    if wanted <= 10.0 {
        let path = route.path("ParallelizationFactor");
        let text = format!("Raise ParallelizationFactor to {wanted} ({path}).");
        return ("lanes-full", why, text, vec![set(path, wanted)]);
    }
    let more = (needed / 10.0).ceil().max(stream.shards.len() as f64 + 1.0);
    let (factor_path, shards_path) = (
        route.path("ParallelizationFactor"),
        route.source_path("shards"),
    );
    let text = format!(
        "Raise ParallelizationFactor to 10 ({factor_path}) and the number of shards to {} ({shards_path}), or make the function faster per record.",
        count(more)
    );
    (
        "lanes-full",
        why,
        text,
        vec![set(factor_path, 10), set(shards_path, more)],
    )
}

/// A shard that is far behind the others: its own lanes were full.
fn hot_shard(route: Route<'_>, stream: &Stream, waiting: &Waiting) -> Option<Bound> {
    let shards = &route.series.shards;
    let highest = |levels: &[f32]| {
        levels
            .iter()
            .copied()
            .filter(|age| age.is_finite())
            .fold(0.0, f32::max)
    };
    let worst = shards
        .iter()
        .max_by(|one, other| highest(&one.levels).total_cmp(&highest(&other.levels)))?;
    let mut ages: Vec<f32> = shards.iter().map(|shard| highest(&shard.levels)).collect();
    ages.sort_by(f32::total_cmp);
    let middle = ages[(ages.len() - 1) / 2];
    let top = highest(&worst.levels);
    if shards.len() < 2 || middle * 4.0 > top {
        return None;
    }
    let factor = route.mapping.config.parallelization_factor;
    let why = format!(
        "shard {} got {} of the records, where {} shards share them, and fell {} behind, the middle shard {}, while {} of {} lanes were busy on average",
        worst.number,
        percent(worst.share),
        stream.shards.len(),
        millis(f64::from(top)),
        millis(f64::from(middle)),
        count(waiting.busy),
        count(waiting.capacity)
    );
    if factor >= 10 {
        let text = "Spread the partition keys: a lane keeps the order of its keys, and one key has one lane.".to_owned();
        return Some(("hot-shard", why, text, Vec::new()));
    }
    let path = route.path("ParallelizationFactor");
    let text = format!(
        "Raise ParallelizationFactor to {} ({path}), which helps if its keys are several: one key has one lane. Otherwise spread the keys.",
        (factor * 2).min(10)
    );
    Some((
        "hot-shard",
        why,
        text,
        vec![set(path, (factor * 2).min(10))],
    ))
}

fn broker(route: Route<'_>, waiting: &Waiting) -> Bound {
    let size = route.mapping.config.batch_size;
    let why = format!(
        "{} of the {} consumers were busy on average, each with one batch of up to {size} at a time and {} records/s, and up to {} a second came",
        count(waiting.busy),
        count(waiting.capacity),
        count(waiting.each_per_sec),
        count(waiting.peak_per_sec)
    );
    let path = route.path("BatchSize");
    let larger = (f64::from(size) * waiting.peak_per_sec
        / HEADROOM
        / (waiting.each_per_sec * waiting.capacity))
        .ceil();
    let larger = larger.clamp(f64::from(size) + 1.0, 10_000.0);
    let text = format!(
        "Raise BatchSize to {} ({path}) if the function takes little longer for more messages, or make it faster: a broker's mapping has no more consumers.",
        count(larger)
    );
    ("consumers-full", why, text, vec![set(path, larger)])
}

fn hot_group(route: Route<'_>, waiting: &Waiting) -> Bound {
    let why = format!(
        "{} batches were at work on average of the {} that the mapping could do at once, because the messages of a group wait for each other",
        count(waiting.busy),
        count(waiting.capacity)
    );
    let size = route.mapping.config.batch_size;
    let text = "Use more message groups, keeping order only where it matters (source's record keys), or make the function faster: more concurrency changes nothing.".to_owned();
    if size < 10 {
        let path = route.path("BatchSize");
        return (
            "hot-group",
            why,
            format!("{text} BatchSize 10 ({path}) takes more of a group at once."),
            vec![set(path, 10)],
        );
    }
    ("hot-group", why, text, Vec::new())
}

fn pollers(scene: Scene<'_>, route: Route<'_>, waiting: &Waiting) -> Bound {
    let config = &route.mapping.config;
    let needed = waiting.peak_per_sec / waiting.each_per_sec / HEADROOM;
    let last_limit = f64::from(route.rows[waiting.last].concurrency_limit);
    if let Some(cap) = config.maximum_concurrency
        && last_limit >= f64::from(cap)
    {
        let why = format!(
            "{} of the {cap} batches that MaximumConcurrency allows were at work on average, each with {} messages/s, and up to {} a second came",
            count(waiting.busy),
            count(waiting.each_per_sec),
            count(waiting.peak_per_sec)
        );
        let wanted = needed.ceil().clamp(f64::from(cap) + 1.0, 1_000.0);
        let path = route.path("ScalingConfig.MaximumConcurrency");
        let mut changes = vec![set(path.clone(), wanted)];
        let mut text = format!(
            "Raise ScalingConfig.MaximumConcurrency to {} ({path})",
            count(wanted)
        );
        if route
            .worker
            .config
            .reserved_concurrency
            .is_some_and(|limit| f64::from(limit) < wanted)
        {
            let reserved = route.worker.path("reserved_concurrency");
            text.push_str(&format!(
                " together with the function's reserved concurrency ({reserved})"
            ));
            changes.push(set(reserved, wanted));
        }
        return (
            "maximum-concurrency-full",
            why,
            format!("{text}, if what is behind the function can take it."),
            changes,
        );
    }
    let first_limit = f64::from(route.rows[waiting.first].concurrency_limit);
    let reached = route.rows[waiting.first..]
        .iter()
        .position(|row| f64::from(row.concurrency_limit) >= needed);
    let reached = match reached {
        Some(bins) => format!("after {} it was enough", scene.length(bins)),
        None => "it was not enough until the end".to_owned(),
    };
    let why = format!(
        "the mapping may only add batches minute by minute: {} at once when the waiting began and {} when it ended, where {} a second at the peak and {} messages/s for each batch take {}; {reached}",
        count(first_limit),
        count(last_limit),
        count(waiting.peak_per_sec),
        count(waiting.each_per_sec),
        count(needed.ceil())
    );
    let path = route.path("ProvisionedPollerConfig");
    let pollers = (needed / 10.0).ceil().clamp(2.0, 200.0);
    let larger = format!(
        "Larger batches ({}) need fewer at once; provisioned pollers ({path}) are there before the rush.",
        route.path("BatchSize")
    );
    let changes = match config.provisioned_pollers {
        None => vec![set(path, format!("{{ MinimumPollers = {pollers} }}"))],
        Some(_) => Vec::new(),
    };
    ("poller-ramp", why, larger, changes)
}
