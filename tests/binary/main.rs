//! The built binary, run as a person or a script runs it.

mod endpoints;
mod help;
mod input;
mod pipeline;
mod sandbox;
