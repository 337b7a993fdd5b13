//! The `launcher` function: starts the task that a row wants.

use lambda_runtime::Error;
use modbox_aws::Connection;
use modbox_control::{Launcher, settings::Environment};
use serde_json::Value;

/// Builds the function from its environment.
pub async fn from_env() -> Result<Launcher, Error> {
    let (env, aws) = (Environment::of_process(), &Connection::from_env()?);
    let control = env.control(aws).await?;
    Ok(Launcher::new(control, env.tasks(aws)?, env.bus(aws)?, env.dead_letters(aws)?, env.keys()?))
}

/// Handles a batch of the table's stream. Answers which records are to be delivered again.
pub async fn handler(launcher: &Launcher, event: Value) -> Result<Value, Error> {
    Ok(launcher.handle(&event).await)
}
