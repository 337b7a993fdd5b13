//! A table's stream, read by position and trimmed, which the engine's own API cannot do.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use dynoxide::actions::get_records::GetRecordsRequest;
use dynoxide::actions::get_shard_iterator::encode_shard_iterator;
use rusqlite::{Connection, OptionalExtension as _, params};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::Dynamo;
use super::engine::StorageError;
use crate::aws_json::REGION;

/// The public number of the engine's position zero.
const SEQUENCE_ZERO: i128 = 100_000_000_000_000_000_000;

/// A change of one item, as it lies in the stream.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamRecord {
    /// Its position: greater than that of every earlier record of the table.
    pub sequence: i64,
    /// The item's key in a canonical form.
    pub key: String,
    /// The record that Lambda would deliver.
    pub event: Value,
}

impl StreamRecord {
    /// The number that the record and its acknowledgement carry for `sequence`: 21 digits.
    pub fn sequence_number(sequence: i64) -> String {
        (SEQUENCE_ZERO + i128::from(sequence)).to_string()
    }
}

/// The stream of one table.
#[derive(Clone, Debug)]
pub struct Stream {
    dynamo: Arc<Dynamo>,
    table: String,
}

impl Dynamo {
    /// The stream of a table. It is empty until the table exists and has one.
    pub fn stream(self: &Arc<Self>, table: &str) -> Stream {
        Stream { dynamo: Arc::clone(self), table: table.to_owned() }
    }
}

impl Stream {
    /// Reads the oldest records after a position, in their order. Zero is before the first.
    ///
    /// What was trimmed does not come back, not even when the database is opened again.
    pub fn read_after(&self, sequence: i64, limit: usize) -> Result<Vec<StreamRecord>, StorageError> {
        let Some(source) = self.source()? else {
            return Ok(Vec::new());
        };
        let Some((_gate, connection)) = self.dynamo.engine.beside() else {
            return self.read_by_engine(sequence, limit, &source);
        };
        let after = sequence.max(trimmed_to(&connection, &self.table)?);
        let mut statement = connection.prepare_cached(
            "SELECT CAST(sequence_number AS INTEGER), event_id, event_name, keys_json, new_image, old_image, created_at, user_identity
             FROM _stream_records
             WHERE table_name = ?1 AND CAST(sequence_number AS INTEGER) > ?2
             ORDER BY CAST(sequence_number AS INTEGER) LIMIT ?3",
        )?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = statement.query_map(params![self.table, after, limit], Row::read)?;
        rows.map(|row| self.record(&row?, &source)).collect()
    }

    /// Removes the records up to a position and remembers it. Doing so again, or less far, changes nothing.
    pub fn trim_to(&self, sequence: i64) -> Result<(), StorageError> {
        let Some((_gate, mut connection)) = self.dynamo.engine.beside() else {
            return Ok(());
        };
        let transaction = connection.transaction()?;
        transaction
            .prepare_cached(
                "INSERT INTO _modbox_trimmed VALUES (?1, ?2)
                 ON CONFLICT DO UPDATE SET sequence = MAX(sequence, excluded.sequence)",
            )?
            .execute(params![self.table, sequence])?;
        // The newest stays: the engine numbers the next record after it, which a clock set back must not undo.
        transaction
            .prepare_cached(
                "DELETE FROM _stream_records
                 WHERE table_name = ?1 AND CAST(sequence_number AS INTEGER) <= ?2
                   AND CAST(sequence_number AS INTEGER) <
                     (SELECT MAX(CAST(sequence_number AS INTEGER)) FROM _stream_records WHERE table_name = ?1)",
            )?
            .execute(params![self.table, sequence])?;
        transaction.commit()?;
        Ok(())
    }

    /// Changes with every write of any table, after it, so that a reader need not poll.
    pub fn written(&self) -> watch::Receiver<u64> {
        self.dynamo.written.subscribe()
    }

    fn source(&self) -> Result<Option<Source>, StorageError> {
        let (_gate, database) = self.dynamo.engine.database();
        let metadata = database.get_table_metadata(&self.table)?;
        Ok(metadata.and_then(|metadata| {
            let arn = dynoxide::streams::stream_arn(&self.table, &metadata.stream_label?);
            Some(Source {
                arn,
                view: metadata.stream_view_type.unwrap_or_else(|| "NEW_AND_OLD_IMAGES".to_owned()),
            })
        }))
    }

    /// What there is on a virtual clock, where nothing can be beside the engine.
    fn read_by_engine(
        &self,
        sequence: i64,
        limit: usize,
        source: &Source,
    ) -> Result<Vec<StreamRecord>, StorageError> {
        let shard = dynoxide::streams::shard_id(&self.table);
        let (_gate, database) = self.dynamo.engine.database();
        let answer = database.get_records(GetRecordsRequest {
            shard_iterator: encode_shard_iterator(&self.table, &shard, sequence),
            limit: Some(limit),
        })?;
        let records = answer.records.into_iter().map(|record| {
            let sequence = stored(&record.dynamodb.sequence_number);
            let mut event = serde_json::to_value(record).map_err(|_| self.unreadable(sequence))?;
            set(&mut event, "eventSourceARN", json!(source.arn));
            set(&mut event, "awsRegion", json!(REGION));
            let key = canonical(event.pointer("/dynamodb/Keys"));
            Ok(StreamRecord { sequence, key, event })
        });
        records.collect()
    }

    fn record(&self, row: &Row, source: &Source) -> Result<StreamRecord, StorageError> {
        let json = |text: &str| serde_json::from_str(text).map_err(|_| self.unreadable(row.sequence));
        let keys: Value = json(&row.keys)?;
        let key = canonical(Some(&keys));
        let images = [("NewImage", &row.new_image), ("OldImage", &row.old_image)];
        let mut change = json!({
            "ApproximateCreationDateTime": row.created_at,
            "Keys": keys,
            "SequenceNumber": StreamRecord::sequence_number(row.sequence),
            "SizeBytes": row.size(),
            "StreamViewType": source.view,
        });
        for (name, image) in images {
            if let Some(image) = image {
                set(&mut change, name, json(image)?);
            }
        }
        let mut event = json!({
            "eventID": row.event_id,
            "eventName": row.event_name,
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": REGION,
            "dynamodb": change,
            "eventSourceARN": source.arn,
        });
        if let Some(identity) = &row.user_identity {
            set(&mut event, "userIdentity", json(identity)?);
        }
        Ok(StreamRecord { sequence: row.sequence, key, event })
    }

    fn unreadable(&self, sequence: i64) -> StorageError {
        StorageError::Record { table: self.table.clone(), sequence }
    }
}

/// What every record of a stream repeats.
struct Source {
    arn: String,
    view: String,
}

/// A row of the engine's stream table.
struct Row {
    sequence: i64,
    event_id: Option<String>,
    event_name: String,
    keys: String,
    new_image: Option<String>,
    old_image: Option<String>,
    created_at: i64,
    user_identity: Option<String>,
}

impl Row {
    fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            sequence: row.get(0)?,
            event_id: row.get(1)?,
            event_name: row.get(2)?,
            keys: row.get(3)?,
            new_image: row.get(4)?,
            old_image: row.get(5)?,
            created_at: row.get(6)?,
            user_identity: row.get(7)?,
        })
    }

    fn size(&self) -> usize {
        let images = [&self.new_image, &self.old_image];
        self.keys.len() + images.into_iter().flatten().map(String::len).sum::<usize>()
    }
}

fn trimmed_to(connection: &Connection, table: &str) -> rusqlite::Result<i64> {
    let mut statement =
        connection.prepare_cached("SELECT sequence FROM _modbox_trimmed WHERE table_name = ?1")?;
    let sequence = statement.query_row([table], |row| row.get(0)).optional()?;
    Ok(sequence.unwrap_or(0))
}

fn stored(sequence_number: &str) -> i64 {
    let number: i128 = sequence_number.parse().unwrap_or(SEQUENCE_ZERO);
    i64::try_from(number - SEQUENCE_ZERO).unwrap_or(0)
}

/// The key attributes in the order of their names, whatever order they came in.
fn canonical(keys: Option<&Value>) -> String {
    let keys: BTreeMap<&String, &Value> = keys.and_then(Value::as_object).into_iter().flatten().collect();
    let mut text = String::new();
    for (name, value) in keys {
        let _ = write!(text, "{name}={value};");
    }
    text
}

fn set(object: &mut Value, name: &str, value: Value) {
    if let Some(members) = object.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
}
