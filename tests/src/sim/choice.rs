//! Chance: every decision of a run has a name, and the run is the list of those that are not the plain one.
//!
//! A decision is drawn from the seed and its own name alone, so that leaving one out changes no other. That is what
//! lets a failing run be replayed from its list, and be made smaller by deleting from it.

use std::{
    collections::BTreeMap,
    fmt,
    hash::{Hash, Hasher},
    str::FromStr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// What a decision is about; each kind is as likely to leave the plain way as the run's weather says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// What clients do.
    Client,
    /// How long a call takes.
    Latency,
    /// Errors, throttles and lost answers of AWS.
    Aws,
    /// No room for another task.
    Capacity,
    /// Functions that are killed.
    Kill,
    /// Records, events and ticks that come late, twice or in another order.
    Delivery,
    /// What ECS does not know yet, and indexes that lag.
    Lag,
    /// Tasks that do not do as they are told.
    Task,
    /// Clocks that differ.
    Clock,
}

impl Kind {
    /// How many decisions of a thousand leave the plain way, by the weather: fine, unsettled, rough.
    const fn per_mille(self) -> [u64; 3] {
        match self {
            Self::Client => [1000, 1000, 1000],
            Self::Latency => [50, 300, 700],
            Self::Aws => [0, 25, 120],
            Self::Capacity => [0, 100, 400],
            Self::Kill => [0, 15, 60],
            Self::Delivery => [0, 100, 350],
            Self::Lag => [0, 100, 400],
            Self::Task => [0, 150, 500],
            Self::Clock => [0, 300, 1000],
        }
    }
}

/// The decisions of a run that are not the plain one, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Draws ids too.
    pub seed: u64,
    /// `None`: drawn from the seed.
    pub only: Option<Made>,
}

/// Decisions by name.
pub type Made = BTreeMap<String, u32>;

impl Plan {
    /// Whatever the seed draws.
    pub fn seed(seed: u64) -> Self {
        Self { seed, only: None }
    }

    /// These decisions and no other.
    pub fn only(seed: u64, made: Made) -> Self {
        Self { seed, only: Some(made) }
    }
}

impl fmt::Display for Plan {
    /// As [`FromStr`] reads it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.seed)?;
        for (name, value) in self.only.iter().flatten() {
            write!(f, ",{name}={value}")?;
        }
        Ok(())
    }
}

/// A text that is no plan.
#[derive(Debug, thiserror::Error)]
#[error("a plan reads `<seed>` or `<seed>,<decision>=<number>,...`, and this is none: {0}")]
pub struct InvalidPlan(String);

impl FromStr for Plan {
    type Err = InvalidPlan;

    fn from_str(text: &str) -> Result<Self, InvalidPlan> {
        let invalid = || InvalidPlan(text.to_owned());
        let mut parts = text.split(',');
        let seed = parts.next().unwrap_or_default().trim().parse().map_err(|_| invalid())?;
        let mut made = Made::new();
        for part in parts {
            let (name, value) = part.split_once('=').ok_or_else(invalid)?;
            made.insert(name.trim().to_owned(), value.trim().parse().map_err(|_| invalid())?);
        }
        Ok(Self { seed, only: (text.contains(',')).then_some(made) })
    }
}

/// Where a run's decisions come from, and which were made. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Choices(Arc<Mutex<Book>>);

#[derive(Debug)]
struct Book {
    plan: Plan,
    made: Made,
    /// Faults are over: every further decision is the plain one.
    calm: bool,
}

impl Choices {
    pub fn new(plan: Plan) -> Self {
        Self(Arc::new(Mutex::new(Book { plan, made: Made::new(), calm: false })))
    }

    /// Decides between `weights.len() + 1` ways; 0 is the plain one, the others are as likely as their weights.
    pub fn decide(&self, kind: Kind, name: &str, weights: &[u32]) -> u32 {
        let mut book = self.book();
        if book.calm {
            return 0;
        }
        let most = u32::try_from(weights.len()).unwrap_or(0);
        let value = match &book.plan.only {
            Some(only) => only.get(name).copied().unwrap_or(0).min(most),
            None => draw(book.plan.seed, kind, name, weights),
        };
        if value > 0 {
            book.made.insert(name.to_owned(), value);
        }
        value
    }

    /// Has every further decision be the plain one.
    pub fn calm_down(&self) {
        self.book().calm = true;
    }

    /// Whether every further decision is the plain one.
    pub fn is_calm(&self) -> bool {
        self.book().calm
    }

    /// The decisions so far that were not the plain one.
    pub fn made(&self) -> Made {
        self.book().made.clone()
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn draw(seed: u64, kind: Kind, name: &str, weights: &[u32]) -> u32 {
    let [fine, unsettled, rough] = kind.per_mille();
    let per_mille = match hash(&(seed, kind)) % 10 {
        0..4 => fine,
        4..8 => unsettled,
        _ => rough,
    };
    let hash = hash(&(seed, name));
    let total: u64 = weights.iter().copied().map(u64::from).sum();
    if hash % 1000 >= per_mille || total == 0 {
        return 0;
    }
    let mut rest = (hash / 1000) % total;
    for (way, weight) in (1..).zip(weights) {
        let weight = u64::from(*weight);
        if rest < weight {
            return way;
        }
        rest -= weight;
    }
    0
}

/// The same in every run and with every release of Rust, so that a seed which is written down keeps its meaning.
pub(super) fn hash(value: &impl Hash) -> u64 {
    let mut hasher = Fnv(0xcbf2_9ce4_8422_2325);
    value.hash(&mut hasher);
    hasher.finish()
}

/// FNV-1a, and SplitMix64's last step over it: all of its bits are drawn from.
struct Fnv(u64);

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}
