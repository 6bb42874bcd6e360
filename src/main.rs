//! Parse, run, exit code.

use clap::Parser;
use kinesis_stack::{cli::Cli, commands, report};

fn main() {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("error: cannot start: {error}");
            std::process::exit(1);
        }
    };
    let code = runtime.block_on(commands::run(cli));
    report::leave_terminal();
    // A thread may still wait for a terminal's answer: it isn't waited for.
    std::process::exit(i32::from(code));
}
