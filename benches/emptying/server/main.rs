//! A bucket full of rows behind a port, for benches/emptying.sh: `emptying-server VERSIONS MILLISECONDS`.
//!
//! It answers as S3 does where clients only list and delete: each answer comes so many milliseconds after its request,
//! however many are under way. It says its address in its first line, and ends with its standard input.
//! `GET /-/state` tells how many versions are left, the calls so far, and how much of a core it used itself;
//! `POST /-/fill` puts all versions back.

mod bucket;
mod http;

use bucket::Bucket;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::LocalSet;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1).map(|it| it.parse::<u64>());
    let versions = arguments.next().unwrap_or(Ok(100_000))?;
    let latency = Duration::from_millis(arguments.next().unwrap_or(Ok(20))?);
    let bucket = Rc::new(RefCell::new(Bucket::new(versions.try_into()?)));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("http://{}", listener.local_addr()?);
        std::thread::spawn(|| {
            let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
            std::process::exit(0);
        });
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::task::spawn_local(http::serve(stream, bucket.clone(), latency));
        }
    })
}
