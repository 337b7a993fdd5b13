//! The whole product on one machine: an AWS-compatible cloud in one process, and the functions on it.

pub mod aws_json;
pub mod bus;
pub mod cloud;
pub mod connector;
pub mod dynamo;
pub mod event;
pub mod plumbing;
pub mod port;
pub mod queue;
