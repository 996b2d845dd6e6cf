//! What happens to environments beside ordinary work: failed initialisations, crashes, restores, extensions, and lives
//! that end by chance.

use super::dist::Sampler;
use super::function::{Course, End};
use crate::engine::lambda::{Fate, Lives};
use crate::engine::{Ratio, Rng, Span, limits};
use crate::scenario;

/// The parts of a function's behaviour that most functions do not have.
#[derive(Debug)]
pub(super) struct Lifecycle {
    init_error_rate: Ratio,
    init_errors: Rng,
    crash_rate: Ratio,
    crashes: Rng,
    restore: Option<Sampler>,
    restores: Rng,
    post_runtime: Option<Sampler>,
    extensions: Rng,
    shutdown: Span,
}

/// The initialisation that an invocation begins with.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Phase {
    /// Before the invocation.
    pub(super) before: Option<Span>,
    /// It was the restore of a snapshot.
    pub(super) is_restore: bool,
    /// Inside of the invocation, with what it ends the invocation with if it fails.
    pub(super) inside: Option<(Span, Option<End>)>,
    /// What the invocation ends with, because of what was before it.
    pub(super) end: Option<End>,
}

impl Lifecycle {
    /// `None` for a function that has nothing of it.
    pub(super) fn new(function: &scenario::Function, seed: u64) -> Option<Self> {
        let described = &function.lifecycle;
        let is_plain = described.init_error_rate.is_zero()
            && described.crash_rate.is_zero()
            && described.restore.is_none()
            && described.post_runtime.is_none()
            && described.shutdown == Span::ZERO;
        let rng = |what| Rng::stream(seed, &format!("function/{}/{what}", function.name));
        (!is_plain).then(|| Self {
            init_error_rate: described.init_error_rate,
            init_errors: rng("init-errors"),
            crash_rate: described.crash_rate,
            crashes: rng("crashes"),
            restore: described.restore.as_ref().map(Sampler::new),
            restores: rng("restores"),
            post_runtime: described.post_runtime.as_ref().map(Sampler::new),
            extensions: rng("extensions"),
            shutdown: described.shutdown,
        })
    }

    pub(super) fn init_fails(&mut self) -> bool {
        self.init_errors.chance(self.init_error_rate)
    }

    pub(super) fn crashes(&mut self) -> bool {
        self.crashes.chance(self.crash_rate)
    }

    /// The restore of a snapshot in place of an initialisation, if the version has SnapStart.
    pub(super) fn restore(&mut self) -> Option<Phase> {
        let restore = self.restore_again()?;
        let is_late = restore > limits::RESTORE_MAX;
        Some(Phase {
            before: Some(restore.min(limits::RESTORE_MAX)),
            is_restore: true,
            inside: None,
            end: is_late.then_some(End::RestoreTimeout),
        })
    }

    /// The time of a restore.
    pub(super) fn restore_again(&mut self) -> Option<Span> {
        let restore = self.restore.as_ref()?;
        Some(Span::from_nanos(restore.draw(&mut self.restores)))
    }

    /// What comes after the response: extensions if the function came to its end, or the shutdown of what is torn down.
    pub(super) fn after(&mut self, course: &mut Course, timeout: Span) {
        course.is_snap_start = self.restore.is_some();
        if let Some(post) = &self.post_runtime
            && course.fate() == Fate::Keep
        {
            let time = Span::from_nanos(post.draw(&mut self.extensions));
            course.extend(time, timeout);
        }
        if course.fate() == Fate::Reset {
            course.shut_down(self.shutdown);
        }
    }
}

/// Lives of environments as the scenario draws them.
#[derive(Clone, Debug)]
pub(super) struct DrawnLives {
    keep_alive: Sampler,
    keep_alives: Rng,
    lifetime: Option<Sampler>,
    lifetimes: Rng,
}

impl DrawnLives {
    /// `None` for a function whose environments all wait equally long, and live as long as they have work.
    pub(super) fn on_demand(function: &scenario::Function, seed: u64) -> Option<Box<dyn Lives>> {
        let drawn = &function.lifecycle;
        if drawn.keep_alive.is_none() && drawn.lifetime.is_none() {
            return None;
        }
        let fixed = scenario::Dist::Constant(function.keep_alive.as_nanos() as f64);
        let keep_alive = drawn.keep_alive.as_ref().unwrap_or(&fixed);
        Some(Self::boxed(&function.name, keep_alive, drawn, seed))
    }

    /// Lives of provisioned environments: they wait for ever, and are recycled at the end of their lifetimes.
    pub(super) fn provisioned(
        function: &scenario::Function,
        alias: &str,
        seed: u64,
    ) -> Option<Box<dyn Lives>> {
        let drawn = &function.lifecycle;
        drawn.lifetime.as_ref()?;
        let name = format!("{}/alias/{alias}", function.name);
        let for_ever = scenario::Dist::Constant(Span::MAX.as_nanos() as f64);
        Some(Self::boxed(&name, &for_ever, drawn, seed))
    }

    fn boxed(
        name: &str,
        keep_alive: &scenario::Dist,
        drawn: &scenario::Lifecycle,
        seed: u64,
    ) -> Box<dyn Lives> {
        let rng = |what| Rng::stream(seed, &format!("function/{name}/{what}"));
        Box::new(Self {
            keep_alive: Sampler::new(keep_alive),
            keep_alives: rng("keep-alive"),
            lifetime: drawn.lifetime.as_ref().map(Sampler::new),
            lifetimes: rng("lifetime"),
        })
    }
}

impl Lives for DrawnLives {
    fn keep_alive(&mut self) -> Span {
        Span::from_nanos(self.keep_alive.draw(&mut self.keep_alives))
    }

    fn lifetime(&mut self) -> Span {
        let lifetime = self.lifetime.as_ref();
        lifetime.map_or(Span::MAX, |lifetime| {
            Span::from_nanos(lifetime.draw(&mut self.lifetimes))
        })
    }

    fn copy(&self) -> Box<dyn Lives> {
        Box::new(self.clone())
    }
}
