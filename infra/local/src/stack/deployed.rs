//! The functions and the services that they call, without whatever calls the functions.

use std::{collections::HashMap, fmt, sync::Arc};

use aws_smithy_runtime_api::client::http::SharedHttpClient;
use axum::Router;
use modbox_aws::{Connection, bus::Bus as EventBus, queue::DeadLetters, table::Table};
use modbox_control::{
    Admin, Api, Control, Launcher, Observer, Reaper,
    settings::{Environment, InvalidSetting},
};
use serde_json::Value;
use tokio::sync::mpsc;

use super::{LOG_GROUP, Parts, StartError, TABLE, ensure_table, filters, variables};
use crate::{
    bus::Bus,
    cloud::{Cloud, Service},
    dynamo::Dynamo,
    ecs::Ecs,
    logs::Logs,
    plumbing::{Handler, handler, mapping::Mapping, schedule::Schedule},
    queue::Queue,
};

/// What a stack deploys. Whoever holds it calls the functions: [`Stack`](super::Stack) as AWS does, a simulation as
/// AWS might.
pub struct Deployed {
    pub cloud: Arc<Cloud>,
    pub dynamo: Arc<Dynamo>,
    pub ecs: Ecs,
    pub bus: Arc<Bus>,
    pub queue: Arc<Queue>,
    pub table: Table,
    pub admin: Admin,
    /// The `api` function.
    pub router: Router,
    /// What the table's stream calls.
    pub mappings: Vec<Mapping>,
    pub schedule: Schedule,
    /// What ECS's events call.
    pub observer: Handler,
    /// ECS's events.
    pub changed: mpsc::UnboundedReceiver<Value>,
}

impl fmt::Debug for Deployed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deployed").field("mappings", &self.mappings).finish_non_exhaustive()
    }
}

impl Deployed {
    /// Makes the table if it is not there, and the functions. Nothing is called yet.
    pub fn new(mut parts: Parts) -> Result<Self, StartError> {
        ensure_table(&parts.dynamo)?;
        let sources = || (Arc::clone(&parts.clock), Arc::clone(&parts.ids));
        let (changes, changed) = mpsc::unbounded_channel();
        let ecs = Ecs::new(parts.ecs.clone(), Arc::clone(&parts.engine), sources(), changes);
        if let Some(memory) = parts.memory.take() {
            ecs.resume(memory)?;
        }
        let bus = Arc::new(Bus::new(Arc::clone(&parts.clock), Arc::clone(&parts.ids)));
        let queue = Arc::new(Queue::new(Arc::clone(&parts.clock), Arc::clone(&parts.ids)));
        let logs = Logs::new(LOG_GROUP, Arc::clone(&parts.engine), Arc::clone(&parts.clock));
        let services: [Arc<dyn Service>; 5] = [
            Arc::clone(&parts.dynamo) as _,
            Arc::new(ecs.clone()),
            Arc::clone(&bus) as _,
            Arc::clone(&queue) as _,
            Arc::new(logs),
        ];
        let cloud = Cloud::behind(Arc::clone(&parts.gate), services);
        let settings: HashMap<_, _> = variables(&parts.ecs.cluster, parts.retention).into_iter().collect();
        let setting = |name: &str| settings.get(name).cloned();
        let functions = Functions { cloud: &cloud, parts: &parts, env: Environment(&setting) };
        let reaper = functions.reaper()?;
        Ok(Self {
            mappings: vec![
                Mapping::new("launcher", filters::read(&filters::LAUNCHER)?, functions.launcher()?),
                Mapping::new("reaper", filters::read(&filters::REAPER)?, Arc::clone(&reaper)),
            ],
            schedule: Schedule {
                name: "modbox-reaper".to_owned(),
                period: parts.tick,
                function: reaper,
                clock: Arc::clone(&parts.clock),
                ids: Arc::clone(&parts.ids),
            },
            observer: functions.observer()?,
            router: modbox_http::router(functions.api()?),
            table: functions.table("local"),
            admin: Admin::new(functions.control("local")),
            dynamo: Arc::clone(&parts.dynamo),
            ecs,
            bus,
            queue,
            cloud,
            changed,
        })
    }
}

/// The functions, each on a connection of its own, so that the cloud can tell their calls apart.
struct Functions<'a> {
    cloud: &'a Arc<Cloud>,
    parts: &'a Parts,
    env: Environment<'a>,
}

impl Functions<'_> {
    fn connection(&self, caller: &str) -> Connection {
        Connection::through(SharedHttpClient::new(self.cloud.connector(caller)))
    }

    fn table(&self, caller: &str) -> Table {
        Table::new(&self.connection(caller), TABLE, self.parts.retention)
    }

    fn control(&self, caller: &str) -> Control {
        Control::new(self.table(caller), Arc::clone(&self.parts.clock), Arc::clone(&self.parts.ids))
    }

    fn bus(&self, caller: &str) -> Result<EventBus, InvalidSetting> {
        self.env.bus(&self.connection(caller))
    }

    fn dead_letters(&self, caller: &str) -> Result<DeadLetters, InvalidSetting> {
        self.env.dead_letters(&self.connection(caller))
    }

    fn api(&self) -> Result<Api, InvalidSetting> {
        let keys = self.parts.keys.clone();
        let connection = self.connection("api");
        let (deployment, logs) = (self.env.deployment(&connection)?, self.env.logs(&connection));
        Ok(Api::new(self.control("api"), keys, deployment, logs))
    }

    fn launcher(&self) -> Result<Handler, InvalidSetting> {
        const NAME: &str = "launcher";
        let launches = self.env.launches(&self.connection(NAME))?;
        let (bus, dead_letters) = (self.bus(NAME)?, self.dead_letters(NAME)?);
        let launcher =
            Launcher::new(self.control(NAME), launches, bus, dead_letters, self.parts.keys.clone());
        Ok(handler(move |event| {
            let launcher = launcher.clone();
            async move { launcher::handler(&launcher, event).await.map_err(|error| error.to_string()) }
        }))
    }

    fn reaper(&self) -> Result<Handler, InvalidSetting> {
        const NAME: &str = "reaper";
        let tasks = self.env.tasks(&self.connection(NAME))?;
        let (bus, dead_letters) = (self.bus(NAME)?, self.dead_letters(NAME)?);
        let app = reaper::App::new(Reaper::new(self.control(NAME), tasks, bus, dead_letters));
        Ok(handler(move |event| {
            let app = app.clone();
            async move { reaper::handler(&app, event).await.map_err(|error| error.to_string()) }
        }))
    }

    fn observer(&self) -> Result<Handler, InvalidSetting> {
        const NAME: &str = "observer";
        let observer = Observer::new(self.control(NAME), self.env.stack()?);
        Ok(handler(move |event| {
            let observer = observer.clone();
            async move { observer::handler(&observer, event).await.map_err(|error| error.to_string()) }
        }))
    }
}
