use super::*;
use crate::engine::{Meta, Record, Seq, ShardId, Span, Time};
use crate::poll::encode::event;
use crate::source::Payload;
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use bytes::Bytes;
use proptest::prelude::*;

fn call(start: Time, secs: u64) -> WindowCall {
    WindowCall {
        shard: ShardId(6),
        start,
        end: start + Span::from_secs(secs),
        is_fresh: false,
        is_final: false,
        is_terminated_early: false,
    }
}

fn record(json: &'static str) -> Record<Payload> {
    Record {
        meta: Meta {
            seq: Seq::from(1),
            group: 0,
            arrival: Time::ZERO,
            wire_len: u32::try_from(json.len()).expect("short"),
        },
        payload: Payload {
            json: Bytes::from_static(json.as_bytes()),
            receipt: String::new(),
        },
    }
}

const START: Time = Time::from_secs(1_607_497_440);

#[test]
fn window_event_shape() {
    let frame = WindowFrame {
        call: call(START, 120),
        state: "{\"1\": 282}",
        shard: "shardId-000000000006",
        source_arn: "arn:aws:kinesis:us-east-1:123456789012:stream/lambda-stream",
    };
    let records = [record("{\"kinesis\":1}"), record("{\"kinesis\":2}")];
    let text = event(&records, Some(&frame));
    let expected = concat!(
        r#"{"Records":[{"kinesis":1},{"kinesis":2}],"#,
        r#""shardId":"shardId-000000000006","#,
        r#""eventSourceARN":"arn:aws:kinesis:us-east-1:123456789012:stream/lambda-stream","#,
        r#""window":{"start":"2020-12-09T07:04:00Z","end":"2020-12-09T07:06:00Z"},"state":{"1": 282},"#,
        r#""isFinalInvokeForWindow":false,"isWindowTerminatedEarly":false}"#,
    );
    assert_eq!(std::str::from_utf8(&text), Ok(expected));

    let last = WindowFrame {
        call: WindowCall {
            is_final: true,
            is_terminated_early: true,
            ..frame.call
        },
        ..frame
    };
    let text = event(&[], Some(&last));
    let text = std::str::from_utf8(&text).expect("text");
    assert!(text.starts_with(r#"{"Records":[],"shardId":"shardId-000000000006","#));
    assert!(text.ends_with(r#""isFinalInvokeForWindow":true,"isWindowTerminatedEarly":true}"#));
    assert_eq!(&event(&[], None)[..], b"{\"Records\":[]}");
}

proptest! {
    #[test]
    fn lengths_are_predicted_and_instants_read_back(
        secs in 0..18_000_000_000u64, shard in any::<String>(), arn in any::<String>(), is_final in any::<bool>(),
    ) {
        let start = Time::from_secs(secs);
        let frame = WindowFrame {
            call: WindowCall { is_final, ..call(start, 1) },
            state: "{}",
            shard: &shard,
            source_arn: &arn,
        };
        let event = event(&[], Some(&frame));
        let event: serde_json::Value = serde_json::from_slice(&event).expect("JSON");
        prop_assert_eq!(event["shardId"].as_str(), Some(shard.as_str()));
        prop_assert_eq!(event["eventSourceARN"].as_str(), Some(arn.as_str()));
        prop_assert_eq!(event["isFinalInvokeForWindow"].as_bool(), Some(is_final));
        let read = |name: &str| {
            let text = event["window"][name].as_str().unwrap_or_default();
            DateTime::from_str(text, Format::DateTime).map(|instant| instant.secs()).ok()
        };
        let secs = i64::try_from(secs).ok();
        prop_assert_eq!(read("start"), secs);
        prop_assert_eq!(read("end"), secs.map(|secs| secs + 1));
    }
}
