//! Proves the promises: runs the simulator, the fault points, the reference model and the model check, and prints what
//! they found in lines of `name: value`. It exits with 0 only if nothing failed and every planted bug was caught.

mod crowd;
mod parts;
mod replay;

use std::{
    process::ExitCode,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use clap::Parser;
use modbox_tests::sim::Plan;

/// Proves that nothing leaks and nothing is lost, as far as a machine without AWS can. RELIABILITY.md explains the
/// figures.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many seeds the simulator runs
    #[arg(long, default_value_t = 2000)]
    seeds: u64,
    /// How many seconds at most it begins new seeds
    #[arg(long)]
    seconds: Option<u64>,
    /// The first seed; the clock draws it otherwise
    #[arg(long)]
    from: Option<u64>,
    /// Runs this seed alone, prints what happens in it, and makes it smaller if it fails
    #[arg(long)]
    seed: Option<u64>,
    /// Runs a plan alone, as a failing run prints it
    #[arg(long, conflicts_with = "seed")]
    plan: Option<Plan>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(plan) = arguments.plan.or_else(|| arguments.seed.map(Plan::seed)) {
        return replay::replay(&plan);
    }
    let from = arguments.from.unwrap_or_else(by_the_clock);
    let began = Instant::now();
    let within = arguments.seconds.map(Duration::from_secs);
    let mut report = parts::Report::default();
    parts::simulate(&mut report, from..from.saturating_add(arguments.seeds), within);
    parts::fault_points(&mut report);
    parts::reference_model(&mut report, from);
    parts::model_check(&mut report);
    parts::mutants(&mut report);
    report.figure("seconds", began.elapsed().as_secs());
    if report.is_good() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[expect(
    clippy::disallowed_methods,
    reason = "whoever names no seed wants another one each time; it is printed"
)]
fn by_the_clock() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
