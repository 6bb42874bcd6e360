//! The engines of `stack` and `artifact` under the real SDK clients, against a small fake account on paused time.

mod artifact;
mod bench;
mod calls;
mod cells;
mod code;
mod credentials;
mod down;
mod drift;
mod emptying;
mod faults;
mod interrupted;
mod killed;
mod latency;
mod plan;
mod protection;
mod ready;
mod recovery;
mod refusals;
mod seeds;
mod states;
mod up;
