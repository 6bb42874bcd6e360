//! The built binary, run as a person or a script runs it.

mod ci;
mod endpoints;
mod help;
mod input;
mod pipeline;
mod sandbox;
mod schema;
