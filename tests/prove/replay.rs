//! One run, shown.

use std::process::ExitCode;

use modbox_tests::sim::{self, Outcome, Plan};

/// Runs the plan and prints its trace; if it fails, the smallest plan that still does.
pub fn replay(plan: &Plan) -> ExitCode {
    let outcome = sim::run(plan, None);
    let Some(violation) = outcome.violation.clone() else {
        println!("{}\nnothing is wrong: {} decisions", outcome.trace, outcome.made.len());
        return ExitCode::SUCCESS;
    };
    println!("{violation}");
    let small = sim::shrink(plan.seed, outcome, None, 0);
    let Outcome { violation, trace, made, .. } = small.outcome;
    println!("after {} runs {} decisions are left:\n{trace}", small.runs, made.len());
    println!("{}\n{}", violation.unwrap_or_default(), command(&small.plan));
    ExitCode::FAILURE
}

/// The one command that shows a run again.
pub fn command(plan: &Plan) -> String {
    format!("cargo run --release -p modbox-tests --bin prove -- --plan '{plan}'")
}
