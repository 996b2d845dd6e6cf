//! Filters on a real stream: what does not match is passed over for good.

use super::poll::{delivered, poller};
use crate::support::Stream;

const ORDERS: &str =
    "FilterCriteria = { Filters = [{ Pattern = '{\"data\":{\"kind\":[\"order\"]}}' }] }\n";

/// Orders are every tenth record; the others are of another kind, or no JSON.
fn mixed(numbers: std::ops::Range<usize>) -> Vec<(String, Vec<u8>)> {
    let data = |number| match number % 10 {
        0 => format!("{{\"kind\":\"order\",\"n\":{number}}}"),
        1..5 => format!("{{\"kind\":\"click\",\"n\":{number}}}"),
        _ => format!("click {number}"),
    };
    numbers
        .map(|number| (format!("key-{number}"), data(number).into_bytes()))
        .collect()
}

fn orders(numbers: std::ops::Range<usize>) -> Vec<String> {
    let records = mixed(numbers).into_iter().step_by(10);
    let mut texts: Vec<String> = records
        .map(|(_, data)| String::from_utf8(data).expect("text"))
        .collect();
    texts.sort();
    texts
}

#[tokio::test]
async fn what_is_left_out_moves_the_checkpoint_and_a_restart_does_not_read_it_again() {
    let stream = Stream::create(2).await;
    stream.put(&mixed(0..400)).await;
    let poller = poller(&stream, &format!("{ORDERS}BatchSize = 50\n"));
    let got = || {
        let mut texts: Vec<String> = delivered(&poller.invocations())
            .into_iter()
            .map(|(_, data)| data)
            .collect();
        texts.sort();
        texts
    };
    let ended = poller.run(&["--max-records", "400"]);
    assert!(ended.status.success(), "{ended:?}");
    assert!(
        ended
            .output
            .contains("polled 400 filtered 360 finished 400"),
        "{ended:?}"
    );
    assert_eq!(got(), orders(0..400));

    // Pages of which nothing matches: nobody is invoked, and yet they are behind the checkpoint.
    let clicks = mixed(400..600)
        .into_iter()
        .filter(|(_, data)| !data.starts_with(b"{\"kind\":\"order"));
    let clicks: Vec<_> = clicks.collect();
    stream.put(&clicks).await;
    let ended = poller.run(&["--max-records", "180"]);
    assert!(
        ended
            .output
            .contains("polled 180 filtered 180 finished 180"),
        "{ended:?}"
    );
    assert_eq!(got(), orders(0..400));

    // The third run begins behind them.
    stream.put(&mixed(600..700)).await;
    let ended = poller.run(&["--max-records", "100"]);
    assert!(
        ended.output.contains("polled 100 filtered 90 finished 100"),
        "{ended:?}"
    );
    let mut expected = orders(0..400);
    expected.extend(orders(600..700));
    expected.sort();
    assert_eq!(got(), expected);
    stream.delete().await;
}
