//! Parse, run, exit code. Started by Lambda, this program is the reaper's function, and nothing was typed.

#![forbid(unsafe_code)]

use clap::Parser;
use kinesis_stack::{cli::Cli, commands, reaper::runtime::Runtime, report};

fn main() {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: cannot start: {error}");
            std::process::exit(1);
        }
    };
    let code = runtime.block_on(async {
        let arguments = std::env::args_os().skip(1).count();
        match Runtime::of(arguments, |name| std::env::var(name).ok()) {
            Some(function) => Box::pin(commands::function(function)).await,
            None => Box::pin(commands::run(Cli::parse())).await,
        }
    });
    report::leave_terminal();
    // A thread may still wait for a terminal's answer: it isn't waited for.
    std::process::exit(i32::from(code));
}
