//! What no source may lose a record by: pollers that are killed again and again, networks that misbehave, functions and
//! disks that fail; and how much memory a poller takes that is given more than its function can take.

/// A test of each source; its name says which server is needed.
macro_rules! of_every_source {
    ($name:ident: $run:path) => {
        of_every_source! { $name: $run;
            stream kinesis Kinesis,
            changes dynamodb DynamoDb,
            standard sqs Sqs,
            fifo sqs Fifo,
            topic kafka Kafka,
            classic rabbitmq RabbitMq,
            jms activemq ActiveMq,
        }
    };
    ($name:ident: $run:path; $($what:ident $server:ident $kind:ident,)*) => {
        $(mod $what { mod $server {
            #[test]
            fn $name() {
                $run(super::super::Kind::$kind);
            }
        } })*
    };
}

mod disk;
mod evidence;
mod flood;
mod function;
mod kills;
mod network;
mod sources;
mod traffic;

/// An ordeal in a runtime of its own, with so many threads.
fn run(threads: usize, ordeal: impl Future<Output = ()>) {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(threads).enable_all().build();
    runtime.expect("a runtime").block_on(ordeal);
}
