//! Request bodies: read whole, parsed with the place of the first fault, checked with all of them.

use std::fmt;

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::StatusCode,
};
use modbox_control::Api;
use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeOwned, Unexpected, Visitor},
};
use serde_path_to_error::Segment;

use crate::error::{ApiError, Issue, excerpt};

/// No body may be larger, in bytes.
pub(crate) const MAX_BODY: usize = 1_000_000;

/// A JSON body. An empty one is `{}`; unknown members are ignored, and `null` is absent.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Api> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, api: &Api) -> Result<Self, ApiError> {
        let bytes = Bytes::from_request(request, api).await.map_err(|rejection| {
            let too_large = rejection.status() == StatusCode::PAYLOAD_TOO_LARGE;
            ApiError::of_status(if too_large {
                StatusCode::PAYLOAD_TOO_LARGE
            } else {
                StatusCode::BAD_REQUEST
            })
        })?;
        let text: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        parse(text).map(Self)
    }
}

fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, ApiError> {
    // serde would fill the members from an array too, by their order.
    if text.trim_ascii_start().starts_with(b"[") {
        let issue = Issue::new(&["body"], "is of the wrong type, expected an object", "type_error");
        return Err(ApiError::invalid(vec![issue]));
    }
    let mut json = serde_json::Deserializer::from_slice(text);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let known = error.path().iter().filter(|part| !matches!(part, Segment::Unknown));
        let path: Vec<String> = known.map(|part| excerpt(&part.to_string())).collect();
        let place = std::iter::once("body").chain(path.iter().map(String::as_str));
        let kind = if error.inner().is_data() { "type_error" } else { "json_invalid" };
        let message = without_value(&error.inner().to_string());
        ApiError::invalid(vec![Issue::new(&place.collect::<Vec<_>>(), message, kind)])
    })?;
    json.end().map_err(|_| {
        ApiError::invalid(vec![Issue::new(&["body"], "something follows the JSON document", "json_invalid")])
    })?;
    Ok(value)
}

/// serde quotes the offending value, which may be a secret: `invalid type: string "hunter2", expected i64`.
fn without_value(message: &str) -> String {
    let expected = message.rfind("expected ").map(|at| &message[at..]);
    match expected {
        Some(expected) if message.starts_with("invalid ") => {
            let end = expected.find(" at line").unwrap_or(expected.len());
            let kind = expected.get("expected ".len()..end).unwrap_or_default();
            format!("is of the wrong type, expected {}", in_json(kind))
        }
        _ => message.to_owned(),
    }
}

/// An integer as JSON Schema has it: `60.0` is one too. What is larger than an `i64` is its largest.
pub(crate) fn integer<'de, D: Deserializer<'de>>(json: D) -> Result<Option<i64>, D::Error> {
    #[derive(Deserialize)]
    #[serde(transparent)]
    struct Nullable(#[serde(deserialize_with = "whole")] i64);

    fn whole<'de, D: Deserializer<'de>>(json: D) -> Result<i64, D::Error> {
        json.deserialize_any(Whole)
    }

    Option::<Nullable>::deserialize(json).map(|value| value.map(|Nullable(value)| value))
}

struct Whole;

impl Visitor<'_> for Whole {
    type Value = i64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an integer")
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<i64, E> {
        Ok(value)
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<i64, E> {
        Ok(i64::try_from(value).unwrap_or(i64::MAX))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<i64, E> {
        if value.fract() != 0.0 {
            return Err(E::invalid_type(Unexpected::Float(value), &self));
        }
        // A cast of what is too large ends at the largest.
        Ok(value as i64)
    }
}

/// What serde expects, in the words of JSON: a caller does not know our structs.
fn in_json(expected: &str) -> &str {
    match expected {
        "a map" => "an object",
        expected if expected.starts_with("struct ") => "an object",
        expected => expected,
    }
}

/// No answer tells of more faults: a body of a million bytes has room for many.
const MAX_FAULTS: usize = 20;

/// Collects what is wrong with a request that could be parsed.
#[derive(Debug, Default)]
pub(crate) struct Checks(Vec<Issue>);

impl Checks {
    pub(crate) fn fault(&mut self, field: &str, message: impl Into<String>, kind: &'static str) {
        self.add(Issue::new(&["body", field], message, kind));
    }

    fn add(&mut self, issue: Issue) {
        if self.0.len() < MAX_FAULTS {
            self.0.push(issue);
        }
    }

    /// The value if it is there and lies in the range.
    pub(crate) fn in_range(
        &mut self,
        field: &str,
        value: Option<i64>,
        (min, max): (u32, u32),
    ) -> Option<u32> {
        let value = value?;
        let inside = u32::try_from(value).ok().filter(|value| (min..=max).contains(value));
        if inside.is_none() {
            self.fault(field, format!("must be from {min} to {max}"), "out_of_range");
        }
        inside
    }

    pub(crate) fn header_fault(&mut self, header: &str, message: &str) {
        self.add(Issue::new(&["header", header], message, "value_error"));
    }

    pub(crate) fn query_fault(&mut self, parameter: &str, message: impl Into<String>, kind: &'static str) {
        self.add(Issue::new(&["query", parameter], message, kind));
    }

    pub(crate) fn done(self) -> Result<(), ApiError> {
        if self.0.is_empty() { Ok(()) } else { Err(ApiError::invalid(self.0)) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Sample {
        #[serde(default, deserialize_with = "integer")]
        ttl_seconds: Option<i64>,
        #[expect(dead_code, reason = "only parsing is of interest")]
        env_vars: Option<BTreeMap<String, Option<String>>>,
    }

    fn fault(text: &str) -> (String, String) {
        let error = parse::<Sample>(text.as_bytes()).unwrap_err();
        (error.issues[0].location.join("."), error.issues[0].message.clone())
    }

    #[test]
    fn a_wrong_type_names_its_place_and_never_the_value() {
        assert_eq!(
            fault(r#"{"ttl_seconds": "hunter2"}"#),
            ("body.ttl_seconds".to_owned(), "is of the wrong type, expected an integer".to_owned())
        );
        assert_eq!(fault(r#"{"env_vars": {"A": 17}}"#).0, "body.env_vars.A");
        assert!(!fault(r#"{"env_vars": "hunter2 expected "}"#).1.contains("hunter2"));
    }

    #[test]
    fn an_integer_may_be_written_with_a_fraction_of_nothing() {
        for (text, expected) in [
            ("null", None),
            ("60", Some(60)),
            ("-1", Some(-1)),
            ("60.0", Some(60)),
            ("6e1", Some(60)),
            ("18446744073709551615", Some(i64::MAX)),
            ("1e30", Some(i64::MAX)),
            ("-1e30", Some(i64::MIN)),
        ] {
            let sample: Sample = parse(format!(r#"{{"ttl_seconds": {text}}}"#).as_bytes()).unwrap();
            assert_eq!(sample.ttl_seconds, expected, "{text}");
        }
        let absent: Sample = parse(b"{}").unwrap();
        assert_eq!(absent.ttl_seconds, None);
        assert_eq!(fault(r#"{"ttl_seconds": 60.5}"#).1, "is of the wrong type, expected an integer");
    }

    #[test]
    fn what_is_expected_is_told_in_the_words_of_json() {
        for (text, expected) in [
            ("\"hunter2\"", "an object"),
            ("17", "an object"),
            ("null", "an object"),
            ("[]", "an object"),
            (r#"{"ttl_seconds": []}"#, "an integer"),
            (r#"{"env_vars": 1}"#, "an object"),
            (r#"{"env_vars": {"A": 1}}"#, "a string"),
        ] {
            assert_eq!(fault(text).1, format!("is of the wrong type, expected {expected}"), "{text}");
        }
    }

    #[test]
    fn what_is_no_json_is_a_fault_of_the_body() {
        assert_eq!(fault("{").0, "body");
        assert_eq!(fault("{} x").0, "body");
        assert_eq!(fault("[1]").0, "body");
    }
}
