//! The parts of the proof, each with its figures.

use std::{
    ops::Range,
    sync::Mutex,
    time::{Duration, Instant},
};

use modbox_check::{Rule, Rules};
use modbox_tests::{
    model,
    sim::{self, Caught, Figures, Mutant, Plan},
};

use crate::{crowd, replay};

/// How many fault points there were; there may only be more.
const FAULT_POINTS: usize = 1054;
/// How many sequences the reference model tries.
const MODEL_CASES: u32 = 256;
/// How many of them are tried by one thread, from a seed of their own.
const CASES_AT_ONCE: u32 = 32;
/// How many states the model check must find, so that it is of any use.
const STATES: usize = 10_000;
/// How many bugs are planted at least.
const MUTANTS: usize = 40;
/// How many decisions of a caught bug may be left.
const CHOICES_LEFT: usize = 30;

/// The figures, printed as they come.
#[derive(Debug, Default)]
pub struct Report {
    failed: bool,
}

impl Report {
    pub fn figure(&mut self, name: &str, value: impl TryInto<u64>) {
        println!("{name}: {}", value.try_into().unwrap_or(u64::MAX));
    }

    /// A figure that must be 0.
    fn failures(&mut self, name: &str, count: usize) {
        self.figure(name, count);
        self.failed |= count > 0;
    }

    /// A figure that must be at least that.
    fn least(&mut self, name: &str, value: usize, least: usize) {
        self.figure(name, value);
        if value < least {
            eprintln!("{name} was {least} at least before");
            self.failed = true;
        }
    }

    pub fn is_good(&self) -> bool {
        !self.failed
    }
}

/// Runs seeds, as many as there are and as begin within that time.
pub fn simulate(report: &mut Report, seeds: Range<u64>, within: Option<Duration>) {
    report.figure("first_seed", seeds.start);
    let (began, figures) = (Instant::now(), Mutex::new((0, Figures::default())));
    let seeds: Vec<u64> = seeds.collect();
    let failed = crowd::each(&seeds, |seed| {
        if within.is_some_and(|within| began.elapsed() >= within) {
            return None;
        }
        let outcome = sim::run(&Plan::seed(*seed), None);
        let mut figures = figures.lock().expect("no run panics while it adds up");
        *figures = (figures.0 + 1, figures.1.with(outcome.figures));
        outcome.violation.map(|violation| {
            eprintln!("seed {seed}: {violation}\n{}", replay::command(&Plan::only(*seed, outcome.made)));
        })
    });
    let (runs, figures) = figures.into_inner().expect("no run panics while it adds up");
    report.figure("seeds", runs);
    report.failures("seeds_failed", failed.iter().flatten().count());
    for (name, value) in [
        ("simulated_calls", figures.calls),
        ("simulated_faults", figures.faults),
        ("simulated_tasks", figures.tasks),
        ("row_changes", figures.changes),
        ("ticks_to_rest_most", figures.ticks_to_rest),
        ("late_by_sidecar_most_ms", millis(figures.latest_by_sidecar)),
        ("late_by_schedule_most_ms", millis(figures.latest_known)),
        ("late_otherwise_most_ms", millis(figures.latest)),
        ("rows_removed", figures.rows_removed),
        ("seeds_seconds", began.elapsed().as_secs()),
    ] {
        report.figure(name, value);
    }
}

/// Fails each call of each use case before and after its effect, and kills its function there.
pub fn fault_points(report: &mut Report) {
    let points = sim::points();
    report.least("fault_points", points.len(), FAULT_POINTS);
    let runs: Vec<_> = points.iter().flat_map(sim::Point::runs).collect();
    let failed = crowd::each(&runs, |plan| {
        let violation = sim::run(plan, None).violation?;
        eprintln!("{violation}\n{}", replay::command(plan));
        Some(())
    });
    report.figure("fault_point_runs", runs.len());
    report.failures("fault_points_failed", failed.iter().flatten().count());
}

/// Holds the API against the reference model.
pub fn reference_model(report: &mut Report, seed: u64) {
    let seeds: Vec<u64> =
        (0..u64::from(MODEL_CASES / CASES_AT_ONCE)).map(|part| seed.wrapping_add(part)).collect();
    let failed = crowd::each(&seeds, |seed| {
        let why = model::run(CASES_AT_ONCE, *seed).err()?;
        eprintln!("the model, {CASES_AT_ONCE} cases from seed {seed}: {why}");
        Some(())
    });
    report.figure("model_cases", MODEL_CASES);
    report.failures("model_cases_failed", failed.iter().flatten().count());
}

/// Searches every order of every step of the small worlds.
pub fn model_check(report: &mut Report) {
    let outcome = modbox_check::explore_all(Rules::all());
    if let Some(trace) = &outcome.violation {
        eprintln!("{trace}");
    }
    report.least("states_explored", outcome.states, STATES);
    let holds = outcome.violation.is_none() && outcome.is_complete;
    report.failures("states_failed", usize::from(!holds));
}

/// Plants each bug, and has the suite catch it.
pub fn mutants(report: &mut Report) {
    let caught = crowd::each(Mutant::ALL, |mutant| (*mutant, sim::catch(*mutant, CHOICES_LEFT)));
    let rules = crowd::each(&Rule::ALL, |rule| {
        let found = modbox_check::explore_all(Rules::without(*rule)).violation.is_some();
        if !found {
            eprintln!("without {rule:?} the model check finds nothing");
        }
        found
    });
    let mut most = 0;
    for (mutant, caught) in &caught {
        match caught {
            None => eprintln!("{mutant:?} is not caught"),
            Some(Caught { plan, violation, .. }) => {
                let left = plan.only.as_ref().map_or(0, std::collections::BTreeMap::len);
                most = most.max(left);
                eprintln!("{mutant:?} is caught with {left} decisions left: {violation}");
            }
        }
    }
    let planted = caught.len() + rules.len();
    let found = caught.iter().filter(|(_, caught)| caught.is_some()).count()
        + rules.iter().filter(|found| **found).count();
    report.least("mutants_planted", planted, MUTANTS);
    report.figure("mutants_caught", found);
    report.figure("mutant_decisions_left_most", most);
    report.failures("mutants_failed", planted - found + usize::from(most > CHOICES_LEFT));
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
