//! The actor that takes one task through its states.

use std::{convert::Infallible, sync::Arc, time::Duration};

use tokio::{
    sync::{mpsc, watch},
    time::sleep,
};

use super::{
    engine::{Cancelled, Exit, Handle, Launch, StartError, Starting, Stop},
    task::{Order, Status},
    world::Shared,
};

/// Takes a task from PROVISIONING to STOPPED; resolves then.
pub(super) async fn run(shared: Arc<Shared>, key: u64, launch: Launch, orders: watch::Receiver<Order>) {
    let mut actor = Actor { shared, key, orders };
    match actor.start(launch).await {
        Some(handle) => actor.follow(handle).await,
        None => actor.release().await,
    }
}

/// Takes a task of an earlier run from wherever it is to STOPPED; resolves then.
pub(super) async fn resume(
    shared: Arc<Shared>,
    key: u64,
    adoption: Adoption,
    orders: watch::Receiver<Order>,
) {
    let mut actor = Actor { shared, key, orders };
    let Adoption { starting, telling } = adoption;
    match starting.await {
        Ok(handle) => {
            actor.shared.change(key, |task, now| task.run(handle.address, now));
            drop(telling);
            actor.follow(handle).await;
        }
        Err(error) => {
            actor.shared.change(key, |task, now| task.vanish(&error, now));
            actor.release().await;
            drop(telling);
        }
    }
}

/// A task of an earlier run that is being taken over.
pub(super) struct Adoption {
    pub(super) starting: Starting,
    /// Dropped once it was told what came of it.
    pub(super) telling: mpsc::Sender<Infallible>,
}

struct Actor {
    shared: Arc<Shared>,
    key: u64,
    orders: watch::Receiver<Order>,
}

impl Actor {
    /// Takes the task up to RUNNING. A stop on the way means that the containers are never started, or, if the
    /// engine was already at it, that they are stopped before the task was ever called RUNNING.
    async fn start(&mut self, launch: Launch) -> Option<Handle> {
        let timings = self.shared.settings.timings;
        self.pause(timings.provisioning).await?;
        self.enter(Status::Pending);
        self.pause(timings.pending).await?;
        self.enter(Status::Activating);
        self.pause(timings.activating).await?;
        match self.start_containers(launch).await {
            Ok(handle) => {
                self.shared.change(self.key, |task, now| task.run(handle.address, now));
                Some(handle)
            }
            Err(error) => {
                self.shared.change(self.key, |task, now| task.fail_to_start(&error, now));
                None
            }
        }
    }

    async fn start_containers(&mut self, launch: Launch) -> Result<Handle, StartError> {
        let (cancel, cancelled) = Cancelled::pair();
        let mut starting = self.shared.engine.start(launch, cancelled);
        tokio::select! {
            biased;
            () = ordered(&mut self.orders, Order::Stop) => {
                // The engine may be past the point of giving up: what it has started is to be stopped.
                let _ = cancel.send(true);
                starting.await
            }
            started = &mut starting => started,
        }
    }

    /// Takes a task that was started to STOPPED.
    async fn follow(&mut self, mut handle: Handle) {
        self.watch(&mut handle).await;
        self.wind_down(handle).await;
    }

    /// Follows the running containers until the task is to stop.
    async fn watch(&mut self, handle: &mut Handle) {
        loop {
            tokio::select! {
                biased;
                () = ordered(&mut self.orders, Order::Stop) => return,
                exit = handle.exits.recv() => match exit {
                    Some(exit) => self.exited(&exit),
                    None => return self.lost(),
                },
            }
        }
    }

    /// Takes a task that was started from its last state to STOPPED.
    async fn wind_down(&mut self, mut handle: Handle) {
        let timings = self.shared.settings.timings;
        self.enter(Status::Deactivating);
        sleep(timings.deactivating).await;
        self.enter(Status::Stopping);
        let at_once = *self.orders.borrow() >= Order::StopByForce;
        self.tell(&handle, if at_once { Stop::ByForce } else { Stop::Gracefully });
        sleep(timings.stopping).await;
        loop {
            tokio::select! {
                biased;
                exit = handle.exits.recv() => match exit {
                    Some(exit) => self.exited(&exit),
                    None => break,
                },
                () = ordered(&mut self.orders, Order::StopByForce) => {
                    self.tell(&handle, Stop::ByForce);
                    self.drain(&mut handle).await;
                    break;
                }
            }
        }
        self.release().await;
    }

    async fn drain(&self, handle: &mut Handle) {
        while let Some(exit) = handle.exits.recv().await {
            self.exited(&exit);
        }
    }

    /// Gives back what the task held of its network.
    async fn release(&mut self) {
        self.enter(Status::Deprovisioning);
        sleep(self.shared.settings.timings.deprovisioning).await;
        self.enter(Status::Stopped);
    }

    /// Waits, unless the task is to stop.
    async fn pause(&mut self, time: Duration) -> Option<()> {
        tokio::select! {
            biased;
            () = ordered(&mut self.orders, Order::Stop) => None,
            () = sleep(time) => Some(()),
        }
    }

    fn enter(&self, status: Status) {
        self.shared.change(self.key, |task, now| task.enter(status, now));
    }

    fn exited(&self, exit: &Exit) {
        self.shared.change(self.key, |task, now| task.exited(exit, now));
    }

    /// The engine says that nothing is left, though no essential container was reported to have ended.
    fn lost(&self) {
        use super::task::StopCode::EssentialContainerExited;
        let reason = "Essential container in task exited";
        self.shared.change(self.key, |task, now| task.stop(EssentialContainerExited, reason, now));
    }

    fn tell(&self, handle: &Handle, stop: Stop) {
        // An engine that no longer listens has ended the task: its exits say so.
        let _ = handle.stop.send(stop);
    }
}

/// Resolves once the task was ordered to do at least this.
async fn ordered(orders: &mut watch::Receiver<Order>, least: Order) {
    // An error means that the task is forgotten, which happens an hour after its actor has ended.
    let _ = orders.wait_for(|order| *order >= least).await;
}
