//! A stream behind a port, for benches/produce.sh: `producing-server [SHARDS]`.
//!
//! It answers PutRecords at once, and takes everything; or, with a number of shards, what each of them takes: a thousand
//! records a second, and a second's worth at once. It says its address in its first line, and ends with its standard
//! input. `GET /-/state` tells the records taken and refused, the calls, and how much of a core it used itself.

mod http;
#[path = "../../served.rs"]
mod served;
mod stream;

use std::cell::RefCell;
use std::rc::Rc;
use stream::Stream;

fn main() -> anyhow::Result<()> {
    let shards = std::env::args().nth(1).map(|shards| shards.parse()).transpose()?;
    let stream = Rc::new(RefCell::new(Stream::new(shards.unwrap_or(0))));
    served::serve(|connection| http::serve(connection, stream.clone()))
}
