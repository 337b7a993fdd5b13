//! Wiring of the `observer` function.

use lambda_runtime::{Error, LambdaEvent, run, service_fn, tracing};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    let observer = &observer::from_env().await?;
    run(service_fn(async |event: LambdaEvent<_>| observer::handler(observer, event.payload).await)).await
}
