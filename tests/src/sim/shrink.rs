//! Makes a failing run smaller: deletes decisions, then lowers those that are left.

use super::{
    choice::{Made, Plan},
    mutant::Mutant,
    run::{Outcome, run},
};

/// A smaller run that still fails.
#[derive(Clone, Debug)]
pub struct Shrunk {
    pub plan: Plan,
    pub outcome: Outcome,
    /// How many runs it took.
    pub runs: usize,
}

/// Makes a failing run smaller until no decision can be left out, or until at most `enough` are left.
pub fn shrink(seed: u64, failed: Outcome, mutant: Option<Mutant>, enough: usize) -> Shrunk {
    let mut search = Search { seed, mutant, best: failed, runs: 0, enough };
    let mut size = search.best.made.len().div_ceil(2);
    while size > 0 && !search.is_enough() {
        if !search.delete(size) || size == 1 {
            size /= 2;
        }
    }
    if enough == 0 {
        search.lower();
    }
    Shrunk { plan: Plan::only(seed, search.best.made.clone()), outcome: search.best, runs: search.runs }
}

struct Search {
    seed: u64,
    mutant: Option<Mutant>,
    best: Outcome,
    runs: usize,
    enough: usize,
}

impl Search {
    fn is_enough(&self) -> bool {
        self.best.made.len() <= self.enough
    }

    /// Tries to do without each span of that many decisions; says whether any went.
    fn delete(&mut self, size: usize) -> bool {
        let mut at = 0;
        let mut deleted = false;
        while at < self.best.made.len() && !self.is_enough() {
            let kept =
                self.best.made.iter().enumerate().filter(|(place, _)| !(at..at + size).contains(place));
            let kept: Made = kept.map(|(_, (name, value))| (name.clone(), *value)).collect();
            if self.fails(kept) {
                deleted = true;
            } else {
                at += size;
            }
        }
        deleted
    }

    fn lower(&mut self) {
        for (name, value) in self.best.made.clone() {
            for lower in 1..value {
                let mut made = self.best.made.clone();
                made.insert(name.clone(), lower);
                if self.fails(made) {
                    break;
                }
            }
        }
    }

    /// Whether a run of these decisions fails too, and is no larger; then it is the best so far.
    fn fails(&mut self, made: Made) -> bool {
        self.runs += 1;
        let outcome = run(&Plan::only(self.seed, made), self.mutant);
        let better = outcome.violation.is_some() && outcome.made.len() <= self.best.made.len();
        if better {
            self.best = outcome;
        }
        better
    }
}

/// A planted bug that was caught.
#[derive(Clone, Debug)]
pub struct Caught {
    /// A small run that shows it.
    pub plan: Plan,
    pub violation: String,
    /// How many runs it took to meet it.
    pub seeds: u64,
}

/// How many seeds a planted bug has to be caught by.
const SEEDS: u64 = 400;

/// Runs seeds until one shows the bug and can be made smaller until at most `enough` decisions are left.
pub fn catch(mutant: Mutant, enough: usize) -> Option<Caught> {
    (1..=SEEDS).find_map(|seed| {
        let outcome = run(&Plan::seed(seed), Some(mutant));
        outcome.violation.as_ref()?;
        let small = shrink(seed, outcome, Some(mutant), enough);
        (small.outcome.made.len() <= enough).then_some(())?;
        // What fails without the bug does not show it.
        run(&small.plan, None).violation.is_none().then_some(())?;
        Some(Caught { plan: small.plan, violation: small.outcome.violation?, seeds: seed })
    })
}
