//! What a deployed stack has from AWS between its services: whatever calls a function.
//!
//! Each part runs beside the caller until it is shut down: then it starts no more invocations and waits for those in
//! flight. All sleep by tokio's clock, so that a test may pause time.

mod backoff;
pub mod events;
pub mod filter;
mod lane;
pub mod mapping;
pub mod pump;
pub mod schedule;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A function as its event source sees it: JSON in, JSON or an error out.
pub type Handler = Arc<dyn Fn(Value) -> BoxFuture<'static, Result<Value, String>> + Send + Sync>;

/// Makes a handler of an async function.
pub fn handler<F, R>(function: F) -> Handler
where
    F: Fn(Value) -> R + Send + Sync + 'static,
    R: Future<Output = Result<Value, String>> + Send + 'static,
{
    Arc::new(move |event| function(event).boxed())
}

/// How long an invocation may take; then it is dropped and has failed, as Lambda does it.
pub const INVOCATION_TIMEOUT: Duration = Duration::from_secs(60);

/// Calls a function once. A panic and a timeout are errors of the function.
async fn invoke(function: &Handler, event: Value, timeout: Duration) -> Result<Value, String> {
    let call = AssertUnwindSafe(async { function(event).await }).catch_unwind();
    match tokio::time::timeout(timeout, call).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => Err("the function panicked".to_owned()),
        Err(_) => Err(format!("the function took more than {timeout:?}")),
    }
}

/// Something that calls functions until it is shut down or dropped.
#[derive(Debug)]
#[must_use = "it stops when this is dropped"]
pub struct Running {
    stop: CancellationToken,
    task: Option<JoinHandle<()>>,
}

impl Running {
    fn start<R>(run: impl FnOnce(CancellationToken) -> R) -> Self
    where
        R: Future<Output = ()> + Send + 'static,
    {
        let stop = CancellationToken::new();
        let task = tokio::spawn(run(stop.clone()));
        Self { stop, task: Some(task) }
    }

    /// Starts no more invocations and waits for those in flight.
    pub async fn shutdown(self) {
        self.stop.cancel();
        self.finished().await;
    }

    /// Waits until it ends by itself, which only [`events`] does.
    pub async fn finished(mut self) {
        if let Some(task) = self.task.take()
            && let Err(error) = task.await
        {
            tracing::error!(%error, "an event source has ended");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
