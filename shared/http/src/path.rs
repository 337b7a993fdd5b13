//! Which sandbox a path names.

use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};
use modbox_control::{Api, Error, Selector};
use modbox_sandbox::{Name, SandboxId};
use utoipa::{
    IntoParams,
    openapi::{
        ObjectBuilder, Required, SchemaFormat, Type,
        path::{Parameter, ParameterBuilder, ParameterIn},
    },
};

use crate::error::ApiError;

/// `{sandbox_id}`: an id, or else the caller's own name. What can be neither is not found.
pub(crate) struct Sandbox(pub(crate) Selector);

/// `{id_or_name}`: an id, or else a name, be it one that reads like an id.
pub(crate) struct IdOrName(pub(crate) Selector);

/// `{task_id}`: the caller's own name.
pub(crate) struct TaskId(pub(crate) Selector);

/// `{id}` of a door whose callers have no names for their sandboxes.
pub(crate) struct ById(pub(crate) Selector);

/// `{sandbox_id}` where a task speaks for itself: only an id will do, and of what is none no token is the task's.
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

impl FromRequestParts<Api> for IdOrName {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let text = segment(parts, api).await?;
        let id = text.parse();
        let name = Name::new(text).map_err(|_| ApiError::not_found())?;
        Ok(Self(match id {
            Ok(id) => Selector::IdOrName(id, name),
            Err(_) => Selector::Name(name),
        }))
    }
}

impl FromRequestParts<Api> for TaskId {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        name(segment(parts, api).await?).map(Self)
    }
}

impl FromRequestParts<Api> for ById {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let id = segment(parts, api).await?.parse();
        id.map(|id| Self(Selector::Id(id))).map_err(|_| ApiError::not_found())
    }
}

impl FromRequestParts<Api> for Id {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ApiError> {
        let id = segment(parts, api).await.ok().and_then(|text| text.parse().ok());
        id.map(Self).ok_or_else(|| Error::ForeignTask.into())
    }
}

impl IntoParams for Sandbox {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let description =
            "Its id, or else its `task_id`: the newest sandbox of that name, also after its end.";
        vec![parameter("sandbox_id", description, name_schema())]
    }
}

impl IntoParams for TaskId {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let description =
            "The name given at its creation: the newest sandbox of that name, also after its end.";
        vec![parameter("task_id", description, name_schema())]
    }
}

impl IntoParams for Id {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let uuid = ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::Custom("uuid".to_owned())));
        vec![parameter("sandbox_id", "Its id.", uuid)]
    }
}

fn parameter(name: &str, description: &str, schema: ObjectBuilder) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some(description))
        .schema(Some(schema))
        .build()
}

/// What [`Name::new`] lets pass.
fn name_schema() -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(Name::MAX_CHARS))
        .pattern(Some(r"^[^/\u0000-\u001f\u007f-\u009f]+$"))
}

/// The first parameter of the path.
async fn segment(parts: &mut Parts, api: &Api) -> Result<String, ApiError> {
    let parameters = Path::<Vec<(String, String)>>::from_request_parts(parts, api).await;
    let first = parameters.ok().and_then(|Path(parameters)| parameters.into_iter().next());
    first.map(|(_, text)| text).ok_or_else(ApiError::not_found)
}

fn name(text: String) -> Result<Selector, ApiError> {
    Name::new(text).map(Selector::Name).map_err(|_| ApiError::not_found())
}
