//! Who calls, and for which organization.

use axum::{extract::FromRequestParts, http::request::Parts};
use modbox_control::{Api, Identity};

use crate::{
    auth::ApiKey,
    error::{ApiError, Issue},
};

/// The user who calls. Each organization stands for the user's default workspace, but for somebody else's workspace: that
/// is not found.
pub(super) struct Member(pub(super) Identity);

const ORGANIZATION: &str = "x-daytona-organization-id";

impl FromRequestParts<Api> for Member {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let ApiKey(caller) = ApiKey::from_request_parts(parts, api).await?;
        let Some(named) = parts.headers.get(ORGANIZATION) else { return Ok(Self(caller)) };
        let named = named.to_str().ok().filter(|text| !text.is_empty()).ok_or_else(|| {
            ApiError::invalid(vec![Issue::new(&["header", ORGANIZATION], "must be an id", "value_error")])
        })?;
        if let Ok(workspace) = named.parse()
            && api.is_foreign(workspace, &caller).await?
        {
            return Err(ApiError::not_found());
        }
        Ok(Self(caller))
    }
}
