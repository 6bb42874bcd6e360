//! The data side under the real SDK clients, against the simulated account on paused time.

#[path = "../engine/bench.rs"]
#[allow(dead_code)]
mod bench;
mod smoke;

mod calls;
mod consume;
mod logs;
mod pipeline;
mod produce;
mod results;
mod troubles;
mod watch;
