//! Which step comes when, and what is left undone when one fails.

use super::*;
use crate::hal::fake::functions::{Device, bdf};
use crate::pci::registers::{COMMAND, Command};

/// Starts a machine on which something fails; returns the reason and the steps up to it.
fn failed(rig: &Rig, broken: &'static str) -> (String, Vec<String>) {
    let mut bare = Bare::new(rig);
    bare.broken = broken;
    let steps = Rc::clone(&bare.steps);
    let error = start_on(bare, &rig.host).expect_err("a reason");
    (error.to_string(), steps.take())
}

/// Devices are kept from memory before any of it is used, and the machine can say what it does before that.
#[test]
fn iommus_block_before_memory_is_used() {
    let rig = domains(&["one"]);
    let bare = Bare::new(&rig);
    let steps = Rc::clone(&bare.steps);
    let mut hypervisor = start_on(bare, &rig.host).unwrap().unwrap();
    let steps = steps.take();
    let names: Vec<_> = steps.iter().map(|step| step.split(' ').next()).collect();
    assert_eq!(names, ["console", "line", "block", "hand"].map(Some));
    assert_eq!(steps[0], "console 0x9000000");
    let log = &hypervisor.machine().log;
    assert!(log[0].starts_with("bridge "), "{log:?}");
    assert!(log[1].starts_with("scrub "), "{log:?}");
}

/// A step that fails is the last one.
#[test]
fn nothing_follows_a_failure() {
    let rig = domains(&["one"]);
    for (nth, broken) in [(1, "console"), (3, "block"), (4, "hand over")] {
        let (reason, steps) = failed(&rig, broken);
        assert_eq!((reason, steps.len()), (format!("no {broken}"), nth));
    }
}

/// A tree that is none, or of no machine that could run domains, is the reason why there are none.
#[test]
fn bad_trees_are_reasons() {
    let rig = domains(&["one"]);
    let bytes = rig.host.blob();
    for (length, wanted) in [
        (0, "host device tree: "),
        (39, "host device tree: "),
        (bytes.len() - 1, "host device tree: "),
    ] {
        let bare = Bare::new(&rig);
        let steps = Rc::clone(&bare.steps);
        let error = start(bare, bytes[..length].to_vec().leak()).expect_err("no tree");
        assert!(error.to_string().starts_with(wanted), "{error}");
        assert!(steps.take().is_empty(), "{length}");
    }
    for part in ["/timer", "/intc@8000000"] {
        let mut rig = rig.clone();
        rig.host
            .children
            .retain(|child| part != format!("/{}", child.name));
        let (reason, steps) = failed(&rig, "");
        assert!(reason.contains("has 0 nodes"), "{reason}");
        assert!(steps.is_empty(), "{steps:?}");
    }
}

/// What the arguments say of the console and of seeded faults holds.
#[test]
fn arguments_are_heeded() {
    let mut rig = domains(&[]);
    arguments(&mut rig, "console=none");
    let (_, steps) = failed(&rig, "block");
    assert_eq!(steps[0], "console 0x0");
    #[cfg(feature = "seeded-faults")]
    {
        arguments(&mut rig, "fault=nonsense");
        let (reason, steps) = failed(&rig, "");
        assert_eq!(reason, "no seeded fault is called nonsense");
        assert_eq!(steps.len(), 2);
        arguments(&mut rig, "fault=list");
        let bare = Bare::new(&rig);
        let steps = Rc::clone(&bare.steps);
        assert!(start_on(bare, &rig.host).unwrap().is_none());
        let steps = steps.take();
        assert_eq!(steps.len(), 2 + crate::fault::ALL.len() + 1);
        assert_eq!(steps.last().unwrap(), "line faults end");
    }
}

/// Functions are found unless a hardware domain is to do that or the arguments say otherwise; one that nobody knows is
/// switched off.
#[test]
fn functions_are_found_and_silenced() {
    let place = bdf(0, 2, 0);
    for (hardware, argument, found) in [
        (false, "", true),
        (true, "", false),
        (true, "pci-scan=on", true),
        (false, "pci-scan=off", false),
        (false, "pci-scan=perhaps", false),
    ] {
        let mut rig = domains(&["one"]);
        if hardware {
            let one = rig.host.at("/chosen/one");
            *one = one
                .clone()
                .cells("capabilities", &[2])
                .flag("direct-map")
                .cells("xen,static-mem", &[0, 0x4c00_0000, 0, 0x100_0000]);
        }
        arguments(&mut rig, argument);
        let mut bare = Bare::new(&rig);
        let mut device = Device::endpoint(0x1234, 0x11e8);
        device.set(COMMAND, 2, u32::from(Command::MASTER.bits()));
        bare.machine.functions = core::mem::take(&mut bare.machine.functions).with(place, device);
        let mut hypervisor = start_on(bare, &rig.host).unwrap().unwrap();
        let machine = hypervisor.machine();
        let named = |line: &String| line.starts_with("PCI 0000:00:02.0 1234:11e8 class ");
        let console = &machine.console;
        assert_eq!(console.iter().any(named), found, "{argument} {console:#?}");
        let command = machine.functions.device(place).get(COMMAND, 2);
        let masters = command & u32::from(Command::MASTER.bits()) != 0;
        assert_eq!(masters, !found, "{argument}");
        let told = machine
            .console
            .iter()
            .any(|line| line.contains("neither on nor off"));
        assert_eq!(told, argument.ends_with("perhaps"));
    }
}

/// Nothing is found behind a bridge whose space is somebody else's, and domains run all the same.
#[test]
fn bridges_that_cannot_be_mapped_are_none() {
    let rig = domains(&["one"]);
    let mut bare = Bare::new(&rig);
    bare.broken = "bridge";
    bare.machine.functions =
        core::mem::take(&mut bare.machine.functions).with(bdf(0, 2, 0), Device::endpoint(1, 2));
    let mut hypervisor = start_on(bare, &rig.host).unwrap().unwrap();
    let console = &hypervisor.machine().console;
    assert!(
        console
            .iter()
            .any(|line| line.ends_with("nothing behind it is assignable")),
        "{console:#?}"
    );
    assert!(!console.iter().any(|line| line.starts_with("PCI ")));
    assert_eq!(hypervisor.machine().functions.accesses(), 0);
    assert_eq!(running(&mut hypervisor, 1), [1]);
}
