//! Where a mapping's secrets are kept: what is understood, what is refused, and that a secret itself is never shown.

use tidegate::scenario::{SourceText, parse_poller};

const ARN: &str = "arn:aws:mq:us-east-1:123456789012:broker:orders:b-1234";

fn file(access: &str) -> String {
    format!(
        "[[target]]\nfunction = \"f\"\ntype = \"lambda\"\n[[mapping]]\nname = \"a\"\nFunctionName = \"f\"\n\
         EventSourceArn = \"{ARN}\"\nQueues = [\"orders\"]\nSourceAccessConfigurations = [{access}]\nBatchSise = 1\n"
    )
}

fn told(access: &str) -> String {
    let found = parse_poller(SourceText::new("poller.toml", file(access)));
    found.expect_err("an unknown key at least").to_string()
}

#[test]
fn places_of_secrets_are_understood() {
    for uri in [
        "arn:aws:secretsmanager:us-east-1:123456789012:secret:broker-AbCdEf",
        "env:BROKER_LOGIN",
        "file:secrets/broker.json",
        "file:///run/secrets/broker.json",
    ] {
        let text = told(&format!("{{ Type = \"BASIC_AUTH\", URI = \"{uri}\" }}"));
        assert!(!text.contains("error[bad-arn]"), "{text}");
        assert!(!text.contains("error[path-escapes]"), "{text}");
    }
    // Other types say what they mean in the URI.
    let text = told(
        "{ Type = \"BASIC_AUTH\", URI = \"env:A\" }, { Type = \"VIRTUAL_HOST\", URI = \"/shop\" }",
    );
    assert!(!text.contains("error[bad-arn]"), "{text}");
}

#[test]
fn other_places_are_refused_where_they_stand() {
    let text = told("{ Type = \"BASIC_AUTH\", URI = \"env:BROKER-LOGIN\" }");
    for part in [
        "error[bad-arn]: `URI` of BASIC_AUTH does not name a secret",
        "poller.toml:9:60",
        "env: needs the name of a variable",
        "allowed: arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME, env:VARIABLE or file:PATH",
    ] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
    let text = told("{ Type = \"SASL_SCRAM_512_AUTH\", URI = \"arn:aws:s3:::bucket\" }");
    assert!(text.contains("does not name a secret of Secrets Manager"));
    let text = told("{ Type = \"SERVER_ROOT_CA_CERTIFICATE\", URI = \"file:../ca.json\" }");
    assert!(text.contains("error[path-escapes]"), "{text}");
}

/// Somebody writes the password where its place belongs: neither the finding nor those on the same line repeat it.
#[test]
fn a_password_in_the_wrong_place_is_not_repeated() {
    let access = "{ Type = \"BASIC_AUTH\", URI = \"hunter2 \u{e9}t\u{e9}\", Typo = 1 }";
    let text = told(access);
    assert!(text.contains("error[bad-arn]"), "{text}");
    assert!(text.contains("error[unknown-key]"), "{text}");
    assert!(text.contains("URI = **********"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
    let report = parse_poller(SourceText::new("poller.toml", file(access)));
    let debug = format!("{report:?}");
    assert!(!debug.contains("hunter2"), "{debug}");
}
