//! Where requests go: the variables that every AWS SDK knows are all it takes.

use crate::sandbox::{Run, Sandbox};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;

const DENIED: &str = "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>User ada is not \
                      authorized to perform: cloudformation:DescribeStacks</Message></Error></ErrorResponse>";

/// A server of our own that refuses whatever it is asked, and tells the request line and the headers.
fn refusing() -> (String, std::thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let asked = std::thread::spawn(move || refuse(listener.accept().unwrap().0));
    (endpoint, asked)
}

fn refuse(mut stream: TcpStream) -> Vec<String> {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        match line.trim_end() {
            "" => break,
            text => head.push(text.to_owned()),
        }
    }
    let length =
        head.iter().find_map(|line| line.to_lowercase().strip_prefix("content-length: ").map(str::to_owned));
    let mut body = vec![0; length.map_or(0, |text| text.parse().unwrap())];
    reader.read_exact(&mut body).unwrap();
    write!(
        stream,
        "HTTP/1.1 403 Forbidden\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{DENIED}",
        DENIED.len()
    )
    .unwrap();
    head
}

fn list(sandbox: &Sandbox) -> Command {
    let mut command = sandbox.command("list --region eu-central-1");
    command.env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE").env("AWS_SECRET_ACCESS_KEY", "secret");
    // A proxy of this machine's has no say here.
    for name in ["http_proxy", "https_proxy", "all_proxy", "no_proxy"] {
        command.env_remove(name).env_remove(name.to_uppercase());
    }
    command
}

/// A refusal for lack of a permission: exit code 3, AWS's sentence, a remedy.
fn assert_denied(run: &Run) {
    assert_eq!(run.code, 3, "{run:?}");
    assert!(
        run.stderr.contains("User ada is not authorized to perform: cloudformation:DescribeStacks"),
        "{run:?}"
    );
    assert!(run.stderr.contains("→"), "{run:?}");
}

#[test]
fn an_endpoint_for_all_services_is_followed() {
    let (sandbox, (endpoint, asked)) = (Sandbox::new(), refusing());
    assert_denied(&Run::of(list(&sandbox).env("AWS_ENDPOINT_URL", &endpoint).output().unwrap()));
    let head = asked.join().unwrap();
    assert_eq!(head[0], "POST / HTTP/1.1");
    assert!(head.iter().any(|line| line.contains("/eu-central-1/cloudformation/aws4_request")), "{head:?}");
}

#[test]
fn an_endpoint_for_one_service_goes_before_that_for_all() {
    let (sandbox, (endpoint, asked)) = (Sandbox::new(), refusing());
    let mut command = list(&sandbox);
    command.env("AWS_ENDPOINT_URL", "http://127.0.0.1:9").env("AWS_ENDPOINT_URL_CLOUDFORMATION", &endpoint);
    assert_denied(&Run::of(command.output().unwrap()));
    asked.join().unwrap();
}

#[test]
fn a_proxy_is_used_except_for_what_no_proxy_names() {
    let (sandbox, (proxy, asked)) = (Sandbox::new(), refusing());
    let mut command = list(&sandbox);
    command.env("AWS_ENDPOINT_URL", "http://cloud.invalid").env("HTTP_PROXY", &proxy);
    assert_denied(&Run::of(command.output().unwrap()));
    assert_eq!(asked.join().unwrap()[0], "POST http://cloud.invalid/ HTTP/1.1");

    let (endpoint, asked) = refusing();
    let mut command = list(&sandbox);
    command
        .env("AWS_ENDPOINT_URL", &endpoint)
        .env("HTTP_PROXY", "http://127.0.0.1:9")
        .env("NO_PROXY", "127.0.0.1");
    assert_denied(&Run::of(command.output().unwrap()));
    asked.join().unwrap();
}

#[test]
fn the_profile_in_the_users_own_files_is_read_on_aws_and_never_for_the_local_cloud() {
    let (sandbox, (endpoint, asked)) = (Sandbox::new(), refusing());
    std::fs::create_dir(sandbox.home().join(".aws")).unwrap();
    let config = format!(
        "[profile work]\nregion = eu-west-1\nendpoint_url = {endpoint}\naws_access_key_id = AKIDWORK\naws_secret_access_key = s\n"
    );
    sandbox.file(".aws/config", config);
    let mut command = sandbox.command("list --profile work");
    command.env_remove("http_proxy").env_remove("HTTP_PROXY");
    assert_denied(&Run::of(command.output().unwrap()));
    let head = asked.join().unwrap();
    assert!(
        head.iter().any(|line| line.contains("Credential=AKIDWORK/") && line.contains("/eu-west-1/")),
        "{head:?}"
    );
    // A profile that isn't there, and a file that can't be parsed, are none of the local cloud's business.
    sandbox.file(".aws/config", "[[[broken");
    let run = Run::of(sandbox.command("list --local").env("AWS_PROFILE", "nowhere").output().unwrap());
    assert_eq!((run.code, run.stderr.as_str()), (0, "There is no environment here.\n"));
}
