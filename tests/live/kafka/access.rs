//! Who a poller says it is, and what becomes of it when the cluster does not like the answer.

use crate::support::kafka::{
    MTLS, PLAIN, SASL, SASL_TLS, Topic, authority, certificate, numbers, value,
};
use crate::support::poller::{Ended, Poller};
use crate::support::{server_url, unique};
use serde_json::json;
use std::io::{BufRead as _, Read as _, Write as _};

const QUICK: &str = "backoff_first = \"100ms\"\nbackoff_max = \"500ms\"\n";

pub(super) fn login(user: &str, password: &str) -> String {
    json!({"username": user, "password": password}).to_string()
}

/// A poller of `topic` behind the listener `variable`; each access is a type and its secret.
pub(super) fn poller(
    topic: &Topic,
    variable: &str,
    access: &[(&str, String)],
    lines: &str,
) -> Poller {
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
    running.await_output("StateTransitionReason=\"EVENT_SOURCE_AUTHZ_ERROR\"");
    assert!(poller.invocations().is_empty());
    topic.send(0, None, Some("at last")).await;
    // Somebody who may.
    let secret = login("tidegate", "tide-secret");
    std::fs::write(poller.path("secret-0.json"), secret).expect("written");
    poller.await_invocations("the record", |seen| !seen.is_empty());
    let ended = running.terminate();
    assert!(ended.status.success(), "{ended:?}");
    let back = "the cluster can be read again";
    assert!(ended.output.contains(back), "{}", ended.output);
}

/// Answers the first requests as a server does that knows no such function, the others as a function.
fn reluctant_function(refusals: usize) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for (number, client) in listener.incoming().enumerate() {
            let Ok(mut client) = client else { return };
            let mut request = std::io::BufReader::new(client.try_clone().expect("a handle"));
            let mut length = 0;
            let mut line = String::new();
            while request.read_line(&mut line).is_ok_and(|read| read > 2) {
                let (name, value) = line.split_once(':').unwrap_or_default();
                if name.eq_ignore_ascii_case("content-length") {
                    length = value.trim().parse().expect("a length");
                }
                line.clear();
            }
            let mut body = vec![0; length];
            request.read_exact(&mut body).expect("the event");
            let status = match number < refusals {
                true => "404 Not Found",
                false => "200 OK",
            };
            let answer =
                format!("HTTP/1.1 {status}\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}");
            // The poller may be gone.
            let _ = client.write_all(answer.as_bytes());
        }
    });
    url
}

#[tokio::test]
async fn kafka_function_config_error() {
    let topic = Topic::create(1).await;
    topic.fill(0..3).await;
    let url = reluctant_function(3);
    let target = format!("type = \"http\"\nurl = \"{url}\"\n");
    let poller = topic.poller(QUICK).target(&target);
    let ended = poller.run(&["--max-records", "3"]);
    assert!(ended.status.success(), "{ended:?}");
    let entered = "StateTransitionReason=\"FUNCTION_CONFIG_NOT_VALID\"";
    assert_eq!(ended.output.matches(entered).count(), 1, "{}", ended.output);
    let back = "the function can be invoked again";
    assert_eq!(ended.output.matches(back).count(), 1, "{}", ended.output);
    assert_eq!(topic.committed(), [(0, 3)].into());
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
