use super::*;
use crate::source::plain::Plain;
use crate::source::scripted::{Scripted, error};

const ARN: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:broker-AbCdEf";
const PASSWORD: &str = "correct horse battery staple";

fn secret(text: &str) -> Secret {
    Secret {
        place: "env:LOGIN".to_owned(),
        text: Hidden(text.to_owned()),
    }
}

fn behind(url: &str) -> Aws {
    Aws {
        // The region of the secret's ARN is what counts.
        region: Some("us-west-2".to_owned()),
        endpoint_url: Some(url.to_owned()),
        profile: None,
    }
}

#[test]
fn secrets_have_the_form_of_their_type() {
    let basic = secret(r#"{"username":"ada","password":"x","host":"ignored"}"#);
    let basic = basic.basic().expect("a login");
    assert_eq!(
        (basic.username.expose(), basic.password.expose()),
        ("ada", "x")
    );
    let tls = secret(r#"{"certificate":"C","privateKey":"K","privateKeyPassword":"P"}"#);
    let found = tls.client_certificate().expect("a certificate");
    assert_eq!(found.certificate.expose(), "C");
    assert_eq!(found.private_key.expose(), "K");
    assert_eq!(
        found.private_key_password.as_ref().map(Hidden::expose),
        Some("P")
    );
    assert_eq!(tls.root_ca().expect("an authority").expose(), "C");
    let bare = secret(r#"{"certificate":"C","privateKey":"K","privateKeyPassword":null}"#);
    let bare = bare.client_certificate().expect("a certificate");
    assert_eq!(bare.private_key_password, None);
}

#[test]
fn what_is_missing_is_named() {
    for (text, key) in [
        (r#"{"username":"ada"}"#, "password"),
        (r#"{"password":"p"}"#, "username"),
        (r#"{"username":"ada","password":""}"#, "password"),
        (r#"{"username":"ada","password":12345}"#, "password"),
    ] {
        let error = secret(text).basic().expect_err(text);
        let expected = "{\"username\": text, \"password\": text}";
        let told = format!("the secret `env:LOGIN` has no text `{key}`; expected {expected}");
        assert_eq!(error.to_string(), told);
    }
    let token = secret(r#"{"token":"t.o.k"}"#).token();
    assert_eq!(token.expect("a token").expose(), "t.o.k");
    let error = secret("{}").token().expect_err("nothing there");
    assert!(error.to_string().contains("no text `token`"));
    let error = secret("{}").root_ca().expect_err("nothing there");
    assert!(error.to_string().contains("no text `certificate`"));
    let error = secret("{}")
        .client_certificate()
        .expect_err("nothing there");
    assert!(error.to_string().contains("privateKey"), "{error}");
}

/// Whatever is wrong, and whatever is printed, the secret is not in it.
#[test]
fn nothing_prints_a_secret() {
    let whole = format!(r#"{{"username":"{PASSWORD}","password":"{PASSWORD}"}}"#);
    let fine = secret(&whole);
    let basic = fine.basic().expect("a login");
    let mut told = vec![format!("{fine:?}"), format!("{basic:?}")];
    for text in [
        PASSWORD.to_owned(),
        format!("\"{PASSWORD}\""),
        format!("[\"{PASSWORD}\"]"),
        format!(r#"{{"username":"{PASSWORD}""#),
        format!(r#"{{"username":"{PASSWORD}","password":["{PASSWORD}"]}}"#),
        format!(r#"{{"{PASSWORD}":"{PASSWORD}"}}"#),
    ] {
        let secret = secret(&text);
        for error in [
            secret.basic().map(drop),
            secret.client_certificate().map(drop),
            secret.root_ca().map(drop),
            secret.token().map(drop),
        ] {
            let error = error.expect_err(&text);
            told.push(format!("{error} {error:?}"));
        }
    }
    for told in told {
        assert!(!told.contains("horse"), "{told}");
    }
}

#[tokio::test]
async fn a_variable_holds_a_secret() {
    let set = OsString::from(r#"{"username":"a","password":"b"}"#);
    let text = of_variable("LOGIN", Some(set)).expect("a value");
    assert!(secret(&text).basic().is_ok());
    for unset in [None, Some(OsString::new())] {
        let error = of_variable("LOGIN", unset).expect_err("not set");
        assert_eq!(error, SecretError::Unset("LOGIN".to_owned()));
        assert!(error.to_string().contains("`LOGIN` is not set"), "{error}");
    }
    // Cargo sets this one, and it is no JSON.
    let uri = SecretUri::Variable("CARGO_MANIFEST_DIR".to_owned());
    let loaded = load(&uri, &Aws::default()).await.expect("a variable");
    let error = loaded.basic().expect_err("not JSON");
    let told = format!("{error} {error:?} {loaded:?}");
    assert!(told.contains("env:CARGO_MANIFEST_DIR"), "{told}");
    assert!(!told.contains(env!("CARGO_MANIFEST_DIR")), "{told}");
}

#[tokio::test]
async fn a_file_holds_a_secret() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("login.json");
    let uri = SecretUri::File(path.clone());
    let aws = Aws::default();
    let error = load(&uri, &aws).await.expect_err("no file");
    let told = error.to_string();
    assert!(told.contains("login.json` cannot be read"), "{told}");
    assert!(told.contains("\"username\""), "{told}");

    let text = format!("{{\"username\":\"ada\",\"password\":\"{PASSWORD}\"}}\n");
    std::fs::write(&path, text).expect("a file");
    let basic = load(&uri, &aws).await.expect("a secret").basic();
    assert_eq!(basic.expect("a login").password.expose(), PASSWORD);

    std::fs::write(&path, vec![b' '; 65_537]).expect("a file");
    let error = load(&uri, &aws).await.expect_err("too large");
    assert!(matches!(error, SecretError::TooLarge(_)), "{error}");
    std::fs::write(&path, [0xff, 0xfe]).expect("a file");
    let error = load(&uri, &aws).await.expect_err("not text");
    assert!(matches!(error, SecretError::NotText(_)), "{error}");
}

#[tokio::test]
async fn secrets_manager_is_asked_with_a_signed_call() {
    let server = Plain::start(
        200,
        r#"{"Name":"broker","SecretString":"{\"username\":\"ada\",\"password\":\"s3cret\"}"}"#,
    )
    .await;
    let uri = SecretUri::parse(ARN).expect("an ARN");
    let loaded = load(&uri, &behind(&server.url)).await.expect("a secret");
    let basic = loaded.basic().expect("a login");
    assert_eq!(basic.password.expose(), "s3cret");
    let request = server.requests().remove(0);
    assert_eq!(
        (request.method.as_str(), request.path.as_str()),
        ("POST", "/")
    );
    assert_eq!(request.body, format!(r#"{{"SecretId":"{ARN}"}}"#));
    let headers = &request.headers;
    assert_eq!(headers["x-amz-target"], "secretsmanager.GetSecretValue");
    assert_eq!(headers["content-type"], "application/x-amz-json-1.1");
    let signature = &headers["authorization"];
    assert!(
        signature.contains("/eu-west-1/secretsmanager/aws4_request"),
        "{signature}"
    );
    // Services that speak JSON want the target signed.
    assert!(signature.contains("x-amz-target"), "{signature}");
}

#[tokio::test]
async fn refusals_of_secrets_manager_name_the_secret() {
    let server = Scripted::start(|_, _| error("ResourceNotFoundException")).await;
    let uri = SecretUri::parse(ARN).expect("an ARN");
    let error = load(&uri, &behind(&server.url))
        .await
        .expect_err("no secret");
    assert_eq!(
        error.to_string(),
        format!(
            "the secret `{ARN}` cannot be fetched: GetSecretValue: ResourceNotFoundException: as scripted"
        )
    );
    let server = Plain::start(200, r#"{"SecretBinary":"c2VjcmV0"}"#).await;
    let error = load(&uri, &behind(&server.url))
        .await
        .expect_err("a binary secret");
    let told = error.to_string();
    assert!(told.contains("is binary"), "{told}");
    assert!(!told.contains("c2VjcmV0"), "{told}");
}
