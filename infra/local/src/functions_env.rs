//! The environment of functions that are started by themselves, as a file that `cargo lambda watch` reads.

use std::{
    borrow::Cow,
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use crate::{aws_json::REGION, data::write_whole};

/// In the data folder.
const FILE: &str = "functions.env";

/// Writes the variables as lines that a shell reads too. Only the owner may read them: `keys` is a secret.
pub(crate) fn write(
    data: &Path,
    aws: SocketAddr,
    settings: Vec<(&'static str, String)>,
    keys: &str,
) -> io::Result<PathBuf> {
    let path = data.join(FILE);
    write_whole(&path, &text(aws, settings, keys))?;
    Ok(path)
}

fn text(aws: SocketAddr, settings: Vec<(&'static str, String)>, keys: &str) -> String {
    let connection = [
        ("AWS_ENDPOINT_URL", format!("http://{aws}")),
        ("AWS_REGION", REGION.to_owned()),
        // Version 1 of the AWS CLI knows this name only.
        ("AWS_DEFAULT_REGION", REGION.to_owned()),
        // Any will do.
        ("AWS_ACCESS_KEY_ID", "local".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "local".to_owned()),
    ];
    let mut text = "# For functions that are started by themselves. It holds the keys.\n".to_owned();
    let secret = [("MODBOX_KEYS", keys.to_owned())];
    for (name, value) in connection.into_iter().chain(settings).chain(secret) {
        text.push_str(&format!("{name}={}\n", quoted(&value)));
    }
    text
}

/// The value as `cargo lambda` and shells read it alike. What `AWS_` variables hold needs no quotes, so that
/// `export $(grep ^AWS_ …)` has the AWS CLI find the cloud.
fn quoted(value: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:[]".contains(c);
    if value.chars().all(plain) { value.into() } else { format!("'{value}'").into() }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::stack;

    #[test]
    fn only_what_needs_quotes_has_them() {
        let settings = stack::variables("modbox", Duration::from_secs(60 * 60));
        let text = text(([127, 0, 0, 1], 4000).into(), settings, "k1:ab+/c=,k0:AB=");
        assert!(text.contains("\nAWS_ENDPOINT_URL=http://127.0.0.1:4000\n"), "{text}");
        assert!(text.contains("\nMODBOX_KEYS='k1:ab+/c=,k0:AB='\n"), "{text}");
        assert!(text.contains("\nMODBOX_RETENTION=1h\n"), "{text}");
        assert!(text.contains("\nMODBOX_SANDBOX_URL='http://{loopback}:8080'\n"), "{text}");
    }
}
