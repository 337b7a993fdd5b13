//! What of a launch becomes which process.

use std::{net::Ipv4Addr, path::Path};

use modbox_sandbox::contract;
use modbox_sidecar::{ContainerSpec, TaskSpec, Variables};

use super::scratch::Scratch;
use crate::ecs::{Container, Launch, StartError};

/// What the built-in image says of `PATH`.
pub(super) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const LANG: &str = "C.UTF-8";

/// Refuses what this engine cannot run.
pub(super) fn check(launch: &Launch) -> Result<(), StartError> {
    for container in &launch.containers {
        match container.name.as_str() {
            contract::MAIN if contract::is_built_in(&container.image) => {}
            contract::MAIN => return Err(unknown_image(container)),
            contract::DEADLINE | contract::READY => {}
            _ => return Err(unknown_container(container)),
        }
    }
    Ok(())
}

fn unknown_image(container: &Container) -> StartError {
    let [full, lite] = contract::BUILT_IN_IMAGES;
    let reason = format!(
        "CannotPullContainerError: the process engine runs only {full} and {lite}, not {}; create the sandbox with one \
         of these, or without an image",
        container.image
    );
    StartError::of(container, reason)
}

fn unknown_container(container: &Container) -> StartError {
    let reason = format!(
        "CannotStartContainerError: the process engine knows no container {}; it runs the tasks of sandboxes only",
        container.name
    );
    StartError::of(container, reason)
}

/// What the sidecar is told. Its own variables are those of the `deadline` container, which it is.
pub(super) fn task_spec(launch: &Launch, program: &Path, scratch: &Scratch, address: Ipv4Addr) -> TaskSpec {
    let own = launch.container(contract::DEADLINE);
    let below = launch.containers.iter().filter(|container| container.name != contract::DEADLINE);
    TaskSpec {
        containers: below.map(|each| container_spec(each, program, scratch, address)).collect(),
        stop_timeout_ms: u64::try_from(launch.stop_timeout().as_millis()).unwrap_or(u64::MAX),
        report: scratch.report(),
        usage_log: scratch.log(contract::DEADLINE),
        env: own.map_or_else(Variables::default, |own| environment(own, address)),
    }
}

fn container_spec(
    container: &Container,
    program: &Path,
    scratch: &Scratch,
    address: Ipv4Addr,
) -> ContainerSpec {
    let mut env = environment(container, address);
    let args: &[&str] = if container.name == contract::MAIN {
        let home = scratch.workspace().to_string_lossy().into_owned();
        for (name, value) in [("PATH", PATH), ("LANG", LANG), ("HOME", &home)] {
            env.0.entry(name.to_owned()).or_insert_with(|| value.to_owned());
        }
        &["runtime"]
    } else {
        &["sidecar", "ready"]
    };
    ContainerSpec {
        name: container.name.clone(),
        essential: container.essential,
        program: program.to_owned(),
        args: args.iter().map(ToString::to_string).collect(),
        env,
        cwd: scratch.workspace(),
        log: scratch.log(&container.name),
    }
}

fn environment(container: &Container, address: Ipv4Addr) -> Variables {
    let given = container.environment.iter().map(|(name, value)| (name.clone(), value.clone()));
    let own = (contract::TASK_ADDRESS.to_owned(), address.to_string());
    given.chain([own]).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn launch(image: &str) -> Launch {
        Launch::of_main(image, BTreeMap::new())
    }

    #[test]
    fn the_built_in_images_run_with_or_without_tag_and_no_others() {
        for image in
            ["modbox/sandbox", "modbox/sandbox-lite", "modbox/sandbox:1.2", "modbox/sandbox@sha256:ab"]
        {
            assert_eq!(check(&launch(image)), Ok(()), "{image}");
        }
        for image in
            ["python:3.13", "modbox/sandbox-lite2", "evil/modbox/sandbox", "localhost:1/modbox/sandbox", ""]
        {
            let error = check(&launch(image)).unwrap_err();
            assert!(error.reason.starts_with("CannotPullContainerError: "), "{image}");
            assert!(error.reason.contains("modbox/sandbox-lite"), "{}", error.reason);
            assert_eq!(error.container.as_deref(), Some("main"));
        }
    }
}
