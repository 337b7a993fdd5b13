//! The `api` function: checks, decides, commits intent in one write, answers.

use std::time::Duration;

use axum::Router;
use lambda_http::{Error, Request, RequestExt as _, request::RequestContext};
use modbox_aws::Connection;
use modbox_control::{
    Api,
    settings::{Environment, InvalidSetting},
};
use modbox_http::MaxWait;

/// API Gateway cuts an integration at 30 s; an answer must be under way before (HTTP API quotas).
const BEHIND_GATEWAY: MaxWait = MaxWait(Duration::from_secs(28));

/// Builds the function from its environment and opens its connection, so that the first request finds it warm.
pub async fn from_env() -> Result<Router, Error> {
    let api = set_up(&Environment::of_process(), &Connection::from_env()?).await?;
    Ok(modbox_http::router(api))
}

/// Builds it of these settings.
pub async fn set_up(env: &Environment<'_>, aws: &Connection) -> Result<Api, InvalidSetting> {
    Ok(Api::new(env.control(aws).await?, env.keys()?, env.deployment(aws)?, env.logs(aws)))
}

/// Tells the router how long a request may wait: behind a function URL as long as it likes.
pub fn with_max_wait(mut request: Request) -> Request {
    if let Some(RequestContext::ApiGatewayV2(context)) = request.request_context_ref() {
        let behind_url = context.domain_name.as_deref().is_some_and(|name| name.contains(".lambda-url."));
        if !behind_url {
            request.extensions_mut().insert(BEHIND_GATEWAY);
        }
    }
    request
}
