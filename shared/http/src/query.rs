//! Query parameters: read by name, so that each fault can be told.

use std::{fmt::Display, ops::RangeInclusive, str::FromStr};

use axum::{
    extract::{FromRequestParts, Query, rejection::QueryRejection},
    http::request::Parts,
};

use crate::{body::Checks, error::ApiError};

/// The parameters of a query string, and what is wrong with them so far. Those that nobody asks for are ignored.
pub(crate) struct Parameters {
    /// Names and values as they came, some perhaps twice.
    pairs: Vec<(String, String)>,
    checks: Checks,
}

impl<S: Send + Sync> FromRequestParts<S> for Parameters {
    type Rejection = QueryRejection;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, QueryRejection> {
        let Query(pairs) = Query::from_request_parts(parts, state).await?;
        Ok(Self { pairs, checks: Checks::default() })
    }
}

impl Parameters {
    pub(crate) fn has(&self, name: &str) -> bool {
        self.pairs.iter().any(|(known, _)| known == name)
    }

    /// What `read` makes of a parameter that may come once. If it makes nothing of it, the fault is the message.
    pub(crate) fn one<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&str) -> Option<T>,
        message: &str,
        kind: &'static str,
    ) -> Option<T> {
        let mut values = self.pairs.iter().filter(|(known, _)| known == name).map(|(_, value)| value);
        let value = values.next()?;
        if values.next().is_some() {
            self.fault(name, "must not come twice", "value_error");
            return None;
        }
        let read = read(value);
        if read.is_none() {
            self.fault(name, message, kind);
        }
        read
    }

    /// What `read` makes of each value of a parameter that may come often. If it makes nothing of one, the fault is the
    /// message.
    pub(crate) fn all<T>(
        &mut self,
        name: &str,
        read: impl Fn(&str) -> Option<T>,
        message: &str,
        kind: &'static str,
    ) -> Vec<T> {
        let values = self.pairs.iter().filter(|(known, _)| known == name);
        let all: Option<Vec<T>> = values.map(|(_, value)| read(value)).collect();
        if all.is_none() {
            self.fault(name, message, kind);
        }
        all.unwrap_or_default()
    }

    /// A number that lies in the range.
    pub(crate) fn number<N: FromStr + PartialOrd + Display>(
        &mut self,
        name: &str,
        range: RangeInclusive<N>,
    ) -> Option<N> {
        let message = format!("must be a number from {} to {}", range.start(), range.end());
        let inside = |text: &str| text.parse().ok().filter(|number| range.contains(number));
        self.one(name, inside, &message, "out_of_range")
    }

    pub(crate) fn fault(&mut self, name: &str, message: &str, kind: &'static str) {
        self.checks.query_fault(name, message, kind);
    }

    pub(crate) fn done(self) -> Result<(), ApiError> {
        self.checks.done()
    }
}
