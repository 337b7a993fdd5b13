//! What the sidecars of a task ask and tell.

use modbox_aws::table::Row;
use modbox_sandbox::{Event, SandboxId, Timestamp};

use crate::{Api, Error, keys::same_secret};

impl Api {
    /// Takes the `ready` sidecar's word that the readiness port answers. Idempotent.
    pub async fn ready(&self, id: SandboxId, token: &str) -> Result<(), Error> {
        let row = self.task_row(id, token).await?;
        let event = Event::Ready { incarnation: row.sandbox.incarnation };
        self.control.change(row, &event).await.map(drop).map_err(foreign_if_absent)
    }

    /// When the sandbox ends, as of now; in the past if it has ended; never, if absent.
    pub async fn deadline(&self, id: SandboxId, token: &str) -> Result<Option<Timestamp>, Error> {
        // A sidecar that is told of the end ends the task.
        let row = self.task_row(id, token).await?;
        let sandbox = self.control.as_of_now(row).await?.sandbox;
        Ok(sandbox.end(self.control.now()).map(|end| end.at).or(sandbox.expires_at))
    }

    async fn task_row(&self, id: SandboxId, token: &str) -> Result<Row, Error> {
        let row = self.control.load(id).await.map_err(foreign_if_absent)?;
        let expected = self.keys.task_token(&row.key_id, id, row.sandbox.incarnation)?;
        if same_secret(&expected, token) { Ok(row) } else { Err(Error::ForeignTask) }
    }
}

/// Of a sandbox that is not there no token is its task's. So nobody learns from the answer which ids there are.
fn foreign_if_absent(error: Error) -> Error {
    match error {
        Error::NotFound => Error::ForeignTask,
        error => error,
    }
}
