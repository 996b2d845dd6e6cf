//! Schemas of what many runs gave: sweeps, searches and benches.

use super::{
    count, document, flag, list, map, named, object, optional, real, setting, text, texts,
};
use serde_json::{Value, json};

/// What may be missing is there all the same, as `null`.
fn or_null(value: &Value) -> Value {
    json!({ "anyOf": [value, { "type": "null" }] })
}

pub(super) fn sweep() -> Value {
    let axis = object([("name", text()), ("values", texts())]);
    let units = json!({ "enum": ["count", "ms", "s", "share", "usd"] });
    let measure = object([("name", text()), ("unit", units)]);
    let mean = optional(
        object([("mean", real()), ("low", real()), ("high", real())]),
        &["low", "high"],
    );
    let variant = object([
        ("variant", json!({ "type": "integer", "minimum": 1 })),
        ("values", texts()),
        ("scenario_hash", text()),
        ("seed", count()),
        ("replications", count()),
        ("gates_passed", count()),
        ("passed", list(&flag())),
        ("on_front", flag()),
        ("figures", list(&mean)),
        ("runs", list(&list(&real()))),
    ]);
    let front = json!({ "type": "array", "items": count(), "minItems": 2, "maxItems": 2 });
    let top = object([
        ("tidegate", text()),
        ("scenario", text()),
        ("scenario_hash", text()),
        ("profile", text()),
        ("plan", text()),
        ("sample", text()),
        ("replications", text()),
        ("axes", list(&axis)),
        ("measures", list(&measure)),
        ("pareto", front),
        ("variants", list(&named("variant"))),
    ]);
    document(
        "tidegate sweep",
        optional(top, &["pareto"]),
        vec![("variant", optional(variant, &["gates_passed", "passed"]))],
    )
}

pub(super) fn shard() -> Value {
    let seed = or_null(&count());
    let asked = object([
        ("vary", texts()),
        ("sample", text()),
        ("metrics", texts()),
        ("pareto", texts()),
        ("seed", seed),
        ("replications", count()),
        ("replications_max", count()),
        ("precision", or_null(&text())),
    ]);
    let plan = object([
        ("tidegate", text()),
        ("scenario", text()),
        ("scenario_hash", text()),
        ("profile", text()),
        ("scenario_seed", count()),
        ("asked", asked),
    ]);
    let variant = object([
        ("variant", json!({ "type": "integer", "minimum": 1 })),
        ("scenario_hash", text()),
        ("seed", count()),
        ("passed", list(&or_null(&flag()))),
        (
            "runs",
            json!({
                "description": "figures of each run as texts, in the order of the plan",
                "type": "array", "items": texts()
            }),
        ),
    ]);
    let top = object([
        ("format", json!({ "const": crate::study::SHARD_FORMAT })),
        ("plan", plan),
        ("plan_hash", text()),
        ("shards", count()),
        ("covers", list(&count())),
        ("variants", list(&variant)),
        ("digest", text()),
    ]);
    document("tidegate shard", top, Vec::new())
}

pub(super) fn tune() -> Value {
    let measured = object([
        ("measure", text()),
        ("mean", real()),
        ("low", real()),
        ("high", real()),
        ("shown", text()),
        ("met", flag()),
    ]);
    let candidate = object([
        ("name", text()),
        ("changes", list(&setting())),
        ("replications", count()),
        ("goals", list(&named("measured"))),
        ("objective", named("measured")),
        ("difference", text()),
    ]);
    let step = object([
        ("path", text()),
        ("from", text()),
        ("to", text()),
        ("candidate", named("candidate")),
    ]);
    let pair = json!({
        "description": "a path, and its values in words",
        "type": "array", "items": text(), "minItems": 2, "maxItems": 2
    });
    let top = object([
        ("tidegate", text()),
        ("scenario", text()),
        ("scenario_hash", text()),
        ("seed", count()),
        ("goals", texts()),
        ("objective", text()),
        ("over", list(&pair)),
        ("met", flag()),
        ("best", named("candidate")),
        ("as_it_is", named("candidate")),
        ("reasons", texts()),
        ("steps", list(&step)),
        ("runners_up", list(&named("candidate"))),
        ("tried", count()),
        ("refused", count()),
        ("refusal", text()),
        ("combinations", count()),
        ("runs", count()),
        ("budget", count()),
        ("budget_is_spent", flag()),
    ]);
    document(
        "tidegate tune",
        optional(top, &["refusal"]),
        vec![("measured", measured), ("candidate", candidate)],
    )
}

pub(super) fn bench() -> Value {
    let times = or_null(&named("percentiles"));
    let load = object([
        ("Rate", real()),
        ("Records", or_null(&count())),
        ("MeasuredS", real()),
        ("WarmUpS", real()),
    ]);
    let side = object([
        ("RecordsPerS", real()),
        ("MegabytesPerS", real()),
        ("Records", count()),
        ("Missing", count()),
        ("Repeated", count()),
        ("Errors", count()),
        ("Throttles", count()),
        ("HopSentMs", times.clone()),
        ("HopAnsweredMs", times.clone()),
        ("AgeMs", times.clone()),
        ("WriteMs", times),
        ("BatchRecords", named("percentiles")),
        ("DurationMs", named("percentiles")),
        ("Concurrency", real()),
        ("ConcurrencyMax", count()),
        ("CpuUsPerRecord", real()),
        ("MemoryBytesPerRecord", real()),
        ("RequestsPerRecord", real()),
        ("EmptyReadsPerRecord", real()),
    ]);
    let ratios = ["RecordsPerS", "HopP50", "HopP99", "Cpu", "Requests"];
    let ratios = object(ratios.map(|key| (key, real())));
    let compared = object([
        ("measured", real()),
        ("predicted", real()),
        ("error", real()),
    ]);
    let point = object([
        ("Mapping", text()),
        ("SourceType", text()),
        ("Settings", map(&text())),
        ("Load", load),
        ("Poller", named("side")),
        ("Bare", or_null(&named("side"))),
        ("Ratios", or_null(&ratios)),
        ("Prediction", or_null(&named("prediction"))),
        ("NotPredicted", json!({ "type": ["string", "null"] })),
    ]);
    let figures = [
        "RecordsPerS",
        "Concurrency",
        "HopP50Ms",
        "HopP99Ms",
        "AgeP50Ms",
        "AgeP99Ms",
    ];
    let prediction = object(figures.map(|key| (key, compared.clone())));
    let top = object([
        ("Tidegate", text()),
        ("Title", text()),
        ("Hash", text()),
        ("Notes", texts()),
        ("Points", list(&point)),
    ]);
    document(
        "tidegate bench",
        top,
        vec![("side", side), ("prediction", prediction)],
    )
}
