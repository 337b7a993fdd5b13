//! A cloud in memory, and clients of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
    StreamSpecification, StreamViewType,
};
use futures::future::BoxFuture;
use modbox_local::aws_json::{Answer, AwsError};
use modbox_local::bus::Bus;
use modbox_local::cloud::{Cloud, Service};
use modbox_local::dynamo::Dynamo;
use modbox_local::queue::Queue;
use modbox_sandbox::{Clock, Ids, Timestamp};
use serde_json::Value;

/// A service that nobody should ask here.
#[derive(Debug)]
pub(crate) struct Absent;

impl Service for Absent {
    fn call<'a>(&'a self, operation: &'a str, _body: Value) -> BoxFuture<'a, Answer> {
        Box::pin(async move { Err(AwsError::client("ServerException", operation)) })
    }
}

/// A clock that is turned by hand.
#[derive(Debug)]
pub(crate) struct Hand(AtomicI64);

impl Hand {
    pub(crate) fn at(seconds: i64) -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(seconds * 1000)))
    }

    pub(crate) fn turn(&self, by: Duration) {
        self.0.fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::Relaxed);
    }
}

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::Relaxed))
    }
}

/// Ids that count.
#[derive(Debug, Default)]
pub(crate) struct Counted(AtomicU64);

impl Ids for Counted {
    fn random(&self) -> u128 {
        u128::from(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

pub(crate) struct StandIns {
    pub(crate) clock: Arc<Hand>,
    pub(crate) dynamo: Arc<Dynamo>,
    pub(crate) bus: Arc<Bus>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) cloud: Arc<Cloud>,
}

/// A cloud over this database, with everything but ECS.
pub(crate) fn stand_ins(dynamo: Dynamo) -> StandIns {
    let (clock, ids) = (Hand::at(1_800_000_000), Arc::new(Counted::default()));
    let dynamo = Arc::new(dynamo);
    let bus = Arc::new(Bus::new(Arc::clone(&clock) as _, Arc::clone(&ids) as _));
    let queue = Arc::new(Queue::new(Arc::clone(&clock) as _, ids));
    let cloud = Cloud::new(
        Arc::clone(&dynamo) as _,
        Arc::new(Absent),
        Arc::clone(&bus) as _,
        Arc::clone(&queue) as _,
        Arc::new(Absent),
    );
    StandIns { clock, dynamo, bus, queue, cloud }
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
    let StandIns { dynamo, cloud, .. } = stand_ins(dynamo);
    let client = client!(aws_sdk_dynamodb, cloud, "test");
    create_table(&client).await;
    (dynamo, cloud, client)
}

pub(crate) async fn create_table(client: &aws_sdk_dynamodb::Client) {
    let name = AttributeDefinition::builder().attribute_name("pk").attribute_type(ScalarAttributeType::S);
    let key = KeySchemaElement::builder().attribute_name("pk").key_type(KeyType::Hash);
    let stream =
        StreamSpecification::builder().stream_enabled(true).stream_view_type(StreamViewType::NewAndOldImages);
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
