//! Kill storms: a poller under load is killed at random moments and started again, over and over.
//!
//! `TIDEGATE_KILLS` says how often each source's pollers are killed. The kills are shared out over a few pollers, each with
//! a queue, stream or topic of its own, because a process that died is only missed after a while.

use super::evidence::{Log, Pass, Tally, distinct, judge};
use super::sources::{Kind, Source};
use super::traffic::Traffic;
use crate::support::eventually_within;
use std::thread;
use std::time::{Duration, Instant};
use tidegate::engine::Rng;

/// Long enough for a machine that does much else. Kafka takes 10 s to miss a member.
const PATIENCE: Duration = Duration::from_secs(120);
/// A kill comes at most this long after the first delivery, or after the start.
const MOMENT_MAX_MS: u64 = 400;

struct Storm {
    kills: usize,
    /// Kills after which something had been delivered by that process.
    at_work: usize,
    tally: Tally,
}

fn kills(default: usize) -> usize {
    let kills = std::env::var("TIDEGATE_KILLS").ok();
    let kills = kills.map(|text| text.parse().expect("TIDEGATE_KILLS is a number"));
    kills.unwrap_or(default)
}

/// A few kills, or as many as are asked for, of several pollers at once.
fn storm(kind: Kind) {
    // A group waits for a member that is gone: many groups at once take no longer than one.
    let (default, pollers) = match kind {
        Kind::Kafka => (6, 10),
        _ => (8, 2),
    };
    let (begun, kills) = (Instant::now(), kills(default));
    let share = |index: usize| kills / pollers + usize::from(index < kills % pollers);
    let alone = |index: usize| {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().build().expect("a runtime");
        runtime.block_on(survive(kind, index, share(index)))
    };
    let storms: Vec<Storm> = thread::scope(|scope| {
        let threads: Vec<_> = (0..pollers.min(kills))
            .map(|index| scope.spawn(move || alone(index)))
            .collect();
        let joined = threads.into_iter().map(thread::ScopedJoinHandle::join);
        joined
            .map(|it| it.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    });
    let mut tally = Tally::default();
    storms.iter().for_each(|storm| tally.add(storm.tally));
    let at_work: usize = storms.iter().map(|storm| storm.at_work).sum();
    assert_eq!(storms.iter().map(|storm| storm.kills).sum::<usize>(), kills);
    assert!(
        2 * at_work >= kills,
        "{at_work} of {kills} kills hit a poller at work"
    );
    if let Some(max) = kind.again_max() {
        assert!(
            tally.again() <= kills * max,
            "{tally:?} after {kills} kills"
        );
    }
    // The row of a report; see scripts/reliability.d/kills.
    crate::support::row(&format!(
        "kills: | {} | {kills} | {at_work} | {} | {} | {} | 0 | {} s |",
        kind.name(),
        tally.records,
        tally.again(),
        tally.again_most,
        begun.elapsed().as_secs()
    ));
}

async fn survive(kind: Kind, index: usize, kills: usize) -> Storm {
    let source = Source::create(kind).await;
    let mut poller = source.poller(&source.address());
    let mut random = Rng::stream(8, &format!("kills/{}/{index}", kind.name()));
    let traffic = Traffic::default();
    let killer = async {
        let mut passes: Vec<Pass> = Vec::new();
        let mut at_work = 0;
        let mut kill = 0;
        loop {
            let begins = source.begins(&poller);
            let name = format!("process-{kill}.jsonl");
            poller.logs_to(&name);
            let log = Log::of(kind, poller.path(&name));
            let mut pass = Pass { log, begins };
            let running = poller.start(&[]);
            if kill == kills {
                traffic.over.set(true);
                passes.push(pass);
                break (passes, at_work, running);
            }
            // Most kills hit a process at work, and some hit one that has just been born.
            let moment = Duration::from_millis(random.below(MOMENT_MAX_MS));
            if random.below(8) > 0 {
                let what = format!("{}: something delivered by process {kill}", kind.name());
                eventually_within(PATIENCE, &what, async || {
                    pass.log.look();
                    (!pass.log.seen.is_empty()).then_some(())
                })
                .await;
            }
            tokio::time::sleep(moment).await;
            running.kill();
            pass.log.look();
            at_work += usize::from(!pass.log.seen.is_empty());
            passes.push(pass);
            traffic.seen.set(distinct(&mut passes));
            kill += 1;
        }
    };
    let ((), (mut passes, at_work, running)) = tokio::join!(traffic.flow(&source), killer);
    let written = traffic.written();
    eventually_within(
        PATIENCE,
        &format!("{}: every record", kind.name()),
        async || (distinct(&mut passes) == written).then_some(()),
    )
    .await;
    let what = format!("{}: nothing left", kind.name());
    eventually_within(PATIENCE, &what, async || {
        source.is_settled().await.then_some(())
    })
    .await;
    // Until it polls, a signal ends it like any program.
    running.await_output("polling");
    let ended = running.terminate();
    assert!(ended.status.success(), "{ended:?}");
    assert!(
        source.is_empty().await,
        "{}: something is left",
        kind.name()
    );
    passes.iter_mut().for_each(|pass| pass.log.look());
    Storm {
        kills,
        at_work,
        tally: judge(kind, written, &passes),
    }
}

of_every_source!(survives_a_storm_of_kills: super::super::storm);
