//! As much of HTTP/1.1 as S3's clients speak.

use super::bucket::Bucket;
use super::served::Connection;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

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
pub async fn serve(mut connection: Connection, bucket: Rc<RefCell<Bucket>>, latency: Duration) {
    while let Some(request) = read(&mut connection).await {
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
        if connection.send(&all).await.is_none() {
            return;
        }
    }
}

/// The next request. `None` where the connection ends.
async fn read(connection: &mut Connection) -> Option<Request> {
    let head = connection.next().await?;
    let body = String::from_utf8_lossy(connection.body()).into_owned();
    let mut line = head.lines().next()?.split(' ');
    let (method, target) = (line.next()?.to_owned(), line.next()?);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let query = pairs.map(|(name, value)| (decoded(name), decoded(value))).collect();
    Some(Request { method, path: decoded(path.trim_start_matches('/')), query, body })
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
