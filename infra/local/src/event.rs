//! Events as EventBridge delivers them.

use modbox_sandbox::{Ids, Timestamp};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::aws_json::{ACCOUNT, REGION};

/// What differs between one event and the next.
#[derive(Clone, Debug)]
pub struct Event {
    pub id: String,
    pub source: String,
    pub detail_type: String,
    pub at: Timestamp,
    pub resources: Value,
    pub detail: Value,
}

impl Event {
    /// The event as a target receives it.
    pub fn into_value(self) -> Value {
        json!({
            "version": "0",
            "id": self.id,
            "detail-type": self.detail_type,
            "source": self.source,
            "account": ACCOUNT,
            "time": seconds(self.at),
            "region": REGION,
            "resources": self.resources,
            "detail": self.detail,
        })
    }
}

/// An id as AWS writes them.
pub fn id(ids: &dyn Ids) -> String {
    uuid::Builder::from_random_bytes(ids.random().to_be_bytes()).into_uuid().to_string()
}

/// A moment as EventBridge writes it: whole seconds of UTC.
pub fn seconds(at: Timestamp) -> String {
    OffsetDateTime::from_unix_timestamp(at.millis().div_euclid(1000))
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
        .format(&Rfc3339)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_in_whole_seconds() {
        let at = Timestamp::from_millis(1_447_277_394_999);
        assert_eq!(seconds(at), "2015-11-11T21:29:54Z");
    }
}
