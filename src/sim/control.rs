//! Mappings that are disabled, enabled and changed while they run.

use super::world::{Inner, Pending, World};
use crate::engine::{Control, Event, Mapping, MappingConfig, Rng, Time};
use crate::scenario::{MappingChange, Scenario};

/// Whether a mapping is disabled from the first instant on.
pub(super) fn begins_disabled(scenario: &Scenario, mapping: usize) -> bool {
    let first = scenario
        .events
        .iter()
        .find(|event| event.mapping == mapping);
    first.is_some_and(|event| event.at.as_nanos() == 0 && event.what == MappingChange::Disable)
}

impl Inner<'_> {
    pub(super) fn schedule_events(&mut self) {
        for (index, event) in self.scenario.events.iter().enumerate() {
            self.schedule(Time::ZERO + event.at, Pending::Control(index as u32));
        }
    }
}

impl World<'_> {
    /// The machine of a mapping that has not read anything.
    pub(super) fn new_mapping(&self, mapping: usize, config: &MappingConfig) -> Mapping<()> {
        let declared = &self.inner.scenario.mappings[mapping];
        let label = format!("mapping/{}", config.name);
        let rng = Rng::stream(self.inner.seed, &label);
        match Mapping::new(config.clone(), declared.tuning, rng, self.inner.now) {
            Ok(machine) => machine,
            Err(unsupported) => {
                unreachable!("a checked scenario asked for more than there is: {unsupported}")
            }
        }
    }

    /// An event of the scenario happens. A mapping that begins disabled is made anew until it is enabled for the first
    /// time: before, it has no reader whose place it could keep.
    pub(super) fn control(&mut self, index: u32) {
        let event = &self.inner.scenario.events[index as usize];
        let mapping = event.mapping as u32;
        let started = self.started[event.mapping];
        let control = match &event.what {
            MappingChange::Disable => Control::Disable,
            MappingChange::Enable if !started => {
                let config = self.mappings[event.mapping].config().clone();
                self.mappings[event.mapping] = self.new_mapping(event.mapping, &config);
                self.start_mapping(event.mapping);
                return;
            }
            MappingChange::Enable => Control::Enable,
            MappingChange::Update(config, _) if !started => {
                self.mappings[event.mapping] = self.new_mapping(event.mapping, config);
                return;
            }
            MappingChange::Update(config, _) => Control::Update(config.clone()),
        };
        if started {
            self.feed(mapping, Event::Control(control));
        }
    }
}
