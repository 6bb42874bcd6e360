//! What the servers of benchmarks have in common: how they begin and end, how a request is read, and what they used.

use std::ops::Range;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::LocalSet;

/// How much is read at once, at least.
const CHUNK: usize = 256 * 1_024;

/// Hands each connection over. It says its address in its first line, and ends with its standard input.
pub fn serve<F>(handle: impl Fn(Connection) -> F) -> anyhow::Result<()>
where
    F: Future<Output = ()> + 'static,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("http://{}", listener.local_addr()?);
        std::thread::spawn(|| {
            let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
            std::process::exit(0);
        });
        loop {
            let (stream, _) = listener.accept().await?;
            let _ = stream.set_nodelay(true);
            tokio::task::spawn_local(handle(Connection { stream, buffer: Vec::new(), body: 0..0 }));
        }
    })
}

/// A connection, and what was read of it.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// Where the request's body lies in the buffer.
    body: Range<usize>,
}

impl Connection {
    /// The head of the next request. `None` where the connection ends.
    pub async fn next(&mut self) -> Option<String> {
        self.buffer.drain(..self.body.end);
        self.body = 0..0;
        let begin = loop {
            if let Some(end) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            self.more().await?;
        };
        let head = String::from_utf8_lossy(&self.buffer[..begin]).into_owned();
        if header(&head, "expect").is_some() {
            self.send(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        let length = header(&head, "content-length").and_then(|it| it.parse().ok());
        self.body = begin..begin + length.unwrap_or(0);
        while self.buffer.len() < self.body.end {
            self.more().await?;
        }
        Some(head)
    }

    /// The body of the request whose head was read last.
    pub fn body(&self) -> &[u8] {
        &self.buffer[self.body.clone()]
    }

    /// Sends these bytes. `None` where nobody takes them.
    pub async fn send(&mut self, bytes: &[u8]) -> Option<()> {
        self.stream.write_all(bytes).await.ok()
    }

    async fn more(&mut self) -> Option<()> {
        self.buffer.reserve(CHUNK);
        let read = self.stream.read_buf(&mut self.buffer).await.ok()?;
        (read > 0).then_some(())
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    lines.find(|(header, _)| header.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

/// User and system time of this process, which Linux counts in hundredths of a second.
pub fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks: u64 = fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    ticks as f64 / 100.0
}
