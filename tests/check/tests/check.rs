//! The exhaustive check of the protocol: the rules hold, and none of rules 3, 4, 5 and 7 can be left out.

use modbox_check::{Limits, Rule, Rules, explore, explore_all};

#[test]
fn no_order_of_steps_breaks_an_invariant() {
    let outcome = explore_all(Rules::all());
    println!("states_explored: {}, on the ways to rest: {}", outcome.states, outcome.states_to_rest);
    if let Some(trace) = outcome.violation {
        panic!("{trace}");
    }
    assert!(outcome.is_complete, "the search ended at its limit");
    assert!(outcome.states >= 10_000, "{} states are too few", outcome.states);
}

#[test]
fn no_rule_of_the_spine_can_be_left_out() {
    for rule in Rule::ALL {
        let outcome = explore_all(Rules::without(rule));
        let trace = outcome.violation.unwrap_or_else(|| panic!("nothing breaks without {rule:?}"));
        println!("without {rule:?} (rule {}), found after {} states\n{trace}", rule.number(), outcome.states);
    }
}

/// DynamoDB has no clock: it takes an extension that was decided in time and comes late. That is harmless only because
/// nobody was told of an end that was not written.
#[test]
fn an_extension_that_is_written_late_brings_back_what_was_told_to_be_over_unless_that_was_written() {
    let told = explore(Rules::without(Rule::WriteEndBeforeTelling), &Limits::READS);
    let trace = told.violation.expect("it is found");
    assert_eq!(trace.invariant, "what a client reads never goes backwards", "{trace}");
}
