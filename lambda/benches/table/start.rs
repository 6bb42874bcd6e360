//! From the start of the process to its first answer, on a fake of Lambda's Runtime API.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use super::median;

const STARTS: usize = 200;
const PYTHON_STARTS: usize = 20;

const EVENT: &str = r#"{"invocationId":"i","records":[{"recordId":"a","approximateArrivalTimestamp":1,"data":"eyJpZCI6MX0="}]}"#;

pub fn compare() {
    let bootstrap = env!("CARGO_BIN_EXE_bootstrap");
    let python = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/reference.py");
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for start in 0..STARTS {
        ours.push(measure(&mut Command::new(bootstrap)));
        if start % (STARTS / PYTHON_STARTS) == 0 {
            theirs.push(measure(Command::new("python3").arg(python).arg("--serve")));
        }
    }
    let memory = |runs: &[(f64, f64)]| median(runs.iter().map(|run| run.1).collect());
    let time = |runs: &[(f64, f64)]| median(runs.iter().map(|run| run.0).collect());
    println!("\nstart to first answer, median of {STARTS} ({PYTHON_STARTS} for Python)");
    println!("{:<28}{:>10}{:>14}{:>16}", "", "ms", "MiB of memory", "times Python");
    for (what, runs) in [("Python", &theirs), ("this processor", &ours)] {
        println!(
            "{what:<28}{:>10.2}{:>14.1}{:>16.1}",
            time(runs) * 1000.0,
            memory(runs),
            time(&theirs) / time(runs)
        );
    }
    let size = std::fs::metadata(bootstrap).unwrap().len();
    println!("{:<28}{:>10.2}", "MiB of program", size as f64 / 1024.0 / 1024.0);
}

/// Ends the process, whatever the measurement comes to.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Seconds, and MiB at most.
fn measure(command: &mut Command) -> (f64, f64) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let api = listener.local_addr().unwrap().to_string();
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("AWS_LAMBDA_RUNTIME_API", api).env("AWS_LAMBDA_FUNCTION_NAME", "bench");
    command.stdout(Stdio::null()).stdin(Stdio::null());
    let start = Instant::now();
    let running = Running(command.spawn().unwrap());
    let (mut stream, _) = listener.accept().unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    read_request(&mut reader);
    respond(&mut stream, EVENT);
    let (line, body) = read_request(&mut reader);
    let seconds = start.elapsed().as_secs_f64();
    assert!(line.contains("/response"), "{line}");
    assert!(body.contains(r#""Ok""#), "{body}");
    let status = std::fs::read_to_string(format!("/proc/{}/status", running.0.id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kib: f64 = peak.trim().trim_end_matches(" kB").trim().parse().unwrap();
    respond(&mut stream, "");
    (seconds, kib / 1024.0)
}

fn read_request(reader: &mut impl BufRead) -> (String, String) {
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).unwrap();
        if header.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = header.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    (line, String::from_utf8_lossy(&body).into_owned())
}

fn respond(stream: &mut TcpStream, body: &str) {
    let head = format!(
        "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: r\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + body).as_bytes()).unwrap();
}
