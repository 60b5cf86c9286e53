//! Costs counted in instructions: with one nanosecond of virtual time an instruction, the counter tells.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use model::Capability;
use runners::{Control, Icount};
use wire::{Answer, Op};

use crate::arch::NOW;
use crate::case::expect::Expect;
use crate::case::{Machine, Role};
use crate::observe::DomainSeen;
use crate::pipeline::Rig;
use crate::rig::Conductor;
use crate::scenario::{Domain, Fate, From, Line, Scenario};
use model::{Arch, Class, Place};
use oft::Id;

/// Memory of the domain that is destroyed.
pub const MIB: u64 = 64;
/// How often a domain is made and destroyed.
pub const CYCLES: u32 = 300;

/// What making and destroying domains costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Life {
    /// Instructions to clear [`MIB`] of memory.
    pub clear: u64,
    /// Instructions to destroy a domain that has as much.
    pub destroy: u64,
    /// Wall time of a run in which a domain is made and destroyed [`CYCLES`] times.
    pub cycles: Duration,
}

impl Life {
    /// How much dearer than clearing its memory it is to destroy a domain.
    pub fn ratio(&self) -> f64 {
        self.destroy as f64 / self.clear as f64
    }
}

/// Counts instructions from reset to the first answer of a lone domain.
pub fn boot(rig: &Rig) -> Result<u64> {
    let (seen, _) = run(rig, &lone(rig, Role::Guest, &[NOW.to_owned()])?, true)?;
    instant(first(&seen)?, 0)
}

/// Counts what a control domain's hypercalls cost; none where the subject lets nobody make domains at run time.
pub fn life(rig: &Rig) -> Result<Option<Life>> {
    let needs = [
        Capability::ControlDomain,
        Capability::RuntimeCreate,
        Capability::Destroy,
    ];
    if !rig.profile().capabilities.missing(&needs).is_empty() {
        return Ok(None);
    }
    let (seen, _) = run(rig, &lone(rig, Role::Control, &twice())?, true)?;
    let seen = first(&seen)?;
    for step in [3, 5, 7, 9, 11, 13] {
        succeeded(seen, step)?;
    }
    let since = |before, after| span(seen, before, after);
    // Each span has the printing of two answers in it.
    let answers = since(0, 2)?;
    // Memory that somebody had is cleared when he goes, so only the first of these two clears it.
    let clear = since(4, 6)?.saturating_sub(since(10, 12)?);
    let destroy = since(6, 8)?.saturating_sub(answers);
    if clear == 0 {
        bail!(
            "memory costs its first owner no more than its second, so clearing it cannot be told"
        );
    }

    let cycles = [
        format!("loop {CYCLES} 2"),
        create(),
        "hv destroy 9".to_owned(),
    ];
    let (seen, cycles) = run(rig, &lone(rig, Role::Control, &cycles)?, false)?;
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

/// Twice the life of a domain with all its memory in whole blocks, with the time before and after each step.
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

/// What the domains of a run said, by number.
pub(super) type Said = BTreeMap<u8, DomainSeen>;

/// Runs a scenario; returns what its domains said and how long all took.
pub(super) fn run(rig: &Rig, scenario: &Scenario, counting: bool) -> Result<(Said, Duration)> {
    let (_, mut request) = rig.prepare(scenario)?;
    if counting {
        request.icount = Some(Icount {
            shift: 0,
            sleep: false,
        });
    }
    let mut conductor = Conductor::new(scenario, rig.nonce(scenario));
    let outcome = runners::run(&request, &mut conductor)?;
    let took = outcome.timing.total;
    Ok((conductor.close(outcome).domains, took))
}

pub(super) fn first(said: &Said) -> Result<&DomainSeen> {
    let first = said.first_key_value().map(|(_, domain)| domain);
    first.context("no domain ran")
}

/// Returns the time that an operation read, in nanoseconds, which are instructions.
pub(super) fn instant(domain: &DomainSeen, op: u16) -> Result<u64> {
    match (domain.answers.get(&op), domain.frequency) {
        (Some(Answer::Value(ticks)), Some(frequency)) if frequency > 0 => {
            let nanoseconds = u128::from(*ticks) * 1_000_000_000 / u128::from(frequency);
            u64::try_from(nanoseconds).context("the counter is beyond any run")
        }
        (answer, _) => bail!("the counter cannot be read: {answer:?}"),
    }
}

/// Returns the time from one operation that read it to a later one.
pub(super) fn span(domain: &DomainSeen, before: u16, after: u16) -> Result<u64> {
    Ok(instant(domain, after)?.saturating_sub(instant(domain, before)?))
}

pub(super) fn succeeded(domain: &DomainSeen, op: u16) -> Result<()> {
    match domain.answers.get(&op) {
        Some(Answer::Value(0)) => Ok(()),
        answer => bail!("hypercall of operation {op}: {answer:?}"),
    }
}

/// A scenario of nothing but one domain, which does what it is told.
fn lone(rig: &Rig, role: Role, ops: &[String]) -> Result<Scenario> {
    scenario(vec![domain(rig, 1, role, ops)?])
}

/// A domain that does what it is told.
pub(super) fn domain(rig: &Rig, number: u8, role: Role, ops: &[String]) -> Result<Domain> {
    // The control domain is either an ordinary one with a privilege, or the one that comes before all others.
    let control = (role == Role::Control).then_some(rig.profile().control);
    let (number, extra) = match control {
        None => (number, Vec::new()),
        Some(Control::Capabilities) => {
            (number, vec![("capabilities".to_owned(), "<1>".to_owned())])
        }
        Some(Control::Dom0) => (0, Vec::new()),
    };
    let lines = ops.iter().map(|op| {
        Ok(Line {
            op: op.parse::<Op>().with_context(|| op.clone())?,
            expect: Expect::Any,
            from: From::Case,
        })
    });
    Ok(Domain {
        name: format!("d{number}"),
        number,
        role,
        child: None,
        banks: Vec::new(),
        direct: false,
        memory_kib: None,
        ram: 0x4000_0000,
        cpus: 1,
        vpl011: true,
        guest_lines: None,
        extra,
        partial: None,
        pci: Vec::new(),
        lines: lines.collect::<Result<_>>()?,
        tree: Vec::new(),
        fate: Fate::Runs,
        otherwise: false,
    })
}

/// A scenario of these domains.
pub(super) fn scenario(domains: Vec<Domain>) -> Result<Scenario> {
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
        pci: None,
        arguments: Vec::new(),
        host: Vec::new(),
        passthrough: None,
        domains,
        outside: Vec::new(),
        events: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The operations that are read again are the ones that ask for the time, and each step stands between two.
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
