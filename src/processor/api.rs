//! Lambda's Runtime API on loopback, for one function: events go out, what is posted comes in.
//! <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>

use anyhow::{Context, Result};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

/// What Lambda takes as an answer at most, in bytes.
pub const ANSWER_LIMIT: usize = 6_291_556;

/// What a function posted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Posted {
    /// The answer to an event.
    Answer(Vec<u8>),
    /// That the event could not be answered.
    Error(Vec<u8>),
    /// That the function could not begin at all.
    InitError(Vec<u8>),
}

/// The way to the function.
#[derive(Debug)]
pub struct Api {
    /// Where the function finds it.
    pub address: SocketAddr,
    events: mpsc::Sender<Event>,
    posted: mpsc::Receiver<Posted>,
    // Ends with it.
    _connections: JoinSet<()>,
}

#[derive(Debug)]
struct Event {
    id: String,
    body: Vec<u8>,
}

impl Api {
    /// Listens on a free port.
    pub async fn listen() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("cannot listen on loopback")?;
        let address = listener.local_addr()?;
        let (events, waiting) = mpsc::channel(1);
        let (sender, posted) = mpsc::channel(1);
        let waiting = Arc::new(Mutex::new(waiting));
        let mut connections = JoinSet::new();
        connections.spawn(async move {
            let mut inner = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (waiting, sender) = (waiting.clone(), sender.clone());
                // A connection that breaks is the function's to open again.
                inner.spawn(async move { serve(stream, &waiting, &sender).await.unwrap_or_default() });
            }
        });
        Ok(Api { address, events, posted, _connections: connections })
    }

    /// Gives an event to the function, and waits for what it posts.
    pub async fn invoke(&mut self, id: &str, body: Vec<u8>) -> Result<Posted> {
        self.events.send(Event { id: id.to_owned(), body }).await.context("the Runtime API has ended")?;
        self.posted.recv().await.context("the Runtime API has ended")
    }
}

async fn serve(
    stream: TcpStream,
    waiting: &Mutex<mpsc::Receiver<Event>>,
    posted: &mpsc::Sender<Posted>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    while let Some((line, body)) = read_request(&mut stream).await? {
        let path = line.split(' ').nth(1).unwrap_or_default();
        let path = path.strip_prefix("/2018-06-01/runtime/").unwrap_or_default();
        let what = match path.rsplit('/').next() {
            Some("next") => {
                let Some(event) = waiting.lock().await.recv().await else { return Ok(()) };
                let head = format!(
                    "Lambda-Runtime-Aws-Request-Id: {}\r\nLambda-Runtime-Deadline-Ms: {}\r\n\
                     Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:000000000000:function:test\r\n",
                    event.id,
                    jiff::Timestamp::now().as_millisecond() + 180_000,
                );
                respond(&mut stream, "200 OK", &head, &event.body).await?;
                continue;
            }
            Some("response") if body.len() > ANSWER_LIMIT => {
                respond(&mut stream, "413 Request Entity Too Large", "", b"").await?;
                Posted::Answer(body)
            }
            Some("response") => {
                respond(&mut stream, "202 Accepted", "", b"").await?;
                Posted::Answer(body)
            }
            Some("error") => {
                respond(&mut stream, "202 Accepted", "", b"").await?;
                if path.starts_with("init") { Posted::InitError(body) } else { Posted::Error(body) }
            }
            _ => {
                respond(&mut stream, "404 Not Found", "", b"").await?;
                continue;
            }
        };
        if posted.send(what).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}

async fn respond(stream: &mut BufReader<TcpStream>, status: &str, head: &str, body: &[u8]) -> io::Result<()> {
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\n{head}Content-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body).await?;
    stream.flush().await
}

/// The request's first line and its body; nothing where the connection ends.
async fn read_request(stream: &mut BufReader<TcpStream>) -> io::Result<Option<(String, Vec<u8>)>> {
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        return Ok(None);
    }
    let (mut length, mut is_chunked) = (0, false);
    loop {
        let mut header = String::new();
        stream.read_line(&mut header).await?;
        let Some((name, value)) = header.trim_end().split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().map_err(io::Error::other)?,
            "transfer-encoding" => is_chunked = value.trim().eq_ignore_ascii_case("chunked"),
            _ => {}
        }
    }
    let mut body = Vec::new();
    if !is_chunked {
        read_exactly(stream, length, &mut body).await?;
        return Ok(Some((line, body)));
    }
    loop {
        let mut size = String::new();
        stream.read_line(&mut size).await?;
        let size = size.split(';').next().unwrap_or_default().trim();
        let size = u64::from_str_radix(size, 16).map_err(io::Error::other)?;
        read_exactly(stream, size, &mut body).await?;
        stream.read_line(&mut String::new()).await?;
        if size == 0 {
            return Ok(Some((line, body)));
        }
    }
}

async fn read_exactly(stream: &mut BufReader<TcpStream>, length: u64, body: &mut Vec<u8>) -> io::Result<()> {
    let read = stream.take(length).read_to_end(body).await?;
    if read as u64 == length { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}
