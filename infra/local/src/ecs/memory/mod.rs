//! What the stand-in knows from one run of the program to the next, as ECS does: tasks, task definitions, and the
//! client tokens that launched the tasks.
//!
//! It is an SQLite file with one JSON document for each. A change is in the file before the call that made it is
//! answered. Writing waits for no disk but at SQLite's checkpoints: what was written survives the end of the program,
//! however it ends; a power failure takes the newest changes, and the tasks with them. No value of the environment
//! that RunTask was given is in it.

mod document;

use std::{collections::BTreeSet, fmt, mem, path::Path};

use rusqlite::{Connection, Transaction, params};
use serde::de::DeserializeOwned;

use self::document::StoredDefinition;
pub(super) use self::document::StoredTask;
use super::{definitions::Definition, task::Task};

/// Of the documents; a file of another format is refused.
const FORMAT: i64 = 1;

const TABLES: &str = "
    CREATE TABLE definitions (arn TEXT PRIMARY KEY, document TEXT NOT NULL);
    CREATE TABLE tasks (key INTEGER PRIMARY KEY, document TEXT NOT NULL);
";

/// A file that remembers what runs. No two programs may have it open.
pub struct Memory {
    connection: Connection,
    /// What was there when it was opened, until somebody takes it.
    remembered: Remembered,
}

impl fmt::Debug for Memory {
    /// Shows no task.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").finish_non_exhaustive()
    }
}

/// Why a memory is of no use.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    #[error("use its file: {0}")]
    Sqlite(#[from] rusqlite::Error),
    #[error("read format {found}: this program reads format {FORMAT}")]
    Format { found: i64 },
    /// Says where, not what was there.
    #[error("read {what}, at column {column}")]
    Unreadable { what: String, column: usize },
}

/// All that an earlier run remembered.
#[derive(Default)]
pub(super) struct Remembered {
    /// Oldest first.
    pub(super) definitions: Vec<Definition>,
    /// By key.
    pub(super) tasks: Vec<(u64, StoredTask<'static>)>,
}

impl Memory {
    /// Opens or creates the file, and reads all of it.
    pub fn open(path: &Path) -> Result<Self, MemoryError> {
        let mut connection = Connection::open(path)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        let transaction = connection.transaction()?;
        match transaction.query_row("PRAGMA user_version", [], |row| row.get(0))? {
            0 => {
                transaction.execute_batch(TABLES)?;
                transaction.pragma_update(None, "user_version", FORMAT)?;
            }
            FORMAT => {}
            found => return Err(MemoryError::Format { found }),
        }
        transaction.commit()?;
        let remembered = Remembered::read(&connection)?;
        Ok(Self { connection, remembered })
    }

    /// The ids of the tasks that had not stopped when it was opened, as far as is known; none once they are resumed.
    pub fn unfinished(&self) -> BTreeSet<String> {
        let tasks = self.remembered.tasks.iter().map(|(_, task)| task);
        tasks.filter(|task| !task.is_stopped()).map(|task| task.id.clone().into_owned()).collect()
    }

    /// What was there when it was opened; nothing when it is taken again.
    pub(super) fn take(&mut self) -> Remembered {
        mem::take(&mut self.remembered)
    }

    /// Remembers a task definition as it is now.
    pub(super) fn define(&self, definition: &Definition) -> Result<(), MemoryError> {
        let document = StoredDefinition::of(definition).text();
        let mut statement = self.connection.prepare_cached(
            "INSERT INTO definitions VALUES (?1, ?2) ON CONFLICT DO UPDATE SET document = excluded.document",
        )?;
        statement.execute(params![definition.arn, document])?;
        Ok(())
    }

    /// Remembers tasks as they are now: all of them, or none.
    pub(super) fn put<'a>(
        &mut self,
        tasks: impl Iterator<Item = (u64, &'a Task)>,
    ) -> Result<(), MemoryError> {
        let transaction = self.connection.transaction()?;
        for (key, task) in tasks {
            put_one(&transaction, key, task)?;
        }
        Ok(transaction.commit()?)
    }

    pub(super) fn forget(&self, key: u64) -> Result<(), MemoryError> {
        let mut statement = self.connection.prepare_cached("DELETE FROM tasks WHERE key = ?1")?;
        statement.execute([key.cast_signed()])?;
        Ok(())
    }
}

impl Remembered {
    fn read(connection: &Connection) -> Result<Self, MemoryError> {
        let definitions = documents::<String, StoredDefinition<'static>>(
            connection,
            "SELECT arn, document FROM definitions ORDER BY rowid",
            "task definition",
        )?;
        let definitions = definitions
            .into_iter()
            .map(|(arn, stored)| stored.read().map_err(|error| unreadable("task definition", &arn, &error)));
        let tasks = documents::<i64, StoredTask<'static>>(
            connection,
            "SELECT key, document FROM tasks ORDER BY key",
            "task",
        )?;
        Ok(Self {
            definitions: definitions.collect::<Result<_, _>>()?,
            tasks: tasks.into_iter().map(|(key, task)| (key.unsigned_abs(), task)).collect(),
        })
    }
}

fn documents<K, D>(connection: &Connection, query: &str, kind: &str) -> Result<Vec<(K, D)>, MemoryError>
where
    K: rusqlite::types::FromSql + ToString,
    D: DeserializeOwned,
{
    let mut statement = connection.prepare(query)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    rows.map(|row| {
        let (key, text): (K, String) = row?;
        let document = serde_json::from_str(&text);
        let document = document.map_err(|error| unreadable(kind, &key.to_string(), &error))?;
        Ok((key, document))
    })
    .collect()
}

fn put_one(transaction: &Transaction<'_>, key: u64, task: &Task) -> Result<(), MemoryError> {
    let mut statement = transaction.prepare_cached(
        "INSERT INTO tasks VALUES (?1, ?2) ON CONFLICT DO UPDATE SET document = excluded.document",
    )?;
    statement.execute(params![key.cast_signed(), StoredTask::text(task)])?;
    Ok(())
}

fn unreadable(kind: &str, key: &str, error: &serde_json::Error) -> MemoryError {
    MemoryError::Unreadable { what: format!("{kind} {key}"), column: error.column() }
}
