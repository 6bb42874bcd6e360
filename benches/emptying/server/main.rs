//! A bucket full of rows behind a port, for benches/emptying.sh: `emptying-server VERSIONS MILLISECONDS`.
//!
//! It answers as S3 does where clients only list and delete: each answer comes so many milliseconds after its request,
//! however many are under way. It says its address in its first line, and ends with its standard input.
//! `GET /-/state` tells how many versions are left, the calls so far, and how much of a core it used itself;
//! `POST /-/fill` puts all versions back.

mod bucket;
mod http;
#[path = "../../served.rs"]
mod served;

use bucket::Bucket;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1).map(|it| it.parse::<u64>());
    let versions = arguments.next().unwrap_or(Ok(100_000))?;
    let latency = Duration::from_millis(arguments.next().unwrap_or(Ok(20))?);
    let bucket = Rc::new(RefCell::new(Bucket::new(versions.try_into()?)));
    served::serve(|connection| http::serve(connection, bucket.clone(), latency))
}
