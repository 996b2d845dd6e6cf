//! Benches of Kinesis streams.

use super::run::{MOCK, run};
use crate::support::{KINESIS_URL, kinesis, server_url};

#[tokio::test]
async fn a_stream_is_measured_beside_a_bare_loop_and_predicted() {
    let mapping = "EventSourceArn = \"arn:aws:kinesis:us-east-1:000000000000:stream/named-only\"\n\
        StartingPosition = \"LATEST\"\n";
    let load = "rate = 60\nshards = 2\nduration = \"4s\"\nwarm_up = \"2s\"";
    let bench = run(
        &server_url(KINESIS_URL),
        MOCK,
        mapping,
        load,
        &["--predict"],
    );
    bench.check(0, 360);
    bench.check_hops(0);
    bench.check_prediction(0);
    let listed = kinesis().list_streams().send().await.expect("ListStreams");
    let left = listed
        .stream_names
        .iter()
        .filter(|name| name.ends_with(&bench.ending));
    // One that is being deleted may still be listed.
    for name in left {
        let found = kinesis()
            .describe_stream_summary()
            .stream_name(name)
            .send()
            .await;
        let status = found.ok().and_then(|it| it.stream_description_summary);
        assert!(
            status.is_none_or(|it| it.stream_status == aws_sdk_kinesis::types::StreamStatus::Deleting),
            "{name}"
        );
    }
}
