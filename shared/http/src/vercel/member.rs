//! Who calls, and for which team and project.

use std::collections::BTreeSet;

use axum::{extract::FromRequestParts, http::request::Parts};
use modbox_control::{Api, Identity};
use modbox_sandbox::WorkspaceId;

use crate::{auth::identity, error::ApiError, query::Parameters};

/// Whoever calls, in a project of a team that are theirs. While a user has one workspace, all that are well formed stand for
/// that; only the id of somebody else's workspace is not theirs.
pub(super) struct Member(pub(super) Identity);

/// The same of a request that may name a project in its body too.
pub(super) struct Creator {
    pub(super) caller: Identity,
    /// Those that are known not to be somebody else's.
    checked: BTreeSet<WorkspaceId>,
}

const SCOPES: [&str; 4] = ["projectId", "project", "teamId", "slug"];
const MAX_CHARS: usize = 128;
pub(super) const MUST_BE: &str = "must have 1 to 128 characters, none of control";

impl FromRequestParts<Api> for Member {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        Creator::from_request_parts(parts, api).await.map(|creator| Self(creator.caller))
    }
}

impl FromRequestParts<Api> for Creator {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let mut creator = Self { caller: identity(parts, api).await?, checked: BTreeSet::new() };
        let asked = Parameters::from_request_parts(parts, api).await;
        let mut asked = asked.map_err(|rejection| ApiError::of_status(rejection.status()))?;
        let mut named = Vec::new();
        for scope in SCOPES {
            named.extend(asked.one(scope, well_formed, MUST_BE, "length"));
        }
        asked.done()?;
        for scope in named {
            creator.check(api, &scope).await?;
        }
        Ok(creator)
    }
}

impl Creator {
    /// Whether the caller may act for this project or team. One that is named again is not looked up again.
    pub(super) async fn check(&mut self, api: &Api, scope: &str) -> Result<(), ApiError> {
        let Ok(workspace) = scope.parse::<WorkspaceId>() else { return Ok(()) };
        if self.checked.insert(workspace) && api.is_foreign(workspace, &self.caller).await? {
            return Err(ApiError::forbidden(
                "workspace_forbidden",
                "You don't have permission to access this resource.",
            ));
        }
        Ok(())
    }
}

pub(super) fn well_formed(scope: &str) -> Option<String> {
    let is_right = (1..=MAX_CHARS).contains(&scope.chars().count()) && !scope.contains(char::is_control);
    is_right.then(|| scope.to_owned())
}
