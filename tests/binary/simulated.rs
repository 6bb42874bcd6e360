//! A simulated account for the built binary.

use simulated_aws::{Aws, Clock, serve};
use std::process::Command;

/// A simulated account behind a port, in which so many seconds pass in one of ours.
pub fn simulated(speed: f64) -> (Aws, String) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    listener.set_nonblocking(true).unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let aws = Aws::new("us-east-1").on_clock(Clock::compressed(speed));
            tell.send(aws.clone()).unwrap();
            serve(aws, tokio::net::TcpListener::from_std(listener).unwrap()).await
        })
    });
    (told.recv().unwrap(), endpoint)
}

/// What a command needs to find the account.
pub fn there(mut command: Command, endpoint: &str) -> Command {
    for name in ["http_proxy", "https_proxy", "all_proxy", "no_proxy"] {
        command.env_remove(name).env_remove(name.to_uppercase());
    }
    command.env("AWS_ENDPOINT_URL", endpoint).env("AWS_REGION", "us-east-1");
    command.env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE").env("AWS_SECRET_ACCESS_KEY", "secret");
    command
}
