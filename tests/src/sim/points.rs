//! Exhaustive fault points: in each use case, each call of AWS fails before and after its effect, alone and with all
//! that follow, and its function is killed there, before and after; everything is delivered three times.

use super::{
    choice::{Made, Plan},
    run::run,
};

/// The seed of the runs; it draws nothing but ids.
const SEED: u64 = 1;

/// The use cases, and what each takes: decisions of clients and tasks alone.
const CASES: [(&str, &str); 17] = [
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
    ("expire by the TTL", "op01=2,task1.deadline=1,schedule.out=1,op02=16,op02.gap=6"),
    ("extend and read at the deadline", "op01=18,op01.when=1"),
    ("end by itself", "op01=1,task1.exit=1"),
    ("cannot start", "op01=1,task1.start=4"),
    ("start too late", "op01=1,task1.start=3,op13=16,op13.gap=5,op14=16,op14.gap=5,op15=16,op15.gap=5"),
];

/// What happens at each point: the decision's suffix and value.
const FAULTS: [(&str, u32); 6] = [("", 1), ("", 2), ("", 3), ("", 4), ("!", 1), ("!", 2)];

/// A call of AWS, in a clean run of a use case.
#[derive(Clone, Debug)]
pub struct Point {
    base: Made,
    /// None: the clean run is not as it must be.
    call: Option<String>,
}

/// Finds the points: counts the calls that a clean run of each use case makes.
pub fn points() -> Vec<Point> {
    CASES.iter().flat_map(|(_, decisions)| of_case(decisions)).collect()
}

fn of_case(decisions: &str) -> Vec<Point> {
    // Three minutes for what follows, in which faults happen too.
    let made = format!("{SEED},{decisions},op16=16,all.thrice=1");
    let clean: Plan = made.parse().expect("a use case is a plan");
    let outcome = run(&clean, None);
    let base = clean.only.unwrap_or_default();
    if outcome.violation.is_some() {
        return vec![Point { base, call: None }];
    }
    outcome.points.into_iter().map(|call| Point { base: base.clone(), call: Some(call) }).collect()
}

impl Point {
    /// The runs in which this call meets each fault.
    pub fn runs(&self) -> Vec<Plan> {
        let Some(call) = &self.call else { return vec![Plan::only(SEED, self.base.clone())] };
        let fault = |(suffix, value): (&str, u32)| {
            let mut made = self.base.clone();
            made.insert(format!("{call}{suffix}"), value);
            Plan::only(SEED, made)
        };
        FAULTS.map(fault).to_vec()
    }
}
