//! Ten thousand rows are rendered quickly.

use std::time::{Duration, Instant};

use reports::view::Run;
use reports::{Look, SINKS};

#[path = "support/sample.rs"]
mod sample;

const ROWS: usize = 10_000;

fn large() -> Run {
    let mut run = sample::run();
    let pattern = run.requirements[0].cases[0].clone();
    let failing = run.requirements[2].cases[0].clone();
    for (index, requirement) in run.requirements.iter_mut().enumerate() {
        requirement.cases.clear();
        for number in 0..ROWS / 5 / 4 {
            let mut case = if number % 100 == 0 {
                failing.clone()
            } else {
                pattern.clone()
            };
            case.id = format!("XenValTestCase~{index}.{number}~1");
            case.scenarios
                .resize_with(4, || pattern.scenarios[0].clone());
            for (row, scenario) in case.scenarios.iter_mut().enumerate() {
                scenario.row.scenario = format!("{index}/{number}/{row}");
                scenario.evidence.console = scenario.evidence.console.repeat(8);
            }
            requirement.cases.push(case);
        }
    }
    run
}

#[test]
fn all_reports_of_ten_thousand_rows_take_less_than_a_second() {
    let run = large();
    assert_eq!(run.counts().total(), ROWS);
    let look = Look {
        colour: true,
        width: 100,
    };
    // The best of three: the machine may be busy with other tests.
    let best = (0..3).map(|_| {
        let start = Instant::now();
        let made = SINKS
            .iter()
            .flat_map(|sink| (sink.render)(&run, look).expect("it can be rendered"));
        let length: usize = made.map(|artifact| artifact.text.len()).sum();
        assert!(
            length > ROWS * 1000,
            "{length} bytes are too few for {ROWS} rows"
        );
        start.elapsed()
    });
    let best = best.min().expect("three times");
    println!("{ROWS} rows: {best:?}");
    assert!(best < Duration::from_secs(1), "{ROWS} rows took {best:?}");
}
