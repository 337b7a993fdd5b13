//! The cloud as the AWS SDK's HTTP client, without a socket.

use std::fmt;
use std::sync::Arc;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;

use crate::cloud::{Cloud, Reply};

/// An HTTP client whose every request ends in a [`Cloud`].
#[derive(Clone)]
pub struct Connector {
    cloud: Arc<Cloud>,
    caller: Arc<str>,
}

impl Connector {
    pub(crate) fn new(cloud: Arc<Cloud>, caller: &str) -> Self {
        Self { cloud, caller: caller.into() }
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("caller", &self.caller).finish_non_exhaustive()
    }
}

impl HttpClient for Connector {
    fn http_connector(
        &self,
        _settings: &HttpConnectorSettings,
        _components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Self { cloud, caller } = self.clone();
        HttpConnectorFuture::new(async move {
            let target = request.headers().get("x-amz-target").unwrap_or_default();
            let Some(body) = request.body().bytes() else {
                return Err(ConnectorError::user("the body is not in memory".into()));
            };
            response(cloud.call(&caller, target, body).await)
        })
    }
}

fn response(reply: Reply) -> Result<HttpResponse, ConnectorError> {
    let response = http::Response::builder()
        .status(reply.status)
        .header("content-type", reply.content_type)
        .header("x-amzn-requestid", reply.request_id)
        .body(SdkBody::from(reply.body))
        .map_err(|error| ConnectorError::other(error.into(), None))?;
    HttpResponse::try_from(response).map_err(|error| ConnectorError::other(error.into(), None))
}
