//! As much of HTTP/1.1 as AWS clients speak.

use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use http_body::Body;
use std::future::poll_fn;
use std::io::{Error, ErrorKind, Result};
use std::pin::Pin;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// Far more than any request of an SDK.
const MOST_LINES: usize = 200;
const MOST_BYTES: usize = 64 * 1024 * 1024;

type Stream = BufReader<TcpStream>;

/// The next request, or `None` where the client has hung up.
pub async fn read(stream: &mut Stream) -> Result<Option<HttpRequest>> {
    let first = line(stream).await?;
    let mut words = first.split(' ');
    let (Some(method), Some(target)) = (words.next(), words.next()) else { return Ok(None) };
    let mut headers = Vec::new();
    loop {
        let line = line(stream).await?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').ok_or_else(|| bad("a header without a colon"))?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        if headers.len() > MOST_LINES {
            return Err(bad("too many headers"));
        }
    }
    let header = |name: &str| headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    if header("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue")) {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
    }
    let chunked = header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked"));
    let body = match header("content-length").map(str::parse) {
        _ if chunked => chunks(stream).await?,
        Some(Ok(length)) => bytes(stream, length).await?,
        Some(Err(_)) => return Err(bad("a length that is no number")),
        None => Vec::new(),
    };
    let uri = format!("http://{}{target}", header("host").unwrap_or("localhost"));
    let mut request = HttpRequest::new(SdkBody::from(body));
    request.set_method(method).map_err(|_| bad("an unknown method"))?;
    request.set_uri(uri).map_err(|_| bad("a target that is no URI"))?;
    for (name, value) in headers {
        request.headers_mut().try_append(name, value).map_err(|_| bad("a header that is none"))?;
    }
    Ok(Some(request))
}

/// A response, as it goes over the wire.
pub fn written(response: &HttpResponse, is_head: bool) -> Vec<u8> {
    let body = response.body().bytes().unwrap_or_default();
    let mut head = format!("HTTP/1.1 {} {}\r\n", response.status(), reason(response.status().as_u16()));
    for (name, value) in response.headers().iter().filter(|(name, _)| *name != "content-length") {
        head += &format!("{name}: {value}\r\n");
    }
    // What answers a HEAD tells the length of a body that doesn't follow.
    let told = response.headers().get("content-length").filter(|_| is_head);
    head += &format!("content-length: {}\r\n\r\n", told.unwrap_or(&body.len().to_string()));
    let mut bytes = head.into_bytes();
    if !is_head {
        bytes.extend_from_slice(body);
    }
    bytes
}

/// Sends a response whose body goes on, chunk by chunk, until it or the connection ends.
pub async fn push(stream: &mut Stream, mut response: HttpResponse) -> Result<()> {
    let mut head = format!("HTTP/1.1 {} {}\r\n", response.status(), reason(response.status().as_u16()));
    for (name, value) in response.headers().iter().filter(|(name, _)| *name != "content-length") {
        head += &format!("{name}: {value}\r\n");
    }
    stream.write_all(format!("{head}transfer-encoding: chunked\r\n\r\n").as_bytes()).await?;
    stream.flush().await?;
    let mut body = std::mem::replace(response.body_mut(), SdkBody::taken());
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        let frame = frame.map_err(|error| Error::other(error.to_string()))?;
        let Ok(bytes) = frame.into_data() else { continue };
        stream.write_all(format!("{:x}\r\n", bytes.len()).as_bytes()).await?;
        stream.write_all(&bytes).await?;
        stream.write_all(b"\r\n").await?;
        stream.flush().await?;
    }
    stream.write_all(b"0\r\n\r\n").await
}

fn reason(status: u16) -> &'static str {
    match status {
        200..300 => "OK",
        404 => "Not Found",
        400..500 => "Refused",
        _ => "Failed",
    }
}

/// Without its end. Empty where nothing comes any more.
async fn line(stream: &mut Stream) -> Result<String> {
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

async fn bytes(stream: &mut Stream, length: usize) -> Result<Vec<u8>> {
    if length > MOST_BYTES {
        return Err(bad("a body that is too long"));
    }
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}

async fn chunks(stream: &mut Stream) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let size = line(stream).await?;
        let size = usize::from_str_radix(size.split(';').next().unwrap_or_default().trim(), 16);
        let size = size.map_err(|_| bad("a chunk without a size"))?;
        body.extend(bytes(stream, size).await?);
        // After a chunk an empty line; after the last one trailers, then an empty line.
        while !line(stream).await?.is_empty() {}
        if size == 0 {
            return Ok(body);
        }
        if body.len() > MOST_BYTES {
            return Err(bad("a body that is too long"));
        }
    }
}

fn bad(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, what)
}
