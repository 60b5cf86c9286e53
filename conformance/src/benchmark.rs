//! Costs of the suite as ratios to an empty start of the same machine, taken in one run; and costs of the subject in
//! instructions: of booting a domain, and of making and destroying one.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::pipeline::{Rig, run_all};
use crate::scenario::Scenario;

mod counted;
mod functions;
mod protected;

use counted::Life;
use functions::Functions;
use protected::Protected;

/// A case may cost this many empty starts.
pub const CASE_BAR: f64 = 2.0;
/// The run as a whole may cost this many empty starts a scenario, shared by the jobs.
pub const SUITE_BAR: f64 = 1.5;

/// To destroy a domain may cost this many times what clearing its memory costs.
pub const DESTROY_BAR: f64 = 2.0;
/// To make and destroy a domain a few hundred times may take this long.
pub const CYCLES_BAR: Duration = Duration::from_secs(3);
/// To give a domain one more device behind an IOMMU may cost this many instructions.
pub const ASSIGN_BAR: u64 = 20_000;
/// To find as many PCI functions as are measured may cost this many instructions.
pub const DISCOVERY_BAR: u64 = 10_000_000;
/// A read in configuration space may cost a domain this many instructions.
pub const CONFIGURATION_BAR: u64 = 3_000;
/// A device that does nothing but fault may slow another domain by this part.
pub const STORM_BAR: f64 = 0.1;

/// What was measured.
#[derive(Clone, Debug)]
pub struct Figures {
    empty: Duration,
    case: Duration,
    suite: Duration,
    scenarios: usize,
    jobs: usize,
    instructions: u64,
    /// Where the subject makes and destroys domains at run time.
    life: Option<Life>,
    /// Where the subject drives an IOMMU.
    protected: Option<Protected>,
    /// Where the subject gives PCI functions to domains.
    functions: Option<Functions>,
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
        let life = self
            .life
            .as_ref()
            .is_none_or(|life| life.ratio() < DESTROY_BAR && life.cycles < CYCLES_BAR);
        let protected = self.protected.as_ref().is_none_or(|protected| {
            protected.assign < ASSIGN_BAR && protected.slowdown() <= STORM_BAR
        });
        let functions = self.functions.as_ref().is_none_or(|functions| {
            functions.discovery < DISCOVERY_BAR
                && functions.configuration < CONFIGURATION_BAR
                && functions.register == 0
        });
        let ratios = self.case_ratio() <= CASE_BAR && self.suite_ratio() <= SUITE_BAR;
        ratios && life && protected && functions
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
        )?;
        if let Some(life) = &self.life {
            writeln!(
                f,
                "destroying a domain of {} MiB  {:>8} instructions   {:.2} times clearing its memory, {} (bar {DESTROY_BAR})",
                counted::MIB,
                life.destroy,
                life.ratio(),
                life.clear
            )?;
            writeln!(
                f,
                "{} times made and destroyed   {:8.1} ms, the whole run (bar {})",
                counted::CYCLES,
                millis(life.cycles),
                CYCLES_BAR.as_millis()
            )?;
        }
        if let Some(protected) = &self.protected {
            writeln!(
                f,
                "a device behind an IOMMU given {:>7} instructions (bar {ASSIGN_BAR})",
                protected.assign
            )?;
            writeln!(
                f,
                "beside {} faults of a device, a loop takes {:+.1} % ({} instructions, {} without; bar {:.0} %)",
                protected::STORM,
                protected.slowdown() * 100.0,
                protected.storm,
                protected.calm,
                STORM_BAR * 100.0
            )?;
        }
        if let Some(functions) = &self.functions {
            writeln!(
                f,
                "finding {} PCI functions      {:>9} instructions (bar {DISCOVERY_BAR})",
                functions::CROWD,
                functions.discovery
            )?;
            writeln!(
                f,
                "a read of configuration space  {:>8} instructions (bar {CONFIGURATION_BAR})",
                functions.configuration
            )?;
            writeln!(
                f,
                "a read of a BAR beyond memory  {:>8} instructions, all in all (bar 0)",
                functions.register
            )?;
        }
        Ok(())
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
        empties.push(runners::time_empty_start(
            rig.profile().arch,
            &rig.profile().machine,
        )?);
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
        instructions: counted::boot(rig)?,
        life: counted::life(rig)?,
        protected: protected::protected(rig)?,
        functions: functions::functions(rig)?,
    })
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
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
            life: None,
            protected: None,
            functions: None,
        };
        assert!(at(80, 3000).within_bars());
        assert!(!at(81, 3000).within_bars());
        assert!(!at(80, 3001).within_bars());
        let with = |destroy, cycles| Figures {
            life: Some(Life {
                clear: 100,
                destroy,
                cycles: Duration::from_millis(cycles),
            }),
            ..at(80, 3000)
        };
        let stormy = |assign, storm| Figures {
            protected: Some(Protected {
                assign,
                calm: 1000,
                storm,
            }),
            ..at(80, 3000)
        };
        assert!(stormy(19_999, 1099).within_bars());
        assert!(!stormy(20_000, 1099).within_bars());
        assert!(!stormy(19_999, 1101).within_bars());
        let found = |discovery, configuration, register| Figures {
            functions: Some(Functions {
                discovery,
                configuration,
                register,
            }),
            ..at(80, 3000)
        };
        assert!(found(9_999_999, 2_999, 0).within_bars());
        assert!(!found(10_000_000, 2_999, 0).within_bars());
        assert!(!found(9_999_999, 3_000, 0).within_bars());
        assert!(!found(9_999_999, 2_999, 1).within_bars());
        assert!(with(199, 2999).within_bars());
        assert!(!with(200, 2999).within_bars());
        assert!(!with(199, 3000).within_bars());
    }
}
