//! Measures the suite as ratios to an empty start of the same machine, within one run; and the subject in instructions:
//! for booting a domain, and for creating and destroying one.

use std::fmt;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::pipeline::{Harness, run_all};
use crate::scenario::Scenario;

mod instruction_counts;
mod iommu_devices;
mod pci_functions;

use instruction_counts::Life;
use iommu_devices::Protected;
use pci_functions::Functions;

/// A case may take this many empty starts.
pub const CASE_BAR: f64 = 2.0;
/// The whole run may take this many empty starts per scenario, divided by the jobs.
pub const SUITE_BAR: f64 = 1.5;

/// Destroying a domain may take this many times the cost of clearing its memory.
pub const DESTROY_BAR: f64 = 2.0;
/// Creating and destroying a domain a few hundred times may take this long.
pub const CYCLES_BAR: Duration = Duration::from_secs(3);
/// Assigning one more device behind an IOMMU may take this many instructions.
pub const ASSIGN_BAR: u64 = 20_000;
/// Finding all PCI functions of the benchmark may take this many instructions.
pub const DISCOVERY_BAR: u64 = 10_000_000;
/// A read of configuration space by a domain may take this many instructions.
pub const CONFIGURATION_BAR: u64 = 3_000;
/// A device that only causes faults may slow another domain by this fraction.
pub const STORM_BAR: f64 = 0.1;

/// The measurements.
#[derive(Clone, Debug)]
pub struct Figures {
    empty: Duration,
    case: Duration,
    suite: Duration,
    scenarios: usize,
    jobs: usize,
    instructions: u64,
    /// If the subject creates and destroys domains at run time.
    life: Option<Life>,
    /// If the subject drives an IOMMU.
    protected: Option<Protected>,
    /// If the subject assigns PCI functions to domains.
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

    /// Tells whether all figures are within their limits.
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
                instruction_counts::MIB,
                life.destroy,
                life.ratio(),
                life.clear
            )?;
            writeln!(
                f,
                "{} times made and destroyed   {:8.1} ms, the whole run (bar {})",
                instruction_counts::CYCLES,
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
                iommu_devices::STORM,
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
                pci_functions::CROWD,
                functions.discovery
            )?;
            writeln!(
                f,
                "a read of configuration space  {:>8} instructions (bar {CONFIGURATION_BAR})",
                functions.configuration
            )?;
            writeln!(
                f,
                "a read of a BAR beyond memory  {:>8} instructions (bar 0)",
                functions.register
            )?;
        }
        Ok(())
    }
}

/// Measures: `rounds` empty starts and cases in turn, the whole run once, the boot once.
pub fn measure(
    harness: &Harness,
    scenarios: &[Scenario],
    rounds: usize,
    jobs: usize,
) -> Result<Figures> {
    let judged: Vec<&Scenario> = scenarios
        .iter()
        .filter(|scenario| {
            harness
                .profile()
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
            harness.profile().arch,
            &harness.profile().machine,
        )?);
        // Each round takes another scenario, spread over the suite.
        let scenario = judged[round * judged.len() / rounds % judged.len()];
        // The first run of a kind of machine asks QEMU for its tree; that cost occurs once a run, not once a case.
        harness.prepare(scenario)?;
        cases.push(harness.run(scenario, None)?.took);
    }
    let began = Instant::now();
    let owned: Vec<Scenario> = judged.iter().map(|scenario| (*scenario).clone()).collect();
    run_all(harness, &owned, jobs, None, &|_, _| {})?;
    Ok(Figures {
        empty: median(empties),
        case: median(cases),
        suite: began.elapsed(),
        scenarios: owned.len(),
        jobs,
        instructions: instruction_counts::boot(harness)?,
        life: instruction_counts::life(harness)?,
        protected: iommu_devices::protected(harness)?,
        functions: pci_functions::functions(harness)?,
    })
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The ratios decide: a run at the limit passes, one beyond it does not.
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
