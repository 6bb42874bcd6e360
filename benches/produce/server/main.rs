//! A stream behind a port, for benches/produce.sh: `producing-server [SHARDS]`.
//!
//! It answers PutRecords at once, and takes everything; or, with a number of shards, what each of them takes: a thousand
//! records a second, and a second's worth at once. It says its address in its first line, and ends with its standard
//! input. `GET /-/state` tells the records taken and refused, the calls, and how much of a core it used itself.

mod http;
mod stream;

use std::cell::RefCell;
use std::rc::Rc;
use stream::Stream;
use tokio::net::TcpListener;
use tokio::task::LocalSet;

fn main() -> anyhow::Result<()> {
    let shards = std::env::args().nth(1).map(|shards| shards.parse()).transpose()?;
    let stream = Rc::new(RefCell::new(Stream::new(shards.unwrap_or(0))));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        println!("http://{}", listener.local_addr()?);
        std::thread::spawn(|| {
            let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
            std::process::exit(0);
        });
        loop {
            let (connection, _) = listener.accept().await?;
            tokio::task::spawn_local(http::serve(connection, stream.clone()));
        }
    })
}
