//! As much of HTTP/1.1 as Kinesis' clients speak.

use super::served::Connection;
use super::stream::Stream;
use std::cell::RefCell;
use std::rc::Rc;

/// Answers one request after the other.
pub async fn serve(mut connection: Connection, stream: Rc<RefCell<Stream>>) {
    while let Some(head) = connection.next().await {
        let answer = match head.starts_with("GET /-/state ") {
            true => stream.borrow().state(),
            false => stream.borrow_mut().put_records(connection.body()),
        };
        let mut all = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/x-amz-json-1.1\r\ncontent-length: {}\r\n\
             x-amzn-requestid: 1\r\n\r\n",
            answer.len()
        )
        .into_bytes();
        all.extend_from_slice(&answer);
        if connection.send(&all).await.is_none() {
            return;
        }
    }
}
