use std::collections::BTreeMap;

/// The caller's own words about a sandbox, by name: at most 50, which together have at most 8,192 bytes. Names are not
/// empty; neither names nor values have control characters. Kept and given back; nothing is decided by them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels(BTreeMap<String, String>);

/// Why labels are not [`Labels`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLabels {
    #[error("must be at most 50")]
    TooMany,
    #[error("must have at most 8192 bytes together")]
    TooLarge,
    #[error("must have names of at least 1 character")]
    Unnamed,
    #[error("must not contain control characters")]
    ForbiddenCharacter,
}

impl Labels {
    pub const MAX: usize = 50;
    pub const MAX_BYTES: usize = 8192;

    pub fn new(labels: BTreeMap<String, String>) -> Result<Self, InvalidLabels> {
        let texts = || labels.iter().flat_map(|(name, value)| [name, value]);
        if labels.len() > Self::MAX {
            return Err(InvalidLabels::TooMany);
        }
        if texts().map(String::len).sum::<usize>() > Self::MAX_BYTES {
            return Err(InvalidLabels::TooLarge);
        }
        if labels.contains_key("") {
            return Err(InvalidLabels::Unnamed);
        }
        if texts().any(|text| text.contains(char::is_control)) {
            return Err(InvalidLabels::ForbiddenCharacter);
        }
        Ok(Self(labels))
    }

    pub fn as_map(&self) -> &BTreeMap<String, String> {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: impl IntoIterator<Item = (String, String)>) -> Result<Labels, InvalidLabels> {
        Labels::new(pairs.into_iter().collect())
    }

    #[test]
    fn labels_are_bounded_in_number_and_size() {
        let numbered = |count: usize| (0..count).map(|number| (format!("n{number}"), String::new()));
        assert!(labels(numbered(50)).is_ok());
        assert_eq!(labels(numbered(51)), Err(InvalidLabels::TooMany));
        let sized = |bytes: usize| [("n".to_owned(), "x".repeat(bytes - 1))];
        assert!(labels(sized(8192)).is_ok());
        assert_eq!(labels(sized(8193)), Err(InvalidLabels::TooLarge));
    }

    #[test]
    fn a_label_has_a_name_and_no_control_characters() {
        let pair = |name: &str, value: &str| labels([(name.to_owned(), value.to_owned())]);
        assert!(pair("who", "").is_ok());
        assert_eq!(pair("", "x"), Err(InvalidLabels::Unnamed));
        assert_eq!(pair("a\nb", "x"), Err(InvalidLabels::ForbiddenCharacter));
        assert_eq!(pair("a", "\u{0}"), Err(InvalidLabels::ForbiddenCharacter));
    }
}
