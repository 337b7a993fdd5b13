use modbox_tests::sim::*;
fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let began = std::time::Instant::now();
    match args[0].as_str() {
        "points" => {
            let all = points();
            println!("{} points in {:?}", all.len(), began.elapsed());
            let mut failed = 0;
            for point in &all {
                let o = point.run();
                if let Some(v) = o.violation {
                    failed += 1;
                    println!("{}: {v}\n   {}", point.case, point.plan);
                }
            }
            println!("{failed} failed in {:?}", began.elapsed());
            return;
        }
        "mutants" => {
            let from: u64 = args[1].parse().unwrap();
            let most: u64 = args[2].parse().unwrap();
            for mutant in Mutant::ALL {
                if let Some(which) = args.get(3) {
                    if format!("{mutant:?}") != *which {
                        continue;
                    }
                }
                let began = std::time::Instant::now();
                let found = (from..from + most).find_map(|seed| {
                    let o = run(&Plan::seed(seed), Some(*mutant));
                    o.violation.is_some().then_some((seed, o))
                });
                match found {
                    None => println!("{mutant:?} NOT caught in {most} {:?}", began.elapsed()),
                    Some((seed, o)) => {
                        let n = o.made.len();
                        let small = shrink(seed, o, Some(*mutant), 30);
                        println!(
                            "{mutant:?} caught by {seed} ({} after) {:?}; {n} -> {} in {} runs {:?}",
                            seed - from + 1,
                            began.elapsed(),
                            small.outcome.made.len(),
                            small.runs,
                            small.outcome.violation
                        );
                    }
                }
            }
            return;
        }
        _ => {}
    }
    let plan: Plan = args[0].parse().unwrap();
    let count: u64 = args.get(1).map_or(1, |text| text.parse().unwrap());
    let mut failed = 0;
    let mut figures = Figures::default();
    for seed in plan.seed..plan.seed + count {
        let plan = Plan { seed, ..plan.clone() };
        let outcome = run(&plan, None);
        figures = figures.with(outcome.figures);
        if count == 1 {
            println!("{}", outcome.trace);
            println!("{:?}", outcome.figures);
        }
        if let Some(v) = outcome.violation {
            failed += 1;
            println!("seed {seed}: {v} ({} choices)", outcome.made.len());
            if count == 1 && args.len() > 2 {
                let small = shrink(seed, run(&plan, None), None, 0);
                println!(
                    "{}\n{:?}\n{} in {} runs",
                    small.outcome.trace, small.outcome.violation, small.plan, small.runs
                );
            }
        }
    }
    println!("{failed} of {count} failed in {:?}: {figures:?}", began.elapsed());
}
