//! `kinesis-stack`: from nothing to a running stream-processing environment, and back to nothing.
//!
//! The rooms, from the ground up; each imports only from above it in this list, and nobody reaches back:
//!
//! | room | job |
//! |---|---|
//! | [`error`] | every way to end other than well, and its exit code |
//! | [`files`] | files that are written whole, or not at all |
//! | [`signals`] | SIGINT, SIGTERM and SIGHUP, counted |
//! | [`clock`] | what time it is |
//! | [`cli`] | what was typed |
//! | [`environment`] | every physical name and tag |
//! | [`template`] | the CloudFormation template |
//! | [`settings`] | what was meant; all rules about input |
//! | [`event`] | all that an engine can say |
//! | [`cloud`] | SDK clients, and what their errors mean |
//! | [`artifact`] | the processor's zip |
//! | [`processor`] | processors of the user's own: begun, and run here |
//! | [`local`] | the local cloud |
//! | [`stack`], [`data`] | the engines: all that reads or changes an account |
//! | [`reaper`] | this program as a function on AWS, which reaps by itself |
//! | [`report`] | all that prints |
//! | [`commands`], [`demo`] | one verb, from settings to exit code |
//!
//! (`event` names the plan, the states and the diagnosis of `stack`, which are plain values without clients.)

#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod artifact;
pub mod cli;
pub mod clock;
pub mod cloud;
pub mod commands;
pub mod data;
pub mod demo;
pub mod environment;
pub mod error;
pub mod event;
pub mod files;
pub mod local;
pub mod processor;
pub mod reaper;
pub mod report;
pub mod settings;
pub mod signals;
pub mod stack;
pub mod template;
