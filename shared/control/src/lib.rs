//! The use cases of Modbox, one file per verb: load → apply → commit, and what follows from it.
//!
//! Four structs, one per function, hold what that function may touch: [`Api`] cannot reach ECS, [`Observer`] cannot
//! start or stop anything, and only [`Api`] and [`Launcher`] hold keys. A fifth, [`Admin`], holds the table alone.

mod admin;
mod batch;
mod change;
mod clock;
mod create;
mod end;
mod error;
mod extend;
mod get;
mod keys;
mod label;
mod launch;
mod list;
mod monitor;
mod observe;
mod orphans;
mod ready;
mod reap;
pub mod settings;
mod sweep;
mod token;
mod url;
mod wait;

pub use admin::{Admin, AdminError, NewToken};
pub use change::{Changed, Control};
pub use clock::{SystemClock, SystemIds};
pub use create::{Accepted, DEFAULT_MEMORY_MB, Order};
pub use end::Ended;
pub use error::Error;
pub use extend::MAX_TTL;
pub use get::Selector;
pub use keys::{InvalidKeys, Keys};
pub use launch::Launcher;
pub use list::{Among, Listing, MAX_PAGE, Part};
pub use monitor::{Line, Monitored, Sample, Sight};
pub use observe::Observer;
pub use reap::Reaper;
pub use token::{API_TOKEN_PREFIX, Identity, Rejection};
pub use url::UrlTemplate;
pub use wait::Waited;

use modbox_aws::logs::TaskLogs;
pub use modbox_aws::table::{Position, Row};

/// What the `api` function does: decides and commits intent. It has no way to call ECS.
#[derive(Clone, Debug)]
pub struct Api {
    pub(crate) control: Control,
    pub(crate) keys: Keys,
    pub(crate) deployment: Deployment,
    pub(crate) logs: Option<TaskLogs>,
}

/// What is the same for every sandbox of a deployment.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// Where sandboxes are reached.
    pub sandbox_url: UrlTemplate,
    /// The image of a sandbox for which none was named.
    pub default_image: String,
    /// The region that tasks run in.
    pub region: String,
}

impl Api {
    /// Without `logs` nobody is told what a sandbox says and uses.
    pub fn new(control: Control, keys: Keys, deployment: Deployment, logs: Option<TaskLogs>) -> Self {
        Self { control, keys, deployment, logs }
    }

    pub fn deployment(&self) -> &Deployment {
        &self.deployment
    }

    /// The time by which its answers are given.
    pub fn now(&self) -> modbox_sandbox::Timestamp {
        self.control.now()
    }

    /// A fresh random number, for ids of requests.
    pub fn random(&self) -> u128 {
        self.control.random()
    }
}
