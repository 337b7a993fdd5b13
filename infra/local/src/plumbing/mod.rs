//! What a deployed stack has from AWS between its services: whatever calls a function.

pub mod filter;
