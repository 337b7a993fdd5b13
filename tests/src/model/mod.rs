//! The public API against a model of a hundred lines: random sequences of what several clients of two users do.

mod machine;
mod reference;

use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};
use proptest_state_machine::{ReferenceStateMachine as _, StateMachineTest as _};

use machine::Comparison;
use reference::Model;

/// How many acts a sequence has.
const ACTS: std::ops::RangeInclusive<usize> = 1..=30;
/// How many shorter sequences are tried once one fails.
const SHRINKS: u32 = 2_000;

/// Runs that many sequences, the same for the same seed; of one that fails, says the shortest that was found.
///
/// It builds a runtime for each sequence, so it must not be called within one.
pub fn run(cases: u32, seed: u64) -> Result<(), String> {
    let config = Config { cases, failure_persistence: None, max_shrink_iters: SHRINKS, ..Config::default() };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(config.clone(), rng);
    let outcome = runner.run(&Model::sequential_strategy(ACTS), |(model, acts, seen)| {
        Comparison::test_sequential(config.clone(), model, acts, seen);
        Ok(())
    });
    outcome.map_err(|error| match error {
        TestError::Abort(reason) => format!("seed {seed}: {reason}"),
        TestError::Fail(reason, (_, acts, _)) => {
            let acts: String = acts.iter().map(|act| format!("\n  {act:?}")).collect();
            format!("seed {seed}: {reason}\nthe shortest sequence that shows it:{acts}")
        }
    })
}
