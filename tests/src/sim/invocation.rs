//! One invocation of a function: who calls AWS, by which clock, and whether it still runs.

use std::{
    future::Future,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};

use modbox_sandbox::{Clock, Timestamp};
use serde_json::Value;
use tokio::sync::Notify;

use crate::TestClock;

tokio::task_local! {
    static CURRENT: Arc<Invocation>;
}

/// An invocation of a function.
#[derive(Debug)]
pub struct Invocation {
    /// Names it among all of the run.
    pub name: String,
    /// By how many milliseconds its clock differs.
    skew: i64,
    calls: AtomicU32,
    /// AWS is out of order for it from now on.
    cut_off: AtomicBool,
    /// The sandbox about which every call is throttled.
    hot: OnceLock<String>,
    killed: AtomicBool,
    kill: Notify,
}

impl Invocation {
    pub fn new(name: String, skew: i64) -> Arc<Self> {
        let (calls, kill) = (AtomicU32::new(0), Notify::new());
        let (cut_off, killed) = (AtomicBool::new(false), AtomicBool::new(false));
        Arc::new(Self { name, skew, calls, cut_off, hot: OnceLock::new(), killed, kill })
    }

    /// The one whose code runs.
    pub fn current() -> Option<Arc<Self>> {
        CURRENT.try_with(Arc::clone).ok()
    }

    /// Counts one more call of AWS.
    pub fn next_call(&self) -> u32 {
        self.calls.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Ends it where it stands. Of what runs in it nothing goes on.
    pub fn kill(&self) {
        self.killed.store(true, Ordering::Relaxed);
        self.kill.notify_one();
    }

    pub fn is_killed(&self) -> bool {
        self.killed.load(Ordering::Relaxed)
    }

    /// Has each further call of it fail.
    pub fn cut_off(&self) {
        self.cut_off.store(true, Ordering::Relaxed);
    }

    pub fn is_cut_off(&self) -> bool {
        self.cut_off.load(Ordering::Relaxed)
    }

    /// Has each further call of it about that sandbox throttled.
    pub fn heat(&self, sandbox: Option<String>) {
        if let Some(sandbox) = sandbox {
            self.hot.get_or_init(|| sandbox);
        }
    }

    pub fn is_hot(&self, body: &Value) -> bool {
        self.hot.get().is_some_and(|sandbox| body.to_string().contains(sandbox))
    }

    /// Runs what AWS does on behalf of whoever calls: by the true clock.
    pub async fn outside<T>(code: impl Future<Output = T>) -> T {
        CURRENT.scope(Self::new("aws".to_owned(), 0), code).await
    }

    /// Runs the function's code; none if it was killed.
    pub async fn run<T>(self: Arc<Self>, code: impl Future<Output = T>) -> Option<T> {
        let code = CURRENT.scope(Arc::clone(&self), code);
        tokio::select! {
            biased;
            () = self.kill.notified() => None,
            answer = code => Some(answer),
        }
    }
}

/// The clock as whoever reads it sees it: in an invocation that of its function, elsewhere the true one.
#[derive(Debug)]
pub struct SkewedClock(pub Arc<TestClock>);

impl Clock for SkewedClock {
    fn now(&self) -> Timestamp {
        let skew = CURRENT.try_with(|invocation| invocation.skew).unwrap_or(0);
        Timestamp::from_millis(self.0.now().millis() + skew)
    }
}
