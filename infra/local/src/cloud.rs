//! The cloud: every stand-in behind one door, and a count of who asked what.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;
use serde_json::Value;

use crate::aws_json::{Answer, AwsError};
use crate::connector::Connector;

/// A stand-in for one AWS service.
pub trait Service: fmt::Debug + Send + Sync {
    /// Performs one operation, given its body on the wire.
    fn call<'a>(&'a self, operation: &'a str, body: Value) -> BoxFuture<'a, Answer>;
}

/// Stands between the callers and the services, and may answer in a service's place, before or after it acted.
pub trait Gate: fmt::Debug + Send + Sync {
    /// Performs the call, or does not.
    fn call<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Answer>;
}

/// One call on its way to a service.
#[derive(Debug)]
pub struct Call<'a> {
    pub caller: &'a str,
    pub operation: &'a str,
    pub body: Value,
    pub service: &'a dyn Service,
}

impl<'a> Call<'a> {
    /// Has the service perform it.
    pub fn perform(self) -> BoxFuture<'a, Answer> {
        self.service.call(self.operation, self.body)
    }
}

/// The gate that lets every call pass.
#[derive(Clone, Copy, Debug)]
pub struct Open;

impl Gate for Open {
    fn call<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Answer> {
        call.perform()
    }
}

/// What goes back over the wire.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub content_type: &'static str,
    pub request_id: String,
    pub body: Vec<u8>,
}

/// Calls by caller and operation.
pub type Calls = BTreeMap<(String, String), u64>;

/// AWS as far as the product needs it, in this process.
#[derive(Debug)]
pub struct Cloud {
    dynamo: Arc<dyn Service>,
    ecs: Arc<dyn Service>,
    bus: Arc<dyn Service>,
    queue: Arc<dyn Service>,
    logs: Arc<dyn Service>,
    gate: Arc<dyn Gate>,
    calls: Mutex<Calls>,
    requests: AtomicU64,
}

const JSON_1_0: &str = "application/x-amz-json-1.0";
const JSON_1_1: &str = "application/x-amz-json-1.1";

impl Cloud {
    /// Puts the stand-ins behind one door. Each may be wrapped, for example by one that injects faults.
    pub fn new(
        dynamo: Arc<dyn Service>,
        ecs: Arc<dyn Service>,
        bus: Arc<dyn Service>,
        queue: Arc<dyn Service>,
        logs: Arc<dyn Service>,
    ) -> Arc<Self> {
        Self::behind(Arc::new(Open), [dynamo, ecs, bus, queue, logs])
    }

    /// As [`Cloud::new`], with every call by way of `gate`, after it was counted.
    pub fn behind(gate: Arc<dyn Gate>, [dynamo, ecs, bus, queue, logs]: [Arc<dyn Service>; 5]) -> Arc<Self> {
        let (calls, requests) = (Mutex::default(), AtomicU64::new(0));
        Arc::new(Self { dynamo, ecs, bus, queue, logs, gate, calls, requests })
    }

    /// An HTTP client for the AWS SDK that ends in this cloud. Its calls are counted for `caller`.
    pub fn connector(self: &Arc<Self>, caller: &str) -> Connector {
        Connector::new(Arc::clone(self), caller)
    }

    /// How often each caller has called each operation so far.
    pub fn calls(&self) -> Calls {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Answers one request of an AWS JSON protocol. `target` is its `X-Amz-Target` header.
    pub async fn call(&self, caller: &str, target: &str, body: &[u8]) -> Reply {
        let (answer, content_type) = match self.route(target) {
            Some((service, operation, content_type)) => {
                self.count(caller, operation);
                (self.ask(caller, (service, operation), body).await, content_type)
            }
            None => (Err(AwsError::unknown_operation(target)), JSON_1_0),
        };
        let (status, value) = match answer {
            Ok(value) => (200, value),
            Err(error) => (error.status, error.body()),
        };
        Reply { status, content_type, request_id: self.request_id(), body: value.to_string().into_bytes() }
    }

    fn route<'a>(&self, target: &'a str) -> Option<(&dyn Service, &'a str, &'static str)> {
        let (service, operation) = target.split_once('.')?;
        let (stand_in, content_type) = match service {
            "DynamoDB_20120810" | "DynamoDBStreams_20120810" => (&self.dynamo, JSON_1_0),
            "AmazonEC2ContainerServiceV20141113" => (&self.ecs, JSON_1_1),
            "AWSEvents" => (&self.bus, JSON_1_1),
            "AmazonSQS" => (&self.queue, JSON_1_0),
            "Logs_20140328" => (&self.logs, JSON_1_1),
            _ => return None,
        };
        Some((stand_in.as_ref(), operation, content_type))
    }

    async fn ask(&self, caller: &str, (service, operation): (&dyn Service, &str), body: &[u8]) -> Answer {
        let body = match body {
            [] => Value::Object(serde_json::Map::new()),
            body => serde_json::from_slice(body)
                .map_err(|_| AwsError::client("SerializationException", "the body is not JSON"))?,
        };
        self.gate.call(Call { caller, operation, body, service }).await
    }

    fn count(&self, caller: &str, operation: &str) {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        *calls.entry((caller.to_owned(), operation.to_owned())).or_default() += 1;
    }

    /// Counted, not drawn: the ids of one run are those of the next.
    fn request_id(&self) -> String {
        format!("{:032X}", self.requests.fetch_add(1, Ordering::Relaxed) + 1)
    }
}
