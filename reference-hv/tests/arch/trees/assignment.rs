//! What is assigned and what is refused, claim by claim.

use crate::rig::*;
use crate::tree::{Tree, be};
use refhv::ids::Trigger;

/// Where guests see their devices here: a hole of the guest's address map.
const HOLE: u64 = 0x3a00_0000;

/// Proves a machine with one domain `one` and expects this refusal of it, whole.
#[track_caller]
pub fn refused(rig: &Rig, words: &str) {
    let proven = rig.prove();
    let lines: Vec<String> = proven.refusals().iter().map(ToString::to_string).collect();
    assert_eq!(lines, [format!("refuse domain one: {words}")]);
    assert!(proven.domains().iter().all(|plan| plan.name != "one"));
}

/// Proves a machine and expects every domain to be created.
#[track_caller]
pub fn accepted(rig: &Rig) {
    assert_eq!(rig.prove().refusals(), []);
}

/// A machine with one domain and one device.
pub fn one(device: Tree) -> Rig {
    let mut rig = Rig::default();
    rig.with("one", &[device]);
    rig
}

/// The same with a partial tree that is made by hand.
fn one_with(partial: &Tree) -> Rig {
    let mut rig = Rig::default();
    rig.domain("one", Some(partial.blob()));
    rig
}

/// A device that may be assigned is mapped where it is wanted, and its interrupt comes with it.
#[test]
fn a_device_is_mapped_and_its_interrupt_routed() {
    let proven = one(gpio(HOLE)).prove();
    assert_eq!(proven.refusals(), []);
    assert_eq!(proven.warnings(), []);
    let [plan] = proven.domains() else {
        panic!("one domain, not {:?}", proven.domains())
    };
    assert_eq!((plan.name.as_str(), plan.id.number()), ("one", 1));
    let seen: Vec<_> = plan
        .mmio
        .iter()
        .map(|map| (map.pa.raw(), map.ipa.raw(), map.pages))
        .collect();
    assert_eq!(seen, [(GPIO_AT, HOLE, 1)]);
    let lines: Vec<_> = plan
        .irqs
        .iter()
        .map(|irq| (irq.line.number(), irq.trigger))
        .collect();
    assert_eq!(lines, [(39, Trigger::Level)]);
    assert_eq!(plan.memory, 16 * 1024 * 1024);
    assert_eq!(
        (plan.layout.uart.is_some(), plan.shared_lines, plan.cpus),
        (true, 256, 1)
    );
    assert_eq!(plan.load.kernel.to.raw(), 0x4000_0000);
    assert_eq!(plan.kernel_args.as_deref(), Some("say hello"));
}

/// Every number of a tuple is whole pages, says something and does not wrap.
#[test]
fn ranges_are_exact() {
    let page = 0x1000;
    let top = 0xffff_ffff_ffff_f000;
    let aligned = "which is not page aligned";
    for (range, words) in [
        (
            (GPIO_AT + 1, page, HOLE),
            format!("has the host address 0x9030001, {aligned}"),
        ),
        (
            (GPIO_AT - 0x800, page, HOLE),
            format!("has the host address 0x902f800, {aligned}"),
        ),
        (
            (GPIO_AT, page + 1, HOLE),
            format!("has the size 0x1001, {aligned}"),
        ),
        (
            (GPIO_AT, 0x200, HOLE),
            format!("has the size 0x200, {aligned}"),
        ),
        (
            (GPIO_AT, page, HOLE + 0x800),
            format!("has the guest address 0x3a000800, {aligned}"),
        ),
        (
            (GPIO_AT, 0, HOLE),
            "has size 0 at 0x9030000 (host)".to_owned(),
        ),
        (
            (top, 2 * page, HOLE),
            "wraps: 0xfffffffffffff000 and 0x2000 bytes (host)".to_owned(),
        ),
        (
            (GPIO_AT, page, top),
            format!("names guest range {top:#x}-0xffffffffffffffff, wider than 40 bits"),
        ),
        (
            (GPIO_AT, 2 * page, top),
            "wraps: 0xfffffffffffff000 and 0x2000 bytes (guest)".to_owned(),
        ),
        (
            (1 << 48, page, HOLE),
            "names host range 0x1000000000000-0x1000000000fff, wider than 44 bits".to_owned(),
        ),
    ] {
        let device = device("gpio", GPIO, &[range]);
        // A guest range beyond 2 pages of the block is outside it before it is anything else.
        if range.1 == 2 * page && range.0 == GPIO_AT {
            let mut rig = one(device);
            rig.host
                .at(GPIO)
                .set("reg", &be(&[0, 0x903_0000, 0, 0x2000]));
            refused(&rig, &format!("/passthrough/gpio: `xen,reg` {words}"));
            continue;
        }
        refused(
            &one(device),
            &format!("/passthrough/gpio: `xen,reg` {words}"),
        );
    }
}

/// A list of tuples ends with a whole one and has at least one.
#[test]
fn tuples_are_whole() {
    let whole = gpio(HOLE)
        .get("xen,reg")
        .map(<[u8]>::to_vec)
        .unwrap_or_default();
    let unit = "not a multiple of 24";
    for (value, words) in [
        (whole[..20].to_vec(), format!("is 20 bytes long, {unit}")),
        (
            [whole.as_slice(), &[0; 4]].concat(),
            format!("is 28 bytes long, {unit}"),
        ),
        (whole[..23].to_vec(), format!("is 23 bytes long, {unit}")),
        (Vec::new(), "is empty".to_owned()),
    ] {
        let device = gpio(HOLE).bytes("xen,reg", &value);
        refused(
            &one(device),
            &format!("/passthrough/gpio: `xen,reg` {words}"),
        );
    }
}

/// Addresses and sizes are as wide as the bus around the device says, and 2 and 1 where it does
/// not say; no other bus has a word in it.
#[test]
fn cells_are_the_parents() {
    let (host, guest) = (low(GPIO_AT), low(HOLE));
    let two = |value| [0, value];
    for (cells, reg) in [
        (Some((1, 1)), vec![host, 0x1000, guest]),
        (Some((1, 2)), [&[host][..], &two(0x1000), &[guest]].concat()),
        (
            Some((2, 1)),
            [&two(host)[..], &[0x1000], &two(guest)].concat(),
        ),
        (Some((2, 2)), [two(host), two(0x1000), two(guest)].concat()),
        (None, [&two(host)[..], &[0x1000], &two(guest)].concat()),
    ] {
        for root in [[1, 1], [2, 2], [1, 2]] {
            let mut tree = partial(&[gpio(HOLE)
                .cells("xen,reg", &reg)
                .cells("#address-cells", &[3])]);
            let [address, size] = root;
            tree.set("#address-cells", &be(&[address]))
                .set("#size-cells", &be(&[size]));
            let bus = tree.at("/passthrough");
            match cells {
                Some((address, size)) => bus
                    .set("#address-cells", &be(&[address]))
                    .set("#size-cells", &be(&[size])),
                None => bus.remove("#address-cells").remove("#size-cells"),
            };
            let proven = one_with(&tree).prove();
            assert_eq!(proven.refusals(), [], "{cells:?} under {root:?}");
            let map = proven.domains()[0].mmio[0];
            assert_eq!((map.pa.raw(), map.ipa.raw(), map.pages), (GPIO_AT, HOLE, 1));
        }
    }
    for bad in [0, 3, u32::MAX] {
        for name in ["#address-cells", "#size-cells"] {
            let mut tree = partial(&[gpio(HOLE)]);
            tree.at("/passthrough").set(name, &be(&[bad]));
            refused(
                &one_with(&tree),
                &format!("/passthrough: `{name}` is {bad}, neither 1 nor 2"),
            );
        }
    }
    let mut tree = partial(&[gpio(HOLE)]);
    tree.at("/passthrough").set("#size-cells", &[0, 2]);
    refused(
        &one_with(&tree),
        "/passthrough: `#size-cells` is 2 bytes long, not 4",
    );
}

/// `xen,reg` needs the path or the force, everything else needs `xen,reg`, and a device that no
/// IOMMU protects needs the force.
#[test]
fn requests_are_whole() {
    let without = |names: &[&str]| {
        let mut device = gpio(HOLE);
        for name in names {
            device.remove(name);
        }
        one(device)
    };
    let force = "xen,force-assign-without-iommu";
    let at = "/passthrough/gpio";
    refused(
        &without(&[force]),
        &format!("{at}: `{force}` is missing, and no IOMMU protects {GPIO}"),
    );
    refused(
        &without(&["xen,path", force]),
        &format!("{at}: `xen,reg` stands alone: `xen,path` and `{force}` are both missing"),
    );
    refused(
        &without(&["xen,reg"]),
        &format!("{at}: `xen,reg` is missing, yet `xen,path` names {GPIO}"),
    );
    refused(
        &without(&["xen,reg", force]),
        &format!("{at}: `xen,reg` is missing, yet `xen,path` names {GPIO}"),
    );
    refused(
        &without(&["xen,reg", "xen,path"]),
        &format!("{at}: `{force}` stands alone: `xen,reg` is missing"),
    );
    refused(
        &one(gpio(HOLE).cells(force, &[0])),
        &format!("{at}: `{force}` is 4 bytes long, not 0"),
    );
    accepted(&without(&["xen,path", "xen,reg", force]));
    // Pages alone, without a path: mapped, and no interrupt comes with them.
    let proven = without(&["xen,path"]).prove();
    assert_eq!(proven.refusals(), []);
    assert_eq!(
        (
            proven.domains()[0].mmio.len(),
            proven.domains()[0].irqs.len()
        ),
        (1, 0)
    );
}

/// A guest's devices lie beside its RAM, beside what is emulated for it, beside one another, and
/// inside its address space.
#[test]
fn guest_ranges_are_free() {
    for (guest, what) in [
        (0x4000_0000, "its RAM at 0x40000000-0x40ffffff"),
        (0x40ff_f000, "its RAM at 0x40000000-0x40ffffff"),
        (
            0x0300_1000,
            "its interrupt controller at 0x3001000-0x3010fff",
        ),
        (
            0x0301_0000,
            "its interrupt controller at 0x3001000-0x3010fff",
        ),
        (
            0x0302_0000,
            "its CPUs' interrupt controllers at 0x3020000-0x401ffff",
        ),
        (
            0x0401_f000,
            "its CPUs' interrupt controllers at 0x3020000-0x401ffff",
        ),
        (0x2200_0000, "its emulated UART at 0x22000000-0x22000fff"),
        (0x3800_0000, "its grant tables at 0x38000000-0x38ffffff"),
        (0x3900_0000, "its shared pages at 0x39000000-0x39ffffff"),
    ] {
        let last = guest + 0xfff;
        refused(
            &one(gpio(guest)),
            &format!(
                "/passthrough/gpio: `xen,reg` names guest range {guest:#x}-{last:#x}, which overlaps {what}"
            ),
        );
    }
    for guest in [
        0,
        0x0300_0000,
        0x0301_1000,
        0x0402_0000,
        GPIO_AT,
        0x3fff_f000,
        0x4100_0000,
        0xff_ffff_f000,
    ] {
        accepted(&one(gpio(guest)));
    }
    for guest in [1_u64 << 40, 1 << 48] {
        let last = guest + 0xfff;
        refused(
            &one(gpio(guest)),
            &format!(
                "/passthrough/gpio: `xen,reg` names guest range {guest:#x}-{last:#x}, wider than 40 bits"
            ),
        );
    }
    let mut rig = Rig::default();
    rig.with("one", &[gpio(HOLE), rtc(HOLE)]);
    refused(
        &rig,
        "/passthrough/rtc: `xen,reg` names guest range 0x3a000000-0x3a000fff, which overlaps 0x3a000000-0x3a000fff of /passthrough/gpio",
    );
    // Without an emulated UART its place is free.
    let mut rig = one(gpio(0x2200_0000));
    rig.host.at("/chosen/one").remove("vpl011");
    accepted(&rig);
}

/// One host page may have several guest addresses in one domain, also by several nodes: named
/// twice, a device is still that domain's, and its interrupt still routed once.
#[test]
fn the_same_domain_may_name_a_device_twice() {
    let mut rig = Rig::default();
    let alias = device("again", GPIO, &[(GPIO_AT, 0x1000, HOLE + 0x2000)]);
    rig.with(
        "one",
        &[
            device(
                "gpio",
                GPIO,
                &[(GPIO_AT, 0x1000, HOLE), (GPIO_AT, 0x1000, HOLE + 0x1000)],
            ),
            alias,
        ],
    );
    let proven = rig.prove();
    assert_eq!(proven.refusals(), []);
    let plan = &proven.domains()[0];
    assert!(plan.mmio.iter().all(|map| map.pa.raw() == GPIO_AT));
    assert_eq!((plan.mmio.len(), plan.irqs.len()), (3, 1));
}

/// 512 tuples of one device keep their own pairing.
#[test]
fn many_tuples_keep_their_pairs() {
    let pair = |n: u64| (0x0b00_0000 + n * 0x1000, 0x1000, HOLE + (511 - n) * 0x1000);
    let pairs: Vec<_> = (0..512).map(pair).collect();
    let mut rig = one(device("big", "/big@b000000", &pairs));
    rig.host.children.push(
        Tree::new("big@b000000")
            .cells("reg", &[0, 0xb00_0000, 0, 0x20_0000])
            .flag("xen,passthrough"),
    );
    let proven = rig.prove();
    assert_eq!(proven.refusals(), []);
    let seen: Vec<_> = proven.domains()[0]
        .mmio
        .iter()
        .map(|map| (map.pa.raw(), map.pages * 0x1000, map.ipa.raw()))
        .collect();
    assert_eq!(seen, pairs);
}
