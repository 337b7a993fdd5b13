use std::time::Duration;

/// What a run has seen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    /// Changes of sandboxes in the table.
    pub changes: u64,
    /// Tasks that ECS started.
    pub tasks: u64,
    /// Calls of AWS.
    pub calls: u64,
    /// Decisions that were not the plain one.
    pub faults: u64,
    /// Live rows that the TTL removed, and ended ones.
    pub rows_removed: u64,
    /// How long after its end, and after the last fault, a task still ran that its row did not know.
    pub latest: Duration,
    /// The same of a task that its row knew, and that its sidecar did not end.
    pub latest_known: Duration,
    /// How long after its deadline a task ran that its sidecar ended.
    pub latest_by_sidecar: Duration,
    /// How many ticks it took after the last fault until all was at rest.
    pub ticks_to_rest: u64,
}

impl Figures {
    /// What two runs have seen together.
    pub fn with(self, other: Self) -> Self {
        Self {
            changes: self.changes + other.changes,
            tasks: self.tasks + other.tasks,
            calls: self.calls + other.calls,
            faults: self.faults + other.faults,
            rows_removed: self.rows_removed + other.rows_removed,
            latest: self.latest.max(other.latest),
            latest_known: self.latest_known.max(other.latest_known),
            latest_by_sidecar: self.latest_by_sidecar.max(other.latest_by_sidecar),
            ticks_to_rest: self.ticks_to_rest.max(other.ticks_to_rest),
        }
    }
}
