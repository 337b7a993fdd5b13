//! The Modbox API over HTTP, one file per concern.

mod world;
