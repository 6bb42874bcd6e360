//! As much of HTTP/1.1 as S3's clients speak.

use super::bucket::Bucket;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// One request.
pub struct Request {
    pub method: String,
    /// Without the slash in front of it.
    pub path: String,
    pub query: BTreeMap<String, String>,
    pub body: String,
}

impl Request {
    /// A parameter of the query, empty where it isn't there.
    pub fn get(&self, name: &str) -> &str {
        self.query.get(name).map_or("", String::as_str)
    }
}

/// One answer: a status, and a body of XML.
pub struct Answer {
    pub status: &'static str,
    pub headers: &'static str,
    pub body: Vec<u8>,
}

/// Answers one request after the other, each after its time.
pub async fn serve(mut stream: TcpStream, bucket: Rc<RefCell<Bucket>>, latency: Duration) {
    let _ = stream.set_nodelay(true);
    let mut buffer = Vec::new();
    while let Some(request) = read(&mut stream, &mut buffer).await {
        let is_ours = request.path.starts_with("-/");
        if !is_ours {
            tokio::time::sleep(latency).await;
        }
        let answer = bucket.borrow_mut().answer(&request);
        let head = format!(
            "HTTP/1.1 {}\r\ncontent-type: application/xml\r\ncontent-length: {}\r\nx-amz-request-id: 1\r\n{}\r\n",
            answer.status,
            answer.body.len(),
            answer.headers
        );
        let mut all = head.into_bytes();
        if request.method != "HEAD" {
            all.extend_from_slice(&answer.body);
        }
        if stream.write_all(&all).await.is_err() {
            return;
        }
    }
}

/// The next request. `None` where the connection ends.
async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Request> {
    let end = loop {
        if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        more(stream, buffer).await?;
    };
    let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
    let header = |name: &str| {
        let mut lines = head.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(header, _)| header.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned())
    };
    let length: usize = header("content-length").and_then(|it| it.parse().ok()).unwrap_or_default();
    if header("expect").is_some() {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.ok()?;
    }
    while buffer.len() < end + length {
        more(stream, buffer).await?;
    }
    let body = String::from_utf8_lossy(&buffer[end..end + length]).into_owned();
    buffer.drain(..end + length);
    let mut line = head.lines().next()?.split(' ');
    let (method, target) = (line.next()?.to_owned(), line.next()?);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let query = pairs.map(|(name, value)| (decoded(name), decoded(value))).collect();
    Some(Request { method, path: decoded(path.trim_start_matches('/')), query, body })
}

async fn more(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<()> {
    buffer.reserve(64 * 1_024);
    let read = stream.read_buf(buffer).await.ok()?;
    (read > 0).then_some(())
}

fn decoded(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text.bytes());
    while let Some(byte) = rest.next() {
        let hex = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16)).unwrap_or_default();
        bytes.push(match byte {
            b'%' => (hex(rest.next()) * 16 + hex(rest.next())) as u8,
            b'+' => b' ',
            byte => byte,
        });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
