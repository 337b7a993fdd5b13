/// A part of the spine (ARCHITECTURE.md, "Rules of the spine") that an actor of the check can be made to ignore.
///
/// The product has no such switch: what changes is which step the check's actor takes, or what it makes of what
/// `apply` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rule {
    /// Rule 3: before RunTask the launcher reads the row, consistently, and not the image that woke it.
    ReadBeforeRunTask,
    /// Rule 3: RunTask carries a `clientToken`.
    ClientToken,
    /// Rule 3: the attempt rises only after a definite no, never after an answer that was lost.
    AttemptRisesAfterNo,
    /// Rule 4: an ARN is recorded in a row that is over, too.
    RecordArnWhenOver,
    /// Rule 4: an ARN that is recorded in a row that is over sets `wants = stop`.
    StopWhatIsRecorded,
    /// Rule 5: without an ARN, destroying waits for SETTLE and an empty ListTasks.
    WaitForTask,
    /// Rule 5: "task not found" from StopTask does not mean that the task is gone.
    NotFoundIsNotGone,
    /// Rule 7: an end frees the name only if it still holds this id.
    FreeOnlyOwnName,
    /// Rule 7: an end frees the name.
    FreeName,
    /// Rule 7: an extension is one transaction over row and name.
    ExtendRowAndName,
    /// Rule 8: whoever finds that the deadline has passed writes the end before telling of it.
    WriteEndBeforeTelling,
}

impl Rule {
    pub const ALL: [Self; 11] = [
        Self::ReadBeforeRunTask,
        Self::ClientToken,
        Self::AttemptRisesAfterNo,
        Self::RecordArnWhenOver,
        Self::StopWhatIsRecorded,
        Self::WaitForTask,
        Self::NotFoundIsNotGone,
        Self::FreeOnlyOwnName,
        Self::FreeName,
        Self::ExtendRowAndName,
        Self::WriteEndBeforeTelling,
    ];

    /// Its number in the spine.
    pub const fn number(self) -> u8 {
        match self {
            Self::ReadBeforeRunTask | Self::ClientToken | Self::AttemptRisesAfterNo => 3,
            Self::RecordArnWhenOver | Self::StopWhatIsRecorded => 4,
            Self::WaitForTask | Self::NotFoundIsNotGone => 5,
            Self::FreeOnlyOwnName | Self::FreeName | Self::ExtendRowAndName => 7,
            Self::WriteEndBeforeTelling => 8,
        }
    }
}

/// Which rules the actors of the check follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    broken: Option<Rule>,
}

impl Rules {
    /// The protocol as it is.
    pub const fn all() -> Self {
        Self { broken: None }
    }

    /// The protocol without one of its rules: a mutant.
    pub const fn without(rule: Rule) -> Self {
        Self { broken: Some(rule) }
    }

    pub(super) fn hold(self, rule: Rule) -> bool {
        self.broken != Some(rule)
    }
}
