//! Which sandbox a path names.

use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};
use modbox_control::{Api, Selector};
use modbox_sandbox::{Name, SandboxId};

use crate::error::ApiError;

/// `{sandbox}`: an id, or else the caller's own name. What can be neither is not found.
pub(crate) struct Sandbox(pub(crate) Selector);

/// `{task_id}`: the caller's own name.
pub(crate) struct TaskId(pub(crate) Selector);

/// `{sandbox}` where only an id will do.
pub(crate) struct Id(pub(crate) SandboxId);

impl FromRequestParts<Api> for Sandbox {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let text = segment(parts, api).await?;
        Ok(Self(match text.parse() {
            Ok(id) => Selector::Id(id),
            Err(_) => name(text)?,
        }))
    }
}

impl FromRequestParts<Api> for TaskId {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        name(segment(parts, api).await?).map(Self)
    }
}

impl FromRequestParts<Api> for Id {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        segment(parts, api).await?.parse().map(Self).map_err(|_| ApiError::not_found())
    }
}

async fn segment(parts: &mut Parts, api: &Api) -> Result<String, ApiError> {
    let Path(text) =
        Path::<String>::from_request_parts(parts, api).await.map_err(|_| ApiError::not_found())?;
    Ok(text)
}

fn name(text: String) -> Result<Selector, ApiError> {
    Name::new(text).map(Selector::Name).map_err(|_| ApiError::not_found())
}
