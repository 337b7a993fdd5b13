//! Looks after one task from outside of it: passes on orders, tells exits, and cleans up.

use std::{sync::Arc, time::Duration};

use bollard::{
    models::ContainerInspectResponse,
    query_parameters::{
        KillContainerOptionsBuilder, StopContainerOptionsBuilder, WaitContainerOptionsBuilder,
    },
};
use futures::{StreamExt as _, future::join_all};
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, sleep, sleep_until},
};

use super::{Shared, failure::is_not_found, logs, owner_of, plan};
use crate::ecs::{Container, Exit, Launch, Stop};

/// How long after an order every container should have ended, beyond the time it was given.
const GRACE: Duration = Duration::from_secs(3);
/// How long the exit of a killed container waits for that of the one whose end kills it.
const HOLD: Duration = Duration::from_secs(1);
/// How often an engine that does not answer is asked again.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// The exit code of what SIGKILL ended.
const KILLED: i32 = 137;

/// A container of a task, as the engine knows it.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) id: String,
    stop_secs: i32,
}

impl Member {
    pub(super) fn new(container: &Container, id: String) -> Self {
        let stop_secs = i32::try_from(plan::seconds(container)).unwrap_or(i32::MAX);
        Self { name: container.name.clone(), id, stop_secs }
    }
}

/// A task of an earlier run is looked after as one of this run is: what has ended is told from the beginning.
#[derive(Debug)]
pub(super) struct Keeper {
    shared: Arc<Shared>,
    launch: Launch,
    /// In the order in which they were started, which is known of them only of the first.
    members: Vec<Member>,
    /// Whose network and processes the others share.
    owner: Option<Member>,
    exits: mpsc::UnboundedSender<Exit>,
    /// Exits that the end of the owner most likely explains, which is told first.
    held: Vec<Exit>,
    owner_ended: bool,
}

impl Keeper {
    pub(super) fn new(
        shared: Arc<Shared>,
        launch: Launch,
        members: Vec<Member>,
        exits: mpsc::UnboundedSender<Exit>,
    ) -> Self {
        let owner = owner_of(&launch).map(|owner| owner.name.clone());
        let owner = members.iter().find(|member| Some(&member.name) == owner.as_ref()).cloned();
        Self { shared, launch, members, owner, exits, held: Vec::new(), owner_ended: false }
    }

    /// Follows the task to its end. The channel of the exits ends last, when nothing is left, the containers included.
    pub(super) async fn run(mut self, mut stops: mpsc::UnboundedReceiver<Stop>) {
        self.follow(&mut stops).await;
        self.flush();
        logs::keep(&self.shared, &self.launch).await;
        if !self.shared.remove_task(self.launch.task_id()).await {
            tracing::warn!(task.arn = self.launch.task_arn, "failed to remove the containers of a task");
        }
    }

    /// Resolves when every container has ended.
    async fn follow(&mut self, stops: &mut mpsc::UnboundedReceiver<Stop>) {
        let mut running = self.watch();
        let mut orders = JoinSet::new();
        let mut listening = true;
        // When what should have ended is ended by force; set by the first order.
        let mut patience: Option<Instant> = None;
        let mut hold: Option<Instant> = None;
        loop {
            tokio::select! {
                biased;
                ended = running.join_next() => match ended {
                    Some(Ok(exit)) => {
                        self.note(exit);
                        hold = (!self.held.is_empty()).then(|| Instant::now() + HOLD);
                    }
                    // It cannot fail, and says that it was cancelled only when the runtime ends.
                    Some(Err(_)) => {}
                    None => return,
                },
                stop = stops.recv(), if listening => {
                    listening = stop.is_some();
                    let stop = stop.unwrap_or(Stop::ByForce);
                    orders.spawn(self.order(stop));
                    let until = Instant::now() + self.time_for(stop);
                    patience = Some(patience.map_or(until, |before| before.min(until)));
                }
                () = at(patience), if patience.is_some() => {
                    orders.spawn(self.order(Stop::ByForce));
                    patience = Some(Instant::now() + GRACE);
                }
                () = at(hold), if hold.is_some() => {
                    self.flush();
                    hold = None;
                }
            }
        }
    }

    fn watch(&self) -> JoinSet<Exit> {
        let mut running = JoinSet::new();
        for member in self.members.clone() {
            running.spawn(ended(Arc::clone(&self.shared), member));
        }
        running
    }

    fn time_for(&self, stop: Stop) -> Duration {
        match stop {
            // Those that share the owner's processes first, then the owner.
            Stop::Gracefully => self.launch.stop_timeout() * 2 + GRACE,
            Stop::ByForce => GRACE,
        }
    }

    /// Carries an order out. What fails is left to the next one, which comes when patience ends.
    fn order(&self, stop: Stop) -> impl Future<Output = ()> + Send + 'static {
        let (shared, members) = (Arc::clone(&self.shared), self.members.clone());
        let owner = self.owner.clone();
        async move {
            let is_owner = |member: &Member| owner.as_ref().is_some_and(|owner| owner.id == member.id);
            let others = members.iter().filter(|member| !is_owner(member));
            match stop {
                Stop::Gracefully => {
                    join_all(others.map(|member| shared.stop(member))).await;
                    if let Some(owner) = &owner {
                        shared.stop(owner).await;
                    }
                }
                Stop::ByForce => {
                    join_all(owner.iter().chain(others).map(|member| shared.kill(member))).await;
                }
            }
        }
    }

    fn note(&mut self, exit: Exit) {
        if self.owner.as_ref().is_some_and(|owner| owner.name == exit.container) {
            self.owner_ended = true;
            self.tell(exit);
            self.flush();
        } else if exit.code == KILLED && !self.owner_ended {
            self.held.push(exit);
        } else {
            self.tell(exit);
        }
    }

    fn flush(&mut self) {
        for exit in std::mem::take(&mut self.held) {
            self.tell(exit);
        }
    }

    fn tell(&self, exit: Exit) {
        // Nobody listening any more means that the whole stand-in was dropped.
        let _ = self.exits.send(exit);
    }
}

async fn at(moment: Option<Instant>) {
    sleep_until(moment.unwrap_or_else(Instant::now)).await;
}

impl Shared {
    async fn stop(&self, member: &Member) {
        let options = StopContainerOptionsBuilder::default().t(member.stop_secs).build();
        if let Err(error) = self.docker.stop_container(&member.id, Some(options)).await {
            tracing::debug!(container = member.name, %error, "failed to stop a container");
        }
    }

    async fn kill(&self, member: &Member) {
        let options = KillContainerOptionsBuilder::default().signal("KILL").build();
        // That it is gone already is the usual case: the owner's end has killed it.
        if let Err(error) = self.docker.kill_container(&member.id, Some(options)).await {
            tracing::debug!(container = member.name, %error, "failed to kill a container");
        }
    }
}

/// Resolves when the container has ended, or is gone, however often the engine does not answer meanwhile.
async fn ended(shared: Arc<Shared>, member: Member) -> Exit {
    loop {
        let options = WaitContainerOptionsBuilder::default().condition("not-running").build();
        let mut waiting = Box::pin(shared.docker.wait_container(&member.id, Some(options)));
        // Whatever it says, and however it ends: the container itself is asked.
        let _ = waiting.next().await;
        match shared.docker.inspect_container(&member.id, None).await {
            Ok(found) => {
                if let Some(exit) = exit(&member, &found) {
                    return exit;
                }
            }
            Err(error) if is_not_found(&error) => {
                return Exit { container: member.name, code: KILLED, reason: None };
            }
            Err(_) => {}
        }
        sleep(LOOK_AGAIN).await;
    }
}

/// How it ended; none while it has not.
fn exit(member: &Member, found: &ContainerInspectResponse) -> Option<Exit> {
    let state = found.state.as_ref()?;
    if state.running.unwrap_or(false) {
        return None;
    }
    let code = i32::try_from(state.exit_code?).unwrap_or(KILLED);
    let out_of_memory = state.oom_killed.unwrap_or(false);
    let reason = out_of_memory.then(|| "OutOfMemoryError: Container killed due to memory usage".to_owned());
    Some(Exit { container: member.name.clone(), code, reason })
}
