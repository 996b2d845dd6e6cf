use super::*;
use crate::scenario::SecretUri;

fn source(protocol: Option<KafkaProtocol>) -> KafkaSource {
    KafkaSource {
        arn: None,
        servers: vec!["a:9092".to_owned(), "b:9092".to_owned()],
        topic: "orders".to_owned(),
        group: "orders-group".to_owned(),
        protocol,
    }
}

fn secret(kind: &str, path: &std::path::Path) -> SourceAccess {
    SourceAccess::Secret {
        kind: kind.to_owned(),
        uri: SecretUri::File(path.to_owned()),
    }
}

fn folder(name: &str) -> std::path::PathBuf {
    let folder = std::env::temp_dir().join(format!("tidegate-kafka-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

#[test]
fn kafka_access_is_tls() {
    let file = std::path::Path::new("x");
    let of = |kinds: &[&str], chosen| {
        let access: Vec<SourceAccess> = kinds.iter().map(|kind| secret(kind, file)).collect();
        protocol(&source(chosen), &access).name()
    };
    assert_eq!(of(&[], None), "PLAINTEXT");
    assert_eq!(of(&["BASIC_AUTH"], None), "SASL_SSL");
    assert_eq!(
        of(&["SERVER_ROOT_CA_CERTIFICATE", "SASL_SCRAM_512_AUTH"], None),
        "SASL_SSL"
    );
    assert_eq!(of(&["CLIENT_CERTIFICATE_TLS_AUTH"], None), "SSL");
    assert_eq!(of(&["SERVER_ROOT_CA_CERTIFICATE"], None), "SSL");
    let plain = Some(KafkaProtocol::SaslPlaintext);
    assert_eq!(of(&["BASIC_AUTH"], plain), "SASL_PLAINTEXT");
}

#[tokio::test]
async fn settings_leave_positions_to_the_engine() {
    let found = settings(&source(None), &[], &Aws::default()).await;
    let config = found.expect("settings").config;
    for (name, value) in [
        ("bootstrap.servers", "a:9092,b:9092"),
        ("group.id", "orders-group"),
        ("security.protocol", "PLAINTEXT"),
        ("enable.auto.commit", "false"),
        ("enable.auto.offset.store", "false"),
        ("isolation.level", "read_committed"),
        ("partition.assignment.strategy", "cooperative-sticky"),
    ] {
        assert_eq!(config.get(name), Some(value), "{name}");
    }
    config
        .create_native_config()
        .expect("librdkafka knows them all");
}

#[tokio::test]
async fn secrets_become_settings_and_no_error_shows_them() {
    let folder = folder("secrets");
    let login = folder.join("login.json");
    std::fs::write(&login, r#"{"username":"me","password":"hush-hush"}"#).expect("written");
    let certificate = folder.join("client.json");
    let both = r#"{"certificate":"C","privateKey":"K-hush","privateKeyPassword":"P-hush"}"#;
    std::fs::write(&certificate, both).expect("written");
    let authority = folder.join("ca.json");
    std::fs::write(&authority, r#"{"certificate":"CA"}"#).expect("written");
    let access = [
        secret("SASL_SCRAM_512_AUTH", &login),
        secret("CLIENT_CERTIFICATE_TLS_AUTH", &certificate),
        secret("SERVER_ROOT_CA_CERTIFICATE", &authority),
    ];
    let found = settings(&source(None), &access, &Aws::default()).await;
    let found = found.expect("settings");
    assert!(!format!("{found:?}").contains("hush"), "{found:?}");
    let config = found.config;
    for (name, value) in [
        ("security.protocol", "SASL_SSL"),
        ("sasl.mechanism", "SCRAM-SHA-512"),
        ("sasl.username", "me"),
        ("sasl.password", "hush-hush"),
        ("ssl.certificate.pem", "C"),
        ("ssl.key.pem", "K-hush"),
        ("ssl.key.password", "P-hush"),
        ("ssl.ca.pem", "CA"),
    ] {
        assert_eq!(config.get(name), Some(value), "{name}");
    }
    std::fs::write(&login, "hush-hush").expect("written");
    let error = settings(&source(None), &access, &Aws::default())
        .await
        .expect_err("no JSON");
    assert_eq!(error.class, FailureClass::Denied);
    assert!(
        error.text.starts_with("EVENT_SOURCE_AUTHN_ERROR: "),
        "{error}"
    );
    assert!(!error.text.contains("hush"), "{error}");
}

#[tokio::test]
async fn tokens_come_from_a_secret_or_from_aws() {
    let aws = Aws::default();
    let bearer = [secret(
        "OAUTHBEARER_AUTH",
        std::path::Path::new("token.json"),
    )];
    let found = settings(&source(None), &bearer, &aws).await;
    let found = found.expect("settings");
    assert_eq!(found.config.get("sasl.mechanism"), Some("OAUTHBEARER"));
    assert_eq!(found.config.get("security.protocol"), Some("SASL_SSL"));
    assert!(matches!(found.tokens, Some(Tokens::Secret { .. })));
    let iam = [SourceAccess::Plain {
        kind: "IAM_AUTH".to_owned(),
        text: "default".to_owned(),
    }];
    let cluster = "arn:aws:kafka:eu-west-1:123456789012:cluster/orders/751d2973-a626-431c-9d4e-d7975eb44dd7-2";
    let of_msk = KafkaSource {
        arn: crate::scenario::Arn::parse(cluster).ok(),
        ..source(None)
    };
    let found = settings(&of_msk, &iam, &aws).await.expect("settings");
    let Some(Tokens::Iam { region, .. }) = found.tokens else {
        panic!("{:?}", found.tokens);
    };
    assert_eq!(region.as_deref(), Some("eu-west-1"));
    assert_eq!(found.config.get("security.protocol"), Some("SASL_SSL"));
}

#[test]
fn what_no_client_can_do_is_refused_before_anything_is_connected() {
    let plain = |kind: &str| SourceAccess::Plain {
        kind: kind.to_owned(),
        text: "x".to_owned(),
    };
    for kind in ["OAUTHBEARER_SCOPE", "IAM_OAUTHBEARER_AUTH"] {
        let refused = check(&source(None), &[plain(kind)]);
        assert_eq!(refused, Err(KafkaError::Access(kind.to_owned())));
    }
    assert_eq!(check(&source(None), &[plain("VPC_SUBNET")]), Ok(()));
    let file = std::path::Path::new("x");
    let scram = [secret("SASL_SCRAM_256_AUTH", file)];
    let bearer = [secret("OAUTHBEARER_AUTH", file)];
    let in_clear = source(Some(KafkaProtocol::SaslPlaintext));
    let basic = [secret("BASIC_AUTH", file)];
    assert_eq!(check(&in_clear, &basic), Ok(()));
    let with_tls = [
        check(&in_clear, &scram),
        check(&in_clear, &bearer),
        check(&source(None), &basic),
    ];
    match HAS_TLS {
        true => assert_eq!(with_tls, [Ok(()), Ok(()), Ok(())]),
        false => {
            let hint = |refused: &Result<(), KafkaError>| {
                refused
                    .as_ref()
                    .is_err_and(|error| error.to_string().contains("kafka-tls"))
            };
            assert!(with_tls.iter().all(hint), "{with_tls:?}");
        }
    }
}
