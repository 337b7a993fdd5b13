//! One run of a plan.

use std::{
    collections::BTreeSet,
    panic::{self, AssertUnwindSafe},
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use modbox_control::Keys;
use modbox_local::{
    dynamo::Dynamo,
    ecs::{self, Timings},
    stack::{Deployed, Parts},
};
use modbox_sandbox::{Clock, Ids};
use tokio::{task::JoinHandle, time::sleep};

use super::{
    checks::{Checks, ENVIRONMENT_SECRET},
    choice::{Choices, Kind, Made, Plan},
    clients::{Clients, OWNERS},
    delivery::Deliveries,
    figures::Figures,
    indexes::Indexes,
    invocation::SkewedClock,
    mutant::{Mutant, Tampering},
    network::{Network, Wire},
    tasks::Tasks,
    trace::Trace,
};
use crate::{SeededIds, TestClock, Use, Used, log};

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The first thing that was not as it must be.
    pub violation: Option<String>,
    /// The decisions that were not the plain one: with the seed, all it takes to run it again.
    pub made: Made,
    pub figures: Figures,
    pub trace: String,
    /// The calls of AWS that a fault might have met, in their order.
    pub points: Vec<String>,
    /// The permissions that the functions needed.
    pub used: BTreeSet<Use>,
}

/// The schedule's period.
const TICK: Duration = Duration::from_secs(60);
/// After how many ticks without a fault everything has to be at rest: 5 minutes until a launch has failed, 10 until a
/// task that ECS does not know is given up, and what follows from both.
const TICKS_TO_REST: u64 = 25;
/// How long a run goes on whose schedule is out of order.
const UNSCHEDULED: Duration = Duration::from_secs(90 * 60);
/// How long ended sandboxes are kept.
const RETENTION: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Runs the plan, on a cloud with this bug if any, and tells what came of it.
pub fn run(plan: &Plan, mutant: Option<Mutant>) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime of one thread can be made");
    // The AWS SDK draws its jitter and its request tokens from here.
    fastrand::seed(plan.seed);
    let choices = Choices::new(plan.clone());
    let simulated = AssertUnwindSafe(|| runtime.block_on(simulate(plan.seed, choices.clone(), mutant)));
    // A seed that panics is to be told as any other that fails.
    panic::catch_unwind(simulated).unwrap_or_else(|_| Outcome {
        violation: Some("the simulation panicked".to_owned()),
        made: choices.made(),
        figures: Figures::default(),
        trace: String::new(),
        points: Vec::new(),
        used: BTreeSet::new(),
    })
}

async fn simulate(seed: u64, choices: Choices, mutant: Option<Mutant>) -> Outcome {
    let checks = Checks::default();
    let log = checks.clone();
    // Before the first call: while nobody in the process has ever listened, a span of the AWS SDK draws an id for itself.
    let _log = log::watched(move |line| log.readable("the log", line));
    let world = Simulation::start(seed, choices, checks, mutant).await;
    world.play().await;
    world.outcome()
}

struct Simulation {
    network: Arc<Network>,
    deliveries: Deliveries,
    clients: Clients,
    #[expect(dead_code, reason = "the engine runs the tasks for as long as somebody holds them")]
    tasks: Arc<Tasks>,
    background: Vec<JoinHandle<()>>,
}

impl Simulation {
    async fn start(seed: u64, choices: Choices, checks: Checks, mutant: Option<Mutant>) -> Self {
        let clock = Arc::new(TestClock::start());
        let ids: Arc<dyn Ids> = Arc::new(SeededIds::new(seed));
        let network = Arc::new(Network {
            choices,
            checks,
            trace: Trace::default(),
            clock: Arc::clone(&clock),
            indexes: Indexes::default(),
            tampering: Tampering::new(mutant),
            calls: AtomicU64::new(0),
            points: Mutex::default(),
            used: Used::default(),
            services: OnceLock::new(),
        });
        let pace = match network.choices.decide(Kind::Task, "ecs.pace", &[1]) {
            0 => Duration::from_millis(15),
            _ => Duration::from_secs(2),
        };
        let tasks = Tasks::new(&network, pace);
        let engine = tasks.engine();
        let dynamo =
            Dynamo::in_memory_with_clock(Arc::clone(&clock) as _).expect("a database in memory opens");
        let deployed = Deployed::new(Parts {
            dynamo: Arc::new(dynamo),
            engine: Arc::new(engine.clone()),
            ecs: ecs::Settings { timings: Timings::each(pace), ..ecs::Settings::default() },
            memory: None,
            clock: Arc::new(SkewedClock(clock)) as Arc<dyn Clock>,
            keys: Keys::generate("k1", [ids.random(), ids.random()]).parse().expect("a key can be read"),
            ids: Arc::clone(&ids),
            retention: RETENTION,
            tick: TICK,
            ttl_sweep: TICK,
            gate: Arc::new(Wire(Arc::clone(&network))),
        });
        let deployed = deployed.expect("a stack in memory can be made");
        let _ = network.services.set((Arc::clone(&deployed.dynamo), deployed.ecs.clone()));
        let deliveries = Deliveries::new(&network);
        tasks.connect(deployed.router.clone(), engine, deliveries.clone());
        Self::populate((network, tasks), deployed, deliveries, ids.as_ref()).await
    }

    /// Lets the users in, and has everything call the functions that calls them.
    async fn populate(
        (network, tasks): (Arc<Network>, Arc<Tasks>),
        deployed: Deployed,
        deliveries: Deliveries,
        ids: &dyn Ids,
    ) -> Self {
        let tokens = OWNERS.map(|_| format!("mbx_{:032x}", ids.random()));
        for (user, token) in OWNERS.iter().zip(&tokens) {
            network.checks.secret(token);
            deployed.admin.admit(user, token, "simulated").await.expect("a token can be stored");
        }
        network.checks.secret(ENVIRONMENT_SECRET);
        let clients = Clients::new(&network, &deliveries, &deployed.router, &tokens);
        let Deployed { dynamo, mappings, schedule, observer, changed, .. } = deployed;
        let background = vec![
            tokio::spawn(deliveries.clone().stream(Arc::clone(&dynamo), mappings)),
            tokio::spawn(deliveries.clone().events(changed, observer)),
            tokio::spawn(deliveries.clone().schedule(schedule)),
            tokio::spawn(deliveries.clone().expire(dynamo)),
        ];
        Self { network, deliveries, clients, tasks, background }
    }

    async fn play(&self) {
        self.clients.act().await;
        if self.deliveries.is_unscheduled() {
            // Until the TTL has removed what nobody else has ended.
            sleep(UNSCHEDULED).await;
        }
        self.network.choices.calm_down();
        self.network.note(|| "nothing fails any more".to_owned());
        if !self.come_to_rest("what was done").await {
            return;
        }
        self.clients.list_all().await;
        self.clients.destroy_all().await;
        if !self.come_to_rest("what was destroyed").await {
            return;
        }
        let anew = self.clients.reuse_names().await;
        if self.come_to_rest("what was created anew").await {
            anew.iter().for_each(|sandbox| self.network.checks.runs(sandbox));
        }
    }

    /// Lets time pass until all is at rest; says whether it is.
    async fn come_to_rest(&self, after: &str) -> bool {
        let checks = &self.network.checks;
        for ticks in 0..TICKS_TO_REST {
            if checks.violation().is_some() {
                return false;
            }
            // Between two ticks.
            sleep(TICK).await;
            if self.deliveries.is_idle() && checks.unsettled().is_empty() {
                checks.rested(ticks + 1);
                checks.look(self.network.now());
                checks.at_rest();
                return checks.violation().is_none();
            }
        }
        let waits = checks.unsettled().join("; ");
        checks.fail(|| format!("{after} is not at rest after {TICKS_TO_REST} ticks: {waits}"));
        false
    }

    fn outcome(self) -> Outcome {
        let Self { network, background, .. } = self;
        for task in background {
            task.abort();
        }
        let made = network.choices.made();
        let faults = u64::try_from(made.len()).unwrap_or(u64::MAX);
        let calls = network.calls.load(Ordering::Relaxed);
        let points = network.points.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Outcome {
            violation: network.checks.violation(),
            figures: Figures { calls, faults, ..network.checks.figures() },
            trace: network.trace.text(),
            points,
            used: network.used.all(),
            made,
        }
    }
}
