//! SASL/OAUTHBEARER with tokens that nobody has signed, which the broker of the tests takes at their word.

use super::access::poller;
use crate::support::kafka::{SASL, SASL_TLS, Topic, authority, numbers};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A secret with a token that says so of its bearer, and ends after some time.
fn token(mut claims: Value, lifetime: Duration) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    claims["iat"] = json!(now.as_secs());
    claims["exp"] = json!((now + lifetime).as_secs());
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let token = format!("{}.{}.", part(&json!({"alg": "none"})), part(&claims));
    json!({ "token": token }).to_string()
}

const HOUR: Duration = Duration::from_secs(3_600);

#[tokio::test]
async fn tokens_are_shown_with_and_without_tls() {
    let good = token(json!({"sub": "tidegate"}), HOUR);
    let in_clear = "security_protocol = \"SASL_PLAINTEXT\"\n";
    let bearer = ("OAUTHBEARER_AUTH", good);
    for (variable, access, lines) in [
        (SASL, vec![bearer.clone()], in_clear),
        (SASL_TLS, vec![bearer, authority()], ""),
    ] {
        let topic = Topic::create(2).await;
        topic.fill(0..5).await;
        let poller = poller(&topic, variable, &access, lines);
        let ended = poller.run(&["--max-records", "10"]);
        assert!(ended.status.success(), "{ended:?}");
        assert_eq!(numbers(&poller.invocations()).len(), 2);
    }
}

#[tokio::test]
async fn a_token_that_is_not_accepted_is_an_authentication_error_until_it_is_mended() {
    let topic = Topic::create(1).await;
    topic.send(0, None, Some("at last")).await;
    let in_clear = "security_protocol = \"SASL_PLAINTEXT\"\n";
    let nobody = [("OAUTHBEARER_AUTH", token(json!({}), HOUR))];
    let poller = poller(&topic, SASL, &nobody, in_clear);
    let running = poller.start(&[]);
    running.await_output("StateTransitionReason=\"EVENT_SOURCE_AUTHN_ERROR\"");
    let mended = token(json!({"sub": "tidegate"}), HOUR);
    std::fs::write(poller.path("secret-0.json"), &mended).expect("written");
    poller.await_invocations("the record", |seen| !seen.is_empty());
    let ended = running.terminate();
    assert!(ended.status.success(), "{ended:?}");
    assert!(ended.output.contains("can be read again"));
}

/// Tokens are asked for again before they end: a poller that is at work for longer than one keeps reading.
#[tokio::test]
async fn a_token_is_renewed_before_it_ends() {
    let topic = Topic::create(1).await;
    topic.send(0, None, Some("first")).await;
    let in_clear = "security_protocol = \"SASL_PLAINTEXT\"\n";
    // Long enough to have joined and read by its end, on a busy machine too: whoever finds it over cannot log in.
    let short = token(json!({"sub": "tidegate"}), Duration::from_secs(15));
    let access = [("OAUTHBEARER_AUTH", short.clone())];
    let poller = poller(&topic, SASL, &access, in_clear);
    let running = poller.start(&[]);
    poller.await_invocations("the first record", |seen| !seen.is_empty());
    std::fs::write(
        poller.path("secret-0.json"),
        token(json!({"sub": "tidegate"}), HOUR),
    )
    .expect("written");
    let ends = SystemTime::now() + Duration::from_secs(16);
    crate::support::poller::wait_until("the end of the first token", || {
        (SystemTime::now() > ends).then_some(())
    });
    topic.send(0, None, Some("second")).await;
    poller.await_invocations("the second record", |seen| {
        seen.iter().map(|it| it.records.len()).sum::<usize>() >= 2
    });
    let ended = running.terminate();
    assert!(ended.status.success(), "{ended:?}");
    assert!(!ended.output.contains("AUTHN"), "{}", ended.output);
}
