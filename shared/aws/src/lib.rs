//! AWS, as Modbox uses it: the only crate that names `aws_sdk_*`.
//!
//! It stores what the domain says and reports what AWS says; it decides nothing. What answers is chosen by endpoint:
//! AWS itself, or the cloud of `infra/local`.

pub mod bus;
mod connection;
mod error;
mod hash;
pub mod inbound;
pub mod logs;
pub mod queue;
pub mod table;
pub mod tasks;

pub use connection::{Connection, MissingVariable};
pub use error::Error;

#[cfg(feature = "profile")]
pub use connection::{NotConfigured, Place};
