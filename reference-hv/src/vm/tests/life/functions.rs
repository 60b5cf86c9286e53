//! PCI functions that domains have, get and lose.

use super::*;
use crate::access::Access;
use crate::hal::fake::functions::{Device, Functions, bdf};
use crate::ids::Sbdf;
use crate::pci::registers::{COMMAND, Command};
use crate::pci::{BarKind, Port, Segment};

/// A function with 1 MiB of registers, an interrupt, and a reset of its own.
const EDU: Sbdf = bdf(0, 3, 0);
/// One on the same line.
const TWIN: Sbdf = bdf(0, 7, 0);
/// Two of one device.
const PAIR: [Sbdf; 2] = [bdf(0, 5, 0), bdf(0, 5, 1)];
/// Where the firmware put the registers of the first.
const BAR: u64 = 0x1000_0000;
/// Where a guest has its window.
const LOW: u64 = 0x2300_0000;

fn space() -> Functions {
    let device = |place: u64| {
        let bare = Device::endpoint(0x1234, 0x11e8).pin(1).msi();
        bare.bar(0, BarKind::Memory32, 0x10_0000, BAR + place * 0x10_0000)
    };
    Functions::default()
        .with(EDU, device(0).express(Port::Endpoint, true))
        .with(TWIN, device(1))
        .with(PAIR[0], device(2).multifunction())
        .with(PAIR[1], device(3))
}

fn segments() -> Vec<Segment> {
    vec![Segment {
        number: 0,
        buses: 0..=255,
    }]
}

/// A machine whose functions are known, without a hardware domain.
fn scanned() -> Hypervisor<Fake> {
    let mut functions = space();
    let found = Inventory::scan(&mut functions, &segments(), &mut |_| ());
    with(functions, resources_with(found, |_| {}))
}

fn with(functions: Functions, resources: ResourceTable<'static>) -> Hypervisor<Fake> {
    let mut machine = Fake::new();
    machine.functions = functions;
    let ram = Span::new(Pa::new(0x4000_0000), 1 << 30).unwrap();
    machine.windows.push(ram);
    Hypervisor::new(machine, resources)
}

/// Has a domain access its configuration space.
fn configure(
    hypervisor: &mut Hypervisor<Fake>,
    id: DomainId,
    at: u64,
    width: Width,
    write: Option<u64>,
) -> u64 {
    let place = VcpuRef {
        domain: hypervisor.find_domain(id).unwrap(),
        vcpu: 0,
    };
    let access = Access {
        width,
        write,
        rt: 1,
        sign_extend: false,
        wide: true,
    };
    hypervisor.configuration(place, 0, at, &access).unwrap()
}

fn command(hypervisor: &mut Hypervisor<Fake>, at: Sbdf) -> Command {
    let device = hypervisor.machine().functions.device(at);
    Command::from_bits_truncate(device.get(COMMAND, 2).try_into().unwrap())
}

/// Switches memory decoding and mastering of a domain's first function on.
fn switch_on(hypervisor: &mut Hypervisor<Fake>, id: DomainId) {
    configure(hypervisor, id, 0x10, Width::Word, Some(LOW));
    configure(hypervisor, id, 4, Width::Half, Some(6));
}

/// A function is given, seen, used, and taken back, and free only once it has been reset.
#[test]
fn a_function_comes_and_goes() {
    let mut hypervisor = scanned();
    let (one, other) = (running(&mut hypervisor), running(&mut hypervisor));
    assert_eq!(hypervisor.test_function(EDU), Ok(()));
    hypervisor.machine().log.clear();
    assert_eq!(hypervisor.assign_function(one, EDU), Ok(()));
    let attached = "attach 0 stream 0x18 to d1 1".to_owned();
    assert!(hypervisor.machine().log.contains(&attached));
    assert_eq!(hypervisor.test_function(EDU), Err(Errno::EINVAL));
    assert_eq!(hypervisor.assign_function(one, EDU), Err(Errno::EBUSY));
    assert_eq!(hypervisor.assign_function(other, EDU), Err(Errno::EBUSY));
    assert_eq!(
        configure(&mut hypervisor, one, 0, Width::Word, None),
        0x11e8_1234
    );
    assert_eq!(host(&hypervisor, one, LOW >> 12), None);
    switch_on(&mut hypervisor, one);
    assert_eq!(host(&hypervisor, one, LOW >> 12), Some(BAR));
    assert!(command(&mut hypervisor, EDU).contains(Command::MEMORY | Command::MASTER));

    assert_eq!(hypervisor.deassign_function(other, EDU), Err(Errno::ENODEV));
    hypervisor.machine().log.clear();
    assert_eq!(hypervisor.deassign_function(one, EDU), Ok(Progress::Again));
    assert_eq!(host(&hypervisor, one, LOW >> 12), None);
    assert!(!command(&mut hypervisor, EDU).intersects(Command::MEMORY | Command::MASTER));
    assert!(
        hypervisor
            .machine()
            .log
            .contains(&"detach 0 stream 0x18".to_owned())
    );
    // It is nobody else's while it is being reset.
    assert_eq!(hypervisor.assign_function(other, EDU), Err(Errno::EBUSY));
    hypervisor.machine().time += 1_000_000_000_000;
    assert_eq!(hypervisor.deassign_function(one, EDU), Ok(Progress::Done));
    assert_eq!(hypervisor.machine().functions.device(EDU).resets, 1);
    assert_eq!(hypervisor.assign_function(other, EDU), Ok(()));
    assert_eq!(
        configure(&mut hypervisor, one, 0, Width::Word, None),
        0xffff_ffff
    );
}

/// Two functions on one line, or of one device, are one domain's.
#[test]
fn what_is_shared_has_one_domain() {
    let mut hypervisor = scanned();
    let (one, other) = (running(&mut hypervisor), running(&mut hypervisor));
    for (first, second) in [(EDU, TWIN), (PAIR[0], PAIR[1])] {
        assert_eq!(hypervisor.assign_function(one, first), Ok(()));
        assert_eq!(hypervisor.assign_function(other, second), Err(Errno::EBUSY));
        assert_eq!(hypervisor.assign_function(one, second), Ok(()));
    }
    let lines = hypervisor.domains.get(0).unwrap().lines.clone();
    assert_eq!(lines, [line(38), line(36)]);
    // The line stays for as long as one of the two is there.
    hypervisor.deassign_function(one, TWIN).unwrap();
    assert!(hypervisor.domains.get(0).unwrap().lines.contains(&line(38)));
    assert_eq!(hypervisor.function_group(PAIR[0]), Ok(vec![PAIR[1]]));
}

/// A domain that is destroyed has its functions reset before its memory is free, and nothing is left of them.
#[test]
fn the_end_of_a_domain_is_that_of_its_functions() {
    let mut hypervisor = scanned();
    let before = free(&mut hypervisor);
    let one = running(&mut hypervisor);
    hypervisor.assign_function(one, EDU).unwrap();
    switch_on(&mut hypervisor, one);
    assert_eq!(hypervisor.destroy(one), Ok(Progress::Again));
    assert!(!command(&mut hypervisor, EDU).intersects(Command::MEMORY | Command::MASTER));
    assert_eq!(hypervisor.test_function(EDU), Err(Errno::EINVAL));
    for _ in 0..4 {
        hypervisor.machine().time += 1_000_000_000;
        let _ = hypervisor.destroy(one);
    }
    assert!(hypervisor.find_domain(one).is_none());
    assert_eq!(hypervisor.test_function(EDU), Ok(()));
    assert_eq!(free(&mut hypervisor), before);
    let device = hypervisor.machine().functions.device(EDU);
    assert_eq!((device.resets, u64::from(device.get(0x10, 4))), (1, BAR));
}

/// A device that is pulled out keeps nobody from being destroyed.
#[test]
fn a_device_that_is_gone_holds_nobody() {
    let mut hypervisor = scanned();
    let one = running(&mut hypervisor);
    hypervisor.assign_function(one, EDU).unwrap();
    hypervisor.machine().functions.pull(EDU);
    destroyed(&mut hypervisor, one);
    let console = &hypervisor.machine().console;
    assert!(
        console
            .iter()
            .any(|line| line == "PCI 0000:00:03.0 does not answer any more")
    );
}

/// A machine whose hardware domain has the bridges, and has found nothing yet.
fn with_hardware() -> (Hypervisor<Fake>, DomainId) {
    let resources = resources_with(Inventory::empty(segments()), |tree| {
        let kernel = tree::Tree::new("kernel")
            .text("compatible", "multiboot,kernel\0multiboot,module")
            .cells("reg", &[0, 0x4a00_0000, 0, 0x1000]);
        let chosen = tree.at("/chosen");
        *chosen = chosen
            .clone()
            .cells("#address-cells", &[2])
            .cells("#size-cells", &[2]);
        chosen.children.push(kernel);
    });
    let mut hypervisor = with(space(), resources);
    let mut zero = plan(1, 1, 39);
    zero.id = id(0);
    zero.privilege = Privilege {
        control: true,
        hardware: true,
    };
    zero.view = Some(crate::assign::View {
        bridges: vec![0],
        ..crate::assign::View::default()
    });
    hypervisor.create(&zero, b"a tree").unwrap();
    (hypervisor, id(0))
}

/// The hardware domain looks, reports, has, and gives up; what it gave up comes back.
#[test]
fn the_hardware_domain_reports_functions() {
    let (mut hypervisor, zero) = with_hardware();
    let edu = u64::from(EDU.devfn) << 12;
    assert_eq!(hypervisor.resources.hardware(), Some(zero));
    assert_eq!(hypervisor.test_function(EDU), Err(Errno::EINVAL));
    assert_eq!(
        configure(&mut hypervisor, zero, edu, Width::Word, None),
        0x11e8_1234
    );
    assert_eq!(
        hypervisor.add_function(bdf(0, 4, 0), None),
        Err(Errno::ENODEV)
    );
    hypervisor.machine().log.clear();
    for _ in 0..2 {
        assert_eq!(hypervisor.add_function(EDU, None), Ok(()));
    }
    let attached = "attach 0 stream 0x18 to d0 1".to_owned();
    assert!(hypervisor.machine().log.contains(&attached));
    configure(&mut hypervisor, zero, edu + 4, Width::Half, Some(6));
    assert_eq!(host(&hypervisor, zero, BAR >> 12), Some(BAR));

    let one = running(&mut hypervisor);
    hypervisor.machine().log.clear();
    assert_eq!(hypervisor.assign_function(one, EDU), Ok(()));
    assert_eq!(host(&hypervisor, zero, BAR >> 12), None);
    assert_eq!(
        configure(&mut hypervisor, zero, edu, Width::Word, None),
        0xffff_ffff
    );
    let log = hypervisor.machine().log.clone();
    let place = |what: &str| log.iter().position(|line| line == what);
    assert!(
        place("detach 0 stream 0x18") < place("attach 0 stream 0x18 to d1 2"),
        "{log:?}"
    );
    assert_eq!(hypervisor.remove_function(EDU), Err(Errno::EBUSY));

    assert_eq!(hypervisor.deassign_function(one, EDU), Ok(Progress::Again));
    hypervisor.machine().time += 1_000_000_000_000;
    assert_eq!(hypervisor.deassign_function(one, EDU), Ok(Progress::Done));
    assert_eq!(hypervisor.resources.owner_of(EDU), Some(zero));
    assert_eq!(
        configure(&mut hypervisor, zero, edu, Width::Word, None),
        0x11e8_1234
    );
    hypervisor.machine().log.clear();
    assert_eq!(hypervisor.remove_function(EDU), Ok(()));
    assert_eq!(hypervisor.machine().log, ["detach 0 stream 0x18"]);
    assert_eq!(hypervisor.remove_function(EDU), Err(Errno::ENODEV));
    assert_eq!(hypervisor.assign_function(one, EDU), Err(Errno::ENODEV));
}

/// Who gets one function of a device has the hardware domain give up the others too, and have them back with it.
#[test]
fn a_device_is_given_up_as_a_whole() {
    let (mut hypervisor, zero) = with_hardware();
    for at in PAIR {
        assert_eq!(hypervisor.add_function(at, None), Ok(()));
    }
    let one = running(&mut hypervisor);
    assert_eq!(hypervisor.assign_function(one, PAIR[1]), Ok(()));
    assert_eq!(hypervisor.resources.owner_of(PAIR[0]), None);
    let seen = |hypervisor: &mut Hypervisor<Fake>, at: Sbdf| {
        configure(
            hypervisor,
            zero,
            u64::from(at.devfn) << 12,
            Width::Word,
            None,
        )
    };
    assert_eq!(seen(&mut hypervisor, PAIR[0]), 0xffff_ffff);
    hypervisor.deassign_function(one, PAIR[1]).unwrap();
    hypervisor.machine().time += 1_000_000_000_000;
    let _ = hypervisor.test_function(EDU);
    assert_eq!(hypervisor.resources.owner_of(PAIR[0]), Some(zero));
    assert_eq!(seen(&mut hypervisor, PAIR[0]), 0x11e8_1234);
}

/// What the hardware domain has found without a word about it goes with what it is not isolated from, and with the line.
#[test]
fn what_was_only_looked_at_is_withdrawn() {
    let (mut hypervisor, zero) = with_hardware();
    let at = |at: Sbdf| u64::from(at.devfn) << 12;
    assert_eq!(hypervisor.add_function(PAIR[1], None), Ok(()));
    assert_eq!(hypervisor.add_function(EDU, None), Ok(()));
    for found in [PAIR[0], TWIN] {
        configure(&mut hypervisor, zero, at(found) + 4, Width::Half, Some(6));
        assert!(command(&mut hypervisor, found).contains(Command::MEMORY));
    }
    let mapped = |hypervisor: &Hypervisor<Fake>, place: u64| {
        host(hypervisor, zero, (BAR + place * 0x10_0000) >> 12).is_some()
    };
    assert!(mapped(&hypervisor, 1) && mapped(&hypervisor, 2));
    let one = running(&mut hypervisor);
    for (given, found, place) in [(EDU, TWIN, 1), (PAIR[1], PAIR[0], 2)] {
        assert_eq!(hypervisor.assign_function(one, given), Ok(()));
        assert!(!mapped(&hypervisor, place));
        assert_eq!(command(&mut hypervisor, found), Command::NO_INTX);
        let id = configure(&mut hypervisor, zero, at(found), Width::Word, None);
        assert_eq!(id, 0xffff_ffff);
        assert_eq!(hypervisor.add_function(found, None), Err(Errno::EBUSY));
    }
}
