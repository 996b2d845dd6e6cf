//! The station as one nexosim model on one thread, its fastest arrangement for this queue.

use super::station::{Station, Waits};
use nexosim::model::{BuildContext, Context, Model, ProtoModel, schedulable};
use nexosim::simulation::{Mailbox, SimInit};
use nexosim::time::MonotonicTime;
use serde::{Deserialize, Serialize};
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

/// The model. What cannot be saved to a file lives in its environment.
#[derive(Serialize, Deserialize)]
struct Server;

struct Surroundings {
    station: Station,
    result: Sender<Waits>,
}

#[Model(type Env = Surroundings)]
impl Server {
    #[nexosim(init)]
    async fn init(&mut self, cx: &Context<Self>, env: &mut Surroundings) {
        schedule_arrival(cx, env);
    }

    #[nexosim(schedulable)]
    fn arrive(&mut self, _: (), cx: &Context<Self>, env: &mut Surroundings) {
        schedule_arrival(cx, env);
        let service = env.station.arrive(nanos(cx));
        schedule_departure(cx, service);
    }

    #[nexosim(schedulable)]
    fn depart(&mut self, _: (), cx: &Context<Self>, env: &mut Surroundings) {
        let service = env.station.depart(nanos(cx));
        schedule_departure(cx, service);
        if env.station.is_over() {
            env.result
                .send(env.station.waits())
                .expect("somebody waits for it");
        }
    }
}

fn nanos(cx: &Context<Server>) -> u64 {
    let since = cx.time().duration_since(MonotonicTime::EPOCH);
    since.as_secs() * 1_000_000_000 + u64::from(since.subsec_nanos())
}

fn schedule_arrival(cx: &Context<Server>, env: &mut Surroundings) {
    if let Some(gap) = env.station.gap() {
        let gap = Duration::from_nanos(gap);
        cx.schedule_event(gap, schedulable!(Server::arrive), ())
            .expect("it is in the future");
    }
}

fn schedule_departure(cx: &Context<Server>, service: Option<u64>) {
    if let Some(service) = service {
        let service = Duration::from_nanos(service);
        cx.schedule_event(service, schedulable!(Server::depart), ())
            .expect("it is in the future");
    }
}

struct Prototype(Surroundings);

impl ProtoModel for Prototype {
    type Model = Server;

    fn build(self, _: &mut BuildContext<'_, Self>) -> (Server, Surroundings) {
        (Server, self.0)
    }
}

pub(crate) fn run(station: Station) -> Waits {
    let (result, results) = channel();
    let prototype = Prototype(Surroundings { station, result });
    let mut simulation = SimInit::with_num_threads(1)
        .add_model(prototype, Mailbox::new(), "server")
        .init(MonotonicTime::EPOCH)
        .expect("the model starts");
    simulation.run().expect("the model runs");
    results.try_recv().expect("everybody left")
}
