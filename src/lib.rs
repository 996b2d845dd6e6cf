//! Event-source poller and scaling simulator for AWS Lambda.
//!
//! The rules of event source mappings and of Lambda's concurrency are written once, as state machines without a clock,
//! a thread or a socket ([`engine`]). Two drivers run them: `poll` in real time against real services, [`sim`] in
//! virtual time against models. What the simulator predicts is what the poller does, because it is the same code.
//!
//! ```text
//!                  scenario files, poller files
//!                               │  scenario: parse, check, report everything wrong at once
//!                               ▼
//!  real services ◀─▶ poll ──▶ engine ◀── sim ◀─▶ modelled services, functions, faults
//!  source, target     │      (pure)       │
//!                     └────▶ facts ◀──────┘
//!                               │  metrics: counts, histograms, series
//!                               ▼
//!                            report: text, JSON, CSV, HTML
//! ```
//!
//! # The drain contract
//!
//! A driver gives a [`Mapping`](engine::Mapping) one input (`handle` or `handle_timeout`), then takes its outputs until
//! there are none (`poll_fact`, `poll_action`), then asks when it wants to be woken (`poll_wake`, which is in the future
//! by then), and only then gives it the next input. Two inputs in a row are an error in the driver, and the engine
//! says so. [`pump`](engine::pump()) keeps the contract for both drivers: an answer that a driver has at once is an input
//! like any other, and is put in line until everything else is drained.
//!
//! # Running a scenario
//!
//! ```
//! use tidegate::scenario::{SourceText, parse};
//! use tidegate::{metrics, report, sim};
//!
//! let text = r#"
//!     duration = "1m"
//!     [[function]]
//!     name = "hello"
//!     duration = "100ms"
//!     reserved_concurrency = 1
//!     [[traffic]]
//!     function = "hello"
//!     rate = 20
//! "#;
//! let loaded = parse(SourceText::new("hello.toml", text)).expect("a sound scenario");
//! let run = sim::run(&loaded.scenario, 1, &mut ())?;
//!
//! // Twenty calls of 100 ms a second are an offered load of 2: one environment can take a third of it (Erlang B).
//! let (name, hello) = &run.summary.functions[0];
//! let refused = hello.throttles.value / (hello.throttles.value + hello.invocations.value);
//! assert_eq!(name, "hello");
//! assert!((0.6..0.75).contains(&refused), "{refused}");
//! assert!(report::text(&run.summary, &run.series, Default::default()).contains("hello"));
//!
//! // A gate says whether that is good enough. Here it is not.
//! let gate = metrics::Threshold {
//!     metric: "hello.Throttles".to_owned(),
//!     statistic: "Sum".parse().expect("a statistic"),
//!     max: Some(0.0),
//!     min: None,
//! };
//! assert!(!metrics::evaluate(&run.summary, &gate)[0].pass);
//!
//! // What is wrong with a file is told all at once, before anything runs.
//! let wrong = text.replace("100ms", "100").replace("rate = 20", "rate = -1");
//! let report = parse(SourceText::new("hello.toml", wrong)).expect_err("two mistakes");
//! let codes: Vec<&str> = report.items().iter().map(|item| item.code).collect();
//! assert_eq!(codes, ["missing-unit", "out-of-range"]);
//! # Ok::<(), tidegate::engine::lambda::LimitError>(())
//! ```

// Not for tests and benchmarks, of which nothing is reachable from outside.
#![warn(unreachable_pub)]

#[cfg(feature = "poller")]
pub mod bench;
pub mod cli;
pub mod cost;
#[cfg(feature = "poller")]
pub mod destination;
pub mod engine;
#[doc(hidden)]
pub mod fuzzing;
#[cfg(feature = "poller")]
pub mod invoke;
pub mod metrics;
#[cfg(feature = "poller")]
pub mod poll;
pub mod report;
pub mod scenario;
pub mod sim;
#[cfg(feature = "poller")]
pub mod source;
pub mod study;
pub mod swarm;
#[cfg(feature = "poller")]
pub mod target;
