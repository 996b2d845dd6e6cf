//! Brokers in poller files: which engine, and where.

use tidegate::engine::SourceKind;
use tidegate::scenario::{MappingSource, SourceText, parse_poller};

const HOST: &str = "{ Type = \"VIRTUAL_HOST\", URI = \"/\" }";

fn file(id: &str, access: &str, lines: &str) -> String {
    format!(
        "[[target]]\nfunction = \"f\"\ntype = \"lambda\"\n[[mapping]]\nname = \"a\"\nFunctionName = \"f\"\n\
         EventSourceArn = \"arn:aws:mq:us-east-1:123456789012:broker:orders:{id}\"\nQueues = [\"orders\"]\n\
         SourceAccessConfigurations = [{{ Type = \"BASIC_AUTH\", URI = \"env:LOGIN\" }}, {access}]\n{lines}"
    )
}

fn loaded(id: &str, access: &str, lines: &str) -> (SourceKind, String) {
    let found = parse_poller(SourceText::new("poller.toml", file(id, access, lines)));
    let mapping = found.expect("a good file").file.mappings.remove(0);
    let MappingSource::Broker { arn, url, queue } = mapping.source else {
        panic!("not a broker");
    };
    assert_eq!(
        (arn.kind, queue.as_str()),
        (mapping.config.source, "orders")
    );
    (arn.kind, url.to_string())
}

fn told(access: &str, lines: &str) -> String {
    let found = parse_poller(SourceText::new("poller.toml", file("x", access, lines)));
    found.expect_err("a mistake").to_string()
}

#[test]
fn a_virtual_host_means_rabbitmq() {
    let local = "endpoint_url = \"amqp://localhost\"\n";
    let rabbit = (SourceKind::RabbitMq, "amqp://localhost:5672".to_owned());
    assert_eq!(loaded("x", HOST, local), rabbit);
    let stated = format!("{local}broker = \"rabbitmq\"\n");
    assert_eq!(loaded("x", "", &stated), rabbit);
    let stated = format!("{local}broker = \"activemq\"\n");
    assert_eq!(loaded("x", "", &stated).0, SourceKind::ActiveMq);
}

#[test]
fn the_address_of_a_broker_on_aws_follows_from_its_arn() {
    let (kind, url) = loaded("b-1a2b", HOST, "");
    assert_eq!(kind, SourceKind::RabbitMq);
    assert_eq!(url, "amqps://b-1a2b.mq.us-east-1.amazonaws.com:5671");
    let text = told(HOST, "");
    assert!(text.contains("a broker needs `endpoint_url`"), "{text}");
}

#[test]
fn an_engine_that_is_not_clear_is_asked_for() {
    let text = told("", "endpoint_url = \"amqp://localhost\"\n");
    for part in [
        "it is not clear which engine this broker runs",
        "poller.toml:7:18",
        "the ARN of a broker does not tell",
        "allowed: broker = \"rabbitmq\" or broker = \"activemq\"",
    ] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
    let text = told("", "broker = \"kafka\"\n");
    assert!(
        text.contains("`kafka` is not an engine of Amazon MQ"),
        "{text}"
    );
    assert!(!text.contains("not clear"), "{text}");
}

#[test]
fn an_address_says_where_and_nothing_else() {
    let text = told(HOST, "endpoint_url = \"http://localhost:15672\"\n");
    assert!(
        text.contains("begins with neither amqp:// nor amqps://"),
        "{text}"
    );
    let text = told(HOST, "endpoint_url = \"amqp://localhost/orders\"\n");
    assert!(
        text.contains("VIRTUAL_HOST names the virtual host"),
        "{text}"
    );
    let text = told(HOST, "endpoint_url = \"amqp://me:hunter2@localhost\"\n");
    assert!(text.contains("BASIC_AUTH says where"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
}
