//! How a function, or one of its versions, behaves: the keys that both have.

use super::convert::{boolean, choice, duration, duration_in, integer, ratio};
use super::diagnostic::Diagnostic;
use super::dist;
use super::functions::{MEMORY_MB, TIMEOUTS};
use super::model::{Dist, Function};
use super::read::{At, Cx, Table};
use crate::engine::{Span, limits};
use std::ops::Range;

/// Restores of a function that says nothing of them. Ours: AWS promises less than a second.
const RESTORE_DEFAULT: f64 = 200_000_000.0;

/// Shortest lifetime: environments that come and go faster are not what this models.
const LIFETIME_MIN: f64 = 60e9;

/// SnapStart, which a function hands on to its versions.
#[derive(Clone, Debug)]
pub(super) struct SnapStart {
    pub(super) is_on: bool,
    restore: Dist,
}

impl Default for SnapStart {
    fn default() -> Self {
        Self {
            is_on: false,
            restore: Dist::Constant(RESTORE_DEFAULT),
        }
    }
}

impl SnapStart {
    /// What the table says, and what it leaves out as it was.
    pub(super) fn read(&self, table: &mut Table<'_>, cx: &mut Cx) -> Self {
        Self {
            is_on: table.opt(cx, "snap_start", boolean).unwrap_or(self.is_on),
            restore: table
                .opt(cx, "restore", dist::time)
                .unwrap_or_else(|| self.restore.clone()),
        }
    }

    /// The restores of a published version.
    pub(super) fn restores(&self) -> Option<Dist> {
        self.is_on.then(|| self.restore.clone())
    }
}

/// The behaviour that the table describes; what it leaves out is as in `base`.
pub(super) fn read(table: &mut Table<'_>, cx: &mut Cx, base: Function) -> Function {
    let mut function = base;
    let time = |table: &mut Table<'_>, cx: &mut Cx, key| table.opt(cx, key, dist::time);
    set(&mut function.duration, time(table, cx, "duration"));
    set(&mut function.init, time(table, cx, "init"));
    let cold = time(table, cx, "cold_duration");
    function.cold_duration = cold.or(function.cold_duration);
    set(
        &mut function.timeout,
        table.opt(cx, "timeout", duration_in(TIMEOUTS)),
    );
    set(
        &mut function.memory_mb,
        table.opt(cx, "memory_mb", integer(MEMORY_MB)),
    );
    set(
        &mut function.per_record,
        table.opt(cx, "per_record", duration),
    );
    set(&mut function.error_rate, table.opt(cx, "error_rate", ratio));
    set(&mut function.poison, table.opt(cx, "poison", ratio));
    let lifecycle = &mut function.lifecycle;
    set(
        &mut lifecycle.init_error_rate,
        table.opt(cx, "init_error_rate", ratio),
    );
    set(
        &mut lifecycle.crash_rate,
        table.opt(cx, "crash_rate", ratio),
    );
    let post_runtime = time(table, cx, "post_runtime");
    lifecycle.post_runtime = post_runtime.or(lifecycle.post_runtime.take());
    let extensions = [
        ("none", Span::ZERO),
        ("internal", limits::SHUTDOWN_INTERNAL),
        ("external", limits::SHUTDOWN_EXTERNAL),
    ];
    set(
        &mut lifecycle.shutdown,
        table.opt(cx, "extensions", choice(&extensions)),
    );
    function
}

fn set<T>(place: &mut T, found: Option<T>) {
    if let Some(value) = found {
        *place = value;
    }
}

/// How long environments live; all versions of a function alike.
pub(super) fn lives(table: &mut Table<'_>, cx: &mut Cx, function: &mut Function) {
    match table.opt(cx, "keep_alive", dist::time) {
        None => {}
        Some(Dist::Constant(nanos)) => function.keep_alive = Span::from_nanos(nanos as u64),
        varies => function.lifecycle.keep_alive = varies,
    }
    function.lifecycle.lifetime = table.opt(cx, "lifetime", lifetime);
}

fn lifetime(at: At<'_>, cx: &mut Cx) -> Option<Dist> {
    let found = dist::time(at, cx)?;
    // Others have no shortest value: what falls below a minute is a minute.
    if shortest(&found).unwrap_or(LIFETIME_MIN) >= LIFETIME_MIN {
        return Some(found);
    }
    cx.push(
        Diagnostic::new("out-of-range", "`lifetime` is out of range")
            .at(&at.node.span)
            .label("an environment would live for less than a minute")
            .allowed("1m and more")
            .help("`keep_alive` says how long one lives without work"),
    );
    None
}

/// The shortest time that a distribution gives, where it has one.
fn shortest(dist: &Dist) -> Option<f64> {
    match dist {
        Dist::Constant(value) => Some(*value),
        Dist::Uniform { min, .. } | Dist::Pareto { min, .. } => Some(*min),
        Dist::Exponential { .. }
        | Dist::Lognormal { .. }
        | Dist::Gamma { .. }
        | Dist::Empirical(_) => None,
    }
}

/// Reports environments that are prepared ahead and never initialise in time.
///
/// Rule `prepared-init-limit`.
pub(super) fn refuse_slow_init(cx: &mut Cx, function: &Function, place: &Range<usize>) {
    let most = limits::PREPARED_INIT_MAX.max(function.timeout);
    let init = Span::from_nanos(shortest(&function.init).unwrap_or(0.0) as u64);
    if init > most {
        cx.push(
            Diagnostic::new(
                "prepared-init-too-long",
                "environments that are prepared ahead would never be ready: FUNCTION_ERROR_INIT_FAILURE",
            )
            .at(place)
            .label(format!("`init` takes at least {init}"))
            .allowed(format!("up to {most}: 130 s, or the function's timeout if that is longer")),
        );
    }
}
