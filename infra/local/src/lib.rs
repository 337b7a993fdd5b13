//! The whole product on one machine: an AWS-compatible cloud in one process, and the functions on it.

pub mod aws_json;
pub mod ecs;
pub mod process;
