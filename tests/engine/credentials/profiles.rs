//! The SDK's own chain, with profiles that give no credentials: the built binary, its files in a home of its own,
//! and an STS that refuses.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

const PROFILES: &str = "\
[profile single]
sso_session = work
sso_account_id = 123456789012
sso_role_name = deploy
region = eu-central-1

[sso-session work]
sso_start_url = https://example.awsapps.com/start
sso_region = eu-central-1
sso_registration_scopes = sso:account:access

[profile keys]
aws_access_key_id = AKIAEXAMPLE
aws_secret_access_key = secret

[profile deploy]
role_arn = arn:aws:iam::123456789012:role/deploy
source_profile = keys
region = eu-central-1

[profile guarded]
role_arn = arn:aws:iam::123456789012:role/deploy
source_profile = keys
mfa_serial = arn:aws:iam::123456789012:mfa/ada
region = eu-central-1

[profile program]
credential_process = sh -c 'echo The login was not finished >&2; exit 1'
region = eu-central-1
";

/// What `list` says with this profile, on stderr.
fn list(home: &Path, profile: &str, more: &[(&str, &str)]) -> String {
    list_with(home, &["--profile", profile], more)
}

fn list_with(home: &Path, options: &[&str], more: &[(&str, &str)]) -> String {
    std::fs::create_dir_all(home.join(".aws/sso/cache")).unwrap();
    std::fs::write(home.join(".aws/config"), PROFILES).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_kinesis-stack"))
        .args(["list", "--region", "eu-central-1"])
        .args(options)
        .current_dir(home)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", home)
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .envs(more.iter().copied())
        .output()
        .unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    stderr
}

const NOT_FOR_ADA: &str = "User: arn:aws:iam::123456789012:user/ada is not authorized to perform: sts:AssumeRole on \
                           resource: arn:aws:iam::123456789012:role/deploy";

/// An STS that refuses to let anybody assume a role, with this text. Its endpoint.
fn refusing_sts(text: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 8_192]);
            let body = format!(
                "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>{text}</Message></Error></ErrorResponse>"
            );
            let head = format!(
                "HTTP/1.1 403 Forbidden\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all((head + &body).as_bytes());
        }
    });
    endpoint
}

#[test]
fn an_expired_single_sign_on_names_the_login_that_renews_it() {
    let home = tempfile::tempdir().unwrap();
    // Nobody has ever logged in.
    let text = list(home.path(), "single", &[]);
    assert!(text.contains("`aws sso login --profile single`"), "{text}");

    // The name of the session, hashed, as every SDK does.
    let cache = home.path().join(".aws/sso/cache/a94a8fe5ccb19ba61c4c0873d391e987982fbbd3.json");
    let token = r#"{"accessToken": "t", "expiresAt": "2020-01-01T00:00:00Z", "region": "eu-central-1", "startUrl": "https://example.awsapps.com/start"}"#;
    let named = home.path().join(".aws/sso/cache/f96b697d7cb7938d525a2f31aaf161d0.json");
    std::fs::write(cache, token).unwrap();
    std::fs::write(named, token).unwrap();
    let text = list(home.path(), "single", &[]);
    assert!(text.contains("`aws sso login --profile single`"), "{text}");
}

#[test]
fn a_profile_that_asks_for_mfa_says_that_the_sdk_cannot_and_who_can() {
    let home = tempfile::tempdir().unwrap();
    let sts = refusing_sts(NOT_FOR_ADA);
    let text = list(home.path(), "guarded", &[("AWS_ENDPOINT_URL_STS", &sts)]);
    assert!(
        text.contains("the profile `guarded` asks for MFA (arn:aws:iam::123456789012:mfa/ada)"),
        "{text}"
    );
    assert!(text.contains("aws configure export-credentials --profile guarded"), "{text}");
}

#[test]
fn a_role_that_cannot_be_assumed_is_named_with_who_has_to_allow_it() {
    let home = tempfile::tempdir().unwrap();
    let sts = refusing_sts(NOT_FOR_ADA);
    let text = list(home.path(), "deploy", &[("AWS_ENDPOINT_URL_STS", &sts)]);
    assert!(text.contains("not authorized to perform: sts:AssumeRole"), "{text}");
    assert!(text.contains("The role arn:aws:iam::123456789012:role/deploy can't be assumed"), "{text}");
    assert!(text.contains("trust policy"), "{text}");
}

#[test]
fn a_pipeline_whose_role_does_not_trust_its_token_is_told_what_the_role_has_to_trust() {
    let home = tempfile::tempdir().unwrap();
    let sts = refusing_sts("Not authorized to perform sts:AssumeRoleWithWebIdentity");
    let token = home.path().join("token");
    std::fs::write(&token, "eyJhbGciOiJSUzI1NiJ9.e30.c2lnbmF0dXJl").unwrap();
    let variables = [
        ("AWS_ENDPOINT_URL_STS", sts.as_str()),
        ("AWS_WEB_IDENTITY_TOKEN_FILE", token.to_str().unwrap()),
        ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/deploy"),
    ];
    let text = list_with(home.path(), &[], &variables);
    assert!(text.contains("AWS_ROLE_ARN has to trust the pipeline's identity provider"), "{text}");
    assert!(!text.contains("eyJ"), "the token is a secret: {text}");
}

#[test]
fn a_profile_that_is_not_there_is_told_with_those_that_are() {
    let home = tempfile::tempdir().unwrap();
    let text = list(home.path(), "nobody", &[]);
    assert!(text.contains("There is no profile `nobody`"), "{text}");
    assert!(text.contains("deploy") && text.contains("single"), "{text}");
}

#[test]
fn a_profile_that_is_named_wins_over_keys_in_the_environment() {
    let home = tempfile::tempdir().unwrap();
    let keys = [("AWS_ACCESS_KEY_ID", "AKIAOTHER"), ("AWS_SECRET_ACCESS_KEY", "secret")];
    let text = list(home.path(), "nobody", &keys);
    assert!(text.contains("There is no profile `nobody`"), "{text}");
}

#[test]
fn a_program_that_gives_no_credentials_is_told_in_its_own_words() {
    let home = tempfile::tempdir().unwrap();
    let text = list(home.path(), "program", &[]);
    assert!(text.contains("`program`"), "{text}");
}
