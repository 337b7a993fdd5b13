//! The simulator: what it finds, and that it can be relied on.

use std::{collections::BTreeSet, process::Command, thread};

use modbox_tests::sim::{self, Mutant, Plan};

#[test]
fn the_same_seed_is_the_same_run_byte_for_byte() {
    for seed in [3, 11, 19] {
        let [one, other] = [(); 2].map(|()| thread::spawn(move || sim::run(&Plan::seed(seed), None)));
        let (one, other) = (one.join().unwrap(), other.join().unwrap());
        assert!(one.trace.lines().count() > 50, "{}", one.trace);
        assert_eq!(one.trace, other.trace);
        assert_eq!(one.made, other.made);
    }
}

#[test]
fn the_first_run_of_a_process_is_as_every_later_one() {
    let later = [1, 2].map(|seed| sim::run(&Plan::seed(seed), None)).into_iter().last().unwrap();
    let first = Command::new(env!("CARGO_BIN_EXE_prove")).args(["--seed", "2"]).output().unwrap();
    let first = String::from_utf8(first.stdout).unwrap();
    assert_eq!(
        first.strip_suffix(&format!("\nnothing is wrong: {} decisions\n", later.made.len())),
        Some(&*later.trace)
    );
}

#[test]
fn a_run_is_replayed_from_its_decisions() {
    for seed in [5, 23] {
        let drawn = sim::run(&Plan::seed(seed), None);
        let text = Plan::only(seed, drawn.made.clone()).to_string();
        let again = sim::run(&text.parse().unwrap(), None);
        assert_eq!(drawn.trace, again.trace);
    }
}

#[test]
fn nothing_is_wrong_in_some_seeds() {
    for seed in 1_000..1_030 {
        let outcome = sim::run(&Plan::seed(seed), None);
        assert_eq!(outcome.violation, None, "seed {seed}");
    }
}

/// The api hangs while a sidecar asks it, shortly before the deadline.
#[test]
fn a_question_without_an_answer_makes_no_task_late() {
    let plan = "1795434066,op03=1,op03.after=1,op03.name=1,op04=1,op10=3,op11=2,op11.gap=3,op11.name=1,schedule.out=1,\
                task1.exit=1,task4.ask6/1=7,task4.ask6/3~=3,task4.sigterm=1";
    assert_eq!(sim::run(&plan.parse().unwrap(), None).violation, None);
}

#[test]
fn a_clean_run_of_each_use_case_is_as_it_must_be() {
    let points = sim::points();
    let plans: BTreeSet<String> =
        points.iter().flat_map(sim::Point::runs).map(|plan| plan.to_string()).collect();
    assert!(points.len() >= 100, "{}", points.len());
    assert_eq!(plans.len(), 6 * points.len(), "each point has six runs of its own");
}

#[test]
fn a_planted_bug_is_caught_and_made_small() {
    for mutant in [Mutant::NoClientToken, Mutant::StopSwallowed, Mutant::EndToldNotWritten] {
        let caught = sim::catch(mutant, 30).unwrap_or_else(|| panic!("{mutant:?} is not caught"));
        let left = caught.plan.only.clone().unwrap_or_default();
        assert!(left.len() <= 30, "{mutant:?}: {}", caught.plan);
        assert_eq!(sim::run(&caught.plan, Some(mutant)).violation, Some(caught.violation));
        assert_eq!(sim::run(&caught.plan, None).violation, None, "without the bug nothing is wrong");
    }
}

#[test]
fn a_failing_run_is_made_as_small_as_it_can_be() {
    let planted = Some(Mutant::NameNotTaken);
    let failed = (1..).map(|seed| (seed, sim::run(&Plan::seed(seed), planted)));
    let (seed, failed) = failed.into_iter().find(|(_, outcome)| outcome.violation.is_some()).unwrap();
    let small = sim::shrink(seed, failed, planted, 0).plan;
    let made = small.only.clone().unwrap();
    for (name, value) in &made {
        let mut without = made.clone();
        without.remove(name);
        assert_eq!(sim::run(&Plan::only(seed, without), planted).violation, None, "{small} without {name}");
        for lower in 1..*value {
            let lowered = made.clone().into_iter().chain([(name.clone(), lower)]).collect();
            let again = sim::run(&Plan::only(seed, lowered), planted);
            assert!(
                again.violation.is_none() || again.made.len() > made.len(),
                "{small} with {name}={lower}"
            );
        }
    }
}

#[test]
fn a_text_that_is_no_plan_is_refused() {
    for text in ["", "x", "1,a", "1,a=b", "1,=2,"] {
        assert!(text.parse::<Plan>().is_err(), "{text}");
    }
}
