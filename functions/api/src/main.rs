//! Wiring of the `api` function.

use lambda_http::{Error, run, tracing};
use tower::ServiceExt as _;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    tracing::init_default_subscriber();
    let router = api::from_env().await?;
    run(router.map_request(api::with_max_wait)).await
}
