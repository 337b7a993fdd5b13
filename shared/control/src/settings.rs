//! What a function reads from its environment, once, at start.

use std::{sync::Arc, time::Duration};

use modbox_aws::{
    Connection,
    bus::Bus,
    logs::TaskLogs,
    queue::DeadLetters,
    table::Table,
    tasks::{Architecture, LaunchSettings, Launches, Place, Tasks, UnknownArchitecture},
};

use crate::{Control, Deployment, InvalidKeys, Keys, SystemClock, SystemIds, UrlTemplate};

/// A variable that is missing or cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum InvalidSetting {
    #[error("environment variable {0} is not set")]
    Missing(&'static str),
    #[error("environment variable {0} cannot be read: {1}")]
    Unreadable(&'static str, String),
}

const DEFAULT_RETENTION: &str = "30d";

/// Reads variables by name; a closure, so that what a function needs can be said without a process.
pub struct Environment<'a>(pub &'a dyn Fn(&str) -> Option<String>);

impl std::fmt::Debug for Environment<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Environment")
    }
}

impl Environment<'static> {
    /// The environment of this process.
    pub fn of_process() -> Self {
        Self(&process_variable)
    }
}

fn process_variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

impl Environment<'_> {
    /// The table, whose connection is opened here, so that the first request does not pay for it.
    pub async fn control(&self, connection: &Connection) -> Result<Control, InvalidSetting> {
        let table = Table::new(connection, &self.required("MODBOX_TABLE")?, self.retention()?);
        table.warm().await;
        Ok(Control::new(table, Arc::new(SystemClock), Arc::new(SystemIds)))
    }

    pub fn tasks(&self, connection: &Connection) -> Result<Tasks, InvalidSetting> {
        Ok(Tasks::new(connection, self.place()?))
    }

    pub fn launches(&self, connection: &Connection) -> Result<Launches, InvalidSetting> {
        Ok(Launches::new(connection, self.place()?, self.launch_settings()?))
    }

    pub fn bus(&self, connection: &Connection) -> Result<Bus, InvalidSetting> {
        Ok(Bus::new(connection, self.required("MODBOX_EVENT_BUS")?, self.dead_letters(connection)?))
    }

    /// Where what tasks say is read; absent in a deployment that keeps no logs of them.
    pub fn logs(&self, connection: &Connection) -> Option<TaskLogs> {
        self.log_group().map(|group| TaskLogs::new(connection, group))
    }

    fn log_group(&self) -> Option<String> {
        self.optional("MODBOX_LOG_GROUP")
    }

    pub fn dead_letters(&self, connection: &Connection) -> Result<DeadLetters, InvalidSetting> {
        Ok(DeadLetters::new(connection, self.required("MODBOX_DEAD_LETTER_QUEUE_URL")?))
    }

    fn optional(&self, name: &str) -> Option<String> {
        (self.0)(name).filter(|value| !value.is_empty())
    }

    fn required(&self, name: &'static str) -> Result<String, InvalidSetting> {
        self.optional(name).ok_or(InvalidSetting::Missing(name))
    }

    /// How long ended sandboxes are kept as history: `MODBOX_RETENTION`, such as `12h`; `30d` if unset.
    fn retention(&self) -> Result<Duration, InvalidSetting> {
        const NAME: &str = "MODBOX_RETENTION";
        let text = self.optional(NAME).unwrap_or_else(|| DEFAULT_RETENTION.to_owned());
        humantime::parse_duration(&text).map_err(|error| InvalidSetting::Unreadable(NAME, error.to_string()))
    }

    pub fn keys(&self) -> Result<Keys, InvalidSetting> {
        const NAME: &str = "MODBOX_KEYS";
        self.required(NAME)?
            .parse()
            .map_err(|error: InvalidKeys| InvalidSetting::Unreadable(NAME, error.to_string()))
    }

    pub fn stack(&self) -> Result<String, InvalidSetting> {
        self.required("MODBOX_STACK")
    }

    /// What every sandbox of this deployment has; its region is that of the connection.
    pub fn deployment(&self, connection: &Connection) -> Result<Deployment, InvalidSetting> {
        Ok(Deployment {
            sandbox_url: UrlTemplate::new(self.required("MODBOX_SANDBOX_URL")?),
            default_image: self.required("MODBOX_DEFAULT_IMAGE")?,
            region: connection.region().to_owned(),
        })
    }

    fn architecture(&self) -> Result<Option<Architecture>, InvalidSetting> {
        const NAME: &str = "MODBOX_ARCHITECTURE";
        let read = |name: String| {
            name.parse()
                .map_err(|error: UnknownArchitecture| InvalidSetting::Unreadable(NAME, error.to_string()))
        };
        self.optional(NAME).map(read).transpose()
    }

    fn place(&self) -> Result<Place, InvalidSetting> {
        Ok(Place { cluster: self.required("MODBOX_CLUSTER")?, stack: self.stack()? })
    }

    /// The network that tasks are in, and what their sidecars are made of.
    fn launch_settings(&self) -> Result<LaunchSettings, InvalidSetting> {
        let list = |name: &str| -> Vec<String> {
            let text = self.optional(name).unwrap_or_default();
            text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(ToOwned::to_owned).collect()
        };
        Ok(LaunchSettings {
            subnets: list("MODBOX_SUBNETS"),
            security_groups: list("MODBOX_SECURITY_GROUPS"),
            assign_public_ip: self.optional("MODBOX_ASSIGN_PUBLIC_IP").as_deref() == Some("true"),
            sidecar_image: self.required("MODBOX_SIDECAR_IMAGE")?,
            image_repository: self.optional("MODBOX_IMAGE_REPOSITORY"),
            architecture: self.architecture()?,
            execution_role_arn: self.optional("MODBOX_EXECUTION_ROLE_ARN"),
            log_group: self.log_group(),
        })
    }
}
