//! What a bench would write to or call beyond this machine.

use crate::scenario::{LoadedBench, MappingSource, TargetKind};
use crate::source::is_loopback;
use std::collections::BTreeSet;

/// Sources and functions of the measured mappings that are not on this machine, by what they are named: ARN, server or URL.
/// An ARN with an endpoint stands and falls with that.
pub fn far(loaded: &LoadedBench) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for point in &loaded.points {
        let mapping = point.mapping();
        match &mapping.source {
            MappingSource::Service { arn, endpoint_url } => match endpoint_url {
                Some(url) if is_loopback(url) => {}
                Some(url) => drop(found.insert(url.clone())),
                None => drop(found.insert(arn.text.clone())),
            },
            MappingSource::Kafka(kafka) => {
                let servers = kafka.servers.iter();
                found.extend(
                    servers
                        .filter(|it| !is_loopback(&format!("http://{it}")))
                        .cloned(),
                );
            }
            MappingSource::Broker { .. } | MappingSource::Local(_) => {}
        }
        let target = &point.file.targets[mapping.target];
        match &target.kind {
            TargetKind::Lambda { endpoint_url, .. } => {
                let url = endpoint_url
                    .as_ref()
                    .or(point.file.aws.endpoint_url.as_ref());
                match url {
                    Some(url) if is_loopback(url) => {}
                    Some(url) => drop(found.insert(url.clone())),
                    None => drop(found.insert(target.function.clone())),
                }
            }
            TargetKind::Http { url, .. } if !is_loopback(url) => drop(found.insert(url.clone())),
            TargetKind::Http { .. } | TargetKind::Process { .. } | TargetKind::Mock { .. } => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{SourceText, parse_bench};

    fn far_of(aws: &str, target: &str, mapping: &str) -> Vec<String> {
        let text = format!(
            "[aws]\nregion = 'us-east-1'\n{aws}\n[[target]]\nfunction = 'f'\n{target}\n\
             [[mapping]]\nname = 'm'\nFunctionName = 'f'\n{mapping}\n[[bench]]\nrate = 1\n"
        );
        let loaded = parse_bench(SourceText::new("b.toml", text)).expect("a sound file");
        far(&loaded).into_iter().collect()
    }

    const QUEUE: &str = "EventSourceArn = 'arn:aws:sqs:us-east-1:000000000000:q'";
    const MOCK: &str = "type = 'mock'";

    #[test]
    fn what_is_not_on_this_machine_is_named() {
        let here = "endpoint_url = 'http://127.0.0.1:4566'";
        assert!(far_of(here, MOCK, QUEUE).is_empty());
        assert!(far_of(here, "type = 'lambda'", QUEUE).is_empty());
        assert_eq!(
            far_of("", MOCK, QUEUE),
            ["arn:aws:sqs:us-east-1:000000000000:q"]
        );
        let there = "endpoint_url = 'http://10.0.0.1:4566'";
        assert_eq!(far_of(there, MOCK, QUEUE), ["http://10.0.0.1:4566"]);
        assert_eq!(
            far_of("", "type = 'lambda'", &format!("{QUEUE}\n{here}")),
            ["f"]
        );
        let web = "type = 'http'\nurl = 'http://example.com/f'";
        assert_eq!(far_of(here, web, QUEUE), ["http://example.com/f"]);
    }

    #[test]
    fn every_server_of_a_cluster_counts() {
        let topic = "Topics = ['t']\nStartingPosition = 'TRIM_HORIZON'\n\
            SourceAccessConfigurations = [{ Type = 'VPC_SUBNET', URI = 'subnet:subnet-0123456789' }]\n\
            SelfManagedEventSource = { Endpoints = { KAFKA_BOOTSTRAP_SERVERS = ['localhost:9092', 'kafka.example.com:9092'] } }";
        assert_eq!(far_of("", MOCK, topic), ["kafka.example.com:9092"]);
    }
}
