//! Costs of the suite as ratios to an empty start of the same machine, taken in one run, and of booting a domain in
//! instructions.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use runners::Icount;
use wire::Answer;

use crate::case::expect::Expect;
use crate::case::{Arch, Class, Machine, Role};
use crate::pipeline::{Rig, run_all};
use crate::rig::Conductor;
use crate::scenario::{Domain, Fate, From, Line, Scenario};

/// A case may cost this many empty starts.
pub const CASE_BAR: f64 = 2.0;
/// The run as a whole may cost this many empty starts a scenario, shared by the jobs.
pub const SUITE_BAR: f64 = 1.5;

/// What was measured.
#[derive(Clone, Debug)]
pub struct Figures {
    empty: Duration,
    case: Duration,
    suite: Duration,
    scenarios: usize,
    jobs: usize,
    instructions: u64,
}

impl Figures {
    fn case_ratio(&self) -> f64 {
        self.case.as_secs_f64() / self.empty.as_secs_f64()
    }

    fn suite_ratio(&self) -> f64 {
        let ideal = self.empty.as_secs_f64() * self.scenarios as f64 / self.jobs as f64;
        self.suite.as_secs_f64() / ideal
    }

    /// Tells whether both ratios are within their bars.
    pub fn within_bars(&self) -> bool {
        self.case_ratio() <= CASE_BAR && self.suite_ratio() <= SUITE_BAR
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = |time: Duration| time.as_secs_f64() * 1000.0;
        let (case, suite) = (self.case_ratio(), self.suite_ratio());
        writeln!(
            f,
            "empty start, median            {:8.1} ms",
            millis(self.empty)
        )?;
        writeln!(
            f,
            "one case, median               {:8.1} ms   {case:.2} empty starts (bar {CASE_BAR})",
            millis(self.case)
        )?;
        writeln!(
            f,
            "whole run of {:4} scenarios    {:8.1} ms   {suite:.2} empty starts a scenario and job, {} jobs (bar {SUITE_BAR})",
            self.scenarios,
            millis(self.suite),
            self.jobs
        )?;
        writeln!(
            f,
            "reset to a domain's first answer {:>6} instructions",
            self.instructions
        )
    }
}

/// Measures: `rounds` empty starts and cases in turn, the whole run once, the boot once.
pub fn measure(rig: &Rig, scenarios: &[Scenario], rounds: usize, jobs: usize) -> Result<Figures> {
    let judged: Vec<&Scenario> = scenarios
        .iter()
        .filter(|scenario| {
            rig.profile()
                .capabilities
                .missing(&scenario.needs)
                .is_empty()
        })
        .collect();
    if judged.is_empty() {
        bail!("the subject claims nothing that a scenario needs");
    }
    let (mut empties, mut cases) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        empties.push(runners::time_empty_start(&rig.profile().machine)?);
        // Every round takes another scenario, spread over the suite.
        let scenario = judged[round * judged.len() / rounds % judged.len()];
        // The first run of a machine asks it for its tree; that is paid once a run, not once a case.
        rig.prepare(scenario)?;
        cases.push(rig.run(scenario, None)?.took);
    }
    let began = Instant::now();
    let owned: Vec<Scenario> = judged.iter().map(|scenario| (*scenario).clone()).collect();
    run_all(rig, &owned, jobs, None, &|_, _| {})?;
    Ok(Figures {
        empty: median(empties),
        case: median(cases),
        suite: began.elapsed(),
        scenarios: owned.len(),
        jobs,
        instructions: instructions(rig)?,
    })
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// Counts instructions from reset to the first answer of a lone domain: with one nanosecond of virtual time an
/// instruction, the physical counter tells.
fn instructions(rig: &Rig) -> Result<u64> {
    let scenario = lone_domain();
    let (_, mut request) = rig.prepare(&scenario)?;
    request.icount = Some(Icount {
        shift: 0,
        sleep: false,
    });
    let mut conductor = Conductor::new(&scenario, rig.nonce(&scenario));
    let outcome = runners::run(&request, &mut conductor)?;
    let seen = conductor.close(outcome);
    let domain = seen
        .domains
        .get(&1)
        .context("the lone domain did not run")?;
    match (domain.answers.get(&0), domain.frequency) {
        (Some(Answer::Value(ticks)), Some(frequency)) if frequency > 0 => {
            let nanoseconds = u128::from(*ticks) * 1_000_000_000 / u128::from(frequency);
            u64::try_from(nanoseconds).context("the counter is beyond any run")
        }
        (answer, _) => bail!("the physical counter cannot be read: {answer:?}"),
    }
}

fn lone_domain() -> Scenario {
    let op = "mrs cntpct_el0".parse().expect("a well formed operation");
    Scenario {
        id: "boot".to_owned(),
        case: crate::requirement::id::Id::new("XenValTestCase", "boot", 1)
            .expect("a well formed id"),
        title: "one domain, one answer".to_owned(),
        covers: Vec::new(),
        class: Class::Positive,
        arch: Arch::Aarch64,
        needs: Vec::new(),
        note: None,
        machine: Machine::default(),
        host: Vec::new(),
        passthrough: None,
        domains: vec![Domain {
            name: "dA".to_owned(),
            number: 1,
            role: Role::Guest,
            child: None,
            banks: Vec::new(),
            direct: false,
            memory_kib: None,
            ram: 0x4000_0000,
            cpus: 1,
            vpl011: true,
            nr_spis: None,
            extra: Vec::new(),
            partial: None,
            lines: vec![Line {
                op,
                expect: Expect::Any,
                from: From::Case,
            }],
            tree: Vec::new(),
            fate: Fate::Runs,
        }],
        outside: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ratios are what the bars are about: a run at the bar passes, one beyond it does not.
    #[test]
    fn ratios_decide() {
        let at = |case: u64, suite: u64| Figures {
            empty: Duration::from_millis(40),
            case: Duration::from_millis(case),
            suite: Duration::from_millis(suite),
            scenarios: 100,
            jobs: 2,
            instructions: 1,
        };
        assert!(at(80, 3000).within_bars());
        assert!(!at(81, 3000).within_bars());
        assert!(!at(80, 3001).within_bars());
    }
}
