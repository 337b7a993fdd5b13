use std::{fmt, str::FromStr};

/// Identities that are UUIDs on the wire.
macro_rules! uuids {
    ($($(#[$doc:meta])+ $name:ident)+) => {$(
        $(#[$doc])+
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u128);

        impl $name {
            /// Makes a version 4 UUID of 128 random bits.
            pub const fn from_random(bits: u128) -> Self {
                let versioned = (bits & !(0xf << 76)) | (0x4 << 76);
                Self((versioned & !(0x3 << 62)) | (0x2 << 62))
            }

            pub const fn as_u128(self) -> u128 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                uuid::Uuid::from_u128(self.0).as_hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            /// Reads the hyphenated form alone: 32 hexadecimal digits in a row are what many callers name their
            /// sandboxes.
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse::<uuid::fmt::Hyphenated>().map(|id| Self(id.into_uuid().as_u128()))
            }
        }
    )+};
}

uuids! {
    /// The identity of a sandbox.
    SandboxId
    /// The identity of a workspace: each user has one, made with the user.
    WorkspaceId
}

impl SandboxId {
    /// The 128 bits as 32 hexadecimal digits, where a token must be short.
    pub fn as_u128_hex(self) -> String {
        format!("{:032x}", self.0)
    }
}

/// The user who owns a sandbox.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(String);

impl UserId {
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The caller's own name for a sandbox (`task_id`): 1 to 255 characters, none of them `/` or a control character.
///
/// `/` is refused because the SDKs put the name into a path without encoding it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

/// Why a string is not a [`Name`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    #[error("must have at least 1 character")]
    Empty,
    #[error("must have at most 255 characters")]
    TooLong,
    #[error("must not contain `/` or control characters")]
    ForbiddenCharacter,
}

impl Name {
    pub const MAX_CHARS: usize = 255;

    pub fn new(name: impl Into<String>) -> Result<Self, InvalidName> {
        let name = name.into();
        match name.chars().count() {
            0 => Err(InvalidName::Empty),
            n if n > Self::MAX_CHARS => Err(InvalidName::TooLong),
            _ if name.chars().any(|c| c == '/' || c.is_control()) => Err(InvalidName::ForbiddenCharacter),
            _ => Ok(Self(name)),
        }
    }

    /// The name of a sandbox whose caller gave none.
    pub fn generated(id: SandboxId) -> Self {
        Self(format!("sandbox-{id}"))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The ARN by which ECS knows a task.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskArn(String);

impl TaskArn {
    pub fn new(arn: impl Into<String>) -> Self {
        Self(arn.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for TaskArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_random_id_is_a_version_4_uuid_and_survives_its_text() {
        for bits in [0, u128::MAX, 0x1234_5678_9abc_def0_1234_5678_9abc_def0] {
            let id = SandboxId::from_random(bits);
            let text = id.to_string();
            assert_eq!(&text[14..15], "4");
            assert!("89ab".contains(&text[19..20]));
            assert_eq!(text.parse::<SandboxId>().unwrap(), id);
        }
    }

    #[test]
    fn only_the_hyphenated_form_is_an_id() {
        let id = SandboxId::from_random(17);
        for other in [id.as_u128_hex(), format!("{{{id}}}"), format!("urn:uuid:{id}"), format!(" {id}")] {
            assert!(other.parse::<SandboxId>().is_err(), "{other}");
        }
        assert_eq!(id.to_string().to_uppercase().parse::<SandboxId>(), Ok(id));
    }

    #[test]
    fn a_name_is_1_to_255_characters_without_slash_or_control() {
        assert_eq!(Name::new(""), Err(InvalidName::Empty));
        assert!(Name::new("ü".repeat(255)).is_ok());
        assert_eq!(Name::new("x".repeat(256)), Err(InvalidName::TooLong));
        for bad in ["a/b", "a\nb", "\u{0}", "a\u{7f}"] {
            assert_eq!(Name::new(bad), Err(InvalidName::ForbiddenCharacter));
        }
        assert!(Name::new("pr 17 – préview").is_ok());
    }
}
