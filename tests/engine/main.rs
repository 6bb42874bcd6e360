//! The engines of `stack` and `artifact` under the real SDK clients, against a small fake account on paused time.

mod artifact;
mod aws;
mod bench;
mod down;
mod emptying;
mod faults;
mod killed;
mod refusals;
mod states;
mod up;
