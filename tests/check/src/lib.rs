//! The lifecycle protocol, checked exhaustively: every order of every step of a small world.
//!
//! One sandbox, one name, two clients, one launcher, one reaper with its schedule, one observer, and ECS. A step is one
//! call to AWS; between any two anything else may happen, an invocation may be killed, an answer lost, a delivery
//! repeated or late. What a row becomes is what `modbox_sandbox::apply` says. The search is breadth first, so that the
//! trace to a violation is a shortest one.

mod invariants;
mod rest;
mod rows;
mod rules;
mod state;
mod steps;

use std::fmt;

use indexmap::{IndexMap, map::Entry};

use rest::Rest;
use rows::{Rows, words};
pub use rules::{Rule, Rules};
use state::{Actor, Left, NameItem, World};
use steps::{Step, Steps};

/// One small world, and how far the search goes in it.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub name: &'static str,
    /// The search ends without an answer after so many states.
    pub states: usize,
    /// The times at which anything happens, in seconds since the creation.
    pub instants: &'static [u16],
    /// The sandbox's time to live in seconds.
    pub ttl: Option<u16>,
    /// How many invocations and requests there are at once at most.
    pub at_once: usize,
    /// How often at most an invocation is killed, or an answer or event lost.
    pub faults: u8,
    /// How often at most a record or an event is delivered once more.
    pub duplicates: u8,
    /// How often at most ECS says no.
    pub refusals: u8,
    /// How often the first client destroys, and the second kills or extends.
    pub commands: [u8; 2],
    /// How often another sandbox is created under the name.
    pub creates: u8,
    /// How often somebody reads the sandbox, whenever it may be.
    pub reads: u8,
}

/// A world in which nobody asks for anything and nothing goes wrong.
const NOTHING: Limits = Limits {
    name: "",
    states: 5_000_000,
    instants: &[0],
    ttl: None,
    at_once: 2,
    faults: 0,
    duplicates: 0,
    refusals: 0,
    commands: [0, 0],
    creates: 0,
    reads: 0,
};

impl Limits {
    /// Killed invocations, lost answers and lost events, while the sandbox is destroyed.
    pub const FAULTS: Self =
        Self { name: "faults", instants: &[0, 190, 310], faults: 1, commands: [1, 0], creates: 1, ..NOTHING };
    /// The deadline and what moves it, which may be decided before it and written after it; the launcher may straddle it,
    /// and others want the name.
    pub const DEADLINE: Self = Self {
        name: "deadline",
        instants: &[0, 200, 245],
        ttl: Some(240),
        commands: [0, 1],
        creates: 2,
        ..NOTHING
    };
    /// The same, while others read.
    pub const READS: Self = Self { name: "reads", creates: 0, reads: 2, ..Self::DEADLINE };
    /// ECS says no, for now or for good.
    pub const REFUSALS: Self = Self {
        name: "refusals",
        instants: &[0, 50, 310],
        refusals: 1,
        commands: [1, 0],
        creates: 1,
        ..NOTHING
    };
    /// Deliveries that come twice, also after SETTLE.
    pub const DUPLICATES: Self =
        Self { name: "duplicates", instants: &[0, 200, 480], duplicates: 1, commands: [1, 0], ..NOTHING };
    /// Three invocations and requests at a time, of both clients.
    pub const CROWD: Self =
        Self { name: "crowd", instants: &[0, 50], at_once: 3, commands: [1, 1], ..NOTHING };

    /// Every world; the instants are chosen around the first look, SETTLE, the deadline and `launch_by`.
    pub const ALL: [Self; 6] =
        [Self::FAULTS, Self::DEADLINE, Self::READS, Self::REFUSALS, Self::DUPLICATES, Self::CROWD];
}

/// What a search found.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// How many distinct states were reached.
    pub states: usize,
    /// How many distinct states were met on the way to rest, from each of them.
    pub states_to_rest: usize,
    /// Whether every state within the limits was reached; not so after a violation.
    pub is_complete: bool,
    pub violation: Option<Trace>,
}

/// The steps to a state that must not be.
#[derive(Clone, Debug)]
pub struct Trace {
    pub invariant: String,
    pub steps: Vec<String>,
}

impl fmt::Display for Trace {
    /// A line for each step; of a long way, its beginning and its end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const ENDS: usize = 15;
        writeln!(f, "violated: {}", self.invariant)?;
        for (place, step) in self.steps.iter().enumerate() {
            if place < ENDS || place + ENDS >= self.steps.len() {
                writeln!(f, "{:>4}. {step}", place + 1)?;
            } else if place == ENDS {
                writeln!(f, "      …")?;
            }
        }
        Ok(())
    }
}

/// Visits every state that the protocol can reach under these rules, until one violates an invariant.
pub fn explore(rules: Rules, limits: &Limits) -> Outcome {
    let mut search = Search {
        rules,
        limits: *limits,
        rows: Rows::new(rules),
        seen: IndexMap::new(),
        rest: Rest::default(),
    };
    let violation = search.run();
    Outcome {
        states: search.seen.len(),
        states_to_rest: search.rest.states(),
        is_complete: violation.is_none() && search.seen.len() < limits.states,
        violation,
    }
}

/// Explores one world after the other, until one violates an invariant; the numbers are of all.
pub fn explore_all(rules: Rules) -> Outcome {
    let mut all = Outcome { states: 0, states_to_rest: 0, is_complete: true, violation: None };
    for limits in &Limits::ALL {
        let one = explore(rules, limits);
        all.states += one.states;
        all.states_to_rest += one.states_to_rest;
        all.is_complete &= one.is_complete;
        all.violation = one.violation;
        if all.violation.is_some() {
            break;
        }
    }
    all
}

struct Search {
    rules: Rules,
    limits: Limits,
    rows: Rows,
    /// Every state, and how it was first reached.
    seen: IndexMap<World, Option<(usize, Step)>>,
    rest: Rest,
}

impl Search {
    fn run(&mut self) -> Option<Trace> {
        let world = self.start();
        self.seen.insert(world, None);
        let mut place = 0;
        while place < self.seen.len() && self.seen.len() < self.limits.states {
            if let Some(trace) = self.visit(place) {
                return Some(trace);
            }
            place += 1;
        }
        None
    }

    /// The world just after the create was accepted.
    fn start(&mut self) -> World {
        let ttl = self.limits.ttl;
        let row = self.rows.created(ttl);
        World {
            now: 0,
            row,
            name: NameItem { holder: 0, taken: true, live_until: ttl },
            rivals: 0,
            task: None,
            tasks: 0,
            launches: [None, Some(row)],
            reaps: false,
            events: [0; 3],
            actors: [Actor::default(); 7],
            told: 0,
            left: Left {
                faults: self.limits.faults,
                duplicates: self.limits.duplicates,
                refusals: self.limits.refusals,
                commands: self.limits.commands,
                creates: self.limits.creates,
                reads: self.limits.reads,
            },
        }
    }

    fn visit(&mut self, place: usize) -> Option<Trace> {
        let (world, _) = self.seen.get_index(place)?;
        let world = world.clone();
        for edge in Steps::of(&mut self.rows, self.rules, &self.limits, &world) {
            if let Some(broken) = invariants::broken(&self.rows, &world, &edge.world) {
                let mut trace = self.trace(place, broken);
                trace.steps.push(self.line(edge.step, &edge.world));
                return Some(trace);
            }
            if let Entry::Vacant(new) = self.seen.entry(edge.world) {
                new.insert(Some((place, edge.step)));
            }
        }
        if !world.is_quiet() {
            return None;
        }
        let (invariant, rest) = self.rest.broken(&mut self.rows, self.rules, &world)?;
        let mut trace = self.trace(place, invariant);
        trace.steps.extend(rest.iter().map(|(step, world)| self.line(*step, world)));
        Some(trace)
    }

    /// How the state at this place was reached.
    fn trace(&self, mut place: usize, invariant: &str) -> Trace {
        let mut steps = Vec::new();
        while let Some((world, Some((from, step)))) = self.seen.get_index(place) {
            steps.push(self.line(*step, world));
            place = *from;
        }
        steps.reverse();
        Trace { invariant: invariant.to_owned(), steps }
    }

    fn line(&self, step: Step, world: &World) -> String {
        let task = world.task.map_or_else(|| "no task".to_owned(), |task| format!("task {:?}", task.phase));
        let row = words(self.rows.get(world.row));
        format!("{:>4} s  {} {}  [{row}; {task}]", world.now, step.who, step.what)
    }
}
