//! What runs the containers of a task: the seam between the ECS stand-in and processes, containers or a simulation.

use std::{collections::BTreeMap, fmt, fmt::Debug, io, net::IpAddr, pin::Pin, time::Duration};

use modbox_sandbox::Timestamp;
use tokio::sync::{mpsc, watch};

/// A start under way.
pub type Starting = Pin<Box<dyn Future<Output = Result<Handle, StartError>> + Send>>;

/// A log being read.
pub type Reading = Pin<Box<dyn Future<Output = io::Result<Option<Vec<Said>>>> + Send>>;

/// A line of a container's output, without its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    pub at: Timestamp,
    pub text: String,
}

/// Runs the containers of tasks.
pub trait Engine: Debug + Send + Sync {
    /// Starts the containers of a task; resolves when they run, or with why they never will.
    ///
    /// A failed start leaves nothing behind. Once `cancelled` says so the start may be given up, with any error; an
    /// engine that does not look is right too, only slower, since what it starts is then stopped at once.
    fn start(&self, launch: Launch, cancelled: Cancelled) -> Starting;

    /// Takes over a task that an earlier run of this program has started, or was about to; resolves as a start does.
    ///
    /// `launch` is as it was, but for the values of the environment, which nobody remembers: nothing is started.
    /// Exits are told from the beginning, those that were told before included. A task that has ended meanwhile is
    /// taken over too, and its exits say so. An error means that it never ran or cannot be told from others, and that
    /// nothing is left of it now. `address` is the one it had, as far as it is known.
    fn adopt(&self, launch: Launch, address: Option<IpAddr>) -> Starting;

    /// What a container of a task has said, oldest first, also after its end as far as it is still known. None: there is
    /// no log of it.
    fn log(&self, task_id: &str, container: &str) -> Reading;
}

/// What is to be started: a task definition with the overrides of one RunTask applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    pub task_arn: String,
    /// As RunTask was told it; the product names the incarnation in it.
    pub group: String,
    /// In the order of the task definition.
    pub containers: Vec<Container>,
    pub cpu: Option<String>,
    pub memory: Option<String>,
}

#[cfg(test)]
impl Launch {
    /// Of a task that has one container.
    pub(crate) fn of_main(image: &str, environment: BTreeMap<String, String>) -> Self {
        let main = Container {
            name: modbox_sandbox::contract::MAIN.to_owned(),
            image: image.to_owned(),
            entry_point: Vec::new(),
            command: Vec::new(),
            environment,
            essential: true,
            stop_timeout: Duration::from_secs(2),
        };
        Self {
            task_arn: "arn:aws:ecs:us-east-1:000000000000:task/modbox/1".to_owned(),
            group: "incarnation:1".to_owned(),
            containers: vec![main],
            cpu: None,
            memory: None,
        }
    }
}

impl Launch {
    /// The last part of the ARN: 32 hexadecimal digits.
    pub fn task_id(&self) -> &str {
        self.task_arn.rsplit('/').next().unwrap_or(&self.task_arn)
    }

    pub fn container(&self, name: &str) -> Option<&Container> {
        self.containers.iter().find(|container| container.name == name)
    }

    /// The longest time that a container of this task has between SIGTERM and SIGKILL.
    pub fn stop_timeout(&self) -> Duration {
        let timeouts = self.containers.iter().map(|container| container.stop_timeout);
        timeouts.max().unwrap_or_default()
    }
}

#[derive(Clone, PartialEq, Eq)]
pub struct Container {
    pub name: String,
    pub image: String,
    /// Empty: what the image says.
    pub entry_point: Vec<String>,
    /// Empty: what the image says.
    pub command: Vec<String>,
    pub environment: BTreeMap<String, String>,
    pub essential: bool,
    /// The time between SIGTERM and SIGKILL.
    pub stop_timeout: Duration,
}

impl Debug for Container {
    /// Shows the names of the environment, not its values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Container")
            .field("name", &self.name)
            .field("image", &self.image)
            .field("environment", &self.environment.keys())
            .finish_non_exhaustive()
    }
}

/// A started task. Dropping it ends the task by force.
#[derive(Debug)]
pub struct Handle {
    /// The task's address, as ECS reports it.
    pub address: IpAddr,
    /// Orders to end every container: none starts again, repeating an order changes nothing.
    pub stop: mpsc::UnboundedSender<Stop>,
    /// Each container's exit, once. The channel ends when nothing of the task is left.
    pub exits: mpsc::UnboundedReceiver<Exit>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// SIGTERM to each container, and SIGKILL once its `stop_timeout` has passed.
    Gracefully,
    /// SIGKILL.
    ByForce,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    pub container: String,
    /// 128 + n when signal n ended it.
    pub code: i32,
    /// What ECS would say beside the code, such as `OutOfMemoryError: …`.
    pub reason: Option<String>,
}

/// Why a task did not start, in ECS's form: `CannotPullContainerError: …`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct StartError {
    pub reason: String,
    /// The container that could not be started; unset when it was the task as a whole.
    pub container: Option<String>,
}

impl StartError {
    /// Says why the task as a whole did not start.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), container: None }
    }

    /// Says that it was because of this container.
    pub fn of(container: &Container, reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), container: Some(container.name.clone()) }
    }
}

/// Tells an engine that nobody wants the start any more.
#[derive(Clone, Debug)]
pub struct Cancelled(watch::Receiver<bool>);

impl Cancelled {
    /// The two ends; sending `true`, or dropping the sender, cancels.
    pub fn pair() -> (watch::Sender<bool>, Self) {
        let (sender, receiver) = watch::channel(false);
        (sender, Self(receiver))
    }

    pub fn is_cancelled(&self) -> bool {
        *self.0.borrow()
    }

    /// Resolves once the start is cancelled.
    pub async fn cancelled(&mut self) {
        // An error means that the sender is gone, and with it whoever wanted the start.
        let _ = self.0.wait_for(|cancelled| *cancelled).await;
    }
}
