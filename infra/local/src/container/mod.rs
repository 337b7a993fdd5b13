//! The container engine: a task as containers of Docker or Podman.
//!
//! The containers of a task share a network, as on Fargate, and a PID namespace, which they do not there. Its first
//! process is the `deadline` sidecar: when that ends, the kernel kills all that is left in the namespace. So the
//! deadline holds while this program, and Docker's or Podman's, are dead.

mod door;
mod failure;
mod keeper;
mod logs;
mod network;
mod plan;
mod socket;
mod start;

use std::{
    collections::{BTreeSet, HashMap},
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use bollard::{
    Docker,
    models::{ContainerSummary, ImageConfig},
    query_parameters::{ListContainersOptionsBuilder, RemoveContainerOptionsBuilder},
};
use modbox_sandbox::contract;
use tokio::sync::{OnceCell, mpsc};

pub use self::failure::OpenError;
use self::{
    door::Doors,
    failure::{Insisting, insist},
    keeper::{Keeper, Member},
    network::Network,
    plan::Labels,
};
use crate::{
    ecs::{Cancelled, Engine, Exit, Handle, Launch, Reading, StartError, Starting},
    kept_logs,
};

/// Runs each task as containers, with the limits of its size, and with an address of this machine's loopback network as
/// its own where its URL names one.
///
/// Containers outlive this program, until their deadline, and are adopted by the next engine for the same `data`, by
/// which their labels tell them from those of others.
#[derive(Clone, Debug)]
pub struct ContainerEngine {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    docker: Docker,
    /// What answers, as its user knows it: `Podman Engine 4.3.1`.
    name: String,
    data: PathBuf,
    /// Known from the first start on.
    network: OnceCell<Network>,
    doors: Doors,
}

impl ContainerEngine {
    /// Connects to the engine that `DOCKER_HOST` or `CONTAINER_HOST` names, otherwise to the first that has a socket in
    /// its usual place. Nothing is changed there before the first start.
    pub async fn open(data: &Path) -> Result<Self, OpenError> {
        let docker = socket::connect().await?;
        let name = socket::check(&docker).await?;
        let (data, network, doors) = (data.to_owned(), OnceCell::new(), Doors::default());
        let shared = Shared { docker, name, data, network, doors };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The engine that runs the containers, and its version.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// The first of these images that is not there; an engine that does not say has none.
    pub async fn missing<'a>(&self, images: &[&'a str]) -> Option<&'a str> {
        for image in images {
            if self.shared.docker.inspect_image(image).await.is_err() {
                return Some(image);
            }
        }
        None
    }

    /// Ends what earlier runs on the same `data` have left, but for the tasks with these ids; gives the ids of those
    /// that it ended. To be called before the first start.
    pub async fn sweep(&self, keep: BTreeSet<String>) -> Result<Vec<String>, OpenError> {
        let shared = &self.shared;
        let left = shared.list(&Labels::of_data(&shared.data)).await.map_err(OpenError::Answer)?;
        let task = |container: &ContainerSummary| label(container, plan::TASK).map(ToOwned::to_owned);
        let tasks: BTreeSet<String> = left.iter().filter_map(task).filter(|id| !keep.contains(id)).collect();
        for task in &tasks {
            if !shared.remove_task(task).await {
                tracing::warn!(task.id = task, "failed to end a task of an earlier run");
            }
        }
        Ok(tasks.into_iter().collect())
    }
}

impl Engine for ContainerEngine {
    fn start(&self, launch: Launch, cancelled: Cancelled) -> Starting {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move { start::start(shared, launch, cancelled).await })
    }

    fn adopt(&self, launch: Launch, address: Option<IpAddr>) -> Starting {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move { adopt(shared, launch, address).await })
    }

    fn log(&self, task_id: &str, container: &str) -> Reading {
        let shared = Arc::clone(&self.shared);
        let (task_id, container) = (task_id.to_owned(), container.to_owned());
        Box::pin(async move {
            // In this order: a log that is kept meanwhile is found in the second place.
            match logs::read(&shared.docker, &plan::name(&task_id, &container)).await {
                Ok(lines) => Ok(Some(lines.into_iter().map(kept_logs::said).collect())),
                Err(_) => kept_logs::read(&shared.data, &task_id, &container).await,
            }
        })
    }
}

impl Shared {
    /// The network of the tasks, which is made if it is not there.
    async fn network(&self) -> Result<&Network, StartError> {
        let network = self.network.get_or_try_init(|| Network::ensure(&self.docker, &self.name)).await;
        network.map_err(|error| failure::no_answer(&error))
    }

    /// All containers that have these labels, whether they run or not.
    async fn list(&self, labels: &Labels) -> Result<Vec<ContainerSummary>, bollard::errors::Error> {
        let filters = HashMap::from([("label", labels.filter())]);
        let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
        self.docker.list_containers(Some(options)).await
    }

    /// Kills and removes whatever there is of a task; says whether it is gone.
    async fn remove_task(&self, task_id: &str) -> bool {
        let removed = insist(|| async {
            let mut found = self.list(&Labels::of_task(&self.data, task_id)).await?;
            // What the others share is removed after them.
            found.sort_by_key(|container| label(container, plan::ADDRESS).is_some());
            for container in found {
                let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
                let id = container.id.unwrap_or_default();
                self.docker.remove_container(&id, Some(options)).await.unless_gone()?;
            }
            Ok(())
        });
        removed.await.is_ok()
    }

    /// What an image says of itself; none where it is not there.
    async fn image(&self, image: &str) -> Option<ImageConfig> {
        self.docker.inspect_image(image).await.ok().map(|found| found.config.unwrap_or_default())
    }
}

fn label<'a>(container: &'a ContainerSummary, name: &str) -> Option<&'a str> {
    container.labels.as_ref()?.get(name).map(String::as_str)
}

async fn adopt(shared: Arc<Shared>, launch: Launch, address: Option<IpAddr>) -> Result<Handle, StartError> {
    let labels = Labels::of_task(&shared.data, launch.task_id());
    let found = insist(|| shared.list(&labels)).await.map_err(|error| failure::no_answer(&error))?;
    let owner = found.iter().find_map(|container| label(container, plan::ADDRESS));
    let known = owner.and_then(|address| address.parse().ok()).or(address);
    let members: Vec<Member> = launch.containers.iter().filter_map(|each| member(each, &found)).collect();
    let (Some(address), true) = (known, members.len() == launch.containers.len()) else {
        shared.remove_task(launch.task_id()).await;
        return Err(failure::nothing_left());
    };
    let door = found.iter().find_map(|container| label(container, plan::DOOR));
    if let Some(to) = door.and_then(|to| to.parse().ok()) {
        shared.doors.open(shared.network().await?.gateway, to);
    }
    Ok(keep(shared, launch, members, address))
}

/// A container of the launch, if it is there and was ever started.
fn member(container: &crate::ecs::Container, found: &[ContainerSummary]) -> Option<Member> {
    use bollard::models::ContainerSummaryStateEnum::CREATED;
    let found = found.iter().find(|each| label(each, plan::CONTAINER) == Some(&container.name))?;
    let started = found.state.is_some_and(|state| state != CREATED);
    started.then(|| Member::new(container, found.id.clone().unwrap_or_default()))
}

fn keep(shared: Arc<Shared>, launch: Launch, members: Vec<Member>, address: IpAddr) -> Handle {
    let (exits, exited) = mpsc::unbounded_channel::<Exit>();
    let (stop, stops) = mpsc::unbounded_channel();
    let keeper = Keeper::new(shared, launch, members, exits);
    tokio::spawn(keeper.run(stops));
    Handle { address, stop, exits: exited }
}

/// Whose network and processes the others share: the sidecar that ends the task, or else whatever is first.
fn owner_of(launch: &Launch) -> Option<&crate::ecs::Container> {
    launch.container(contract::DEADLINE).or(launch.containers.first())
}
