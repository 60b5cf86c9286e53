//! Domains on a machine that only pretends.

mod hypercalls;
mod life;
#[path = "../../tests/arch/trees/rig.rs"]
pub(crate) mod rig;
#[path = "../../tests/arch/trees/tree.rs"]
pub(crate) mod tree;

use std::boxed::Box;
use std::string::String;
use std::vec::Vec;

use super::*;
use crate::access::Width;
use crate::addr::{Ipa, Pa, Span};
use crate::arch::tested::{self, BINDINGS, Exception, GUEST};
use crate::assign::layout::Layout;
use crate::assign::{self, IrqAssignment, Load, MmioMapping, Placed, RamMapping};
use crate::config::{Host, Modules};
use crate::dt::Blob;
use crate::hal::fake::{Deed, Fake};
use crate::ids::{DomainId, Privilege, Trigger};
use crate::paging::Memory;
use crate::pci::Inventory;

const ENTRY: u64 = 0x4000_0000;
const TREE: u64 = 0x403f_0000;
const KERNEL: u64 = 0x80f0_0000;

fn line(number: u32) -> IrqLine {
    IrqLine::new(number)
}

/// A domain with 4 MiB of RAM, one device page and one line.
pub(crate) fn plan(number: u16, cpus: u32, irq: u32) -> DomainPlan {
    let pa = |at| Pa::new(at);
    let host = 0x8000_0000 + (u64::from(number) - 1) * 0x40_0000;
    DomainPlan {
        id: DomainId::new(number).unwrap(),
        name: format!("guest{number}"),
        memory: 4 << 20,
        banks: vec![Span::new(Ipa::new(ENTRY), 4 << 20).unwrap()],
        ram: vec![RamMapping {
            ipa: Ipa::new(ENTRY),
            pa: pa(host),
            pages: 1024,
        }],
        cpus,
        layout: Layout::own(&GUEST, true),
        privilege: Privilege::default(),
        static_memory: false,
        shared_lines: 64,
        mmio: vec![MmioMapping {
            ipa: Ipa::new(0x3a00_0000),
            pa: pa(0x0903_0000),
            pages: 1,
        }],
        irqs: vec![IrqAssignment {
            line: line(irq),
            trigger: Trigger::Level,
        }],
        streams: Vec::new(),
        functions: Vec::new(),
        load: Load {
            kernel: Placed {
                from: Span::new(pa(KERNEL), 0x1801).unwrap(),
                to: Ipa::new(ENTRY),
            },
            ramdisk: None,
            tree: Span::new(Ipa::new(TREE), 0x1_0000).unwrap(),
        },
        kernel_args: None,
        partial: None,
        view: None,
    }
}

/// QEMU's board, whose clock and GPIO block may be given away; its RAM from 0x4000_0000 on is free.
fn resources() -> ResourceTable<'static> {
    resources_of(|_| {})
}

/// The same, with something different in its tree.
fn resources_of(change: impl FnOnce(&mut tree::Tree)) -> ResourceTable<'static> {
    resources_with(Inventory::default(), change)
}

/// The same, with PCI functions.
fn resources_with(
    functions: Inventory,
    change: impl FnOnce(&mut tree::Tree),
) -> ResourceTable<'static> {
    let mut tree = tree::Tree::read(include_bytes!("../../testdata/virt.dtb"));
    for path in ["/pl061@9030000", "/pl031@9010000"] {
        tree.at(path).set("xen,passthrough", &[]);
    }
    change(&mut tree);
    let blob = Blob::new(tree.blob().leak()).unwrap();
    let host = Box::leak(Box::new(Host::read(blob, &BINDINGS).unwrap()));
    let machine = assign::Machine {
        taken: Vec::new(),
        pa_bits: 44,
        ipa_bits: 40,
        lines: 256,
        guest: &GUEST,
        kernel: tested::kernel_room,
        streams: vec![Some(0x1_0000)],
        functions,
    };
    assign::prove(host, &Kernels, &machine).1
}

/// Every module is a kernel.
struct Kernels;

impl<'t> Modules<'t> for Kernels {
    fn bytes(&self, at: Span<Pa>) -> Option<&'t [u8]> {
        tested::kernel(at.size()).map(|image| &*image.leak())
    }
}

pub(crate) fn hypervisor(plans: &[DomainPlan]) -> Hypervisor<Fake> {
    let mut hypervisor = Hypervisor::new(Fake::new(), resources());
    for plan in plans {
        hypervisor.create(plan, b"a tree").expect("a domain");
    }
    hypervisor
}

/// The place of a virtual CPU.
pub(crate) fn place(domain: usize, vcpu: usize) -> VcpuRef {
    VcpuRef { domain, vcpu }
}

fn told(hypervisor: &mut Hypervisor<Fake>, domain: u16, vcpu: u32, deeds: &[Deed]) {
    let all = &mut hypervisor.machine().deeds;
    all.entry((domain, vcpu)).or_default().extend(deeds);
}

fn entered(hypervisor: &mut Hypervisor<Fake>) -> String {
    let ids: Vec<_> = hypervisor
        .machine()
        .entered
        .drain(..)
        .map(|id| id.to_string())
        .collect();
    ids.join(" ")
}

const SYSTEM_OFF: u64 = 0x8400_0008;
const CPU_ON: u64 = 0xc400_0003;
const CPU_OFF: u64 = 0x8400_0002;
const AFFINITY_INFO: u64 = 0xc400_0004;

/// A domain finds its kernel, its tree, zeroes elsewhere, its device, and nothing more.
#[test]
fn a_domain_is_what_its_plan_says() {
    let mut machine = Fake::new();
    for (page, byte) in [(0, 0x11), (1, 0x22)] {
        machine.ram.insert(KERNEL / 4096 + page, vec![byte; 4096]);
    }
    let mut hypervisor = Hypervisor::new(machine, resources());
    hypervisor
        .create(&plan(1, 1, 39), b"a tree")
        .expect("a domain");
    let Hypervisor {
        machine, domains, ..
    } = &mut hypervisor;
    for (at, byte) in [(0, 0x11), (0x1800, 0x22), (0x1801, 0), (0x3f_ffff, 0)] {
        assert_eq!(machine.byte(0x8000_0000 + at), byte, "at {at:#x}");
    }
    let tree: Vec<_> = (0..7).map(|n| machine.byte(0x803f_0000 + n)).collect();
    assert_eq!(tree, b"a tree\0");
    for (ipa, wanted) in [
        (ENTRY, Some((0x8000_0000, Memory::Ram))),
        (ENTRY + 0x3f_ffff, Some((0x803f_ffff, Memory::Ram))),
        (ENTRY + 0x40_0000, None),
        (ENTRY - 1, None),
        (0x3a00_0fff, Some((0x0903_0fff, Memory::Device))),
        (0x3a00_1000, None),
        (0x39ff_ffff, None),
        (0x0903_0000, None),
        (0x8000_0000, None),
    ] {
        let seen = domains
            .get(0)
            .unwrap()
            .memory
            .space
            .walk(&machine.pool, Ipa::new(ipa));
        assert_eq!(
            seen.map(|t| (t.to.raw(), t.attributes)),
            wanted,
            "at {ipa:#x}"
        );
    }
    let first = &domains.get(0).unwrap().vcpus[0].registers;
    assert_eq!((first.pc, first.x[0]), (ENTRY, TREE));
    assert_eq!(
        machine.console,
        ["domain guest1 is d1: 4096 KiB, 1 CPUs, 1 device pages, interrupts 39"]
    );
    assert!(
        machine.lines.starts_with(&[(line(39), "level")]),
        "{:?}",
        machine.lines
    );
    assert!(!machine.lines.contains(&(line(39), "on")));
}

/// A domain that cannot be made leaves nothing behind and the reason in one line.
#[test]
fn a_failure_leaves_nothing() {
    for (frames, shrink, wanted) in [
        (
            1,
            0,
            "refuse domain guest1: /chosen/guest1: `memory` cannot be mapped: no memory is left for translation tables",
        ),
        (
            3,
            0,
            "refuse domain guest1: /chosen/guest1: `memory` cannot be mapped: no memory is left for translation tables",
        ),
        (
            64,
            15 << 20,
            "refuse domain guest1: /chosen/guest1: `memory` cannot hold the domain's RAM",
        ),
    ] {
        let mut machine = Fake::new();
        machine.pool.left = frames;
        let whole = machine.windows[0];
        machine.windows = vec![Span::new(whole.first(), whole.size() - shrink).unwrap()];
        let mut hypervisor = Hypervisor::new(machine, resources());
        let refusal = hypervisor
            .create(&plan(1, 1, 39), b"a tree")
            .expect_err("a refusal");
        assert_eq!(refusal.to_string(), wanted);
        assert_eq!(hypervisor.machine().pool.used, 0, "{wanted}");
        assert!(hypervisor.machine().lines.is_empty(), "{wanted}");
    }
}

/// Who computes without end shares the CPU with everybody else.
#[test]
fn turns_are_shared() {
    let mut hypervisor = hypervisor(&[plan(1, 1, 39), plan(2, 1, 40)]);
    for _ in 0..6 {
        hypervisor.step();
    }
    assert_eq!(entered(&mut hypervisor), "d1v0 d2v0 d1v0 d2v0 d1v0 d2v0");
    assert_eq!(hypervisor.machine().time, 1000 + 6 * 100);
}

/// Switching a domain off stops that one: its lines are quiet and the others run on.
#[test]
fn off_is_for_one_domain() {
    let mut hypervisor = hypervisor(&[plan(1, 1, 39), plan(2, 1, 40)]);
    hypervisor.machine().lines.clear();
    let noise = [2000, 3000, 4000].map(|at| (at, Interrupt::Own));
    hypervisor.machine().later.extend(noise);
    told(
        &mut hypervisor,
        1,
        0,
        &[
            Deed::store(0x2200_0000, Width::Byte, 0x78),
            Deed::power(SYSTEM_OFF, [0; 3]),
        ],
    );
    for _ in 0..5 {
        hypervisor.step();
    }
    assert_eq!(entered(&mut hypervisor), "d1v0 d1v0 d2v0 d2v0 d2v0");
    let console = &hypervisor.machine().console[2..];
    assert_eq!(
        console,
        ["d1: x", "domain guest1 (d1) stopped: switched itself off"]
    );
    let lines = hypervisor.machine().lines.clone();
    assert!(lines.contains(&(line(39), "off")), "{lines:?}");
    assert!(
        lines.iter().all(|(line, _)| line.number() == 39),
        "{lines:?}"
    );
}

/// Who waits for an interrupt is not run before one comes: a timer's, or a line's that is its own.
#[test]
fn waiting_ends_with_an_interrupt() {
    let mut hypervisor = hypervisor(&[plan(1, 1, 39), plan(2, 1, 40)]);
    let enable = [
        Deed::store(0x0300_1000, Width::Word, 0x12),
        Deed::store(0x0300_1084, Width::Word, 1 << 7),
        Deed::store(0x0300_1104, Width::Word, 1 << 7),
    ];
    told(&mut hypervisor, 1, 0, &enable);
    told(&mut hypervisor, 1, 0, &Deed::enable_timer());
    told(
        &mut hypervisor,
        1,
        0,
        &[
            Deed::Arm(5000),
            Deed::wait(),
            Deed::Arm(u64::MAX),
            Deed::wait(),
        ],
    );
    told(&mut hypervisor, 2, 0, &[Deed::wait()]);
    hypervisor.machine().chip(line(39)).drive(line(39), true);
    hypervisor
        .machine()
        .later
        .push((9000, Interrupt::Line(line(39))));
    for _ in 0..7 {
        hypervisor.step();
    }
    assert_eq!(
        entered(&mut hypervisor),
        "d1v0 d1v0 d1v0 d1v0 d1v0 d1v0 d2v0"
    );
    hypervisor.step();
    assert_eq!(
        (hypervisor.machine().time, entered(&mut hypervisor)),
        (5000, String::new())
    );
    hypervisor.step();
    assert_eq!(entered(&mut hypervisor), "d1v0");
    hypervisor.step();
    assert_eq!(hypervisor.machine().time, 9000);
    told(&mut hypervisor, 1, 0, &[Deed::wait()]);
    hypervisor.step();
    assert_eq!(entered(&mut hypervisor), "d1v0");
    let shown = hypervisor.machine().shown.clone();
    assert_eq!(
        shown.iter().map(|lr| lr & 0xffff_ffff).collect::<Vec<_>>(),
        [39]
    );
}

/// A line that comes and is nobody's is switched off, once, with a line that says so.
#[test]
fn lines_of_nobody_are_silenced() {
    let mut hypervisor = hypervisor(&[plan(1, 1, 39)]);
    hypervisor.machine().lines.clear();
    hypervisor
        .machine()
        .later
        .push((1010, Interrupt::Line(line(77))));
    hypervisor.step();
    let machine = hypervisor.machine();
    assert_eq!(machine.lines, [(line(77), "off"), (line(77), "deactivate")]);
    assert_eq!(
        machine.console[1],
        "interrupt 77 came and belongs to nobody; disabled"
    );
}

/// A second CPU is switched on where its domain's RAM is, and nowhere else, once.
#[test]
fn second_cpu() {
    let mut hypervisor = hypervisor(&[plan(1, 2, 39)]);
    let not_there = 0x5000_0000;
    let cases: [(Deed, i64); 8] = [
        (Deed::power(AFFINITY_INFO, [1, 0, 0]), 1),
        (Deed::power(CPU_ON, [2, ENTRY, 7]), -2),
        (Deed::power(CPU_ON, [1 << 31 | 1, ENTRY, 7]), -2),
        (Deed::power(CPU_ON, [1, not_there, 7]), -9),
        (Deed::power(CPU_ON, [1, 0x3a00_0000, 7]), -9),
        (Deed::power(CPU_ON, [1, ENTRY + 0x1000, 7]), 0),
        (Deed::power(CPU_ON, [1, ENTRY + 0x2000, 8]), -4),
        (Deed::power(AFFINITY_INFO, [1, 0, 0]), 0),
    ];
    for (deed, wanted) in cases {
        told(&mut hypervisor, 1, 0, &[deed]);
        hypervisor.step();
        let answer = hypervisor.domains.get(0).unwrap().vcpus[0].registers.x[0];
        assert_eq!(answer.cast_signed(), wanted, "{deed:?}");
    }
    let second = &hypervisor.domains.get(0).unwrap().vcpus[1].registers;
    assert_eq!((second.pc, second.x[0]), (ENTRY + 0x1000, 7));
    told(
        &mut hypervisor,
        1,
        0,
        &[Deed::Compute(1000), Deed::power(CPU_OFF, [0; 3])],
    );
    told(&mut hypervisor, 1, 1, &[Deed::power(CPU_OFF, [0; 3])]);
    entered(&mut hypervisor);
    for _ in 0..3 {
        hypervisor.step();
    }
    assert_eq!(entered(&mut hypervisor), "d1v0 d1v1 d1v0");
    let last = hypervisor.machine().console.last().cloned();
    assert_eq!(
        last.as_deref(),
        Some("domain guest1 (d1) stopped: switched its last CPU off")
    );
}

/// A system error stops the domain that ran, also when it shows only at the switch to another.
#[test]
fn errors_are_their_authors() {
    let late = [Deed::LateError, Deed::Compute(500)];
    for (author, next) in [(&[Deed::Error][..], &[][..]), (&late, &[Deed::Error])] {
        let mut hypervisor = hypervisor(&[plan(1, 1, 39), plan(2, 1, 40)]);
        told(&mut hypervisor, 1, 0, author);
        // The late one is reported in the next guest's time.
        told(&mut hypervisor, 2, 0, next);
        told(&mut hypervisor, 2, 0, &[Deed::Compute(10); 3]);
        let noise = [5000, 6000, 7000].map(|at| (at, Interrupt::Own));
        hypervisor.machine().later.extend(noise);
        for _ in 0..4 {
            hypervisor.step();
        }
        let lives: Vec<_> = hypervisor.domains.iter().map(|(_, one)| one.life).collect();
        assert_eq!(lives, [Life::ShutDown(3), Life::Alive], "{author:?}");
        let last = hypervisor.machine().console.last().cloned();
        assert_eq!(
            last.as_deref(),
            Some("domain guest1 (d1) stopped: caused a system error")
        );
    }
}

/// What no device answers is a data abort at the guest's own address; a guest stays where it is for it.
#[test]
fn unmapped_accesses_abort() {
    let mut hypervisor = hypervisor(&[plan(1, 1, 39)]);
    told(
        &mut hypervisor,
        1,
        0,
        &[Deed::store(0x0905_0000, Width::Word, 0)],
    );
    hypervisor.step();
    let injected = hypervisor.machine().injected.clone();
    assert!(
        matches!(
            injected[..],
            [Exception::Data {
                far: 0x0905_0000,
                write: true,
                ..
            }]
        ),
        "{injected:?}"
    );
    assert_eq!(
        hypervisor.domains.get(0).unwrap().vcpus[0].registers.pc,
        ENTRY
    );
}
