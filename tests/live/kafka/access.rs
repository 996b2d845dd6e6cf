//! Who a poller says it is, and what becomes of it when the cluster does not like the answer.

use crate::support::kafka::{MTLS, PLAIN, SASL, SASL_TLS, Topic, certificate, numbers, value};
use crate::support::poller::{Ended, Poller};
use crate::support::{server_url, unique};
use serde_json::json;

const QUICK: &str = "backoff_first = \"100ms\"\nbackoff_max = \"500ms\"\n";

fn login(user: &str, password: &str) -> String {
    json!({"username": user, "password": password}).to_string()
}

/// A poller of `topic` behind the listener `variable`; each access is a type and its secret.
fn poller(topic: &Topic, variable: &str, access: &[(&str, String)], lines: &str) -> Poller {
    let entry = |(index, (kind, _)): (usize, &(&str, String))| {
        format!("{{ Type = \"{kind}\", URI = \"file:secret-{index}.json\" }}")
    };
    let entries: Vec<String> = access.iter().enumerate().map(entry).collect();
    let lines = format!("{QUICK}{lines}");
    let mapping = topic.mapping_at(&server_url(variable), &entries.join(", "), &lines);
    let poller = Poller::of(&mapping);
    for (index, (_, secret)) in access.iter().enumerate() {
        let path = poller.path(&format!("secret-{index}.json"));
        std::fs::write(path, secret).expect("the secret is written");
    }
    poller
}

fn authority() -> (&'static str, String) {
    let secret = json!({"certificate": certificate("ca.pem")}).to_string();
    ("SERVER_ROOT_CA_CERTIFICATE", secret)
}

async fn delivers(variable: &str, access: &[(&str, String)], lines: &str) -> Ended {
    let topic = Topic::create(2).await;
    topic.fill(0..5).await;
    let poller = poller(&topic, variable, access, lines);
    let ended = poller.run(&["--max-records", "10"]);
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(numbers(&poller.invocations()).len(), 2);
    assert!(!ended.output.contains("tide-secret"));
    ended
}

#[tokio::test]
async fn passwords_and_scram_are_accepted_with_and_without_tls() {
    let good = login("tidegate", "tide-secret");
    let in_clear = "security_protocol = \"SASL_PLAINTEXT\"\n";
    for kind in ["BASIC_AUTH", "SASL_SCRAM_256_AUTH", "SASL_SCRAM_512_AUTH"] {
        delivers(SASL, &[(kind, good.clone())], in_clear).await;
        delivers(SASL_TLS, &[(kind, good.clone()), authority()], "").await;
    }
}

#[tokio::test]
async fn a_client_certificate_is_shown_to_the_broker() {
    let plain =
        json!({"certificate": certificate("client.pem"), "privateKey": certificate("client.key")});
    let locked = json!({
        "certificate": certificate("client.pem"),
        "privateKey": certificate("client.encrypted.key"),
        "privateKeyPassword": "key-secret",
    });
    for secret in [plain, locked] {
        let access = [
            ("CLIENT_CERTIFICATE_TLS_AUTH", secret.to_string()),
            authority(),
        ];
        delivers(MTLS, &access, "").await;
    }
}

#[tokio::test]
async fn a_wrong_password_is_an_authentication_error_until_it_is_mended() {
    let topic = Topic::create(1).await;
    topic.send(0, None, Some("at last")).await;
    let in_clear = "security_protocol = \"SASL_PLAINTEXT\"\n";
    let wrong = [("SASL_SCRAM_512_AUTH", login("tidegate", "not-it"))];
    let poller = poller(&topic, SASL, &wrong, in_clear);
    let running = poller.start(&[]);
    running.await_output("EVENT_SOURCE_AUTHN_ERROR");
    std::fs::write(
        poller.path("secret-0.json"),
        login("tidegate", "tide-secret"),
    )
    .expect("written");
    poller.await_invocations("the record", |seen| !seen.is_empty());
    let ended = running.terminate();
    assert!(ended.status.success(), "{ended:?}");
    assert!(
        ended.output.contains("can be read again"),
        "{}",
        ended.output
    );
    assert!(!ended.output.contains("not-it"));
}

#[tokio::test]
async fn who_may_not_read_the_topic_gets_an_authorization_error() {
    let topic = Topic::create(1).await;
    let in_clear = "security_protocol = \"SASL_PLAINTEXT\"\n";
    let stranger = [("BASIC_AUTH", login("stranger", "gate-secret"))];
    let poller = poller(&topic, SASL, &stranger, in_clear);
    let running = poller.start(&[]);
    running.await_output("EVENT_SOURCE_AUTHZ_ERROR");
    let ended = running.terminate();
    assert!(ended.status.success(), "{ended:?}");
    assert!(poller.invocations().is_empty());
}

#[tokio::test]
async fn a_missing_topic_is_a_configuration_error_until_it_is_there() {
    let topic = Topic::named(&server_url(PLAIN), &unique("later"), 1);
    let poller = topic.poller(QUICK);
    let running = poller.start(&[]);
    running.await_output("ESM_CONFIG_NOT_VALID");
    topic.make(&[]).await;
    topic.send(0, None, Some("there it is")).await;
    let seen = poller.await_invocations("the record", |seen| !seen.is_empty());
    assert_eq!(value(&seen[0].records[0]).as_deref(), Some("there it is"));
    let ended = running.terminate();
    assert!(ended.status.success(), "{ended:?}");
}
