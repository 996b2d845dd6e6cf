//! Published versions: their environments, their figures, and the deployments that bring new ones behind an alias.

use super::function::Course;
use super::lifecycle::DrawnLives;
use super::world::{Inner, Pending};
use crate::engine::lambda::{
    AliasId, FunctionId, Lambda, Lease, Routing, ThrottleReason, VersionId,
};
use crate::engine::{Record, Span, Time};
use crate::metrics::VersionRecorder;
use crate::scenario::{Deployment, Function, Scenario, Traffic};

/// Gives the functions of a service their versions, or the instances that are managed for them.
pub(super) fn published(mut lambda: Lambda, scenario: &Scenario, seed: u64) -> Lambda {
    for (index, function) in (0..).zip(&scenario.functions) {
        let count = function.versions.len() as u16;
        if count > 0 {
            lambda = lambda.with_versions(FunctionId(index), count, seed);
        }
        let mut callers = scenario.traffic.iter();
        let is_called = |caller: &Traffic| caller.calls(index as usize);
        if callers.any(|caller| caller.tenants.is_some() && is_called(caller)) {
            lambda = lambda.with_tenants(FunctionId(index));
        }
        if let Some(managed) = function.managed {
            lambda = lambda.with_managed(FunctionId(index), managed);
        }
    }
    lambda
}

/// Lets environments live as long as the scenario says.
pub(super) fn with_lives(mut lambda: Lambda, scenario: &Scenario, seed: u64) -> Lambda {
    let mut alias = 0;
    for (index, function) in (0..).zip(&scenario.functions) {
        let id = FunctionId(index);
        if let Some(lives) = DrawnLives::on_demand(function, seed) {
            lambda.vary(id, None, lives);
        }
        for (number, version) in (0..).zip(&function.versions) {
            if let Some(lives) = DrawnLives::on_demand(&version.code, seed) {
                lambda.vary(id, Some(VersionId(number)), lives);
            }
        }
        for described in &function.aliases {
            if let Some(lives) = DrawnLives::provisioned(function, &described.name, seed) {
                lambda.recycle(AliasId(alias), lives);
            }
            alias += 1;
        }
    }
    lambda
}

/// A recorder for every version.
pub(super) fn recorders(scenario: &Scenario) -> Vec<Vec<VersionRecorder>> {
    let functions = scenario.functions.iter();
    functions
        .map(|function| {
            let versions = function.versions.iter();
            versions.map(|_| VersionRecorder::default()).collect()
        })
        .collect()
}

impl Inner<'_> {
    /// An admitted request begins to run, `waited` after its caller's first attempt: how it goes is decided now. Its
    /// caller waits for as long as its `patience`, if that has an end.
    #[inline(always)]
    pub(super) fn begin(
        &mut self,
        lease: &Lease,
        waited: Span,
        patience: Option<Span>,
        records: &[Record<()>],
        reported: bool,
    ) -> Course {
        let function = lease.function.0 as usize;
        self.functions[function].crowd(|| self.lambda.running(lease.function));
        let course = self.functions[function].course(lease, records, reported);
        let started = course.started(waited, lease);
        let recorder = &mut self.recorders[function];
        match patience.filter(|patience| course.busy() > *patience) {
            Some(patience) => recorder.started_in_vain(&started, patience),
            None => recorder.started(&started),
        }
        if course.is_out_of_the_ordinary() {
            recorder.extraordinary(&course.extraordinary());
        }
        if let Some(version) = lease.version() {
            self.version_recorders[function][usize::from(version.0)].started(&started);
        }
        self.invocations += 1;
        course
    }

    /// Admits a call of a tenant to a function that isolates them.
    pub(super) fn admit_tenant(
        &mut self,
        function: usize,
        tenant: u64,
    ) -> Result<Lease, ThrottleReason> {
        let id = FunctionId(function as u32);
        let lease = self.lambda.admit_tenant(self.now, id, tenant)?;
        self.occupied(&lease);
        Ok(lease)
    }

    pub(super) fn schedule_deployments(&mut self) {
        for (index, deployment) in (0..).zip(&self.scenario.deployments) {
            for (step, (after, _)) in (0..).zip(&deployment.steps) {
                let at = Time::ZERO + deployment.at + *after;
                self.schedule(at, Pending::Deploy(index, step));
            }
        }
    }

    /// A deployment takes a step: the alias leads elsewhere from now on (rule `deployment-shifts-traffic`).
    pub(super) fn deploy(&mut self, deployment: u32, step: u32) {
        let deployment = &self.scenario.deployments[deployment as usize];
        let alias = self.first_alias[deployment.function] + deployment.alias as u32;
        let (_, routing) = deployment.steps[step as usize];
        self.lambda.route(self.now, AliasId(alias), routing);
        self.allocation_changed(alias);
    }
}

/// The steps of deployments, each until the next one; the last is a moment.
pub(super) fn bands(scenario: &Scenario) -> Vec<(String, Span, Span)> {
    let steps = scenario.deployments.iter().flat_map(|deployment| {
        let function = &scenario.functions[deployment.function];
        let steps = deployment.steps.iter().enumerate();
        steps.map(move |(index, (after, routing))| {
            let from = deployment.at + *after;
            let next = deployment.steps.get(index + 1);
            let to = next.map_or(from, |(after, _)| deployment.at + *after);
            let text = words(function, deployment, routing);
            (text, from, to.min(scenario.duration))
        })
    });
    steps.collect()
}

fn words(function: &Function, deployment: &Deployment, routing: &Routing) -> String {
    let number = |version: VersionId| function.versions[usize::from(version.0)].number;
    let alias = &function.aliases[deployment.alias].name;
    let to = match (routing.version, routing.additional) {
        (_, Some((version, share))) => {
            format!("{}% to version {}", share.as_f64() * 100.0, number(version))
        }
        (Some(version), None) => format!("all to version {}", number(version)),
        (None, None) => "all to $LATEST".to_owned(),
    };
    format!("{}:{alias}, {to}", function.name)
}
