//! Runs the built binary against a small fake of the Lambda Runtime API.

use std::{
    collections::VecDeque,
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(30);

/// What the binary sent for one invocation.
#[derive(Debug)]
struct Posted {
    path: String,
    body: Value,
}

struct Request {
    line: String,
    body: Vec<u8>,
}

fn read_request(reader: &mut impl BufRead) -> Option<Request> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|&read| read > 0)?;
    let mut length = 0;
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok()?;
        let header = header.trim().to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        assert!(!header.starts_with("transfer-encoding"), "the fake reads no chunks");
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request { line, body })
}

fn respond(stream: &mut TcpStream, status: &str, request_id: &str, body: &[u8]) {
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Lambda-Runtime-Aws-Request-Id: {request_id}\r\nLambda-Runtime-Deadline-Ms: 9999999999999\r\n\
         Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:123456789012:function:f\r\n\r\n",
        body.len()
    )
    .unwrap();
    stream.write_all(body).unwrap();
}

/// Serves the events one after the other, then leaves the binary waiting.
fn serve(listener: TcpListener, events: Vec<Vec<u8>>, posted: mpsc::Sender<Posted>) {
    let mut events: VecDeque<_> = events.into();
    let mut number = 0;
    for stream in listener.incoming() {
        let mut stream = stream.unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        while let Some(request) = read_request(&mut reader) {
            if request.line.starts_with("GET /2018-06-01/runtime/invocation/next ") {
                let Some(event) = events.pop_front() else {
                    thread::sleep(PATIENCE);
                    return;
                };
                number += 1;
                respond(&mut stream, "200 OK", &format!("request-{number}"), &event);
            } else {
                let path = request.line.split(' ').nth(1).unwrap().to_owned();
                let body = serde_json::from_slice(&request.body).unwrap();
                respond(&mut stream, "202 Accepted", "none", b"");
                if posted.send(Posted { path, body }).is_err() {
                    return;
                }
            }
        }
    }
}

/// Kills the binary even when an assertion fails.
struct Bootstrap(Child);

impl Drop for Bootstrap {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs the events through the binary; returns what it posted and what it printed.
fn run(events: &[&[u8]]) -> (Vec<Posted>, Vec<Value>) {
    let served = events.iter().map(|event| event.to_vec()).collect();
    run_against(events.len(), &[], move |listener, sender| serve(listener, served, sender))
}

fn run_against(
    answers: usize,
    variables: &[(&str, &str)],
    serve: impl FnOnce(TcpListener, mpsc::Sender<Posted>) + Send + 'static,
) -> (Vec<Posted>, Vec<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || serve(listener, sender));

    let child = Command::new(env!("CARGO_BIN_EXE_bootstrap"))
        .env_clear()
        .env("AWS_LAMBDA_RUNTIME_API", address)
        .env("AWS_LAMBDA_FUNCTION_NAME", "stock-stream-processor")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .envs(variables.iter().copied())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut bootstrap = Bootstrap(child);
    let posted = (0..answers).map(|_| receiver.recv_timeout(PATIENCE).expect("an answer")).collect();

    bootstrap.0.kill().unwrap();
    let mut log = String::new();
    let mut errors = String::new();
    bootstrap.0.stdout.take().unwrap().read_to_string(&mut log).unwrap();
    bootstrap.0.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    assert_eq!(errors, "");
    let lines = log.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect();
    (posted, lines)
}

fn record(id: &str, data: &str) -> String {
    let data = base64_simd::STANDARD.encode_to_string(data);
    format!(r#"{{"recordId": "{id}", "approximateArrivalTimestamp": 1, "data": "{data}"}}"#)
}

fn event(records: &[String]) -> Vec<u8> {
    format!(r#"{{"invocationId": "i", "records": [{}]}}"#, records.join(",")).into_bytes()
}

#[test]
fn answers_a_batch_and_logs_one_line_a_reason_and_one_a_batch() {
    let event = event(&[
        record("a", r#"{"tickerSymbol": "T", "price": 34, "id": 1}"#),
        record("b", "secret"),
        record("c", "secret too"),
        r#"{"recordId": "d"}"#.to_owned(),
    ]);
    let (posted, log) = run(&[&event]);

    assert_eq!(posted[0].path, "/2018-06-01/runtime/invocation/request-1/response");
    let records = posted[0].body["records"].as_array().unwrap();
    let results: Vec<_> = records
        .iter()
        .map(|record| (record["recordId"].as_str().unwrap(), record["result"].as_str().unwrap()))
        .collect();
    assert_eq!(
        results,
        [("a", "Ok"), ("b", "ProcessingFailed"), ("c", "ProcessingFailed"), ("d", "ProcessingFailed")]
    );
    let row = base64_simd::STANDARD.decode_to_vec(records[0]["data"].as_str().unwrap()).unwrap();
    let row = String::from_utf8(row).unwrap();
    let start = r#"{"price": 34.0, "id": 1, "stockId": "T", "tradeTime": "20"#;
    assert!(row.starts_with(start), "{row}");

    let reasons: Vec<_> = log[..log.len() - 1]
        .iter()
        .map(|line| {
            assert_eq!(line["level"], "WARN");
            (
                line["reason"].as_str().unwrap(),
                line["records"].as_u64().unwrap(),
                line["firstRecordId"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(reasons, [("not JSON", 2, "b"), ("no data", 1, "d")]);
    let batch = log.last().unwrap();
    assert_eq!(batch["requestId"], "request-1");
    assert_eq!((&batch["records"], &batch["ok"], &batch["failed"]), (&4.into(), &1.into(), &3.into()));
    assert!(batch["milliseconds"].is_f64());
    // The same line is its metrics.
    assert_eq!(
        (&batch["Rows"], &batch["Failed"], &batch["FunctionName"]),
        (&1.into(), &3.into(), &"stock-stream-processor".into())
    );
    assert!(batch["_aws"]["Timestamp"].as_u64().is_some_and(|time| time > 1_700_000_000_000));
    assert!(!format!("{log:?}").contains("secret"));
}

#[test]
fn a_malformed_event_is_an_error_answer_and_the_next_event_is_served() {
    let good = event(&[record("a", r#"{"id": 1}"#)]);
    let (posted, log) = run(&[
        b"no JSON: secret",
        br#"{"Records": ["secret"]}"#,
        br#"{"records": "secret"}"#,
        br#"{"records": [{"data": "secret"}]}"#,
        &[b'"', 0xff, b'"'],
        b"",
        &good,
    ]);
    let expected = [
        "the event is not JSON (line 1, column 1)",
        "not a Firehose event (line 1, column 24)",
        "not a Firehose event (line 1, column 13)",
        "record 0 has no recordId",
        "not a Firehose event (line 1, column 1)",
        "the event is not JSON (line 1, column 1)",
    ];
    for (index, message) in expected.into_iter().enumerate() {
        let path = format!("/2018-06-01/runtime/invocation/request-{}/error", index + 1);
        assert_eq!(posted[index].path, path);
        assert_eq!(posted[index].body["errorType"], "EventError");
        assert_eq!(posted[index].body["errorMessage"], message);
        assert_eq!(log[index]["error"], message);
        assert_eq!(log[index]["level"], "ERROR");
    }
    assert_eq!(posted[6].path, "/2018-06-01/runtime/invocation/request-7/response");
    assert_eq!(posted[6].body["records"][0]["result"], "Ok");
    assert!(!format!("{log:?}").contains("secret"));
}

#[test]
fn events_in_chunks_over_connections_that_close_are_answered_as_any_other() {
    let batch = event(&[record("a", r#"{"id": 1}"#)]);
    let (posted, _) = run_against(2, &[], move |listener, posted| {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let request = read_request(&mut reader).unwrap();
            if request.line.starts_with("GET") {
                let mut answer =
                    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\
                    lambda-runtime-aws-request-id: r\r\nconnection: close\r\n\r\n"
                        .to_vec();
                for chunk in batch.chunks(7) {
                    answer.extend(format!("{:x};name=value\r\n", chunk.len()).bytes());
                    answer.extend_from_slice(chunk);
                    answer.extend(b"\r\n");
                }
                answer.extend(b"0\r\ntrailer: 1\r\n\r\n");
                stream.write_all(&answer).unwrap();
            } else {
                let path = request.line.split(' ').nth(1).unwrap().to_owned();
                let body = serde_json::from_slice(&request.body).unwrap();
                respond(&mut stream, "202 Accepted", "none", b"");
                if posted.send(Posted { path, body }).is_err() {
                    return;
                }
            }
            // Closed without a word where it said that it would be kept.
        }
    });
    for it in posted {
        assert_eq!(it.path, "/2018-06-01/runtime/invocation/r/response");
        assert_eq!(it.body["records"][0]["result"], "Ok");
    }
}

/// What a connection brings: the next request on it, if there is one.
struct Connection {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
}

impl Connection {
    fn accept(listener: &TcpListener) -> Self {
        let (stream, _) = listener.accept().unwrap();
        let reader = BufReader::new(stream.try_clone().unwrap());
        Connection { stream, reader }
    }

    fn asks_for_an_event(&mut self) {
        let request = read_request(&mut self.reader).unwrap();
        assert_eq!(request.line.trim_end(), "GET /2018-06-01/runtime/invocation/next HTTP/1.1");
    }

    fn posts(&mut self) -> Posted {
        let request = read_request(&mut self.reader).unwrap();
        assert!(request.line.starts_with("POST"), "{}", request.line);
        let path = request.line.split(' ').nth(1).unwrap().to_owned();
        Posted { path, body: serde_json::from_slice(&request.body).unwrap() }
    }
}

fn ids(posted: &[Posted]) -> Vec<&str> {
    posted.iter().map(|it| it.path.split('/').nth(4).unwrap()).collect()
}

#[test]
fn an_answer_that_was_read_before_its_connection_broke_is_not_the_end() {
    let batch = event(&[record("a", r#"{"id": 1}"#)]);
    let (posted, _) = run_against(2, &[], move |listener, posted| {
        let mut broken = Connection::accept(&listener);
        broken.asks_for_an_event();
        respond(&mut broken.stream, "200 OK", "first", &batch);
        posted.send(broken.posts()).unwrap();
        drop(broken);

        // As Lambda does it: an invocation is answered once.
        let mut kept = Connection::accept(&listener);
        assert_eq!(kept.posts().path, "/2018-06-01/runtime/invocation/first/response");
        let refusal = br#"{"errorType":"InvalidStateTransition"}"#;
        respond(&mut kept.stream, "403 Forbidden", "none", refusal);
        kept.asks_for_an_event();
        respond(&mut kept.stream, "200 OK", "second", &batch);
        posted.send(kept.posts()).unwrap();
        thread::sleep(PATIENCE);
    });
    assert_eq!(ids(&posted), ["first", "second"]);
}

#[test]
fn an_event_that_got_lost_half_way_is_asked_for_again_and_answered_once() {
    let batch = event(&[record("a", r#"{"id": 1}"#)]);
    let (posted, _) = run_against(2, &[], move |listener, posted| {
        let mut broken = Connection::accept(&listener);
        broken.asks_for_an_event();
        respond(&mut broken.stream, "200 OK", "first", &batch);
        posted.send(broken.posts()).unwrap();
        respond(&mut broken.stream, "202 Accepted", "none", b"");
        broken.asks_for_an_event();
        let half =
            "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: second\r\nContent-Length: 1000\r\n\r\n{";
        broken.stream.write_all(half.as_bytes()).unwrap();
        drop(broken);

        // As Lambda does it: the same event, until it is answered.
        let mut kept = Connection::accept(&listener);
        kept.asks_for_an_event();
        respond(&mut kept.stream, "200 OK", "second", &batch);
        posted.send(kept.posts()).unwrap();
        respond(&mut kept.stream, "202 Accepted", "none", b"");
        kept.asks_for_an_event();
        thread::sleep(PATIENCE);
    });
    assert_eq!(ids(&posted), ["first", "second"]);
    assert_eq!(posted[1].body["records"][0]["result"], "Ok");
}

#[test]
fn heads_of_any_length_and_without_a_length_are_understood() {
    let batch = event(&[record("a", r#"{"id": 1}"#)]);
    let (posted, _) = run_against(3, &[], move |listener, posted| {
        for (id, length) in
            [("first", "Content-Length: "), ("second", "X-Length: "), ("third", "content-length:")]
        {
            let mut connection = Connection::accept(&listener);
            connection.asks_for_an_event();
            let mut head = format!("HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: {id}\r\n").into_bytes();
            head.extend(b"Lambda-Runtime-Client-Context: \xe9\xff\r\n");
            head.extend(format!("X-Long: {}\r\n", "x".repeat(60_000)).bytes());
            (0..2000).for_each(|index| head.extend(format!("X-{index}: y\r\n").bytes()));
            head.extend(format!("{length}{}\r\nConnection: keep-alive, Close\r\n\r\n", batch.len()).bytes());
            connection.stream.write_all(&head).unwrap();
            connection.stream.write_all(&batch).unwrap();
            connection.stream.shutdown(Shutdown::Write).unwrap();
            let mut connection = Connection::accept(&listener);
            posted.send(connection.posts()).unwrap();
            // Neither a length nor an end: there is nothing to wait for, and nothing to be used again.
            connection.stream.write_all(b"HTTP/1.1 202 Accepted\r\n\r\n").unwrap();
            assert!(read_request(&mut connection.reader).is_none());
        }
        thread::sleep(PATIENCE);
    });
    assert_eq!(ids(&posted), ["first", "second", "third"]);
}

#[test]
fn an_answer_that_is_refused_at_once_ends_it_with_the_reason() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_bootstrap"));
    command.env_clear().env("AWS_LAMBDA_RUNTIME_API", listener.local_addr().unwrap().to_string());
    let mut bootstrap = Bootstrap(command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap());
    let mut connection = Connection::accept(&listener);
    connection.asks_for_an_event();
    respond(&mut connection.stream, "200 OK", "first", &event(&[]));
    connection.posts();
    respond(&mut connection.stream, "400 Bad Request", "none", b"InvalidRequestID\n");
    let mut errors = String::new();
    bootstrap.0.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    assert_eq!(errors, "the Runtime API answers 400 to an answer: InvalidRequestID\n");
    assert_eq!(bootstrap.0.wait().unwrap().code(), Some(1));
}

#[test]
fn each_record_that_fails_is_logged_where_that_is_wanted_and_metrics_are_not_where_they_are_off() {
    let batch = event(&[record("a", "secret"), record("b", "{}"), record("c", "[]")]);
    let variables = [("PROCESSOR_LOG", "records"), ("PROCESSOR_METRICS", "off")];
    let (_, log) = run_against(1, &variables, move |listener, posted| serve(listener, vec![batch], posted));
    let text = |line: &Value, name: &str| line[name].as_str().unwrap_or_default().to_owned();
    let records: Vec<_> = log.iter().filter(|line| line["message"] == "record failed").collect();
    let failed: Vec<_> = records.iter().map(|line| (text(line, "recordId"), text(line, "reason"))).collect();
    let expected = [("a", "not JSON"), ("c", "not a JSON object")];
    assert_eq!(failed, expected.map(|(id, reason)| (id.to_owned(), reason.to_owned())));
    assert!(!format!("{log:?}").contains("_aws") && !format!("{log:?}").contains("secret"));
}

#[test]
fn outside_of_lambda_it_says_so_and_ends() {
    let output = Command::new(env!("CARGO_BIN_EXE_bootstrap")).env_clear().output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("AWS_LAMBDA_RUNTIME_API is not set"));
}
