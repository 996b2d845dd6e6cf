//! Functions and their aliases.

use super::Dist;
use crate::engine::config::EventInvokeConfig;
use crate::engine::lambda::{AsyncTuning, ManagedLimits, Reuse, Routing, TargetTracking};
use crate::engine::{Ratio, Span};

/// A function as the simulator knows it.
#[derive(Clone, Debug)]
pub struct Function {
    /// Unique in the scenario.
    pub name: String,
    /// The template that it was made from, with others that follow it in the list.
    pub template: Option<String>,
    /// 128 to 10,240.
    pub memory_mb: u32,
    /// The instruction set, which has a price.
    pub architecture: Architecture,
    /// 1 ms to 900 s.
    pub timeout: Span,
    /// Time of the handler for an invocation on a warm environment.
    pub duration: Dist,
    /// Time of the handler on a cold start, where it differs from `duration`.
    pub cold_duration: Option<Dist>,
    /// Added to the duration for each record of a batch.
    pub per_record: Span,
    /// Time of a cold start's initialisation, before the handler runs.
    pub init: Dist,
    /// How many invocations something behind the function works on at full speed, 1 to 1,000,000; with more of them each
    /// takes longer in proportion. `None` for no limit.
    pub dependency_concurrency: Option<u32>,
    /// Chance that an invocation fails at its end.
    pub error_rate: Ratio,
    /// Share of records that fail every invocation they are part of.
    pub poison: Ratio,
    /// How long an environment lives without work.
    pub keep_alive: Span,
    /// Which idle environment serves next.
    pub reuse: Reuse,
    /// Reserved concurrency; 0 stops the function.
    pub reserved_concurrency: Option<u32>,
    /// What becomes of its asynchronous events.
    pub event_invoke: EventInvoke,
    /// What else happens to its environments.
    pub lifecycle: Lifecycle,
    /// Lambda Managed Instances: environments that run many requests at once.
    pub managed: Option<ManagedLimits>,
    /// Its published versions, in file order.
    pub versions: Vec<Version>,
    /// What may follow its name in a call: its aliases in file order, then its versions.
    pub aliases: Vec<Alias>,
}

impl Function {
    /// The longest time that an invocation of the function or of one of its versions may take.
    pub fn longest_timeout(&self) -> Span {
        let versions = self.versions.iter().map(|version| version.code.timeout);
        versions.fold(self.timeout, Span::max)
    }

    /// Gives the aliases with settings of their own the dead-letter queue of the function: they have no other.
    pub(crate) fn share_dead_letters(&mut self) {
        let aliases = self.aliases.iter_mut();
        for own in aliases.filter_map(|alias| alias.event_invoke.as_mut()) {
            own.config
                .dead_letter
                .clone_from(&self.event_invoke.config.dead_letter);
        }
    }
}

/// Instruction set architecture, in AWS's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Architecture {
    /// `x86_64`.
    #[default]
    X86,
    /// `arm64`.
    Arm,
}

/// What happens to environments beside ordinary work; nothing by default.
#[derive(Clone, Debug, Default)]
pub struct Lifecycle {
    /// Chance that an initialisation fails.
    pub init_error_rate: Ratio,
    /// Chance that an invocation ends with its process.
    pub crash_rate: Ratio,
    /// SnapStart: time of a restore, which takes the place of the initialisation.
    pub restore: Option<Dist>,
    /// How long extensions keep the environment busy after the response.
    pub post_runtime: Option<Dist>,
    /// How long a torn down environment takes to shut down.
    pub shutdown: Span,
    /// Draws the wait for work, in place of [`Function::keep_alive`].
    pub keep_alive: Option<Dist>,
    /// Draws how long an environment lives, whether it has work or not; as long as it has work if this is left out.
    pub lifetime: Option<Dist>,
}

/// A published version: the function as it was then.
#[derive(Clone, Debug)]
pub struct Version {
    /// 1 or more, unique among the versions of its function.
    pub number: u32,
    /// How it behaves. Its concurrency, its reuse and its qualifiers are those of the function that has it.
    pub code: Function,
}

/// An alias of a function, or a version that is called by its number.
#[derive(Clone, Debug, PartialEq)]
pub struct Alias {
    /// Unique among the aliases of its function.
    pub name: String,
    /// Which versions its requests go to, as indices into [`Function::versions`].
    pub routing: Routing,
    /// Provisioned concurrency at time zero, ready; 0 for none.
    pub provisioned_concurrency: u32,
    /// What moves the provisioned concurrency.
    pub autoscaling: Option<ScalableTarget>,
    /// What becomes of asynchronous events that name the alias; `None` for the settings of the function.
    pub event_invoke: Option<EventInvoke>,
}

/// What becomes of asynchronous events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventInvoke {
    /// AWS's parameters.
    pub config: EventInvokeConfig,
    /// What AWS has no parameter for.
    pub tuning: AsyncTuning,
}

/// The provisioned concurrency of an alias as a scalable target of Application Auto Scaling.
#[derive(Clone, Debug, PartialEq)]
pub struct ScalableTarget {
    /// MinCapacity.
    pub min: u32,
    /// MaxCapacity, at least `min`.
    pub max: u32,
    /// Target tracking on utilisation. The largest capacity that any of them wants wins; nothing is taken away unless all agree.
    pub policies: Vec<TargetTracking>,
    /// Scheduled actions, by time.
    pub schedule: Vec<ScheduledAction>,
}

/// A change of the bounds at one moment; at least one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScheduledAction {
    /// When.
    pub at: Span,
    /// The new MinCapacity.
    pub min: Option<u32>,
    /// The new MaxCapacity.
    pub max: Option<u32>,
}

/// A deployment of a version behind an alias, as AWS CodeDeploy makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// Index into [`Scenario::functions`](super::Scenario::functions).
    pub function: usize,
    /// Index into the function's aliases.
    pub alias: usize,
    /// When it begins.
    pub at: Span,
    /// Where the alias leads, and from when on, counted from `at`: in order, first at zero, last to the new version alone.
    pub steps: Vec<(Span, Routing)>,
}
