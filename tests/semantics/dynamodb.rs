//! Rules of DynamoDB streams that the engine carries out.

use super::harness::{Rig, records};
use tidegate::engine::{MappingConfig, Profile, SourceKind, Tuning};

fn rig<const N: usize>(payloads: [&'static str; N]) -> Rig {
    let config = MappingConfig::new("changes", SourceKind::DynamoDb);
    Rig::stream(config, vec![records(payloads)])
        .tuned(|tuning| *tuning = Tuning::for_source(Profile::Current, SourceKind::DynamoDb))
}

#[test]
fn dynamodb_reads_per_second() {
    // An idle shard is read four times a second, a thousand records at most.
    let idle = rig([]).run_secs(1);
    assert_eq!(idle.read_times(), [0, 250, 500, 750, 1_000]);
    let tuning = Tuning::for_source(Profile::Current, SourceKind::DynamoDb);
    assert_eq!(tuning.page_records_max, 1_000);
    // One that is behind is not waited for any longer than one that is not.
    let mut behind = rig(["a", "b", "c", "d"]).tuned(|tuning| {
        *tuning = Tuning {
            page_records_max: 1,
            ..Tuning::for_source(Profile::Current, SourceKind::DynamoDb)
        }
    });
    behind.world.read_bytes = 1_000;
    assert_eq!(behind.run_secs(1).read_times()[..4], [0, 200, 400, 600]);
}
