//! What of RAM is mapped, what is in use, and what domains get.

use super::*;
use crate::addr::Address;
use crate::arch::tested::BINDINGS;

const MIB: u64 = 1 << 20;

/// Gives the machine these banks of RAM.
fn banks(rig: &mut Rig, banks: &[(u64, u64)]) {
    let cells: Vec<_> = banks
        .iter()
        .flat_map(|&(base, size)| [0, low(base), 0, low(size)])
        .collect();
    let memory = rig.host.at("/memory@40000000");
    *memory = memory.clone().cells("reg", &cells);
}

/// Plans the use of a machine's RAM.
fn plan(rig: &Rig) -> Result<RamPlan, Error> {
    let host = Host::read(Blob::new(rig.host.blob().leak()).unwrap(), &BINDINGS).unwrap();
    RamPlan::new(&host, &domain_requests(&host), rig.machine.taken.clone())
}

fn covered(spans: &[Span<Pa>], wanted: Span<Pa>) -> bool {
    spans.iter().any(|span| span.covers(wanted))
}

fn apart(spans: &[Span<Pa>], from: Span<Pa>) -> bool {
    !spans.iter().any(|span| span.overlaps(from))
}

/// Image, host tree and what the tree reserves are neither mapped nor given away; modules are mapped and no pool lies
/// in them.
#[test]
fn what_is_in_use_stays() {
    let mut rig = domains(&["one", "two"]);
    let reserved = Tree::new("reserved-memory")
        .cells("#address-cells", &[2])
        .cells("#size-cells", &[2])
        .flag("ranges")
        .child(Tree::new("firmware@4f000000").cells("reg", &[0, 0x4f00_0000, 0, 0x1000]));
    rig.host.children.push(reserved);
    let plan = plan(&rig).unwrap();
    let taken = rig.machine.taken.iter().map(|taken| taken.span);
    for span in taken.chain([span(0x4f00_0000, 0x1000)]) {
        assert!(apart(&plan.windows, span), "{span}");
    }
    for pool in [plan.frames, plan.heap] {
        assert!(covered(&plan.windows, pool) && apart(&plan.rest, pool));
        assert!(plan.taken.iter().any(|taken| taken.span == pool));
    }
    assert!(!plan.frames.overlaps(plan.heap));
    let module = |(at, bytes): &(u64, Vec<u8>)| span(*at, bytes.len().try_into().unwrap());
    for module in rig.memory.iter().map(module) {
        assert!(covered(&plan.rest, module), "{module}");
    }

    assert_eq!(running(&mut started(&rig), 2), [1, 2]);
}

/// Who names memory in use as its own RAM is refused, whatever it is used for.
#[test]
fn memory_in_use_is_nobodys() {
    for (at, words) in [
        (0x4020_0000, "hypervisor"),
        (0x4800_0000, "host device tree"),
        (0x4a00_0000, "module"),
    ] {
        let mut rig = domains(&["one", "two"]);
        let two = rig.host.at("/chosen/two");
        let fixed = [0, at, 0, low(16 * MIB)];
        *two = two.clone().cells("xen,static-mem", &fixed);
        let mut hypervisor = started(&rig);
        let console = hypervisor.machine().console.clone();
        let refusal = console
            .iter()
            .find(|line| line.starts_with("refuse domain two: "));
        assert!(
            refusal.is_some_and(|line| line.contains(words)),
            "{console:#?}"
        );
        assert_eq!(running(&mut hypervisor, 2), [1, 1]);
    }
}

/// RAM of several banks is used whole: pages are mapped of each, pools lie in one, and domains get what is left.
#[test]
fn banks_are_used_together() {
    let mut rig = domains(&["one", "two"]);
    let all = [
        (0x4000_0000, 12 * MIB),
        (0x4a00_0000, 20 * MIB),
        (0x6000_0000, 18 * MIB),
    ];
    banks(&mut rig, &all);
    let planned = plan(&rig).unwrap();
    for (base, size) in all {
        let bank = span(base, size);
        let mapped = planned
            .windows
            .iter()
            .filter(|window| bank.covers(**window));
        assert!(mapped.count() > 0, "{bank}");
    }
    assert!(
        planned
            .windows
            .iter()
            .all(|window| window.first().is_page_aligned())
    );
    let mut hypervisor = started(&rig);
    assert_eq!(running(&mut hypervisor, 2), [1, 2]);

    // Half a page at either end of a bank is none.
    banks(&mut rig, &[(0x4000_0800, 64 * MIB), (0x4a00_0000, MIB)]);
    let planned = plan(&rig).unwrap();
    assert!(planned.windows.iter().all(|window| window.is_page_exact()));
}

/// Without room for the hypervisor's own there is no start; nothing was mapped then, but devices are stopped.
#[test]
fn no_room_is_the_end() {
    let mut rig = domains(&["one"]);
    banks(&mut rig, &[(0x4020_0000, 6 * MIB), (0x4a00_0000, MIB)]);
    let bare = Bare::new(&rig);
    let steps = Rc::clone(&bare.steps);
    let error = start_on(bare, &rig.host).expect_err("no room");
    assert_eq!(error, Error::NoRoom(MIB));
    assert_eq!(
        error.to_string(),
        "no room in RAM for a pool of 0x100000 bytes"
    );
    assert!(steps.take().last().unwrap().starts_with("block "));
}

/// Who finds no RAM any more is refused; who was there before runs.
#[test]
fn ram_can_be_too_little_for_all() {
    let mut rig = domains(&["one", "two"]);
    banks(&mut rig, &[(0x4900_0000, 24 * MIB)]);
    let mut hypervisor = started(&rig);
    let console = hypervisor.machine().console.clone();
    assert_eq!(
        console.last().unwrap(),
        "1 domains, 1 refused",
        "{console:#?}"
    );
    assert_eq!(running(&mut hypervisor, 1), [1]);
}

/// A domain that names all RAM there is leaves the hypervisor its pools, and is refused for it.
#[test]
fn who_names_everything_gets_nothing() {
    let mut rig = domains(&["one", "two"]);
    let two = rig.host.at("/chosen/two");
    let fixed = [0, 0x4b00_0000, 0, low(0x500_0000)];
    *two = two
        .clone()
        .cells("xen,static-mem", &fixed)
        .cells("memory", &[0, 0x1_4000]);
    banks(&mut rig, &[(0x4a00_0000, 0x600_0000)]);
    let plan = plan(&rig).unwrap();
    assert!(!plan.frames.overlaps(span(0x4b00_0000, 0x500_0000)));
    let mut rig = domains(&["one", "two"]);
    let two = rig.host.at("/chosen/two");
    let fixed = [0, 0x4a00_2000, 0, low(0x5ff_e000)];
    *two = two
        .clone()
        .cells("xen,static-mem", &fixed)
        .cells("memory", &[0, 0x1_7ff8]);
    banks(&mut rig, &[(0x4a00_0000, 0x600_0000)]);
    let mut hypervisor = started(&rig);
    let console = &hypervisor.machine().console;
    assert!(
        console
            .iter()
            .any(|line| line.starts_with("refuse domain two: ")),
        "{console:#?}"
    );
}
