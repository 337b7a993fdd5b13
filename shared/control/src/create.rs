//! Create: intent in one transaction.

use std::{collections::BTreeMap, time::Duration};

use modbox_aws::{
    table::{Created, IdempotencyKey, Row},
    tasks::{MAX_OVERRIDES_CHARS, Overrides, TaskEnvironment},
};
use modbox_sandbox::{Labels, Name, Sandbox, SandboxId, Spec, UserId, contract};

use crate::{Api, Error, Selector};

/// What is asked for.
#[derive(Clone)]
pub struct Order {
    pub owner: UserId,
    /// Generated from the id if absent.
    pub name: Option<Name>,
    /// The deployment's default if absent.
    pub image: Option<String>,
    /// Never expires if absent.
    pub ttl: Option<Duration>,
    pub env: BTreeMap<String, String>,
    pub labels: Labels,
    pub client_reference: Option<String>,
    /// The caller's Idempotency-Key: for 24 hours the same key and request answer with the same sandbox.
    pub idempotency_key: Option<String>,
    /// The address by which the caller reached the API.
    pub api_url: String,
}

/// A sandbox that was accepted, now or under the same key before.
pub struct Accepted {
    pub row: Row,
    /// The token for its runtime: the caller's own SANDBOX_API_KEY, or the derived one.
    pub access_token: String,
    pub replayed: bool,
}

impl std::fmt::Debug for Accepted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Accepted").field("row", &self.row).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Order {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Order").field("owner", &self.owner).field("name", &self.name).finish_non_exhaustive()
    }
}

/// Memory of an image that says nothing else.
pub const DEFAULT_MEMORY_MB: u32 = 1024;

impl Api {
    /// Accepts a sandbox. What the answer promises is in the table when it is given; nothing else was waited for.
    pub async fn create(&self, order: Order) -> Result<Accepted, Error> {
        let id = SandboxId::from_random(self.control.random());
        let sandbox = self.sandbox(id, &order);
        let key_id = self.keys.current().to_owned();
        self.check_size(&key_id, &sandbox, &order.env)?;

        let request = order.canonical();
        let key = match &order.idempotency_key {
            Some(key) => {
                Some(IdempotencyKey { key: key.clone(), request_hash: self.keys.fingerprint(&request)? })
            }
            None => None,
        };
        let env = self.keys.seal(id, &order.env, [self.control.random(), self.control.random()])?;
        let row = Row { sandbox, key_id, env: Some(env), write: self.control.write_id() };
        let create = || self.control.table.create(&row, key.as_ref(), row.sandbox.created_at);
        match self.control.unless_in_conflict(create).await? {
            Created::Done => {
                let sandbox = &row.sandbox;
                tracing::info!(sandbox.id = %id, sandbox.name = %sandbox.name, "sandbox was accepted");
                self.accepted(row, &order, false)
            }
            Created::NameTaken => Err(Error::NameTaken { name: row.sandbox.name }),
            Created::Replayed { id, request_hash } => {
                if !self.keys.is_fingerprint_of(&request_hash, &request)? {
                    return Err(Error::KeyReused);
                }
                let row = self.get(&order.owner, &Selector::Id(id)).await?;
                self.accepted(row, &order, true)
            }
        }
    }

    fn accepted(&self, row: Row, order: &Order, replayed: bool) -> Result<Accepted, Error> {
        let access_token = match order.env.get(contract::SANDBOX_API_KEY) {
            Some(own) => own.clone(),
            None => self.keys.access_token(&row.key_id, row.sandbox.id)?,
        };
        Ok(Accepted { row, access_token, replayed })
    }

    fn sandbox(&self, id: SandboxId, order: &Order) -> Sandbox {
        let image = order.image.clone().unwrap_or_else(|| self.deployment.default_image.clone());
        let spec = Spec {
            readiness_port: contract::is_built_in(&image).then_some(contract::RUNTIME_PORT),
            image,
            memory_mb: DEFAULT_MEMORY_MB,
            url: self.deployment.sandbox_url.render(id),
            api_url: order.api_url.clone(),
            client_reference: order.client_reference.clone(),
        };
        let life = (self.control.now(), order.ttl);
        let sandbox = modbox_sandbox::create(id, order.owner.clone(), order.name.clone(), spec, life);
        Sandbox { labels: order.labels.clone(), ..sandbox }
    }

    /// What ECS would refuse later is refused now.
    fn check_size(
        &self,
        key_id: &str,
        sandbox: &Sandbox,
        env: &BTreeMap<String, String>,
    ) -> Result<(), Error> {
        let access_token = self.keys.access_token(key_id, sandbox.id)?;
        let task_token = self.keys.task_token(key_id, sandbox.id, sandbox.incarnation)?;
        let environment =
            TaskEnvironment { caller: env, access_token: &access_token, task_token: &task_token };
        let chars = Overrides::new(sandbox, &environment).chars();
        if chars > MAX_OVERRIDES_CHARS { Err(Error::EnvironmentTooLarge { chars }) } else { Ok(()) }
    }
}

impl Order {
    /// The request in one form, however it was written: what makes two requests the same. Labels are not in it: no
    /// request that may bring an Idempotency-Key has any.
    fn canonical(&self) -> String {
        serde_json::json!([
            self.owner.as_str(),
            self.name.as_ref().map(Name::as_str),
            self.image,
            self.ttl.map(|ttl| ttl.as_millis().to_string()),
            self.env,
            self.client_reference,
        ])
        .to_string()
    }
}
