//! GET /v1/templates, GET /v1/templates/{name}.

use axum::{
    Extension, Json,
    extract::{Path, State},
    http::StatusCode,
};
use modbox_control::Api;
use modbox_sandbox::contract;
use serde::Serialize;

use super::wire::{Answered, DEFAULT_TEMPLATE, List};
use crate::{auth::ApiKey, error::ApiError, query::Parameters, request_id::RequestId, shown::CPUS};

const CATEGORY: &str = "code-interpreter";

#[derive(Serialize)]
pub(super) struct Template {
    id: &'static str,
    object: &'static str,
    name: &'static str,
    display_name: &'static str,
    description: String,
    category: &'static str,
    /// It is for none in particular.
    language: Option<&'static str>,
    default_resources: Resources,
    features: [&'static str; 0],
    tags: [&'static str; 0],
    is_active: bool,
    is_public: bool,
    status: &'static str,
}

#[derive(Serialize)]
struct Resources {
    vcpu: u32,
    memory_mb: u32,
    disk_gb: u32,
}

impl Template {
    /// The one that there is: the deployment's default image.
    fn default(api: &Api) -> Self {
        let image = &api.deployment().default_image;
        Self {
            id: DEFAULT_TEMPLATE,
            object: "template",
            name: DEFAULT_TEMPLATE,
            display_name: "Code interpreter",
            description: format!(
                "The default image of this deployment: {image}. Any other image is a template of its name."
            ),
            category: CATEGORY,
            language: None,
            default_resources: Resources {
                vcpu: CPUS,
                memory_mb: modbox_control::DEFAULT_MEMORY_MB,
                disk_gb: contract::DISK_GIB,
            },
            features: [],
            tags: [],
            is_active: true,
            is_public: true,
            status: "active",
        }
    }
}

/// Lists the templates.
pub(super) async fn list(
    State(api): State<Api>,
    ApiKey(_): ApiKey,
    Extension(request_id): Extension<RequestId>,
    mut asked: Parameters,
) -> Result<Json<List<Template>>, ApiError> {
    let text = |text: &str| Some(text.to_owned());
    let category = asked.one("category", text, "", "");
    let language = asked.one("language", text, "", "");
    asked.done()?;
    let is_wanted = category.is_none_or(|category| category == CATEGORY) && language.is_none();
    Ok(Json(List {
        object: "list",
        data: is_wanted.then(|| Template::default(&api)).into_iter().collect(),
        has_more: false,
        next_cursor: None,
        url: "/v1/templates",
        request_id,
    }))
}

/// Shows a template.
pub(super) async fn get(
    State(api): State<Api>,
    ApiKey(_): ApiKey,
    Path(name): Path<String>,
    Extension(request_id): Extension<RequestId>,
) -> Result<Json<Answered<Template>>, ApiError> {
    if name != DEFAULT_TEMPLATE {
        return Err(ApiError::new(StatusCode::NOT_FOUND, "not_found", "Template not found"));
    }
    Ok(Json(Answered { body: Template::default(&api), request_id }))
}
