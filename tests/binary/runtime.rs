//! A Runtime API of our own: what Lambda is to the process of a function.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long an answer may take: far more than it does.
const PATIENCE: Duration = Duration::from_secs(120);

pub struct RuntimeApi {
    /// Host and port.
    pub address: String,
    events: Arc<Mutex<VecDeque<Event>>>,
    told: Receiver<Told>,
}

/// An event, and how long the function has for it.
type Event = (String, Duration);

/// What a function told of an event.
#[derive(Debug)]
pub struct Told {
    /// `response` or `error`, of which event.
    pub path: String,
    /// The header that names the kind of an error.
    pub error_type: Option<String>,
    pub body: serde_json::Value,
}

impl RuntimeApi {
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let events = Arc::new(Mutex::new(VecDeque::new()));
        let (tell, told) = channel();
        let queue = events.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (queue, tell) = (queue.clone(), tell.clone());
                std::thread::spawn(move || serve(&stream.unwrap(), &queue, &tell));
            }
        });
        RuntimeApi { address, events, told }
    }

    /// Sends an event, and waits for what the function tells of it.
    pub fn invoke(&self, event: &str) -> Told {
        self.invoke_within(Duration::from_secs(900), event)
    }

    /// The same for a function that has so long.
    pub fn invoke_within(&self, time: Duration, event: &str) -> Told {
        self.events.lock().unwrap().push_back((event.to_owned(), time));
        self.told.recv_timeout(PATIENCE).expect("the function answers")
    }
}

fn serve(stream: &TcpStream, events: &Mutex<VecDeque<Event>>, tell: &Sender<Told>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        match line.trim_end() {
            "" => break,
            text => lines.push(text.to_owned()),
        }
    }
    let header = |name: &str| {
        let found = lines.iter().filter_map(|line| line.split_once(": "));
        found.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned()).next()
    };
    let mut body = vec![0; header("content-length").map_or(0, |length| length.parse().unwrap())];
    reader.read_exact(&mut body).ok()?;
    let path = lines.first()?.split(' ').nth(1)?.strip_prefix("/2018-06-01/runtime/")?.to_owned();
    let mut stream = stream;
    if path != "invocation/next" {
        let body = serde_json::from_slice(&body).unwrap();
        tell.send(Told { path, error_type: header("lambda-runtime-function-error-type"), body }).ok()?;
        return write!(stream, "HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            .ok();
    }
    let (event, time) = loop {
        if let Some(event) = events.lock().unwrap().pop_front() {
            break event;
        }
        std::thread::park_timeout(Duration::from_millis(5));
    };
    let deadline = SystemTime::now() + time;
    let deadline = deadline.duration_since(UNIX_EPOCH).unwrap().as_millis();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: 8476a536\r\nLambda-Runtime-Deadline-Ms: {deadline}\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{event}",
        event.len()
    )
    .ok()
}
