//! What the simulation knows of AWS, one test a fact, on the real SDK clients and on paused time.

mod bench;
mod change_sets;
mod deletion;
mod drift;
mod early_validation;
mod events;
mod express;
mod fleet;
mod iam;
mod objects;
mod other_services;
mod others;
mod quotas;
mod recovery;
mod regions;
mod removal;
mod s3;
mod served;
mod stacks;
mod tagging;
mod updates;
mod weather;
