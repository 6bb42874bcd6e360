//! One AWS account that lives in a process and on tokio's time: under the SDK as its HTTP connector, or behind a port
//! on loopback. It answers the calls that it knows on the wire's own formats, keeps what they change, lets time pass
//! as AWS does, and can be told to misbehave. README.md says how to teach it a fact.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod account;
mod arn;
mod aws;
mod clock;
mod cloudformation;
mod firehose;
mod fleet;
mod iam;
mod kinesis;
mod lambda;
mod logs;
mod metrics;
mod others;
mod rate;
/// Sentences in which AWS says why a resource can't be made.
pub mod reasons;
mod record;
mod regions;
mod removal;
mod s3;
mod script;
mod server;
mod spell;
mod streaming;
mod sts;
mod tagging;
mod things;
mod weather;
mod wire;

pub use account::Account;
pub use aws::Aws;
pub use clock::Clock;
pub use cloudformation::{
    ChangeSet, Deployment, Difference, Drift, Event, OnFailure, Operation, Resource, Stack, Terms,
};
pub use kinesis::Reshard;
pub use lambda::Processor;
pub use others::Deed;
pub use s3::{Bucket, Version};
pub use script::{Fault, Kill, Script, When};
pub use server::{http, serve};
pub use spell::{Spell, Trouble};
pub use things::Thing;
pub use weather::{Act, Fate, Weather, Window};
pub use wire::{Call, Refusal, between};

/// The account's number.
pub const ACCOUNT: &str = "123456789012";
/// Another account's number.
pub const STRANGER: &str = "999999999999";
