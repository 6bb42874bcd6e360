//! One request over a bare TCP connection: an HTTP client would be much machinery for a yes or no.

use super::files::Record;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const REQUEST: &[u8] = b"GET /_ministack/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// Whether the server of this record, and nobody else on its port, answers within this time.
pub(super) async fn answers(record: &Record, within: Duration) -> bool {
    match timeout(within, ask(record.port)).await {
        Ok(Ok(answer)) => answer.starts_with("HTTP/1.1 200") && answer.contains(&record.token),
        Ok(Err(_)) | Err(_) => false,
    }
}

async fn ask(port: u16) -> io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.write_all(REQUEST).await?;
    let mut answer = Vec::new();
    stream.take(64 * 1024).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
