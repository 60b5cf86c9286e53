//! Starts of machines that only pretend.

use std::cell::RefCell;
use std::rc::Rc;
use std::string::String;
use std::vec::Vec;

use super::*;
use crate::hal::Interrupt;
use crate::hal::fake::Fake;
use crate::vm::tests::rig::{GPIO_AT, Rig, gpio, low, rtc, span};
use crate::vm::tests::tree::Tree;

mod memory;
mod order;

/// A machine before the start: what the tests' rig has loaded, and what goes wrong.
struct Bare {
    machine: Fake,
    about: assign::Machine,
    /// What was done, in order.
    steps: Rc<RefCell<Vec<String>>>,
    /// What fails.
    broken: &'static str,
}

impl Bare {
    fn new(rig: &Rig) -> Self {
        let mut machine = Fake::new();
        machine.windows = Vec::new();
        for (at, bytes) in &rig.memory {
            machine.load(*at, bytes);
        }
        Self {
            machine,
            about: rig.machine.clone(),
            steps: Rc::default(),
            broken: "",
        }
    }

    /// Notes a step, which may be the one that fails.
    fn step(&self, name: &str, what: impl fmt::Display) -> Result<(), Error> {
        self.steps.borrow_mut().push(format!("{name} {what}"));
        match name == self.broken {
            true => Err(Error::Platform(format!("no {name}"))),
            false => Ok(()),
        }
    }
}

impl Platform for Bare {
    type Machine = Fake;

    fn describe(&self) -> String {
        String::from("a fake")
    }
    fn line(&mut self, text: fmt::Arguments<'_>) {
        self.step("line", text).unwrap();
        self.machine.line(text);
    }
    fn taken(&self) -> Vec<Taken> {
        self.about.taken.clone()
    }
    fn open_console(&mut self, registers: Option<Span<Pa>>) -> Result<(), Error> {
        let at = registers.map_or(0, |registers| registers.first().raw());
        self.step("console", format_args!("{at:#x}"))
    }
    fn block_iommus(&mut self, host: &Host<'_>) -> Result<(), Error> {
        self.step("block", host.iommus.len())
    }
    fn hand_over(mut self, _: &Host<'_>, plan: RamPlan) -> Result<(Fake, assign::Machine), Error> {
        self.step("hand over", plan.windows.len())?;
        self.machine.windows = plan.rest;
        self.about.taken = plan.taken;
        self.machine.unmapped_bridges = self.broken == "bridge";
        Ok((self.machine, self.about))
    }
    fn open_config_space(machine: &mut Fake, bridge: &HostBridge) -> Result<(), MapError> {
        let first = bridge.ecam.first();
        machine.log.push(format!("bridge {first}"));
        match machine.unmapped_bridges {
            true => Err(MapError::Occupied { at: first.raw() }),
            false => Ok(()),
        }
    }
}

/// Starts a machine.
fn start_on(bare: Bare, tree: &Tree) -> Result<Option<Hypervisor<Fake>>, Error> {
    start(bare, tree.blob().leak())
}

/// Starts a machine that has what it needs.
fn started(rig: &Rig) -> Hypervisor<Fake> {
    start_on(Bare::new(rig), &rig.host)
        .expect("a machine")
        .expect("a hypervisor")
}

/// Sets the hypervisor's arguments.
fn arguments(rig: &mut Rig, text: &str) {
    let chosen = rig.host.at("/chosen");
    *chosen = chosen.clone().text("xen,xen-bootargs", text);
}

/// Domains of one CPU each.
fn domains(names: &[&str]) -> Rig {
    let mut rig = Rig::default();
    for name in names {
        rig.domain(name, None);
    }
    rig
}

/// Returns which domains run within as many turns.
fn running(hypervisor: &mut Hypervisor<Fake>, turns: usize) -> Vec<u16> {
    // Who has nothing to do but compute is interrupted.
    let noise = (1..=turns).zip((10_000..).step_by(1000));
    let noise = noise.map(|(_, at)| (at, Interrupt::Own));
    hypervisor.machine().later.extend(noise);
    for _ in 0..turns {
        hypervisor.step();
    }
    let entered = &hypervisor.machine().entered;
    entered.iter().map(|id| id.domain.number()).collect()
}

/// Every domain that the tree asks for is made and runs.
#[test]
fn several_domains_run() {
    let mut rig = domains(&["one", "two"]);
    rig.with("three", &[gpio(0x3a00_0000)]);
    let mut hypervisor = started(&rig);
    let console = hypervisor.machine().console.clone();
    for line in [
        concat!("refhv ", env!("CARGO_PKG_VERSION"), ", a fake"),
        "domain one is d1: 16384 KiB, 1 CPUs, 0 device pages",
        "domain three is d3: 16384 KiB, 1 CPUs, 1 device pages, interrupts 39",
    ] {
        assert!(console.iter().any(|known| known == line), "{console:#?}");
    }
    assert_eq!(console.last().unwrap(), "3 domains, 0 refused");
    assert_eq!(running(&mut hypervisor, 6), [1, 2, 3, 1, 2, 3]);
}

/// Who claims what cannot be proven is refused with the reason, and the others run.
#[test]
fn a_refused_domain_stops_no_other() {
    let mut rig = domains(&["one"]);
    let mut unreal = gpio(0x3a00_0000);
    unreal.cut("xen,force-assign-without-iommu");
    unreal = unreal.cells("xen,reg", &[0, low(GPIO_AT), 0, 0x2000, 0, 0x3a00_0000]);
    rig.with("two", &[unreal])
        .with("three", &[rtc(0x3a00_0000)]);
    let mut hypervisor = started(&rig);
    let console = hypervisor.machine().console.clone();
    let refused = |line: &&String| line.starts_with("refuse domain ");
    let lines: Vec<_> = console.iter().filter(refused).collect();
    assert!(
        lines.len() == 1 && lines[0].starts_with("refuse domain two: "),
        "{console:#?}"
    );
    assert_eq!(console.last().unwrap(), "2 domains, 1 refused");
    assert_eq!(running(&mut hypervisor, 4), [1, 3, 1, 3]);
}

/// So it is with one that is proven, and for which the machine then lacks something.
#[test]
fn a_domain_that_cannot_be_made_stops_no_other() {
    let rig = domains(&["one", "two"]);
    let mut bare = Bare::new(&rig);
    bare.machine.pool.left = 5;
    let mut hypervisor = start_on(bare, &rig.host).unwrap().unwrap();
    let console = &hypervisor.machine().console;
    assert_eq!(
        console[console.len() - 2..],
        [
            "refuse domain two: /chosen/two: `memory` cannot be mapped: no memory is left for translation tables",
            "1 domains, 1 refused"
        ]
    );
    assert_eq!(running(&mut hypervisor, 2), [1, 1]);
}
