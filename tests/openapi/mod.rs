//! The OpenAPI document and its page, as they are served.

mod bounds;
mod docs;
mod document;
