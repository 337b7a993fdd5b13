use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;

use super::workspace::{Relative, Workspace};
use crate::failure::Failure;

/// The parameters of a request. Those that nobody asks for are ignored.
pub(crate) struct Parameters(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Parameters {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let unreadable = |_| Failure::invalid("query", "cannot be read");
        let Query(parameters) = Query::from_request_parts(parts, state).await.map_err(unreadable)?;
        Ok(Self(parameters))
    }
}

impl Parameters {
    /// The value of a parameter, which may not come twice.
    pub(super) fn get(&self, name: &str) -> Result<Option<&str>, Failure> {
        let mut values = self.0.iter().filter(|(given, _)| given == name).map(|(_, value)| value.as_str());
        let value = values.next();
        if values.next().is_some() {
            return Err(Failure::invalid(format!("query.{name}"), "is there more than once"));
        }
        Ok(value)
    }

    /// Absent: the workspace itself.
    pub(super) fn folder(&self, workspace: &Workspace) -> Result<Relative, Failure> {
        workspace.path(self.get("path")?.unwrap_or_default())
    }

    pub(super) fn path(&self, workspace: &Workspace) -> Result<Relative, Failure> {
        match self.get("path")? {
            None | Some("") => Err(Failure::invalid("query.path", "is required")),
            Some(path) => workspace.path(path),
        }
    }

    /// Absent: false.
    pub(super) fn flag(&self, name: &str) -> Result<bool, Failure> {
        match self.get(name)? {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(Failure::invalid(format!("query.{name}"), "is neither true nor false")),
        }
    }
}
