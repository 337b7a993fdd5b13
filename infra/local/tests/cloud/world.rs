//! A cloud in memory, and clients of it.

use std::sync::Arc;

use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
    StreamSpecification, StreamViewType,
};
use futures::future::BoxFuture;
use modbox_local::aws_json::{Answer, AwsError};
use modbox_local::cloud::{Cloud, Service};
use modbox_local::dynamo::Dynamo;
use serde_json::Value;

/// A service that nobody should ask here.
#[derive(Debug)]
pub(crate) struct Absent;

impl Service for Absent {
    fn call<'a>(&'a self, operation: &'a str, _body: Value) -> BoxFuture<'a, Answer> {
        Box::pin(async move { Err(AwsError::client("ServerException", operation)) })
    }
}

pub(crate) fn cloud_over(dynamo: &Arc<Dynamo>) -> Arc<Cloud> {
    let absent = Arc::new(Absent);
    Cloud::new(
        Arc::clone(dynamo) as _,
        Arc::clone(&absent) as _,
        Arc::clone(&absent) as _,
        absent,
    )
}

macro_rules! client {
    ($sdk:ident, $cloud:expr, $caller:expr) => {
        $sdk::Client::from_conf(
            $sdk::Config::builder()
                .behavior_version($crate::world::behavior())
                .region($crate::world::region())
                .credentials_provider($crate::world::credentials())
                .http_client($cloud.connector($caller))
                .build(),
        )
    };
}
pub(crate) use client;

pub(crate) fn behavior() -> BehaviorVersion {
    BehaviorVersion::latest()
}

pub(crate) fn region() -> Region {
    Region::new("us-east-1")
}

pub(crate) fn credentials() -> Credentials {
    Credentials::new("test", "test", None, None, "test")
}

/// DynamoDB with the table `modbox`: key `pk`, streamed with both images.
pub(crate) async fn with_table(dynamo: Dynamo) -> (Arc<Dynamo>, Arc<Cloud>, aws_sdk_dynamodb::Client) {
    let dynamo = Arc::new(dynamo);
    let cloud = cloud_over(&dynamo);
    let client = client!(aws_sdk_dynamodb, cloud, "test");
    create_table(&client).await;
    (dynamo, cloud, client)
}

pub(crate) async fn create_table(client: &aws_sdk_dynamodb::Client) {
    let name = AttributeDefinition::builder()
        .attribute_name("pk")
        .attribute_type(ScalarAttributeType::S);
    let key = KeySchemaElement::builder()
        .attribute_name("pk")
        .key_type(KeyType::Hash);
    let stream = StreamSpecification::builder()
        .stream_enabled(true)
        .stream_view_type(StreamViewType::NewAndOldImages);
    client
        .create_table()
        .table_name("modbox")
        .attribute_definitions(name.build().unwrap())
        .key_schema(key.build().unwrap())
        .billing_mode(BillingMode::PayPerRequest)
        .stream_specification(stream.build().unwrap())
        .send()
        .await
        .unwrap();
}

pub(crate) fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}
