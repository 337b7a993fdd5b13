//! The `observer` function: folds what ECS saw into an existing row.

use lambda_runtime::Error;
use modbox_aws::{Connection, inbound::task_state_change};
use modbox_control::{
    Observer,
    settings::{Environment, InvalidSetting},
};
use serde_json::{Value, json};

/// Builds the function from its environment.
pub async fn from_env() -> Result<Observer, Error> {
    Ok(set_up(&Environment::of_process(), &Connection::from_env()?).await?)
}

/// Builds it of these settings.
pub async fn set_up(env: &Environment<'_>, aws: &Connection) -> Result<Observer, InvalidSetting> {
    Ok(Observer::new(env.control(aws).await?, env.stack()?))
}

/// Handles one ECS Task State Change. An error has Lambda deliver it again.
pub async fn handler(observer: &Observer, event: Value) -> Result<Value, Error> {
    match task_state_change(&event) {
        Some(observed) => observer.observe(&observed).await?,
        None => tracing::warn!("an event that is no task state change was ignored"),
    }
    Ok(json!({}))
}
