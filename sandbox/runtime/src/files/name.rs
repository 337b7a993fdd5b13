use super::partial::is_partial;
use crate::failure::Failure;

/// The longest name that Linux takes, in bytes.
const LONGEST: usize = 255;

/// The name that an upload is stored under: the last component of what the client calls it, on whatever system.
pub(super) fn storable(given: Option<&str>) -> Result<&str, Failure> {
    let name = given.and_then(|given| given.rsplit(['/', '\\']).next());
    let issue = match name {
        None => "has no filename in UTF-8",
        Some("" | "." | "..") => "has a filename that does not end in a name",
        Some(name) if name.chars().any(char::is_control) => "has control characters in its filename",
        Some(name) if name.len() > LONGEST => "has a filename of more than 255 bytes",
        Some(name) if is_partial(name.as_ref()) => "has a filename that is reserved for uploads under way",
        Some(name) => return Ok(name),
    };
    Err(Failure::invalid("body.file", issue))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_component_is_the_name() {
        for (given, name) in [
            ("a.txt", "a.txt"),
            ("/etc/passwd", "passwd"),
            ("../../a", "a"),
            (r"C:\fakepath\a b.txt", "a b.txt"),
            (r"..\a", "a"),
            ("...", "..."),
            (".profile", ".profile"),
            ("ä 🦀\u{202e}", "ä 🦀\u{202e}"),
            ("%2e%2e%2fa", "%2e%2e%2fa"),
            ("-rf", "-rf"),
        ] {
            assert_eq!(storable(Some(given)), Ok(name), "{given}");
        }
        let longest = "x".repeat(LONGEST);
        assert_eq!(storable(Some(&longest)), Ok(longest.as_str()));
    }

    #[test]
    fn what_ends_in_no_name_is_refused() {
        let long = "ä".repeat(LONGEST / 2 + 1);
        let names =
            ["", ".", "..", "/", "a/", "a/..", r"a\.", "a\0b", "a\nb", "\u{9b}", ".modbox-upload-1", &long];
        for given in names.map(Some).into_iter().chain([None]) {
            assert!(matches!(storable(given), Err(Failure::Invalid(_))), "{given:?}");
        }
    }
}
