//! Sweeps in small: the same bytes whatever threads, shards and interruptions there are.

use super::*;
use crate::scenario::{Scenario, SourceText, parse};
use std::io;
use std::num::NonZeroU32;

const TEXT: &str = r#"
title = "Swept"
duration = "20s"
seed = 3
[[function]]
name = "f"
duration = { exponential = { mean = "90ms" } }
reserved_concurrency = 3
[[traffic]]
function = "f"
rate = 20
[[gate]]
metric = "f.Throttles"
max = 300
"#;

fn asked(vary: &[&str]) -> Asked {
    Asked {
        vary: vary.iter().map(|it| (*it).to_owned()).collect(),
        sample: "grid".to_owned(),
        replications: 3,
        replications_max: 3,
        ..Asked::default()
    }
}

struct World {
    source: SourceText,
    base: Scenario,
    plan: Plan,
    measures: Vec<Measure>,
}

impl World {
    fn new(asked: Asked) -> Self {
        let source = SourceText::new("s.toml", TEXT);
        let base = parse(source.clone()).expect("a sound scenario").scenario;
        let (plan, measures) = Plan::new(asked, &base).expect("a sound plan");
        Self {
            source,
            base,
            plan,
            measures,
        }
    }

    fn sheet(&self) -> Sheet<'_> {
        Sheet {
            source: &self.source,
            plan: &self.plan,
            measures: &self.measures,
        }
    }

    fn part(&self, shard: Shard, jobs: u32, results: &mut Results) -> Part {
        let sheet = self.sheet();
        let jobs = NonZeroU32::new(jobs).expect("not zero");
        let ended = sweep(
            &sheet,
            shard,
            jobs,
            results,
            || (),
            |_| Ok::<(), io::Error>(()),
        );
        ended.expect("nobody stops it");
        assert_eq!(results.left(&self.plan, shard), 0);
        let known = parse(self.source.clone()).expect("sound").warnings;
        let checked = sheet.check(&shard.variants(&self.plan), &self.base, &known, jobs);
        assert!(checked.refused.is_empty());
        Part::of(&self.plan, shard, &checked.facts, results)
    }

    fn whole(&self, jobs: u32) -> String {
        self.part(Shard::WHOLE, jobs, &mut Results::default())
            .to_json()
    }
}

const TWO_AXES: [&str; 2] = [
    "function.f.reserved_concurrency=1,2,3",
    "traffic.f.rate=10..30:2",
];

#[test]
fn threads_leave_no_trace() {
    let world = World::new(asked(&TWO_AXES));
    let alone = world.whole(1);
    assert_eq!(alone, world.whole(2));
    assert_eq!(alone, world.whole(5));
}

#[test]
fn variants_have_the_same_seeds_and_their_own_figures() {
    let world = World::new(asked(&TWO_AXES));
    let part = world.part(Shard::WHOLE, 2, &mut Results::default());
    let summary = part.summary();
    assert_eq!(summary.variants.len(), 6);
    assert!(summary.variants.iter().all(|point| point.seed == 3));
    // Every figure of a run is that of the same scenario and seed run alone.
    let text = TEXT
        .replace("reserved_concurrency = 3", "reserved_concurrency = 2")
        .replace("rate = 20", "rate = 30");
    let changed = parse(SourceText::new("s.toml", text)).expect("sound");
    let point = &summary.variants[3];
    assert_eq!(point.values, ["2", "30"]);
    assert_eq!(point.scenario_hash, changed.scenario.hash);
    let alone = crate::sim::run(&changed.scenario, 5, &mut ()).expect("sound limits");
    let expected: Vec<f64> = world
        .measures
        .iter()
        .map(|measure| measure.of(&alone.summary))
        .collect();
    assert_eq!(point.runs[2], expected);
    assert!(expected[1] > 0.0, "some calls are refused");
    // Gates are judged run by run.
    let refused = |run: &Vec<f64>| run[1];
    for point in &summary.variants {
        let passed: Vec<bool> = point.runs.iter().map(|run| refused(run) <= 300.0).collect();
        let count = passed.iter().filter(|passed| **passed).count() as u32;
        assert_eq!((&point.passed, point.gates_passed), (&passed, Some(count)));
    }
    let counts: Vec<Option<u32>> = summary.variants.iter().map(|it| it.gates_passed).collect();
    assert!(
        counts.contains(&Some(0)) && counts.contains(&Some(3)),
        "{counts:?}"
    );
    // A run by number is the same run.
    let scenario = world.sheet().scenario(3).expect("sound");
    let again = run_one(&world.sheet(), &scenario, 2, &mut ()).expect("sound limits");
    assert_eq!(again.summary.seed, 5);
    assert_eq!(world.measures[0].of(&again.summary), expected[0]);
}

#[test]
fn shards_in_any_order_give_the_whole() {
    let world = World::new(asked(&TWO_AXES));
    let whole = world.whole(2);
    let summary = |part: &Part| serde_json::to_string(&part.summary()).expect("a document");
    let whole = summary(&Part::from_json(&whole).expect("its own file"));
    for count in [2, 3, 4, 9] {
        let parts: Vec<Part> = (1..=count)
            .map(|index| {
                let shard = Shard::new(index, count).expect("a shard");
                let part = world.part(shard, 1, &mut Results::default());
                Part::from_json(&part.to_json()).expect("its own file")
            })
            .collect();
        let join = |one: &Part, other: &Part| {
            let joined = one.clone().join(other.clone(), ("one", "other"));
            joined.expect("they go together")
        };
        let forward = parts[1..]
            .iter()
            .fold(parts[0].clone(), |sum, part| join(&sum, part));
        let backward = parts[..parts.len() - 1]
            .iter()
            .rev()
            .fold(parts[parts.len() - 1].clone(), |sum, part| join(part, &sum));
        assert!(forward.missing().is_empty());
        assert_eq!(forward.to_json(), backward.to_json());
        assert_eq!(summary(&forward), whole, "{count} shards");
        let twice = forward.join(parts[0].clone(), ("one", "other"));
        let told = twice.unwrap_err().to_string();
        assert!(told.contains(&format!("shard 1/{count} is in one and in other")));
    }
}

#[test]
fn parts_that_do_not_go_together_are_refused() {
    let parts = |texts: &[Asked]| -> Vec<(String, Part)> {
        let each = texts.iter().zip(1..).map(|(asked, index)| {
            let world = World::new(asked.clone());
            let shard = Shard::new(index, 2).expect("a shard");
            let part = world.part(shard, 1, &mut Results::default());
            (format!("{index}.json"), part)
        });
        each.collect()
    };
    let one = asked(&["traffic.f.rate=10,20"]);
    let other = Asked {
        seed: Some(9),
        ..one.clone()
    };
    let error = merge(parts(&[one.clone(), other])).unwrap_err();
    assert!(matches!(error, MergeError::Plan { .. }), "{error}");
    let mut sound = parts(&[one.clone(), one]);
    let (name, first) = sound.remove(0);
    let error = merge(vec![
        (name.clone(), first.clone()),
        ("again.json".to_owned(), first.clone()),
    ]);
    let told = error.unwrap_err().to_string();
    assert_eq!(
        told,
        "shard 1/2 is in 1.json and in again.json; give one of them"
    );
    assert_eq!(first.missing(), [Shard::new(2, 2).expect("a shard")]);
    let text = first.to_json();
    for (changed, wanted) in [
        (text[..text.len() / 2].to_owned(), "it is cut off"),
        (
            text.replacen("tidegate sweep shard 2", "tidegate sweep shard 9", 1),
            "its format is `tidegate sweep shard 9`",
        ),
        (
            text.replacen(env!("CARGO_PKG_VERSION"), "0.0.1", 1),
            "written by tidegate 0.0.1",
        ),
        (
            text.replacen("\"seed\": 3", "\"seed\": 4", 1),
            "do not fit its digest",
        ),
        (
            text.replacen("rate=10,20", "rate=10,21", 1),
            "does not fit its hash",
        ),
        (
            text.replacen("rate=10,20", "rate=10", 1),
            "does not fit its hash",
        ),
    ] {
        let told = Part::from_json(&changed).unwrap_err().to_string();
        assert!(told.contains(wanted), "{told}");
    }
}

#[test]
fn an_interrupted_sweep_goes_on_where_it_stopped() {
    let world = World::new(asked(&TWO_AXES));
    let expected = world.whole(1);
    let folder = tempfile::tempdir().expect("a folder");
    let two = NonZeroU32::new(2).expect("not zero");
    for stop_after in [0, 1, 7, 17] {
        let (mut journal, mut results) =
            Journal::open(folder.path(), &world.plan, Shard::WHOLE).expect("a new journal");
        let mut told = 0;
        let stop = |heard: Heard<'_>| match heard {
            Heard::Wanted(_) => Ok(()),
            Heard::Done(_) if told == stop_after => Err(io::Error::other("enough")),
            Heard::Done(run) => {
                told += 1;
                journal.add(run).map_err(io::Error::other)
            }
        };
        let ended = sweep(&world.sheet(), Shard::WHOLE, two, &mut results, || (), stop);
        assert!(matches!(ended, Err(SweepError::Stopped(_))));
        drop(journal);
        // A kill may leave the beginning of a line.
        let path = folder.path().join(".sweep.journal");
        let mut bytes = std::fs::read(&path).expect("a journal");
        bytes.extend_from_slice(b"6 3 pass 0.1");
        std::fs::write(&path, bytes).expect("a journal");
        let (mut journal, mut results) =
            Journal::open(folder.path(), &world.plan, Shard::WHOLE).expect("the same journal");
        assert!(
            results.count() >= stop_after,
            "those that were told are kept"
        );
        assert_eq!(
            results.left(&world.plan, Shard::WHOLE),
            18 - results.count()
        );
        let ended = sweep(
            &world.sheet(),
            Shard::WHOLE,
            two,
            &mut results,
            || (),
            |heard| match heard {
                Heard::Wanted(_) => Ok(()),
                Heard::Done(run) => journal.add(run),
            },
        );
        ended.expect("nobody stops it");
        let part = world.part(Shard::WHOLE, 1, &mut results);
        assert_eq!(part.to_json(), expected);
        journal.finish().expect("it can be removed");
        assert!(!path.exists());
    }
}

#[test]
fn a_journal_of_something_else_is_refused() {
    let world = World::new(asked(&TWO_AXES));
    let folder = tempfile::tempdir().expect("a folder");
    let open = |plan: &Plan| {
        let opened = Journal::open(folder.path(), plan, Shard::WHOLE);
        opened.map(drop).map_err(|error| error.to_string())
    };
    let (held, _) = Journal::open(folder.path(), &world.plan, Shard::WHOLE).expect("a journal");
    assert!(open(&world.plan).unwrap_err().contains("another process"));
    drop(held);
    let other = World::new(Asked {
        seed: Some(4),
        ..asked(&TWO_AXES)
    });
    let told = open(&other.plan).unwrap_err();
    assert!(told.contains("the journal of another sweep"), "{told}");
    let path = folder.path().join(".sweep.journal");
    let head = std::fs::read_to_string(&path).expect("a journal");
    for damaged in [
        "1 1 - 5",
        "0 1 - 5 5 5 5",
        "7 1 - 5 5 5 5",
        "1 1 - 5 x 5 5",
        "1 1 maybe 5 5 5 5",
        "1 1 5 5 5 5",
        "x",
    ] {
        let lines = format!("{head}1 1 - 5 5 5 5\n{damaged}\n");
        std::fs::write(&path, lines).expect("a journal");
        let told = open(&world.plan).unwrap_err();
        assert!(told.contains("line 3 of the journal"), "{told}");
        assert!(told.contains(damaged), "{told}");
    }
    std::fs::write(&path, "something else\n").expect("a file");
    assert!(
        open(&world.plan)
            .unwrap_err()
            .contains("is not the journal")
    );
    assert_eq!(
        std::fs::read_to_string(&path).expect("still there"),
        "something else\n"
    );
}

#[test]
fn replications_go_on_until_a_figure_is_known() {
    let world = World::new(Asked {
        metrics: vec!["f.Throttles.Sum".to_owned()],
        precision: Some("10%".to_owned()),
        replications: 2,
        replications_max: 12,
        ..asked(&["function.f.reserved_concurrency=1,2,9"])
    });
    let whole = world.whole(1);
    assert_eq!(whole, world.whole(3));
    let summary = Part::from_json(&whole).expect("its own file").summary();
    let counts: Vec<u32> = summary.variants.iter().map(|it| it.replications).collect();
    assert_eq!(counts[2], 2, "nothing is refused, which is known at once");
    assert!(counts.iter().any(|count| *count > 2), "{counts:?}");
    for point in &summary.variants {
        let figure = point.figures[0];
        let half = figure.half().expect("an interval");
        assert!(half <= 0.1 * figure.mean || point.replications == 12);
    }
}

#[test]
fn everything_that_is_wrong_with_a_plan_is_told() {
    let source = SourceText::new("s.toml", TEXT);
    let base = parse(source).expect("sound").scenario;
    let told = |asked: Asked| -> String {
        let problems = Plan::new(asked, &base).expect_err("no plan");
        let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
        texts.join("\n")
    };
    let wrong = Asked {
        sample: "lhs:0".to_owned(),
        metrics: vec!["f.Latency.p98".to_owned(), "g.Latency.p99".to_owned()],
        pareto: vec!["f.Latency.p99".to_owned()],
        replications_max: 2,
        precision: Some("0%".to_owned()),
        seed: Some(1),
        ..asked(&[
            "a",
            "traffic.f.rate=1",
            "traffic.f.rate=2",
            "traffic.f=3",
            "seed=1,2",
        ])
    };
    let all = told(wrong);
    for wanted in [
        "`a` is no axis",
        "`traffic.f.rate` is varied twice",
        "`traffic.f.rate` is inside `traffic.f`",
        "the seed is given by --seed",
        "`lhs:0` is no sample",
        "`0%` is no precision",
        "at most 2 replications are fewer than the 3",
        "`f.Latency` has no statistic `p98`",
        "no metric `g.Latency`",
        "does not name two figures",
    ] {
        assert!(all.contains(wanted), "{wanted} is not in:\n{all}");
    }
    assert!(told(asked(&[])).contains("there is no axis"));
    assert!(told(asked(&["seed=1..9"])).contains("a grid needs to know"));
    let huge = told(asked(&["a.x=1..99999:step1", "b.x=1..99999:step1"]));
    assert!(huge.contains("that makes 9999800001 variants"), "{huge}");
    let alone = told(Asked {
        replications_max: 9,
        ..asked(&["seed=1,2"])
    });
    assert!(alone.contains("without --precision"), "{alone}");
    let nothing = told(Asked {
        precision: Some("2%".to_owned()),
        ..asked(&["seed=1,2"])
    });
    assert!(nothing.contains("name them with --metric"), "{nothing}");
}

#[test]
fn variants_that_the_file_refuses_are_told_together() {
    let world = World::new(asked(&[
        "function.f.reserved_concurrency=1,99999",
        "traffic.f.rate=1,-5,x",
    ]));
    let two = NonZeroU32::new(2).expect("not zero");
    let known = parse(world.source.clone()).expect("sound").warnings;
    let all = Shard::WHOLE.variants(&world.plan);
    let checked = world.sheet().check(&all, &world.base, &known, two);
    let shown: Vec<(Vec<u32>, String)> = checked
        .refused
        .iter()
        .map(|finding| (finding.variants.clone(), finding.common.join(" ")))
        .collect();
    assert_eq!(checked.facts.keys().copied().collect::<Vec<_>>(), [0]);
    let reserved = "function.f.reserved_concurrency";
    assert_eq!(
        shown,
        [
            (vec![2, 5], "traffic.f.rate=-5".to_owned()),
            (vec![3, 6], "traffic.f.rate=x".to_owned()),
            (vec![4, 5, 6], format!("{reserved}=99999")),
        ]
    );
    assert_eq!(checked.wrong, 5);
    let renamed = World::new(asked(&["function.f.name=\"f\",\"g\""]));
    let checked = renamed.sheet().check(&[0, 1], &renamed.base, &known, two);
    assert_eq!(checked.facts.len(), 1);
    assert_eq!(checked.refused[0].variants, [2]);
}
