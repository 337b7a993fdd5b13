//! Changing a sandbox: its row, and its name where the change touches it.

use aws_sdk_dynamodb::{
    operation::put_item::PutItemError,
    types::{
        AttributeValue, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
        builders::UpdateBuilder,
    },
};
use modbox_sandbox::{Launch, Provisioning, Sandbox, State, Timestamp};

use super::{
    Item, Row, Table,
    attributes::{key_of, number},
    create::{cancellation_reasons, name_key, transaction_error},
    malformed, text,
};
use crate::{Error, error::classify};

/// The outcome of a commit.
#[derive(Debug)]
pub enum Committed {
    Done(Row),
    /// The row is not the one that was read any more; here it is, unless it is gone.
    Stale(Option<Row>),
    /// The name, which an extension would have kept, is another sandbox's by now.
    NameLost,
}

/// What a change means for the name.
enum NameChange {
    None,
    Free,
    Until(Option<Timestamp>),
}

/// What must hold of the stored row.
enum Condition {
    Version(u64),
    Absent,
}

impl Table {
    /// Writes `after` if the row is still `before`. `write` names this try and its retries.
    ///
    /// An end frees the name if it still holds this id, and ends even if it does not (rule 7).
    pub async fn commit(&self, before: &Row, after: Sandbox, write: &str) -> Result<Committed, Error> {
        let change = name_change(&before.sandbox, &after);
        let row = before.becomes(after, write);
        self.write(Condition::Version(before.sandbox.version), row, change).await
    }

    /// Writes back, as ended, a live row that was removed; whatever stands there meanwhile stays.
    pub async fn bury(&self, removed: &Row, ended: Sandbox, write: &str) -> Result<Committed, Error> {
        self.write(Condition::Absent, removed.becomes(ended, write), NameChange::Free).await
    }

    async fn write(&self, condition: Condition, row: Row, change: NameChange) -> Result<Committed, Error> {
        let name = match change {
            NameChange::None => return self.write_row(&condition, row).await,
            NameChange::Free => self.free_name(&row.sandbox),
            NameChange::Until(at) => self.keep_name(&row.sandbox, at),
        };
        let name = name.build().map_err(|error| malformed("TransactWriteItems", &error))?;
        let answer = self
            .client
            .transact_write_items()
            .transact_items(TransactWriteItem::builder().put(self.conditional_put(&condition, &row)?).build())
            .transact_items(TransactWriteItem::builder().update(name).build())
            .send()
            .await;
        let Err(error) = answer else {
            return Ok(Committed::Done(row));
        };
        let failed = |at: usize| {
            let reason = cancellation_reasons(&error).get(at);
            reason.filter(|reason| reason.code() == Some("ConditionalCheckFailed"))
        };
        match (failed(0), failed(1), change) {
            (Some(reason), _, _) => self.stale(row, reason.item()),
            (None, Some(_), NameChange::Free) => self.write_row(&condition, row).await,
            (None, Some(_), _) => Ok(Committed::NameLost),
            (None, None, _) => Err(transaction_error(error)),
        }
    }

    async fn write_row(&self, condition: &Condition, row: Row) -> Result<Committed, Error> {
        let put = self.conditional_put(condition, &row)?;
        let answer = self
            .client
            .put_item()
            .table_name(put.table_name)
            .set_item(Some(put.item))
            .set_condition_expression(put.condition_expression)
            .set_expression_attribute_names(put.expression_attribute_names)
            .set_expression_attribute_values(put.expression_attribute_values)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let Err(error) = answer else {
            return Ok(Committed::Done(row));
        };
        match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(failed)) => self.stale(row, failed.item()),
            _ => Err(classify("PutItem", error)),
        }
    }

    /// Tells a row that somebody else wrote from the one that this very write put there.
    fn stale(&self, row: Row, found: Option<&Item>) -> Result<Committed, Error> {
        let found = found.map(|item| Row::read(&self.name, item)).transpose()?;
        Ok(match found {
            Some(found) if found.write == row.write => Committed::Done(found),
            found => Committed::Stale(found),
        })
    }

    fn conditional_put(&self, condition: &Condition, row: &Row) -> Result<Put, Error> {
        let put = Put::builder()
            .table_name(&*self.name)
            .set_item(Some(row.item(self.retention)))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let put = match condition {
            Condition::Version(version) => put
                .condition_expression("#version = :version")
                .expression_attribute_names("#version", "version")
                .expression_attribute_values(":version", number(version)),
            Condition::Absent => put.condition_expression("attribute_not_exists(pk)"),
        };
        put.build().map_err(|error| malformed("PutItem", &error))
    }

    fn free_name(&self, sandbox: &Sandbox) -> UpdateBuilder {
        self.update_name(sandbox)
            .update_expression("SET taken = :free, #ttl = :ttl REMOVE live_until")
            .expression_attribute_names("#ttl", "ttl")
            .expression_attribute_values(":free", AttributeValue::Bool(false))
            .expression_attribute_values(":ttl", number((sandbox.updated_at + self.retention).seconds_ceil()))
    }

    fn keep_name(&self, sandbox: &Sandbox, until: Option<Timestamp>) -> UpdateBuilder {
        let update = self.update_name(sandbox);
        match until {
            Some(at) => update
                .update_expression("SET live_until = :until")
                .expression_attribute_values(":until", number(at.millis())),
            None => update.update_expression("REMOVE live_until"),
        }
    }

    fn update_name(&self, sandbox: &Sandbox) -> UpdateBuilder {
        Update::builder()
            .table_name(&*self.name)
            .set_key(Some(key_of(&name_key(&sandbox.owner, &sandbox.name))))
            .condition_expression("id = :id")
            .expression_attribute_values(":id", text(sandbox.id.to_string()))
    }
}

impl Row {
    /// The row of the changed sandbox. Its environment stays only as long as a launch may need it.
    fn becomes(&self, sandbox: Sandbox, write: &str) -> Self {
        let launches = matches!(
            sandbox.state,
            State::Provisioning(Provisioning { launch: Launch::Wanted { .. } | Launch::Refused { .. }, .. })
        );
        Self {
            env: self.env.clone().filter(|_| launches),
            key_id: self.key_id.clone(),
            write: write.to_owned(),
            sandbox,
        }
    }
}

fn name_change(before: &Sandbox, after: &Sandbox) -> NameChange {
    match (before.is_live(), after.is_live()) {
        (true, false) => NameChange::Free,
        (true, true) if before.expires_at != after.expires_at => NameChange::Until(after.expires_at),
        _ => NameChange::None,
    }
}
