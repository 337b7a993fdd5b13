//! Wiring of the `launcher` function.

use lambda_runtime::{Error, LambdaEvent, run, service_fn, tracing};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    let launcher = &launcher::from_env().await?;
    run(service_fn(async |event: LambdaEvent<_>| launcher::handler(launcher, event.payload).await)).await
}
