//! Tables from programs that print a line per round.

use crate::samples::Spread;

/// The numbers in column `at` of the lines that begin with `key`.
pub(crate) fn column(text: &str, key: &str, at: usize) -> Vec<f64> {
    text.lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|words| words.first() == Some(&key))
        .filter_map(|words| words.get(at)?.parse().ok())
        .collect()
}

/// Rounds of `tidegate` against `other`, and whether the median of the ratios reaches `target`.
pub(crate) fn ratio_table(text: &str, other: &str, unit: &str, target: f64) {
    let (ours, theirs) = (column(text, "round", 1), column(text, "round", 2));
    let rounds = ours.len();
    let ratios = ours.iter().zip(&theirs).map(|(a, b)| a / b).collect();
    let (Some(ours), Some(theirs), Some(ratio)) =
        (Spread::of(ours), Spread::of(theirs), Spread::of(ratios))
    else {
        println!("Not measured.\n");
        return;
    };
    println!("| {rounds} rounds | median {unit} | min..max |\n|---|---:|---:|");
    for (name, spread) in [("tidegate", ours), (other, theirs)] {
        let Spread { median, min, max } = spread;
        println!("| {name} | {median:.0} | {min:.0}..{max:.0} |");
    }
    let Spread { median, min, max } = ratio;
    println!("| ratio | {median:.1} | {min:.1}..{max:.1} |\n");
    let met = if median >= target { "met" } else { "not met" };
    println!("Target of {target} times {other}: {met}.\n");
}

/// The poller's table as its benchmark printed it, with a verdict on every ratio.
pub(crate) fn poller_table(text: &str) {
    const RATIO_COLUMN: usize = 4;
    const TARGET: f64 = 0.9;
    const HOP: &str = "| hop latency";
    let tables: Vec<&str> = text.lines().filter(|line| line.starts_with('|')).collect();
    let split = tables.iter().position(|row| row.starts_with(HOP));
    let (rows, hops) = tables.split_at(split.unwrap_or(tables.len()));
    if rows.is_empty() {
        println!("Not measured: no server.\n");
        return;
    }
    rows.iter().for_each(|row| println!("{row}"));
    let missed: Vec<&str> = rows
        .iter()
        .map(|row| row.split('|').map(str::trim).collect::<Vec<_>>())
        .filter(|cells| {
            let ratio = cells.get(RATIO_COLUMN).and_then(|cell| cell.parse().ok());
            ratio.is_some_and(|ratio: f64| ratio < TARGET)
        })
        .filter_map(|cells| cells.get(1).copied())
        .collect();
    if missed.is_empty() {
        println!("\nTarget of {TARGET}: met.\n");
    } else {
        println!("\nTarget of {TARGET}: not met for {}.\n", missed.join("; "));
    }
    if !hops.is_empty() {
        println!(
            "Hop latency: from the moment at which a record can be read to the moment at which the function has its \
             event. One record every 10 ms, one shard, both read again after 2 ms.\n"
        );
        hops.iter().for_each(|row| println!("{row}"));
        println!();
    }
}

/// Lines of hours, invocations, seconds and megabytes.
pub(crate) fn memory_table(text: &str) {
    println!("| simulated hours | invocations | seconds | peak, MB |\n|---:|---:|---:|---:|");
    let mut peak_max: f64 = 0.0;
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let [hours, invocations, seconds, peak] = words.as_slice() {
            println!("| {hours} | {invocations} | {seconds} | {peak} |");
            peak_max = peak_max.max(peak.parse().unwrap_or(f64::INFINITY));
        }
    }
    let met = if peak_max <= 200.0 { "met" } else { "not met" };
    println!("\nTarget of 200 MB: {met}.\n");
}

/// A sweep beside its bare runs, in rounds of seconds per variant; and what rows of series cost.
pub(crate) fn sweep_table(text: &str) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from) as f64;
    let (bare, check) = (column(text, "variants", 2), column(text, "variants", 3));
    let (alone, together) = (column(text, "variants", 4), column(text, "variants", 5));
    let each = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a / b).collect::<Vec<_>>();
    let overheads = each(&alone, &bare).into_iter().map(|it| (it - 1.0) * 100.0);
    let checks = each(&check, &bare)
        .into_iter()
        .map(|it| it * 100.0)
        .collect();
    let linear = each(&alone, &together).into_iter().map(|it| it / cores);
    let (Some(overhead), Some(checks), Some(linear)) = (
        Spread::of(overheads.collect()),
        Spread::of(checks),
        Spread::of(linear.collect()),
    ) else {
        println!("Not measured.\n");
        return;
    };
    let fastest = |values: &[f64]| values.iter().copied().fold(f64::INFINITY, f64::min);
    println!(
        "| {} rounds | median | min..max | of the fastest rounds | target | met |\n|---|---:|---:|---:|---:|---|",
        bare.len()
    );
    let row = |name: &str, it: &Spread, best: f64, target: &str, met: &dyn Fn(f64) -> bool| {
        let met = match () {
            () if met(it.median) => "yes",
            () if met(best) => "at the fastest",
            () => "no",
        };
        println!(
            "| {name} | {:.2} | {:.2}..{:.2} | {best:.2} | {target} | {met} |",
            it.median, it.min, it.max
        );
    };
    let best = (fastest(&alone) / fastest(&bare) - 1.0) * 100.0;
    let name = "sweep on one thread beyond its bare runs, %";
    row(name, &overhead, best, "at most 3", &|it| it <= 3.0);
    let best = fastest(&alone) / fastest(&together) / cores;
    let name = format!("{cores} threads, of linear");
    row(&name, &linear, best, "at least 0.95", &|it| it >= 0.95);
    println!(
        "\nLooking at every variant before the first run takes {:.2} % of the bare runs.",
        checks.median
    );
    let (seconds, minutes) = (column(text, "rows", 1), column(text, "rows", 2));
    if let (Some(seconds), Some(minutes)) = (Spread::of(seconds), Spread::of(minutes)) {
        println!(
            "\nThe same 1e5 invocations over two hours: {:.1} ms with a row for every second, {:.1} ms with one for every minute.",
            seconds.median * 1e3,
            minutes.median * 1e3
        );
    }
    println!();
}

/// A simulated week on one core, and runs side by side against one after the other.
pub(crate) fn long_table(text: &str) {
    let numbers = |line: &str| -> Vec<f64> {
        let words = line.split_whitespace().skip(1);
        words.filter_map(|word| word.parse().ok()).collect()
    };
    for line in text.lines().filter(|line| line.starts_with("week")) {
        if let [invocations, seconds] = numbers(line)[..] {
            println!(
                "A week at 2,000 calls a second on average, to an alias whose provisioned concurrency follows the load: {:.2} G \
                 invocations in {seconds:.0} s on one core. Target of 300 s: {}.\n",
                invocations / 1e9,
                if seconds <= 300.0 { "met" } else { "missed" }
            );
        }
    }
    let cores = text.lines().filter(|line| line.starts_with("cores"));
    let rounds: Vec<Vec<f64>> = cores.map(numbers).collect();
    let mut shares: Vec<f64> = rounds
        .iter()
        .filter(|round| round.len() == 3)
        .map(|round| round[1] / round[2] / round[0])
        .collect();
    shares.sort_by(f64::total_cmp);
    if let (Some(first), Some(last)) = (shares.first(), shares.last()) {
        let median = shares[shares.len() / 2];
        println!(
            "Replications on {} cores: {median:.2} of linear ({first:.2}..{last:.2}). Target of 0.9: {}.\n",
            rounds[0][0],
            if median >= 0.9 { "met" } else { "missed" }
        );
    }
}
