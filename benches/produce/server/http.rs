//! As much of HTTP/1.1 as Kinesis' clients speak.

use super::stream::Stream;
use std::cell::RefCell;
use std::rc::Rc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Answers one request after the other.
pub async fn serve(mut connection: TcpStream, stream: Rc<RefCell<Stream>>) {
    let _ = connection.set_nodelay(true);
    let mut buffer = Vec::new();
    while let Some((head, body)) = read(&mut connection, &mut buffer).await {
        let answer = match head.starts_with("GET /-/state ") {
            true => stream.borrow().state(),
            false => stream.borrow_mut().put_records(&buffer[body.clone()]),
        };
        buffer.drain(..body.end);
        let mut all = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.1\r\ncontent-length: {}\r\n\
             x-amzn-requestid: 1\r\n\r\n",
            answer.len()
        )
        .into_bytes();
        all.extend_from_slice(&answer);
        if connection.write_all(&all).await.is_err() {
            return;
        }
    }
}

/// The next request: its head, and where its body lies in the buffer. `None` where the connection ends.
async fn read(connection: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<(String, std::ops::Range<usize>)> {
    let end = loop {
        if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        more(connection, buffer).await?;
    };
    let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    let length = lines.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let length: usize = length.and_then(|(_, value)| value.trim().parse().ok()).unwrap_or_default();
    while buffer.len() < end + length {
        more(connection, buffer).await?;
    }
    Some((head, end..end + length))
}

async fn more(connection: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<()> {
    buffer.reserve(256 * 1_024);
    let read = connection.read_buf(buffer).await.ok()?;
    (read > 0).then_some(())
}
