//! Starting a task: its images, then its containers, the one first whose network and processes the others share.

use std::{net::IpAddr, sync::Arc};

use bollard::{
    Docker,
    errors::Error,
    models::ImageConfig,
    query_parameters::{CreateContainerOptionsBuilder, CreateImageOptionsBuilder},
};
use futures::TryStreamExt as _;
use modbox_sandbox::contract;

use super::{
    Shared,
    door::way,
    failure::{cannot_create, cannot_pull, cannot_start, no_answer},
    keep,
    keeper::Member,
    owner_of,
    plan::{self, Place, Plan},
};
use crate::ecs::{Cancelled, Container, Handle, Launch, StartError};

pub(super) async fn start(
    shared: Arc<Shared>,
    launch: Launch,
    mut cancelled: Cancelled,
) -> Result<Handle, StartError> {
    let images = tokio::select! {
        biased;
        () = cancelled.cancelled() => return Err(given_up()),
        images = images(&shared, &launch) => images?,
    };
    let network = shared.network().await?;
    let way = match launch.containers.iter().find_map(|each| each.environment.get(contract::API_URL)) {
        Some(url) => Some(way(url, network.gateway).await),
        None => None,
    };
    if let Some(to) = way.as_ref().and_then(|way| way.door) {
        shared.doors.open(network.gateway, to);
    }
    let plan = Plan { launch: &launch, data: &shared.data, network, way };
    let start = Start { docker: &shared.docker, plan, images, cancelled };
    match start.run().await {
        Ok((members, address)) => Ok(keep(shared, launch, members, address)),
        Err(error) => {
            if !shared.remove_task(launch.task_id()).await {
                tracing::warn!(task.arn = launch.task_arn, "failed to remove what was begun of a task");
            }
            Err(error)
        }
    }
}

fn given_up() -> StartError {
    StartError::new("the start was given up")
}

/// The image of each container, in their order. What is not there is pulled.
async fn images(shared: &Shared, launch: &Launch) -> Result<Vec<ImageConfig>, StartError> {
    let mut images = Vec::with_capacity(launch.containers.len());
    for container in &launch.containers {
        let image = match shared.image(&container.image).await {
            Some(image) => image,
            None => {
                pull(&shared.docker, &container.image)
                    .await
                    .map_err(|error| cannot_pull(container, &error))?;
                shared.image(&container.image).await.unwrap_or_default()
            }
        };
        images.push(image);
    }
    Ok(images)
}

async fn pull(docker: &Docker, image: &str) -> Result<(), Error> {
    let options = CreateImageOptionsBuilder::default().from_image(&with_tag(image)).build();
    docker.create_image(Some(options), None, None).try_for_each(|_| async { Ok(()) }).await
}

/// Without a tag every image of that name would be pulled.
fn with_tag(image: &str) -> String {
    let last = image.rsplit('/').next().unwrap_or(image);
    if last.contains([':', '@']) { image.to_owned() } else { format!("{image}:latest") }
}

struct Start<'a> {
    docker: &'a Docker,
    plan: Plan<'a>,
    images: Vec<ImageConfig>,
    cancelled: Cancelled,
}

impl Start<'_> {
    async fn run(&self) -> Result<(Vec<Member>, IpAddr), StartError> {
        let launch = self.plan.launch;
        let owner = owner_of(launch).ok_or_else(|| StartError::new("the task has no containers"))?;
        let owner = self.create(owner, Place::Own).await?;
        let mut members = vec![owner.clone()];
        for container in launch.containers.iter().filter(|each| each.name != owner.name) {
            members.push(self.create(container, Place::With(&owner.id)).await?);
        }
        for (index, member) in members.iter().enumerate() {
            if self.cancelled.is_cancelled() {
                return Err(given_up());
            }
            if let Err(error) = self.docker.start_container(&member.id, None).await {
                if index > 0 && self.has_ended(&owner).await {
                    // Its deadline had passed: that it ended says the rest, of those that came so far.
                    members.truncate(index);
                    break;
                }
                return Err(launch.container(&member.name).map_or_else(
                    || StartError::new("a container that is not the task's"),
                    |container| cannot_start(container, &error),
                ));
            }
        }
        let address = self.address(&owner).await?;
        Ok((members, address))
    }

    async fn create(&self, container: &Container, place: Place<'_>) -> Result<Member, StartError> {
        let launch = self.plan.launch;
        let position = launch.containers.iter().position(|each| each.name == container.name);
        let image = position.and_then(|position| self.images.get(position)).cloned().unwrap_or_default();
        let name = plan::name(launch.task_id(), &container.name);
        let options = CreateContainerOptionsBuilder::default().name(&name).build();
        let body = self.plan.body(container, &image, place);
        let created = self.docker.create_container(Some(options), body).await;
        let created = created.map_err(|error| cannot_create(container, &error))?;
        Ok(Member::new(container, created.id))
    }

    async fn has_ended(&self, member: &Member) -> bool {
        let found = self.docker.inspect_container(&member.id, None).await;
        found.is_ok_and(|found| found.state.and_then(|state| state.running) == Some(false))
    }

    async fn address(&self, owner: &Member) -> Result<IpAddr, StartError> {
        if let Some(address) = self.plan.address() {
            return Ok(address);
        }
        let found =
            self.docker.inspect_container(&owner.id, None).await.map_err(|error| no_answer(&error))?;
        let networks = found.network_settings.and_then(|settings| settings.networks).unwrap_or_default();
        let address = networks.into_values().find_map(|network| network.ip_address?.parse().ok());
        address.ok_or_else(|| StartError::new("ResourceInitializationError: the task has no address"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_without_tag_is_the_latest() {
        assert_eq!(with_tag("localhost:5000/python"), "localhost:5000/python:latest");
        for image in ["python:3", "a/b@sha256:00", "localhost:5000/a:1"] {
            assert_eq!(with_tag(image), image);
        }
    }
}
