//! Lambda's Runtime API: the next event, and its answer, over one connection that is kept.
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>
//!
//! Plain HTTP/1.1 to an address on the same machine, one request after the other. A client that can do more would be
//! most of the program, of its start and of the time that it takes to compile.
//!
//! A request is sent again, once, where a connection that was kept turns out to be closed. Nothing is lost or done twice
//! by that: until an event is answered, the service hands out the same one, under the same id; and it takes one answer
//! to each (<https://github.com/aws/aws-lambda-runtime-interface-emulator>, `lambda/core/states.go`).

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;

/// No line of a head is longer: one that is, is none.
const LONGEST_LINE: u64 = 64 * 1024;

/// The way to the service that runs this process.
#[derive(Debug)]
pub struct Runtime {
    /// Host and port.
    api: String,
    connection: Option<BufReader<TcpStream>>,
}

/// The head of a response, as far as it matters here.
#[derive(Debug, Default)]
struct Head {
    status: u16,
    request_id: String,
    length: Option<u64>,
    is_chunked: bool,
    closes: bool,
}

impl Runtime {
    /// At `host:port`, which Lambda tells in `AWS_LAMBDA_RUNTIME_API`.
    pub fn new(api: String) -> Self {
        Runtime { api, connection: None }
    }

    /// Waits for the next event, reads it into `event`, and returns the invocation's id.
    pub fn next(&mut self, event: &mut Vec<u8>) -> io::Result<String> {
        let (head, _) = self.send("GET", "invocation/next", "", b"", event)?;
        match head.status {
            200 if !head.request_id.is_empty() => Ok(head.request_id),
            200 => Err(broken("an event without an id")),
            status => Err(refused("the next event", status, event)),
        }
    }

    /// Answers an invocation.
    pub fn answer(&mut self, request_id: &str, answer: &[u8]) -> io::Result<()> {
        self.post("an answer", &format!("invocation/{request_id}/response"), "", answer)
    }

    /// Says that an invocation failed, and why, as JSON.
    pub fn fail(&mut self, request_id: &str, kind: &str, error: &[u8]) -> io::Result<()> {
        let header = format!("Lambda-Runtime-Function-Error-Type: {kind}\r\n");
        self.post("an error", &format!("invocation/{request_id}/error"), &header, error)
    }

    fn post(&mut self, what: &str, path: &str, header: &str, content: &[u8]) -> io::Result<()> {
        let mut said = Vec::new();
        let (head, is_repeated) = self.send("POST", path, header, content, &mut said)?;
        match head.status {
            200..300 => Ok(()),
            // It had been read when the connection broke. Or half of it: then the next event is refused as well.
            400 | 403 if is_repeated => Ok(()),
            status => Err(refused(what, status, &said)),
        }
    }

    /// Returns whether the request was sent twice, too.
    fn send(
        &mut self,
        method: &str,
        path: &str,
        header: &str,
        content: &[u8],
        body: &mut Vec<u8>,
    ) -> io::Result<(Head, bool)> {
        let request = format!(
            "{method} /2018-06-01/runtime/{path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n{header}Content-Length: {}\r\n\r\n",
            self.api,
            content.len()
        );
        // A connection that was kept may have been closed meanwhile, which only shows when it is used.
        let was_kept = self.connection.is_some();
        match self.exchange(&request, content, body) {
            Err(error) if was_kept && is_closed(&error) => {
                Ok((self.exchange(&request, content, body)?, true))
            }
            result => Ok((result?, false)),
        }
    }

    fn exchange(&mut self, request: &str, content: &[u8], body: &mut Vec<u8>) -> io::Result<Head> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                let stream = TcpStream::connect(&self.api)?;
                stream.set_nodelay(true)?;
                BufReader::with_capacity(64 * 1024, stream)
            }
        };
        connection.get_mut().write_all(request.as_bytes())?;
        connection.get_mut().write_all(content)?;
        let mut head = read_head(&mut connection)?;
        while (100..200).contains(&head.status) {
            head = read_head(&mut connection)?;
        }
        body.clear();
        read_body(&mut connection, &head, body)?;
        if !head.closes {
            self.connection = Some(connection);
        }
        Ok(head)
    }
}

fn read_head(from: &mut impl BufRead) -> io::Result<Head> {
    let mut line = String::new();
    // `HTTP/1.1 200 OK`
    read_line(from, &mut line)?;
    let status = line.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)?.parse().ok());
    let status = status.ok_or_else(|| broken("no status line"))?;
    let mut head = Head { status, closes: line.starts_with("HTTP/1.0"), ..Head::default() };
    loop {
        read_line(from, &mut line)?;
        if line.is_empty() {
            // Where a body without a length ends only the connection's end would tell.
            head.closes |= head.length.is_none() && !head.is_chunked && !(100..200).contains(&head.status);
            return Ok(head);
        }
        let Some((name, value)) = line.split_once(':') else { return Err(broken("no header")) };
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => {
                head.length = Some(value.parse().map_err(|_| broken("no content length"))?);
            }
            "transfer-encoding" => head.is_chunked = value.eq_ignore_ascii_case("chunked"),
            "connection" => {
                head.closes |= value.split(',').any(|option| option.trim().eq_ignore_ascii_case("close"));
            }
            "lambda-runtime-aws-request-id" => value.clone_into(&mut head.request_id),
            _ => {}
        }
    }
}

fn read_body(from: &mut impl BufRead, head: &Head, body: &mut Vec<u8>) -> io::Result<()> {
    if !head.is_chunked {
        return match head.length {
            Some(length) => read_exactly(from, length, body),
            // An event. Of what is said to an answer nothing is needed, and nothing waited for.
            None if head.status == 200 => from.read_to_end(body).map(|_| ()),
            None => Ok(()),
        };
    }
    let mut line = String::new();
    loop {
        read_line(from, &mut line)?;
        // What follows a `;` is an extension.
        let length = line.split(';').next().unwrap_or_default().trim();
        let length = u64::from_str_radix(length, 16).map_err(|_| broken("no chunk length"))?;
        if length == 0 {
            break;
        }
        read_exactly(from, length, body)?;
        read_line(from, &mut line)?;
    }
    // Trailers, up to the empty line.
    while !line.is_empty() {
        read_line(from, &mut line)?;
    }
    Ok(())
}

fn read_exactly(from: &mut impl BufRead, length: u64, body: &mut Vec<u8>) -> io::Result<()> {
    match from.take(length).read_to_end(body)? {
        read if read as u64 == length => Ok(()),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// A line, without its end. What isn't UTF-8 in it isn't for us: the service passes on headers of the invoker.
fn read_line(from: &mut impl BufRead, line: &mut String) -> io::Result<()> {
    let mut bytes = Vec::new();
    from.take(LONGEST_LINE).read_until(b'\n', &mut bytes)?;
    line.clear();
    match bytes.strip_suffix(b"\n") {
        Some(text) => line.push_str(String::from_utf8_lossy(text).trim_end_matches('\r')),
        // The connection's end.
        None if (bytes.len() as u64) < LONGEST_LINE => return Err(io::ErrorKind::UnexpectedEof.into()),
        None => return Err(broken("a line without end")),
    }
    Ok(())
}

/// Whether the other side had hung up, most likely before it read the request.
fn is_closed(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
}

fn refused(what: &str, status: u16, said: &[u8]) -> io::Error {
    let said = String::from_utf8_lossy(said);
    io::Error::other(format!("the Runtime API answers {status} to {what}: {}", said.trim_end()))
}

fn broken(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the Runtime API sends {what}"))
}
