//! The event files, through the functions that they are for. `cargo lambda invoke` sends the same ones.

mod functions;
mod http;
mod observed;
mod streamed;

use std::{fs, path::PathBuf};

use serde_json::Value;

/// The sandbox that the files speak of, the other one of the launcher's batch, and the task of the first.
const ID: &str = "5f0c9a3e-7d41-4b6a-9c52-1e8f3a7b2d64";
const OTHER: &str = "c81e4b7a-20d9-4f3c-8e15-b6a90d72f3e8";
const ARN: &str = "arn:aws:ecs:us-east-1:123456789012:task/modbox/0f2d8c6be1a94c53a7e4b9d1c3f5a682";
/// The API token in the files of `api`.
const TOKEN: &str = "mbx_tests_events";

/// The text of a file, named like `reaper/schedule`.
fn text(name: &str) -> String {
    let file = folder().join(format!("{name}.json"));
    fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn folder() -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "events"].iter().collect()
}

pub(crate) fn event(name: &str) -> Value {
    parsed(&text(name))
}

/// The event with other names in it, such as those of a sandbox that is there.
fn event_about(name: &str, names: &[(&str, &str)]) -> Value {
    parsed(&names.iter().fold(text(name), |text, (old, new)| text.replace(old, new)))
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Every file of a function.
pub(crate) fn files_of(function: &str) -> Vec<String> {
    let entries = fs::read_dir(folder().join(function)).expect("a function has a folder");
    let mut names: Vec<String> = entries
        .map(|entry| {
            let name = entry.expect("a folder can be read").file_name();
            let stem = name.to_str().and_then(|name| name.strip_suffix(".json"));
            format!("{function}/{}", stem.unwrap_or_else(|| panic!("{name:?} is no event")))
        })
        .collect();
    names.sort();
    assert!(!names.is_empty(), "{function} has no events");
    names
}
