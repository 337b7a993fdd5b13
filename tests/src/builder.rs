use std::{sync::Arc, time::Duration};

use modbox_control::Keys;
use modbox_local::{
    dynamo::Dynamo,
    ecs::{self, Launch},
    stack::{Parts, Stack},
};
use modbox_sandbox::{Clock, Ids, contract};

use crate::{
    Faults, Script, Secrets, SeededIds, Simulated, TestClock, World,
    secrets::{Watch, Watched},
};

/// Never within a test; what a period must be all the same.
const NEVER: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// How long ended sandboxes are kept.
const RETENTION: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// How one world differs from the next.
#[derive(Debug)]
pub struct Builder {
    seed: u64,
    engine: Simulated,
    ecs: ecs::Settings,
    tick: Duration,
    ttl_sweep: Duration,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            seed: 1,
            engine: Simulated::new(obedient),
            ecs: ecs::Settings::default(),
            tick: NEVER,
            ttl_sweep: NEVER,
        }
    }
}

/// Starts at once, is ready a few milliseconds later, runs until it is stopped, and then ends at once.
fn obedient(_: &Launch) -> Script {
    Script::default().exit(contract::READY, Duration::from_millis(5), 0)
}

impl Builder {
    /// Draws ids and chance from this seed.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Has tasks do what the script says, which need not be what an obedient one does.
    pub fn script(mut self, script: impl Fn(&Launch) -> Script + Send + Sync + 'static) -> Self {
        self.engine = Simulated::new(script);
        self
    }

    /// The cluster's timings and rates.
    pub fn ecs(mut self, settings: ecs::Settings) -> Self {
        self.ecs = settings;
        self
    }

    /// Has the schedule call the reaper by itself; otherwise only [`World::tick`] does.
    pub fn tick_every(mut self, period: Duration) -> Self {
        self.tick = period;
        self
    }

    /// Has DynamoDB remove what its TTL says by itself; otherwise only [`World::sweep_ttl`] does.
    pub fn sweep_ttl_every(mut self, period: Duration) -> Self {
        self.ttl_sweep = period;
        self
    }

    /// Starts it. The test must have paused tokio's time: `#[tokio::test(start_paused = true)]`.
    pub async fn start(self) -> World {
        // The AWS SDK draws its jitter and its request tokens from here.
        fastrand::seed(self.seed);
        let clock: Arc<dyn Clock> = Arc::new(TestClock::start());
        let ids: Arc<dyn Ids> = Arc::new(SeededIds::new(self.seed));
        let keys: Keys = Keys::generate("k1", [1, 2]).parse().expect("a generated key can be read");
        let (faults, secrets) = (Faults::default(), Secrets::default());
        let watch = Watch::over(&secrets);
        let dynamo = Dynamo::in_memory_with_clock(Arc::clone(&clock)).expect("a database in memory opens");
        let stack = Stack::start(Parts {
            dynamo: Arc::new(dynamo),
            engine: Arc::new(self.engine.clone()),
            ecs: self.ecs,
            memory: None,
            clock: Arc::clone(&clock),
            ids: Arc::clone(&ids),
            keys: keys.clone(),
            retention: RETENTION,
            tick: self.tick,
            ttl_sweep: self.ttl_sweep,
            gate: Arc::new(Watched(faults.clone(), secrets.clone())),
        });
        let stack = stack.expect("a stack in memory starts");
        let world = World { stack, engine: self.engine, clock, ids, keys, faults, secrets, _watch: watch };
        // Both schedules call once at their start.
        world.settle().await;
        world
    }
}
