use modbox_sandbox::Timestamp;
use serde_json::Value;

/// A sandbox's item, read without the product's own code.
#[derive(Clone, Debug)]
pub struct RowView {
    pub id: String,
    pub owner: String,
    pub name: String,
    pub state: String,
    pub live: bool,
    pub version: u64,
    pub wants: Option<String>,
    pub task_arn: Option<String>,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
    pub destroyed_at: Option<Timestamp>,
    pub end_since: Option<Timestamp>,
    pub end_reason: Option<String>,
    pub end_message: Option<String>,
    pub ttl: Option<Timestamp>,
    /// It was created with a deadline, so that its task has one whatever happens while it is launched.
    pub timed: bool,
    /// When its end was written, by the true clock.
    pub freed_at: Option<Timestamp>,
    /// Its deadline was moved to an earlier time once.
    pub shortened: bool,
    /// It was running once.
    pub ran: bool,
}

impl RowView {
    /// What stood there before a change; none if that was no sandbox.
    pub fn old(record: &Value) -> Option<Self> {
        Self::read(&record["dynamodb"]["OldImage"])
    }

    /// What stands there after a change; none if that is no sandbox.
    pub fn new(record: &Value) -> Option<Self> {
        Self::read(&record["dynamodb"]["NewImage"])
    }

    fn read(item: &Value) -> Option<Self> {
        item["pk"]["S"].as_str()?.strip_prefix("SANDBOX#")?;
        let text = |name: &str| item[name]["S"].as_str().map(ToOwned::to_owned);
        let number = |name: &str| item[name]["N"].as_str().and_then(|text| text.parse::<i64>().ok());
        let time = |name: &str| number(name).map(Timestamp::from_millis);
        Some(Self {
            id: text("id").unwrap_or_default(),
            owner: text("owner").unwrap_or_default(),
            name: text("name").unwrap_or_default(),
            state: text("state").unwrap_or_default(),
            live: text("live").is_some(),
            version: number("version").and_then(|number| u64::try_from(number).ok()).unwrap_or_default(),
            wants: text("wants"),
            task_arn: text("task_arn"),
            created_at: time("created_at").unwrap_or(Timestamp::from_millis(0)),
            expires_at: time("expires_at"),
            destroyed_at: time("destroyed_at"),
            end_since: time("end_since"),
            end_reason: text("end_reason"),
            end_message: text("end_message"),
            ttl: number("ttl").map(|seconds| Timestamp::from_millis(seconds * 1000)),
            timed: false,
            freed_at: None,
            shortened: false,
            ran: false,
        })
    }

    /// What of it cannot come after `old`.
    pub fn contradicts(&self, old: &Self) -> Option<String> {
        let order = ["provisioning", "running", "destroying", "destroyed"];
        let place = |state: &str| order.iter().position(|other| *other == state);
        let (from, to) = (&old.state, &self.state);
        if place(from) > place(to) || (from == "provisioning" && self.version != old.version + 1) {
            return Some(format!("{from} version {} became {to} version {}", old.version, self.version));
        }
        if old.task_arn.is_some() && old.task_arn != self.task_arn {
            return Some(format!("its task was {:?} and is {:?}", old.task_arn, self.task_arn));
        }
        let end = |row: &Self| (row.destroyed_at, row.end_reason.clone());
        if !old.live && end(old) != end(self) {
            return Some(format!("it ended as {:?}, and now as {:?}", end(old), end(self)));
        }
        None
    }

    /// When it is over; none: never yet.
    pub fn over_at(&self) -> Option<Timestamp> {
        let ended = self.destroyed_at.filter(|_| !self.live);
        match (ended, self.expires_at) {
            (Some(ended), Some(expires)) => Some(ended.min(expires)),
            (ended, expires) => ended.or(expires),
        }
    }

    /// Whether its deadline, if it has one, comes after that moment.
    pub fn is_due_after(&self, moment: Timestamp) -> bool {
        self.expires_at.is_none_or(|at| at > moment)
    }

    pub fn is_due_after_that_of(&self, later: &Self) -> bool {
        later.expires_at.is_some_and(|at| self.expires_at.is_none_or(|before| before > at))
    }

    pub fn is_running_as(&self, arn: &str) -> bool {
        self.state == "running" && self.task_arn.as_deref() == Some(arn)
    }

    /// What it still waits for.
    pub fn unsettled(&self) -> Option<String> {
        if self.state != "running" && self.state != "destroyed" {
            return Some(format!("is {}", self.state));
        }
        self.wants.as_ref().map(|wants| format!("is {} and wants {wants}", self.state))
    }
}
