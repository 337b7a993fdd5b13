//! Moments as text, in ISO 8601.

use modbox_sandbox::Timestamp;
use time::{
    OffsetDateTime, PrimitiveDateTime,
    format_description::well_known::{Iso8601, Rfc3339},
    macros::format_description,
};

/// ISO 8601 in UTC, always with three digits of milliseconds: then the order of the texts is that of the moments.
pub(crate) fn iso(at: Timestamp) -> String {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(at.millis()) * 1_000_000)
        .ok()
        .and_then(|at| at.format(format).ok())
        .unwrap_or_default()
}

/// A moment that a caller gives in ISO 8601; in UTC where it has no offset.
pub(crate) fn moment(text: &str) -> Option<Timestamp> {
    let at = OffsetDateTime::parse(text, &Rfc3339)
        .or_else(|_| OffsetDateTime::parse(text, &Iso8601::DEFAULT))
        .or_else(|_| PrimitiveDateTime::parse(text, &Iso8601::DEFAULT).map(PrimitiveDateTime::assume_utc));
    let millis = at.ok()?.unix_timestamp_nanos().div_euclid(1_000_000);
    i64::try_from(millis).ok().map(Timestamp::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_has_an_offset_or_is_in_utc() {
        for text in [
            "2027-01-15T08:00:00.123Z",
            "2027-01-15T08:00:00.123456+00:00",
            "2027-01-15T10:00:00.123+02:00",
            "2027-01-15T08:00:00.123",
            "20270115T080000.123Z",
        ] {
            assert_eq!(moment(text).map(Timestamp::millis), Some(1_800_000_000_123), "{text}");
        }
        assert_eq!(moment("1969-12-31T23:59:59.999Z").map(Timestamp::millis), Some(-1));
    }

    #[test]
    fn what_is_no_date_with_a_time_is_no_moment() {
        for text in ["", "now", "2027-01-15", "1800000000", "2027-13-15T08:00:00Z", "2027-01-15T08:00:00Z "] {
            assert_eq!(moment(text), None, "{text}");
        }
    }
}
