//! The functions as they are when they are started by themselves: made of the variables that `modbox-local` writes.

use std::{collections::HashMap, sync::Arc, time::Duration};

use aws_smithy_runtime_api::client::http::SharedHttpClient;
use modbox_aws::{Connection, table::Table};
use modbox_control::{Api, Control, Launcher, Observer, Reaper, settings::Environment};
use modbox_local::stack::variables;
use modbox_tests::World;
use serde_json::Value;

/// Has each function called with events, on the same cloud as the functions of the world.
pub(super) struct Functions<'a> {
    world: &'a World,
    variables: HashMap<&'static str, String>,
}

const RETENTION: Duration = Duration::from_secs(60 * 60);

/// For the faults and the counts of the world.
pub(super) const CALLER: &str = "invoked";

impl<'a> Functions<'a> {
    pub(super) fn of(world: &'a World) -> Self {
        Self { world, variables: variables("modbox", RETENTION).into_iter().collect() }
    }

    fn connection(&self) -> Connection {
        Connection::through(SharedHttpClient::new(self.world.stack.cloud.connector(CALLER)))
    }

    /// As `Environment::control` makes it, on the clock and the chance of the world.
    fn control(&self) -> Control {
        let table = Table::new(&self.connection(), &self.variables["MODBOX_TABLE"], RETENTION);
        Control::new(table, Arc::clone(&self.world.clock), Arc::clone(&self.world.ids))
    }

    fn variable(&self) -> impl Fn(&str) -> Option<String> {
        |name| self.variables.get(name).cloned()
    }

    pub(super) fn api(&self) -> Api {
        let variable = self.variable();
        let env = Environment(&variable);
        let aws = self.connection();
        Api::new(self.control(), self.world.keys.clone(), env.deployment(&aws).unwrap(), env.logs(&aws))
    }

    pub(super) async fn launcher(&self, event: Value) -> Value {
        let (variable, aws) = (self.variable(), self.connection());
        let env = Environment(&variable);
        let (launches, bus) = (env.launches(&aws).unwrap(), env.bus(&aws).unwrap());
        let keys = self.world.keys.clone();
        let launcher = Launcher::new(self.control(), launches, bus, env.dead_letters(&aws).unwrap(), keys);
        launcher::handler(&launcher, event).await.unwrap()
    }

    pub(super) async fn reaper(&self, event: Value) -> Value {
        let (variable, aws) = (self.variable(), self.connection());
        let env = Environment(&variable);
        let (tasks, bus) = (env.tasks(&aws).unwrap(), env.bus(&aws).unwrap());
        let reaper = Reaper::new(self.control(), tasks, bus, env.dead_letters(&aws).unwrap());
        reaper::handler(&reaper::App::new(reaper), event).await.unwrap()
    }

    pub(super) async fn observer(&self, event: Value) -> Value {
        let stack = Environment(&self.variable()).stack().unwrap();
        let observer = Observer::new(self.control(), stack);
        observer::handler(&observer, event).await.unwrap()
    }
}
