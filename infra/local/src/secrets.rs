//! What is generated once and kept in the data folder, readable by its owner alone.

use std::{io, path::Path};

use modbox_control::{API_TOKEN_PREFIX, Keys};
use modbox_sandbox::Ids;

use crate::data::write_whole;

const TOKEN: &str = "token";

/// The deployment's keys, and the text that they were read from.
pub(crate) fn keys(data: &Path, ids: &dyn Ids) -> io::Result<(Keys, String)> {
    let text = kept(&data.join("keys"), || Keys::generate("k1", [ids.random(), ids.random()]))?;
    let keys = text.parse().map_err(|error| {
        io::Error::new(io::ErrorKind::InvalidData, format!("{}/keys: {error}", data.display()))
    })?;
    Ok((keys, text))
}

/// The API token of the machine's user.
pub(crate) fn token(data: &Path, ids: &dyn Ids) -> io::Result<String> {
    kept(&data.join(TOKEN), || new_token(ids))
}

/// A new one in place of that, which was revoked.
pub(crate) fn another_token(data: &Path, ids: &dyn Ids) -> io::Result<String> {
    let token = new_token(ids);
    write_whole(&data.join(TOKEN), &format!("{token}\n"))?;
    Ok(token)
}

fn new_token(ids: &dyn Ids) -> String {
    format!("{API_TOKEN_PREFIX}{:032x}", ids.random())
}

fn kept(path: &Path, generate: impl FnOnce() -> String) -> io::Result<String> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(text.trim().to_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let text = generate();
            write_whole(path, &format!("{text}\n"))?;
            Ok(text)
        }
        Err(error) => Err(error),
    }
}
