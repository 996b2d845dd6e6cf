//! Refusals, TLS, connections that break, brokers that stop, pollers that die.

use super::{bodies, deliveries, messages};
use crate::support::poller::{Poller, Running};
use crate::support::rabbitmq::{BROKER, Rabbit, ctl, login};
use crate::support::{server_url, unique};

const IMPATIENT: &str = "backoff_first = \"50ms\"\nbackoff_max = \"500ms\"\n";

/// Waits until everything was delivered, and ends the poller.
fn finish(poller: &Poller, running: Running, count: usize) -> String {
    poller.await_invocations("every message", |seen| deliveries(seen).len() == count);
    let ended = running.terminate();
    assert!(ended.status.success(), "{ended:?}");
    ended.output
}

#[tokio::test]
async fn a_refused_login_is_said_and_mended_without_a_restart() {
    let _broker = BROKER.read().await;
    let rabbit = Rabbit::create().await;
    rabbit.publish(&bodies(5)).await;
    let poller = rabbit.poller(IMPATIENT);
    let wrong = unique("wrong");
    std::fs::write(poller.path("login.json"), login(Some(&wrong))).expect("a login is written");
    let running = poller.start(&[]);
    running.await_output("ACCESS_REFUSED");
    assert!(poller.invocations().is_empty());
    std::fs::write(poller.path("login.json"), login(None)).expect("a login is written");
    let output = finish(&poller, running, 5);
    assert!(output.contains("a call was denied"), "{output}");
    let right = server_url("TIDEGATE_TEST_RABBITMQ_PASSWORD");
    assert!(
        !output.contains(&wrong) && !output.contains(&right),
        "{output}"
    );
    rabbit.await_counts(0, 0).await;
    rabbit.delete().await;
}

#[tokio::test]
async fn a_missing_queue_is_said_and_consumed_once_it_is_there() {
    let _broker = BROKER.read().await;
    let rabbit = Rabbit::absent("/").await;
    let poller = rabbit.poller(IMPATIENT);
    let running = poller.start(&[]);
    running.await_output("NOT_FOUND");
    rabbit.declare(&[]).await;
    rabbit.publish(&bodies(5)).await;
    let output = finish(&poller, running, 5);
    assert!(output.contains(&rabbit.name), "{output}");
    rabbit.delete().await;
}

#[tokio::test]
async fn a_missing_virtual_host_is_said() {
    let _broker = BROKER.read().await;
    let mut rabbit = Rabbit::absent("/").await;
    rabbit.host = unique("nowhere");
    let poller = rabbit.poller(IMPATIENT);
    let running = poller.start(&[]);
    running.await_output(&format!("vhost {}", rabbit.host));
    assert!(running.terminate().status.success());
}

#[tokio::test]
async fn a_private_authority_is_trusted_where_it_is_named() {
    let _broker = BROKER.read().await;
    let rabbit = Rabbit::create().await;
    rabbit.publish(&bodies(5)).await;
    let url = server_url("TIDEGATE_TEST_RABBITMQ_TLS_URL");
    let stranger = rabbit.poller_at(&url, "", IMPATIENT);
    let running = stranger.start(&[]);
    running.await_output("certificate");
    assert!(running.terminate().status.success());
    assert!(stranger.invocations().is_empty());

    let access = "  { Type = \"SERVER_ROOT_CA_CERTIFICATE\", URI = \"file:ca.json\" },\n";
    let poller = rabbit.poller_at(&url, access, IMPATIENT);
    let ca =
        std::fs::read_to_string(server_url("TIDEGATE_TEST_RABBITMQ_CA")).expect("the authority");
    let secret = serde_json::json!({ "certificate": ca }).to_string();
    std::fs::write(poller.path("ca.json"), secret).expect("it is written");
    let ended = poller.run(&["--max-records", "5"]);
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(deliveries(&poller.invocations()).len(), 5);
    assert_eq!(rabbit.counts().await, (0, 0));
    rabbit.delete().await;
}

/// The function has a batch while its connection is cut: the acknowledgement must not reach other messages, which have the
/// same delivery tags on the next connection.
#[tokio::test]
async fn a_cut_connection_acknowledges_nothing_later() {
    let _broker = BROKER.read().await;
    // Nobody else is in this virtual host.
    let rabbit = Rabbit::create_with("tides", &[]).await;
    rabbit.publish(&bodies(40)).await;
    let mapping = format!("BatchSize = 20\n{IMPATIENT}");
    let poller = rabbit
        .poller(&mapping)
        .env("TEST_FUNCTION_DELAY_MS", "6000");
    let running = poller.start(&[]);
    poller.await_invocations("a first batch", |seen| !seen.is_empty());
    let reason = "a test cuts them";
    ctl(&["close_all_connections", "--vhost", "tides", reason]).await;
    // The batch in flight, whichever it was, is not acknowledged any more: it comes again, and says so.
    running.await_output("Basic.Ack");
    let seen = poller.await_invocations("a redelivered message", |seen| {
        messages(seen).any(|message| message["redelivered"] == true)
    });
    assert!(seen.len() > 1);
    poller.await_invocations("every message", |seen| deliveries(seen).len() == 40);
    // Every message may have been seen while some that come again still wait: the poller ends when nothing is left.
    let rabbit = rabbit.again().await;
    rabbit.await_counts(0, 0).await;
    let ended = running.terminate();
    assert!(ended.status.success(), "{ended:?}");
    rabbit.delete().await;
}

#[tokio::test]
async fn a_broker_that_stops_in_the_middle_of_a_batch_loses_nothing() {
    let _broker = BROKER.write().await;
    let rabbit = Rabbit::create().await;
    rabbit.publish(&bodies(40)).await;
    let mapping = format!("BatchSize = 10\n{IMPATIENT}");
    let poller = rabbit.poller(&mapping).env("TEST_FUNCTION_DELAY_MS", "500");
    let running = poller.start(&[]);
    poller.await_invocations("a second batch", |seen| seen.len() >= 2);
    ctl(&["stop_app"]).await;
    running.await_output("Connect");
    ctl(&["start_app"]).await;
    finish(&poller, running, 40);
    let rabbit = rabbit.again().await;
    // Whatever was not acknowledged when the poller stopped is back; acknowledged messages are gone for good.
    let (ready, unacknowledged) = rabbit.counts().await;
    assert_eq!(unacknowledged, 0);
    let again = rabbit.poller(&mapping);
    if ready > 0 {
        let ended = again.run(&["--max-records", &ready.to_string()]);
        assert!(ended.status.success(), "{ended:?}");
    }
    rabbit.await_counts(0, 0).await;
    rabbit.delete().await;
}

#[tokio::test]
async fn a_kill_at_any_moment_loses_nothing() {
    let _broker = BROKER.read().await;
    let rabbit = Rabbit::create().await;
    rabbit.publish(&bodies(200)).await;
    let poller = rabbit
        .poller("BatchSize = 10\n")
        .env("TEST_FUNCTION_DELAY_MS", "20");
    for kill in 1..=3 {
        let before = poller.invocations().len();
        let running = poller.start(&[]);
        poller.await_invocations("some invocations before the kill", |seen| {
            seen.len() >= before + kill
        });
        running.kill();
    }
    let running = poller.start(&[]);
    poller.await_invocations("every message", |seen| deliveries(seen).len() == 200);
    rabbit.await_counts(0, 0).await;
    assert!(running.terminate().status.success());
    // At least once: a kill repeats the batch that was not acknowledged yet, and nothing else.
    let seen = poller.invocations();
    let repeated: usize = deliveries(&seen).values().map(|count| count - 1).sum();
    assert!(repeated <= 3 * 10, "{repeated} deliveries more than once");
    let fresh = messages(&seen)
        .filter(|message| message["redelivered"] == false)
        .count();
    assert!(fresh <= 200, "{fresh} first deliveries of 200 messages");
    rabbit.delete().await;
}
