//! The account behind a port, for programs that can't be given a connector.
//!
//! HTTP/1.1 is spoken by hand: hyper's server is a feature that the SDK's own hyper lacks, and one more feature of
//! hyper means one more build of the whole SDK.

pub mod http;

use crate::Aws;
use crate::aws::Outcome;
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// Serves an account to everybody who connects. Ends only with an error of the listener.
///
/// The service is found from the credential scope of the Authorization header, and S3's buckets from the path.
pub async fn serve(aws: Aws, listener: TcpListener) -> std::io::Result<()> {
    loop {
        let (stream, _) = listener.accept().await?;
        let aws = aws.clone();
        // A connection that ends badly ends for its own caller only.
        tokio::spawn(async move { connection(&aws, stream).await });
    }
}

async fn connection(aws: &Aws, stream: TcpStream) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    while let Some(request) = http::read(&mut stream).await? {
        let is_head = request.method() == "HEAD";
        match aws.handle(&request).await {
            // What goes on while time passes has no length.
            Outcome::Answered(response) if response.body().bytes().is_none() => {
                http::push(&mut stream, response).await?;
            }
            Outcome::Answered(response) => stream.write_all(&http::written(&response, is_head)).await?,
            Outcome::Cut(response) => {
                let bytes = http::written(&response, is_head);
                let body = response.body().bytes().unwrap_or_default().len();
                stream.write_all(&bytes[..bytes.len() - body / 2]).await?;
                break;
            }
            Outcome::Reset | Outcome::Killed => break,
        }
        stream.flush().await?;
    }
    stream.shutdown().await
}
