//! Writes the benchmark report from what `scripts/bench` measured: criterion's samples and the other programs' lines.
//!
//! Arguments: the folder of criterion's folders, the folder of the other results, the date, the compiler.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "benchmarks read the clock and print what they measure"
)]

mod rounds;
mod samples;

use rounds::{column, long_table, memory_table, poller_table, ratio_table, sweep_table};
use samples::{Bench, Spread};
use std::fs;
use std::path::Path;

/// Names of groups with an introduction of their own; others are shown as they come.
const KNOWN: [&str; 4] = ["scenario", "engine", "hold", "filter"];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [criterion, out, date, compiler] = arguments.as_slice() else {
        return Err("four arguments: criterion's folder, results, date, compiler".into());
    };
    let (benches, out) = (samples::all(Path::new(criterion))?, Path::new(out));
    let read = |name: &str| fs::read_to_string(out.join(name)).unwrap_or_default();
    println!("# Benchmarks\n");
    println!("Written by `scripts/bench`; run it again to renew every figure.\n");
    machine(date, compiler, read("load").trim());
    println!("## Whole scenarios\n");
    println!(
        "Each scenario runs through the simulator with its histograms and series; direct calls come at 10,000/s as a \
         Poisson process with a mean duration of 100 ms (about 1,000 running; 10 s where 100,000 run). Records count \
         when they are delivered, in batches that are verified to be full. Median over criterion's samples \
         (min..max) of several passes that are minutes apart, one thread. Where others use the same cores, the fastest sample is nearest to what the code itself \
         costs: a target is met by the median, or, as it then says, at the fastest.\n"
    );
    rates(&benches, "scenario", true);
    println!("## M/M/c beside nexosim\n");
    println!(
        "100 servers at load 0.9, a million arrivals a round, two events each; tidegate's calendar and nexosim 1 (one \
         model, one thread) take turns in one process. Both drive the same queue with the same draws and must give the \
         same waits to the nanosecond, and the waits must be those of Erlang C. Target: at least 8 times nexosim.\n"
    );
    let mmc = read("mmc");
    ratio_table(&mmc, "nexosim", "events/s", 8.0);
    erlang(&mmc);
    println!("## SimFaaS's steady-state example\n");
    println!(
        "0.9 requests/s, 1.991 s warm and 2.244 s cold (exponential), keep-alive 600 s, 1,000,000 s from empty; each \
         runs it in turn on the same machine (tidegate ten times \
         over in its turn, for the mean), start-up and imports left out. Target: at least 60 times SimFaaS.\n"
    );
    ratio_table(&read("simfaas"), "SimFaaS", "requests/s", 60.0);
    found(&read("simfaas"));
    println!("## Memory\n");
    println!(
        "Peak of the resident set of a process that simulates 10,000 exponential calls a second (`VmHWM`). Target: at \
         most 200 MB for a day, whatever the length of the run.\n"
    );
    memory_table(&read("memory"));
    println!("## A week, and every core\n");
    long_table(&read("long"));
    println!("## Sweeps\n");
    println!(
        "200 variants of 1e5 invocations each: the sweep with its journal and its summaries on one thread beside bare calls of the \
         simulator on scenarios that are there already, and beside itself on every core.\n"
    );
    sweep_table(&read("sweep"));
    println!("## The poller beside a bare client loop\n");
    println!(
        "The same server (MiniStack, and for RabbitMQ the broker itself, over loopback), the same function (a web server \
         in another process), the same concurrency; 200-byte payloads; rounds in turns, medians (min..max). The bare loop receives, builds the event with \
         `serde_json`, invokes, and deletes or goes on, without any semantics. Read limits per shard are lifted for both. Processor time is that of the \
         client process. Target: at least 0.9 of the bare loop's throughput.\n"
    );
    poller_table(&read("poller"));
    println!("## Filters\n");
    println!(
        "Records judged by compiled filter criteria; names say source and pattern. Target: 2 million small records \
         per second.\n"
    );
    rates(&benches, "filter", false);
    println!("## Engine\n");
    println!(
        "The machines that simulator and poller share, with a driver that answers every action at once and records \
         without payload. Target: at most 150 ns a record of a stream in batches of 100.\n"
    );
    rates(&benches, "engine", false);
    println!("## Event set\n");
    println!(
        "Hold model: take the next event and schedule one an exponential time later, the number pending being \
         constant; million holds per second, medians. No target; the simulator uses the calendar.\n"
    );
    holds(&benches);
    let mut others: Vec<&str> = benches.iter().map(|bench| bench.group.as_str()).collect();
    others.dedup();
    for group in others.into_iter().filter(|group| !KNOWN.contains(group)) {
        println!("## {group}\n\nMedian over criterion's samples (min..max).\n");
        let mut of_group = benches.iter().filter(|bench| bench.group == group);
        if of_group.all(|bench| bench.rate.median < 1e3) {
            times(&benches, group);
        } else {
            rates(&benches, group, false);
        }
    }
    Ok(())
}

fn machine(date: &str, compiler: &str, load: &str) {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown", |(_, model)| model);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let kernel = kernel.split('-').next().unwrap_or_default().trim();
    println!("- date: {date}");
    println!("- processor: {model}, {cores} cores");
    println!(
        "- system: {} {kernel}, {}",
        std::env::consts::OS,
        std::env::consts::ARCH
    );
    println!("- compiler: {compiler}");
    println!("- load average before the run: {load}");
    println!(
        "\nFigures of different tables may come from moments of different load; ratios are of one run.\n"
    );
}

/// Elements per second that a scenario must reach.
fn target(name: &str) -> Option<f64> {
    match name {
        name if name.starts_with("calls, ") && name.ends_with(" duration") => Some(8e6),
        "calls, 1,000 functions" => Some(3e6),
        "calls, 100,000 running" => Some(5e6),
        name if name.starts_with("SQS fifo") || name.starts_with("SQS, batches of 1,") => Some(1e6),
        name if name.starts_with("SQS") => Some(3e6),
        name if name.starts_with("Kinesis, 10 lanes") => Some(5e6),
        name if name.starts_with("Kinesis") || name.starts_with("Kafka") => Some(20e6),
        _ => None,
    }
}

fn rates(benches: &[Bench], group: &str, targets: bool) {
    let of_group = benches.iter().filter(|bench| bench.group == group);
    let (heads, rules) = if targets {
        (" target | met |", "---:|---|")
    } else {
        ("", "")
    };
    println!("| | million/s | ns each |{heads}\n|---|---:|---:|{rules}");
    for bench in of_group {
        let Spread { median, min, max } = bench.rate;
        let (rate, low, high) = (median / 1e6, min / 1e6, max / 1e6);
        let each = 1e9 / median;
        let unit = if bench.bytes { " (bytes)" } else { "" };
        print!(
            "| {}{unit} | {rate:.2} ({low:.2}..{high:.2}) | {each:.2} |",
            bench.name
        );
        match target(&bench.name).filter(|_| targets) {
            Some(target) => {
                let met = match () {
                    () if median >= target => "yes",
                    () if max >= target => "at the fastest",
                    () => "no",
                };
                println!(" {:.0} | {met} |", target / 1e6);
            }
            None if targets => println!(" | |"),
            None => println!(),
        }
    }
    println!();
}

/// What takes a millisecond or more.
fn times(benches: &[Bench], group: &str) {
    println!("| | ms |\n|---|---:|");
    for bench in benches.iter().filter(|bench| bench.group == group) {
        let Spread { median, min, max } = bench.rate;
        let [middle, low, high] = [median, max, min].map(|rate| 1e3 / rate);
        println!("| {} | {middle:.0} ({low:.0}..{high:.0}) |", bench.name);
    }
    println!();
}

fn holds(benches: &[Bench]) {
    let holds: Vec<&Bench> = benches
        .iter()
        .filter(|bench| bench.group == "hold")
        .collect();
    println!("| pending | 100 | 1,000 | 10,000 | 100,000 | 1,000,000 |");
    println!("|---|---:|---:|---:|---:|---:|");
    for name in ["calendar", "4-ary heap", "radix heap", "std BinaryHeap"] {
        print!("| {name} |");
        for pending in ["100", "1000", "10000", "100000", "1000000"] {
            let bench = holds
                .iter()
                .find(|bench| bench.name == name && bench.value.as_deref() == Some(pending));
            match bench {
                Some(bench) => print!(" {:.1} |", bench.rate.median / 1e6),
                None => print!(" – |"),
            }
        }
        println!();
    }
    println!();
}

fn erlang(text: &str) {
    for (key, what) in [
        ("waiting", "Share of customers that wait"),
        ("wait", "Mean wait over mean service time"),
    ] {
        let (found, exact) = (column(text, key, 1), column(text, key, 2));
        if let ([found, ..], [exact, ..]) = (found.as_slice(), exact.as_slice()) {
            println!("- {what}: {found:.5} over 40 million customers; exactly {exact:.5}");
        }
    }
    println!();
}

fn found(text: &str) {
    println!("| mean over the rounds | tidegate | SimFaaS |\n|---|---:|---:|");
    for (what, at) in [
        ("share of cold starts", 2),
        ("environments", 5),
        ("running", 8),
    ] {
        let mean = |at| {
            let values = column(text, "found", at);
            values.iter().sum::<f64>() / values.len().max(1) as f64
        };
        println!("| {what} | {:.4} | {:.4} |", mean(at), mean(at + 1));
    }
    println!();
}
