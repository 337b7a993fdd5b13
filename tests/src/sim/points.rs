//! Exhaustive fault points: in each use case, each call of AWS fails before and after its effect, and its function is
//! killed there; everything is delivered three times.

use super::{
    choice::{Made, Plan},
    run::{Outcome, run},
};

/// The seed of the runs; it draws nothing but ids.
const SEED: u64 = 1;

/// A use case by name, and what it takes: decisions of clients and tasks alone.
const CASES: [(&str, &str); 13] = [
    ("create", "op01=1"),
    ("create with a key", "op01=3"),
    ("create twice with one key", "op01=4"),
    ("create, read and list", "op01=1,op02=5,op02.gap=3,op03=6,op04=7,op05=8"),
    ("wait", "op01=1,op02=9"),
    ("destroy", "op01=1,op02=10,op02.gap=3"),
    ("destroy at once", "op01=1,op02=10,op02.gap=1"),
    ("destroy by name and create anew", "op01=1,op02=15,op02.gap=3"),
    ("kill", "op01=1,op02=12,op02.gap=3"),
    ("extend", "op01=2,op02=13,op02.gap=3"),
    ("expire by the sidecar", "op01=2"),
    ("expire by the schedule", "op01=2,task1.deadline=1"),
    ("end by itself", "op01=1,task1.exit=1"),
];

/// What happens at each point: the decision's suffix and value.
const FAULTS: [(&str, u32); 4] = [("", 3), ("", 4), ("!", 1), ("!", 2)];

/// A call of AWS, in a use case, with one of the faults.
#[derive(Clone, Debug)]
pub struct Point {
    pub case: &'static str,
    pub plan: Plan,
}

/// Finds the points: counts the calls that a clean run of each use case makes. Four faults at each.
///
/// A clean run that is not as it must be is the one point of its use case.
pub fn points() -> Vec<Point> {
    CASES.iter().flat_map(|(case, decisions)| of_case(case, decisions)).collect()
}

fn of_case(case: &'static str, decisions: &str) -> Vec<Point> {
    // Three minutes for what follows, in which faults happen too.
    let made = format!("{SEED},{decisions},op16=16,all.thrice=1");
    let clean: Plan = made.parse().expect("a use case is a plan");
    let outcome = run(&clean, None);
    if outcome.violation.is_some() {
        return vec![Point { case, plan: clean }];
    }
    let base = clean.only.unwrap_or_default();
    let faults = outcome
        .points
        .iter()
        .flat_map(|name| FAULTS.map(|(suffix, value)| (format!("{name}{suffix}"), value)));
    faults.map(|fault| Point { case, plan: Plan::only(SEED, with(&base, fault)) }).collect()
}

fn with(base: &Made, (name, value): (String, u32)) -> Made {
    let mut made = base.clone();
    made.insert(name, value);
    made
}

impl Point {
    pub fn run(&self) -> Outcome {
        run(&self.plan, None)
    }
}
