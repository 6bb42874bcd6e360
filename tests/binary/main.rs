//! The built binary, run as a person or a script runs it.

mod ci;
mod deploy;
mod endpoints;
mod help;
mod input;
mod lifetimes;
mod pipeline;
mod processor;
mod reaper;
mod runtime;
mod sandbox;
mod schema;
mod services;
mod signals;
mod simulated;
mod smoke;
mod stream;
mod strict;
