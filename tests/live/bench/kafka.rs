//! Benches of topics of Kafka.

use super::run::{MOCK, run};
use crate::support::kafka::PLAIN;
use crate::support::server_url;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use std::time::Duration;

#[tokio::test]
async fn a_topic_is_measured_beside_a_bare_loop_and_predicted() {
    let servers = server_url(PLAIN);
    let mapping = format!(
        "Topics = [\"named-only\"]\nStartingPosition = \"TRIM_HORIZON\"\nMaximumBatchingWindowInSeconds = 1\n\
         SelfManagedEventSource = {{ Endpoints = {{ KAFKA_BOOTSTRAP_SERVERS = [\"{servers}\"] }} }}\n\
         SourceAccessConfigurations = [{{ Type = \"VPC_SUBNET\", URI = \"subnet:subnet-0123456789\" }}]\n"
    );
    let load = "rate = 60\nshards = 2\nduration = \"4s\"\nwarm_up = \"2s\"";
    let bench = run("http://127.0.0.1:9", MOCK, &mapping, load, &["--predict"]);
    bench.check(0, 360);
    bench.check_hops(0);
    bench.check_prediction(0);
    let client: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", &servers)
        .create()
        .expect("a client");
    let found = client
        .fetch_metadata(None, Duration::from_secs(30))
        .expect("metadata");
    let left = found
        .topics()
        .iter()
        .filter(|topic| topic.name().ends_with(&bench.ending));
    assert_eq!(left.count(), 0);
}
