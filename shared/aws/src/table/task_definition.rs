//! Which task definition a rendered registration has in ECS: registered once, lazily, by the launcher.

use super::{
    Table,
    attributes::{Reader, Writer},
};
use crate::Error;

fn key(hash: &str) -> String {
    format!("TASKDEF#{hash}")
}

impl Table {
    /// The ARN under which the registration of that hash is known.
    pub async fn task_definition(&self, hash: &str) -> Result<Option<String>, Error> {
        let Some(item) = self.get(&key(hash)).await? else {
            return Ok(None);
        };
        Ok(Some(Reader::new(&self.name, &item)?.string("task_definition_arn")?.to_owned()))
    }

    /// Notes the ARN; the last registration wins, and each is as good as the other.
    pub async fn put_task_definition(&self, hash: &str, arn: &str) -> Result<(), Error> {
        self.put(Writer::new(&key(hash)).string("task_definition_arn", arn).item()).await
    }
}
