//! The documents of the file, and the ways there and back.

use std::{borrow::Cow, net::IpAddr, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::sync::watch;

use super::super::{
    definitions::Definition,
    task::{ContainerState, Order, Request, Status, Stopped, Task, Times},
    tokens::Use,
};

/// A registered task definition.
#[derive(Deserialize, Serialize)]
pub(super) struct StoredDefinition<'a> {
    active: bool,
    tags: Cow<'a, Value>,
    document: Cow<'a, Map<String, Value>>,
}

impl<'a> StoredDefinition<'a> {
    pub(super) fn of(definition: &'a Definition) -> Self {
        Self {
            active: definition.active,
            tags: Cow::Borrowed(&definition.tags),
            document: Cow::Borrowed(&definition.document),
        }
    }

    pub(super) fn text(&self) -> String {
        // Nothing in it can fail to be JSON.
        serde_json::to_string(self).unwrap_or_default()
    }

    pub(super) fn read(self) -> Result<Definition, serde_json::Error> {
        Definition::read(self.document.into_owned(), self.tags.into_owned(), self.active)
    }
}

/// A task, all but the values of its environment.
#[derive(Deserialize, Serialize)]
pub(in super::super) struct StoredTask<'a> {
    pub(super) id: Cow<'a, str>,
    cluster: Cow<'a, str>,
    /// The ARN of its task definition.
    pub(in super::super) definition: Cow<'a, str>,
    request: Cow<'a, Request>,
    token: Option<Cow<'a, Use>>,
    attachment_id: Cow<'a, str>,
    version: u64,
    status: Status,
    stop: Option<Cow<'a, Stopped>>,
    address: Option<IpAddr>,
    times: Cow<'a, Times>,
    containers: Cow<'a, [ContainerState]>,
}

impl StoredTask<'_> {
    pub(super) fn text(task: &Task) -> String {
        let stored = StoredTask {
            id: Cow::Borrowed(&task.id),
            cluster: Cow::Borrowed(&task.cluster),
            definition: Cow::Borrowed(&task.definition.arn),
            request: Cow::Borrowed(&task.request),
            token: task.token.as_ref().map(Cow::Borrowed),
            attachment_id: Cow::Borrowed(&task.attachment_id),
            version: task.version,
            status: task.status,
            stop: task.stop.as_ref().map(Cow::Borrowed),
            address: task.address,
            times: Cow::Borrowed(&task.times),
            containers: Cow::Borrowed(&task.containers),
        };
        // Nothing in it can fail to be JSON.
        serde_json::to_string(&stored).unwrap_or_default()
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.status == Status::Stopped
    }

    /// The task as it was, with what its actor is to do about it.
    pub(in super::super) fn read(self, definition: Arc<Definition>) -> Task {
        let order = if self.stop.is_some() { Order::Stop } else { Order::Run };
        Task {
            id: self.id.into_owned(),
            cluster: self.cluster.into_owned(),
            definition,
            request: self.request.into_owned(),
            token: self.token.map(Cow::into_owned),
            attachment_id: self.attachment_id.into_owned(),
            version: self.version,
            status: self.status,
            stop: self.stop.map(Cow::into_owned),
            address: self.address,
            times: self.times.into_owned(),
            containers: self.containers.into_owned(),
            orders: watch::Sender::new(order),
        }
    }
}
