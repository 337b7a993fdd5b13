//! Where a page of a list ended, as its reader carries it: opaque, and nothing but a place in the reader's own list.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use modbox_control::Position;
use modbox_sandbox::{SandboxId, Timestamp};

/// The first moment that a key of the index has no room for: 15 digits of milliseconds.
const END_OF_TIME: i64 = 1_000_000_000_000_000;

pub(crate) fn write(position: Position) -> String {
    let mut bytes = position.created_at.millis().to_be_bytes().to_vec();
    bytes.extend(position.id.as_u128().to_be_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The position; none if no list ever gave this cursor.
pub(crate) fn read(cursor: &str) -> Option<Position> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let (millis, bits) = bytes.split_first_chunk::<8>()?;
    let millis = i64::from_be_bytes(*millis);
    let bits = u128::from_be_bytes(bits.try_into().ok()?);
    let id = SandboxId::from_random(bits);
    let made_by_us = (0..END_OF_TIME).contains(&millis) && id.as_u128() == bits;
    made_by_us.then(|| Position { created_at: Timestamp::from_millis(millis), id })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_survives_its_text() {
        for millis in [0, 1_800_000_000_123, END_OF_TIME - 1] {
            let id = SandboxId::from_random(u128::from(u64::MAX) << 32);
            let position = Position { created_at: Timestamp::from_millis(millis), id };
            assert_eq!(read(&write(position)), Some(position));
        }
    }

    #[test]
    fn what_no_list_gave_is_none() {
        let encoded = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let text = |millis: i64, bits: u128| {
            encoded(&[millis.to_be_bytes().to_vec(), bits.to_be_bytes().to_vec()].concat())
        };
        let id = SandboxId::from_random(7).as_u128();
        assert!(read(&text(5, id)).is_some());
        let shapes = [text(-1, id), text(END_OF_TIME, id), text(5, 7), encoded(&[0; 23]), encoded(&[0; 25])];
        for cursor in shapes.iter().map(String::as_str).chain(["", "0", "not base64", r#"{"pk":"x"}"#]) {
            assert_eq!(read(cursor), None, "{cursor}");
        }
        assert_eq!(read(&format!("{}=", text(5, id))), None, "padded");
    }
}
