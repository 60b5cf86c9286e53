//! Costs in instructions: an instruction takes one nanosecond of virtual time, so the guest's counter counts
//! instructions.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use model::{Arch, Capability, Class, Place};
use oft::Id;
use runners::{Control, Icount};
use wire::{Answer, Op};

use dtb_gen::Value;

use crate::arch::NOW;
use crate::case::expect::Expect;
use crate::case::{Machine, Role};
use crate::observe::DomainObservation;
use crate::pipeline::Harness;
use crate::run_request::RunObserver;
use crate::scenario::{Domain, From, Line, Scenario};

/// Memory of the domain that is destroyed, in MiB.
pub const MIB: u64 = 64;
/// How often a domain is created and destroyed.
pub const CYCLES: u32 = 300;

/// The cost of creating and destroying domains.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Life {
    /// Instructions to clear [`MIB`] of memory.
    pub clear: u64,
    /// Instructions to destroy a domain that has as much memory.
    pub destroy: u64,
    /// Wall time of a run in which a domain is created and destroyed [`CYCLES`] times.
    pub cycles: Duration,
}

impl Life {
    /// Returns the cost of destroying a domain relative to the cost of clearing its memory.
    pub fn ratio(&self) -> f64 {
        self.destroy as f64 / self.clear as f64
    }
}

/// Counts instructions from reset to the first answer of a single domain.
pub fn boot(harness: &Harness) -> Result<u64> {
    let (seen, _) = run(
        harness,
        &lone(harness, Role::Guest, &[NOW.to_owned()])?,
        true,
    )?;
    instant(first(&seen)?, 0)
}

/// Counts the instructions of a control domain's hypercalls; none if no domain of the subject can create others at run
/// time.
pub fn life(harness: &Harness) -> Result<Option<Life>> {
    let needs = [
        Capability::ControlDomain,
        Capability::RuntimeCreate,
        Capability::Destroy,
    ];
    if !harness.profile().capabilities.missing(&needs).is_empty() {
        return Ok(None);
    }
    let (seen, _) = run(harness, &lone(harness, Role::Control, &twice())?, true)?;
    let seen = first(&seen)?;
    for step in [3, 5, 7, 9, 11, 13] {
        succeeded(seen, step)?;
    }
    let since = |before, after| span(seen, before, after);
    // Each span includes the printing of two answers.
    let answers = since(0, 2)?;
    // Memory that a domain had is cleared when the domain goes, so only the first of these two clears it.
    let clear = since(4, 6)?.saturating_sub(since(10, 12)?);
    let destroy = since(6, 8)?.saturating_sub(answers);
    if clear == 0 {
        bail!(
            "the first use of memory costs no more than the second, so the cost of clearing is unknown"
        );
    }

    let cycles = [
        format!("loop {CYCLES} 2"),
        create(),
        "hv destroy 9".to_owned(),
    ];
    let (seen, cycles) = run(harness, &lone(harness, Role::Control, &cycles)?, false)?;
    for op in 0..3 {
        succeeded(first(&seen)?, op)?;
    }
    Ok(Some(Life {
        clear,
        destroy,
        cycles,
    }))
}

fn create() -> String {
    format!("hv create 9 {} 1 32", MIB * 1024)
}

/// Creates and destroys a domain twice, with all its memory in whole blocks, and reads the time around each step.
fn twice() -> Vec<String> {
    let blocks = MIB / 2;
    let populate = format!("hv populate 9 0x40000 9 {blocks}");
    let steps = [create(), populate, "hv destroy 9".to_owned()];
    let mut ops = vec![NOW.to_owned(); 3];
    for step in steps.iter().chain(&steps) {
        ops.extend([step.clone(), NOW.to_owned()]);
    }
    ops
}

/// The observations of a run, by domain number.
pub(super) type Said = BTreeMap<u8, DomainObservation>;

/// Runs a scenario; returns the observations of its domains and the wall time.
pub(super) fn run(
    harness: &Harness,
    scenario: &Scenario,
    counting: bool,
) -> Result<(Said, Duration)> {
    let (_, mut request) = harness.prepare(scenario)?;
    if counting {
        request.icount = Some(Icount {
            shift: 0,
            sleep: false,
        });
    }
    let mut observer = RunObserver::new(scenario, harness.nonce(scenario));
    let outcome = runners::run(&request, &mut observer)?;
    let took = outcome.timing.total;
    Ok((observer.close(outcome).domains, took))
}

pub(super) fn first(said: &Said) -> Result<&DomainObservation> {
    let first = said.first_key_value().map(|(_, domain)| domain);
    first.context("no domain ran")
}

/// Returns the time that an operation read, in nanoseconds, each of which is an instruction.
pub(super) fn instant(domain: &DomainObservation, op: u16) -> Result<u64> {
    match (domain.answers.get(&op), domain.frequency) {
        (Some(Answer::Value(ticks)), Some(frequency)) if frequency > 0 => {
            let nanoseconds = u128::from(*ticks) * 1_000_000_000 / u128::from(frequency);
            u64::try_from(nanoseconds).context("the counter is beyond any run")
        }
        (answer, _) => bail!("the counter cannot be read: {answer:?}"),
    }
}

/// Returns the time between two operations that read it.
pub(super) fn span(domain: &DomainObservation, before: u16, after: u16) -> Result<u64> {
    Ok(instant(domain, after)?.saturating_sub(instant(domain, before)?))
}

pub(super) fn succeeded(domain: &DomainObservation, op: u16) -> Result<()> {
    match domain.answers.get(&op) {
        Some(Answer::Value(0)) => Ok(()),
        answer => bail!("hypercall of operation {op}: {answer:?}"),
    }
}

/// Builds a scenario of a single domain that runs `ops`.
fn lone(harness: &Harness, role: Role, ops: &[String]) -> Result<Scenario> {
    scenario(harness, vec![domain(harness, 1, role, ops)?])
}

/// Builds a domain that runs `ops`.
pub(super) fn domain(harness: &Harness, number: u8, role: Role, ops: &[String]) -> Result<Domain> {
    // The control domain is either an ordinary one with a privilege, or the first of all domains.
    let control = (role == Role::Control).then_some(harness.profile().control);
    let (number, extra) = match control {
        None => (number, Vec::new()),
        Some(Control::Capabilities) => (
            number,
            vec![("capabilities".to_owned(), Value::Cells(vec![1]))],
        ),
        Some(Control::Dom0) => (0, Vec::new()),
    };
    let lines = ops.iter().map(|op| {
        Ok(Line {
            op: op.parse::<Op>().with_context(|| op.clone())?,
            expect: Expect::Any,
            from: From::Case,
            said: None,
        })
    });
    Ok(Domain {
        role,
        extra,
        lines: lines.collect::<Result<_>>()?,
        ..Domain::plain(format!("d{number}"), number, 0x4000_0000)
    })
}

/// Builds a scenario of these domains.
pub(super) fn scenario(harness: &Harness, domains: Vec<Domain>) -> Result<Scenario> {
    Ok(Scenario {
        clause: None,
        place: Place::default(),
        id: "benchmark".to_owned(),
        case: Id::new("XenValTestCase", "benchmark", 1).context("a well formed id")?,
        title: "what something costs".to_owned(),
        covers: Vec::new(),
        class: Class::Positive,
        arch: Arch::default(),
        level: model::Level::default(),
        needs: Vec::new(),
        note: None,
        machine: Machine::default(),
        board: harness.board(),
        lacking: Vec::new(),
        added: Vec::new(),
        pci: None,
        arguments: Vec::new(),
        host: Vec::new(),
        passthrough: None,
        domains,
        outside: Vec::new(),
        iommu_events: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The operations whose answers are used are those that read the time, and each step is between two of them.
    #[test]
    fn times_stand_around_every_step() {
        let ops = twice();
        for at in [0, 2, 4, 6, 8, 10, 12, 14] {
            assert_eq!(ops[at], NOW, "{at}");
        }
        assert_eq!(ops[5], ops[11]);
        assert!(ops[7].starts_with("hv destroy") && ops[5].starts_with("hv populate"));
        assert!(ops.iter().all(|op| op.parse::<Op>().is_ok()));
    }
}
