//! What the simulated tasks do, and their sidecars.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use axum::Router;
use modbox_local::ecs::{Launch, StartError};
use modbox_sandbox::{Timestamp, contract};
use modbox_sidecar::{Countdown, Deadline};
use tokio::{
    task::JoinHandle,
    time::{sleep, timeout},
};

use super::{choice::Kind, delivery::Deliveries, network::Network};
use crate::{Client, OnStop, Script, Simulated, Start};

/// How long a simulated sidecar waits for an answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// What a decision about a task may delay: ECS gives up a start only when it is told to.
const FELT: Duration = Duration::from_secs(60);

/// What the tasks of a run do.
#[derive(Debug)]
pub struct Tasks {
    network: Arc<Network>,
    launched: AtomicU32,
    /// How long ECS takes from each state to the next.
    pace: Duration,
    inside: OnceLock<Inside>,
}

/// What the sidecars reach.
#[derive(Debug)]
struct Inside {
    router: Router,
    engine: Simulated,
    deliveries: Deliveries,
}

impl Tasks {
    pub fn new(network: &Arc<Network>, pace: Duration) -> Arc<Self> {
        let (launched, inside) = (AtomicU32::default(), OnceLock::default());
        Arc::new(Self { network: Arc::clone(network), launched, pace, inside })
    }

    /// The engine that runs them, for as long as there is somebody who holds them: what they reach holds the engine.
    pub fn engine(self: &Arc<Self>) -> Simulated {
        let tasks = Arc::downgrade(self);
        Simulated::new(move |launch| {
            tasks.upgrade().map_or_else(Script::default, |tasks| tasks.script(launch))
        })
    }

    /// Lets the sidecars reach the API, and end themselves.
    pub fn connect(&self, router: Router, engine: Simulated, deliveries: Deliveries) {
        let _ = self.inside.set(Inside { router, engine, deliveries });
    }

    fn script(self: &Arc<Self>, launch: &Launch) -> Script {
        let number = self.launched.fetch_add(1, Ordering::Relaxed) + 1;
        let decide = |what: &str, weights: &[u32]| {
            self.network.decide(Kind::Task, &format!("task{number}.{what}"), weights, FELT)
        };
        let sidecar = Sidecar::of(launch, contract::DEADLINE, number).filter(|it| it.expires_at.is_some());
        let (start, ready) = (decide("start", &[4, 2, 1, 2]), decide("ready", &[3, 1]));
        let obeys = decide("deadline", &[1]) == 0;
        self.network.checks.launched(&launch.task_arn, (obeys, self.pace * 2));
        let starts = match start {
            0 => Start::After(Duration::from_millis(40)),
            1 => Start::After(Duration::from_secs(3)),
            2 => Start::After(Duration::from_secs(45)),
            3 => Start::Never,
            _ => Start::Fails(StartError::new("CannotPullContainerError: no such image")),
        };
        let mut script = Script::default().start(starts.clone());
        let ready = match ready {
            0 => Some(Duration::from_millis(10)),
            1 => Some(Duration::from_secs(8)),
            _ => None,
        };
        if let Some(ready) = ready {
            script = script.exit(contract::READY, ready, 0);
            if let (Some(teller), Start::After(start)) =
                (Sidecar::of(launch, contract::READY, number), &starts)
            {
                tokio::spawn(Arc::clone(self).tell(teller, *start + ready));
            }
        }
        match decide("exit", &[2, 1, 1]) {
            0 => {}
            1 => script = script.exit(contract::MAIN, Duration::from_secs(1), 0),
            2 => script = script.exit(contract::MAIN, Duration::from_secs(50), 1),
            _ => script = script.exit(contract::MAIN, Duration::from_millis(5), 137),
        }
        if decide("sigterm", &[1]) == 1 {
            script = script.on_stop(OnStop::Ignores);
        }
        if let (true, Some(sidecar), Start::After(start)) = (obeys, sidecar, starts) {
            tokio::spawn(Arc::clone(self).mind(sidecar, launch.task_arn.clone(), start));
        }
        script
    }

    /// Tells the API that the sandbox answers, once, as the `ready` sidecar does before it exits.
    async fn tell(self: Arc<Self>, sidecar: Sidecar, after: Duration) {
        sleep(after).await;
        let Some(Inside { router, deliveries, .. }) = self.inside.get() else { return };
        let client = Client::new(router.clone()).with_token(&sidecar.token);
        let path = format!("/sandboxes/{}/ready", sidecar.id);
        let call = client.post(&path, serde_json::json!({}));
        let told = deliveries.invoke("api", format!("task{}.ready", sidecar.number), call);
        // The other way by which it becomes known is that the container exits.
        let _ = timeout(PATIENCE, told).await;
    }

    /// Does as the `deadline` sidecar does, by the sidecar's own countdown.
    async fn mind(self: Arc<Self>, sidecar: Sidecar, task: String, start: Duration) {
        sleep(start).await;
        let Some(Inside { engine, .. }) = self.inside.get() else { return };
        let now = || self.network.now();
        let mut countdown = Countdown::new(sidecar.expires_at, now(), &sidecar.id);
        let mut asked = 0;
        // However slow an answer is, the deadline is not.
        let mut open: Option<JoinHandle<Option<Deadline>>> = None;
        while engine.running().contains(&task) {
            if countdown.is_over(now()) {
                engine.end(&task, contract::DEADLINE, contract::EXPIRED_EXIT_CODE);
                return;
            }
            if countdown.ask(now()) {
                asked += 1;
                let (tasks, sidecar) = (Arc::clone(&self), sidecar.clone());
                open = Some(tokio::spawn(async move { tasks.ask(&sidecar, asked).await }));
            }
            let idle = countdown.idle(now()).clamp(Duration::from_millis(1), Duration::from_secs(1));
            tokio::select! {
                biased;
                Some(answer) = async { Some(open.as_mut()?.await.expect("it is not given up")) } => {
                    open = None;
                    countdown.answered(answer, now());
                }
                () = sleep(idle) => {}
            }
        }
    }

    async fn ask(&self, sidecar: &Sidecar, asked: u32) -> Option<Deadline> {
        let Inside { router, deliveries, .. } = self.inside.get()?;
        let client = Client::new(router.clone()).with_token(&sidecar.token);
        let path = format!("/sandboxes/{}/deadline", sidecar.id);
        let call = deliveries.invoke("api", format!("task{}.ask{asked}", sidecar.number), client.get(&path));
        let answer = timeout(PATIENCE, call).await.ok().flatten();
        let answer = answer.filter(|answer| answer.status.is_success());
        let deadline = answer.and_then(|answer| Deadline::read(&answer.body));
        if deadline.is_none() {
            self.network.checks.unanswered(&sidecar.id);
        }
        deadline
    }
}

/// What a sidecar of a task is told.
#[derive(Clone, Debug)]
struct Sidecar {
    number: u32,
    id: String,
    token: String,
    expires_at: Option<Timestamp>,
}

impl Sidecar {
    fn of(launch: &Launch, container: &str, number: u32) -> Option<Self> {
        let environment = &launch.container(container)?.environment;
        let variable = |name: &str| environment.get(name).cloned();
        let millis = variable(contract::EXPIRES_AT_MS).and_then(|text| text.parse().ok());
        Some(Self {
            number,
            id: variable(contract::SANDBOX_ID)?,
            token: variable(contract::TASK_TOKEN)?,
            expires_at: millis.map(Timestamp::from_millis),
        })
    }
}
