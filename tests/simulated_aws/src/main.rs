//! The simulated account as a program of its own: for whatever takes an endpoint and nothing else.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

use simulated_aws::{Aws, Clock, serve};
use std::io::{Read, Write};
use std::process::ExitCode;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

const HELP: &str = "\
Serves a simulated AWS account on 127.0.0.1 and tells its endpoint in the first line.
Ends on SIGTERM, SIGINT, or when its standard input ends.

Usage: simulated-aws [--port N] [--speed 60] [--seed N] [--region us-east-1]

  --port N      the port; any that is free where it isn't given
  --speed N     how many seconds pass in the account in one of ours
  --seed N      the weather: faults, delays, other people; fair where it isn't given
  --region R    the region that the account is in";

struct Options {
    port: u16,
    speed: f64,
    seed: Option<u64>,
    region: String,
}

impl Options {
    fn of(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Options { port: 0, speed: 60.0, seed: None, region: "us-east-1".to_owned() };
        let mut arguments = arguments;
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{name} lacks a value"))?;
            let bad = |_| format!("{name} can't be `{value}`");
            match name.as_str() {
                "--port" => options.port = value.parse().map_err(bad)?,
                "--speed" => {
                    options.speed = value.parse().map_err(|_| format!("{name} can't be `{value}`"))?
                }
                "--seed" => options.seed = Some(value.parse().map_err(bad)?),
                "--region" => options.region = value,
                _ => return Err(format!("there is no option {name}")),
            }
        }
        Ok(options)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    if std::env::args().any(|argument| argument == "--help" || argument == "-h") {
        say(HELP);
        return ExitCode::SUCCESS;
    }
    let ended = match Options::of(std::env::args().skip(1)) {
        Ok(options) => run(options).await.map_err(|error| error.to_string()),
        Err(message) => Err(message),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            let _ = writeln!(std::io::stderr(), "simulated-aws: {message}\n\n{HELP}");
            ExitCode::from(2)
        }
    }
}

async fn run(options: Options) -> std::io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", options.port)).await?;
    say(&format!("http://{}", listener.local_addr()?));
    let aws = Aws::new(&options.region).on_clock(Clock::compressed(options.speed));
    let aws = match options.seed {
        Some(seed) => aws.with_weather(seed),
        None => aws,
    };
    let (mut terminated, mut interrupted) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        ended = serve(aws, listener) => ended,
        _ = terminated.recv() => Ok(()),
        _ = interrupted.recv() => Ok(()),
        () = end_of_input() => Ok(()),
    }
}

/// Whoever started it holds the other end: when that is gone, so is whoever needs the account.
async fn end_of_input() {
    let (told, ended) = tokio::sync::oneshot::channel();
    // A thread of its own, which the end of the process ends: a read of standard input can't be called off.
    std::thread::spawn(move || {
        let mut input = std::io::stdin().lock();
        while input.read(&mut [0; 1024]).is_ok_and(|read| read > 0) {}
        let _ = told.send(());
    });
    let _ = ended.await;
}

fn say(line: &str) {
    let mut output = std::io::stdout();
    let _ = writeln!(output, "{line}").and_then(|()| output.flush());
}
