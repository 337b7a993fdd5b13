//! The `launcher` function: starts the task that a row wants.

use lambda_runtime::Error;
use modbox_aws::Connection;
use modbox_control::{
    Launcher,
    settings::{Environment, InvalidSetting},
};
use serde_json::Value;

/// Builds the function from its environment.
pub async fn from_env() -> Result<Launcher, Error> {
    Ok(set_up(&Environment::of_process(), &Connection::from_env()?).await?)
}

/// Builds it of these settings.
pub async fn set_up(env: &Environment<'_>, aws: &Connection) -> Result<Launcher, InvalidSetting> {
    let (launches, bus, dead_letters) = (env.launches(aws)?, env.bus(aws)?, env.dead_letters(aws)?);
    Ok(Launcher::new(env.control(aws).await?, launches, bus, dead_letters, env.keys()?))
}

/// Handles a batch of the table's stream. Answers which records are to be delivered again.
pub async fn handler(launcher: &Launcher, event: Value) -> Result<Value, Error> {
    Ok(launcher.handle(&event).await)
}
