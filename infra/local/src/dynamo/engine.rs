//! The embedded engine, and the connection of our own beside it.

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use dynoxide::Database;
use modbox_sandbox::Clock;
use rusqlite::Connection;

/// The engine or its file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    #[error("use the embedded engine")]
    Engine(#[from] dynoxide::DynoxideError),
    #[error("use the engine's file")]
    Sqlite(#[from] rusqlite::Error),
    #[error("read the stream record {sequence} of table {table}")]
    Record { table: String, sequence: i64 },
}

/// What the engine leaves out of its stream table: indexes for its own two queries, and how far we have trimmed.
const BESIDE: &str = "
    CREATE INDEX IF NOT EXISTS _modbox_stream ON _stream_records
        (table_name, CAST(sequence_number AS INTEGER));
    CREATE INDEX IF NOT EXISTS _modbox_stream_shard ON _stream_records
        (table_name, shard_id, CAST(sequence_number AS INTEGER));
    CREATE TABLE IF NOT EXISTS _modbox_trimmed
        (table_name TEXT PRIMARY KEY, sequence INTEGER NOT NULL);
";

/// The engine with, unless it runs on a virtual clock, a second connection to the same database.
///
/// The engine serialises its own calls. The gate keeps the second connection out of them: connections that share
/// an in-memory database refuse each other at once instead of waiting.
pub(super) struct Engine {
    database: Database,
    beside: Option<Mutex<Connection>>,
    gate: RwLock<()>,
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}

impl Engine {
    pub(super) fn open(path: &Path) -> Result<Self, StorageError> {
        Self::at(&path.to_string_lossy())
    }

    pub(super) fn in_memory() -> Result<Self, StorageError> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = NEXT.fetch_add(1, Ordering::Relaxed);
        Self::at(&format!("file:modbox-{name}?mode=memory&cache=shared"))
    }

    /// A private database on a virtual clock. The engine lets nobody beside it there, so its stream is never trimmed.
    pub(super) fn with_clock(clock: Arc<dyn Clock>) -> Result<Self, StorageError> {
        Ok(Self {
            database: Database::memory_with_clock(Arc::new(EngineClock(clock)))?,
            beside: None,
            gate: RwLock::new(()),
        })
    }

    fn at(location: &str) -> Result<Self, StorageError> {
        let database = Database::new(location)?;
        // Sets `synchronous` to NORMAL, which the engine offers under this name only. A write then waits for no disk,
        // and what was answered survives the end of the program; a power failure takes the newest writes with the
        // tasks that they speak of.
        database.disable_bulk_loading()?;
        let beside = Connection::open(location)?;
        beside.busy_timeout(Duration::from_secs(5))?;
        // A trim lost in a power failure is repeated; waiting for the disk at each one would buy nothing.
        beside.pragma_update(None, "synchronous", "NORMAL")?;
        beside.execute_batch(BESIDE)?;
        Ok(Self { database, beside: Some(Mutex::new(beside)), gate: RwLock::new(()) })
    }

    /// The engine, while nobody uses the connection beside it.
    pub(super) fn database(&self) -> (RwLockReadGuard<'_, ()>, &Database) {
        let gate = self.gate.read().unwrap_or_else(PoisonError::into_inner);
        (gate, &self.database)
    }

    /// The connection beside the engine, while nobody uses the engine; none on a virtual clock.
    pub(super) fn beside(&self) -> Option<(RwLockWriteGuard<'_, ()>, MutexGuard<'_, Connection>)> {
        let connection = self.beside.as_ref()?;
        let gate = self.gate.write().unwrap_or_else(PoisonError::into_inner);
        Some((gate, connection.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// Our clock as the engine asks for it.
struct EngineClock(Arc<dyn Clock>);

impl dynoxide::storage_backend::Clock for EngineClock {
    fn now_unix_secs(&self) -> u64 {
        u64::try_from(self.0.now().millis().div_euclid(1000)).unwrap_or(0)
    }

    fn now_unix_secs_f64(&self) -> f64 {
        // Exact: milliseconds of any date we meet are far below 2^53.
        self.0.now().millis() as f64 / 1000.0
    }
}
