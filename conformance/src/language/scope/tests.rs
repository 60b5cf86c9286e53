use super::*;
use crate::case::load::Loaded;
use crate::sample::{loaded, outside, profile, scenario};
use crate::scenario::{ActionKind, From, generate};

/// A domain with the clock at another address, the middle of the flash in the machine's window, and nothing else.
fn moved() -> Inside {
    let range = |host, size, guest| Range { host, size, guest };
    Inside {
        ram: (0x4000_0000, 0x4080_0000),
        ranges: vec![
            range(0x901_0000, 0x1000, 0x3a00_0000),
            range(0x20_0000, 0x2000, 0x0a00_0000),
        ],
        devices: vec![Mapped {
            name: "rtc".to_owned(),
            node: "clock@3a000000".to_owned(),
        }],
        ..Inside::default()
    }
}

fn within(inside: &Inside) -> Scope<'_> {
    Scope {
        names: outside().names,
        inside: Some(inside),
    }
}

#[track_caller]
fn check(scope: &Scope<'_>, table: &[(&str, u64)]) {
    for (text, wanted) in table {
        assert_eq!(scope.number(text), Ok(*wanted), "{text}");
    }
}

fn told(scope: &Scope<'_>, text: &str) -> String {
    scope.value(text).unwrap_err()
}

/// Outside of domains, names mean what the host has, and values have names of their own.
#[test]
fn outside_names_are_the_hosts() {
    check(
        &outside(),
        &[
            ("gpio", 0x903_0000),
            ("gpio.base", 0x903_0000),
            ("gpio.IE", 0x903_0410),
            ("gpio.id", 0x903_0fe0),
            ("gpio.identity", 0x61),
            ("gpio.scratch", 0x903_0408),
            ("gpio.irq", 39),
            ("gpio.size", 0x1000),
            ("gpio.end", 0x903_1000),
            ("gpio@window2.IE", 0x0b00_0410),
            ("gpio@(window2+4K).IE", 0x0b00_1410),
            ("iommu.irq", 106),
            ("iommu.irq[1]", 107),
            ("iommu.phandle", 0x8004),
            ("edu.stream", 0x18),
            ("edu.config", 0x40_1001_8000),
            ("edu.assigned", 0x1000_0000),
            ("edu.BUFFER", 0x4_0000),
            ("edu@window.BUFFER", 0x4_0000),
            ("gpio@window2.end", 0x0b00_1000),
            ("flash.assigned", 0x420_0000),
            ("flash@window.assigned", 0x0e20_0000),
            ("ram", 0x4000_0000),
            ("guest.ram", 0x4000_0000),
            ("ecam", 0x40_1000_0000),
            ("low", 0x1000_0000),
            ("high", 0x80_0000_0000),
            ("guest.low", 0x2300_0000),
            ("guest.uart", profile().guest.uart.base),
            ("guest.gpio", 0x903_0000),
            ("host.gpio.IE", 0x903_0410),
            ("host.window2", 0x0b00_0000),
            ("ipa.end", 1 << profile().ipa_bits),
            ("bank1", 0x5800_0000),
            ("high_window", 0x3a00_0000),
            ("page:gpio", 0x9030),
            ("pattern32", 0x1234_5678),
            ("gpio.IE+4-gpio", 0x414),
        ],
    );
    let size = u64::from(profile().machine.memory_mib) << 20;
    check(&outside(), &[("ram.end", 0x4000_0000 + size)]);
}

/// In a domain, a device is where it is mapped for the domain; what is not mapped has its host address.
#[test]
fn a_moved_device_is_where_the_domain_finds_it() {
    let inside = moved();
    check(
        &within(&inside),
        &[
            ("rtc", 0x3a00_0000),
            ("rtc.MR", 0x3a00_0004),
            ("rtc.scratch", 0x3a00_0004),
            ("rtc.irq", 34),
            ("rtc@window.MR", 0x0a00_0004),
            ("host.rtc", 0x901_0000),
            ("host.rtc.MR", 0x901_0004),
            ("gpio.IE", 0x903_0410),
            // The first page of the flash is not among what is mapped.
            ("flash", 0),
            // The end is behind the last byte, wherever that is.
            ("rtc.end", 0x3a00_1000),
            ("rtc@window.end", 0x0a00_1000),
            ("host.rtc.end", 0x901_1000),
            ("gpio.end", 0x903_1000),
            ("edu.BUFFER", 0x4_0000),
            ("host.bank1", 0x5800_0000),
            ("ram", 0x4000_0000),
            ("ram.end-8K", 0x407f_e000),
            ("host.ram.end", outside().number("ram.end").unwrap()),
        ],
    );
    let node = |name: &str| within(&inside).fill(name).unwrap();
    assert_eq!(node("/${rtc.node}/x"), "/clock@3a000000/x");
    assert_eq!(node("${gpio.node}"), "gpio@9030000");
    assert_eq!(node("${gpio.path}"), "/pl061@9030000");
    assert_eq!(
        node("gpio@${hex:rtc.MR} ${rtc}"),
        "gpio@3a000004 0x3a000000"
    );
    assert_eq!(
        node("${dec:rtc.irq+1} ${hex:host.rtc+4K} ${rtc.irq}"),
        "35 9011000 0x22"
    );
}

/// What the hypervisor emulates is at the guest's addresses, except in a domain with those of the host.
#[test]
fn emulated_devices_are_the_guests() {
    let mut inside = moved();
    let guest = profile().guest;
    check(
        &within(&inside),
        &[
            ("uart.FR", guest.uart.base + 0x18),
            ("host.uart.FR", 0x900_0018),
            ("ecam", guest.pci.unwrap().ecam.base),
            ("host.ecam", 0x40_1000_0000),
        ],
    );
    inside.hosts = true;
    check(
        &within(&inside),
        &[
            ("uart.FR", 0x900_0018),
            ("ecam", 0x40_1000_0000),
            ("guest.ecam", guest.pci.unwrap().ecam.base),
        ],
    );
}

/// In the script of a direct-mapped domain memory and devices are the host's; its memory has a name for others.
#[test]
fn a_direct_map_has_host_addresses() {
    let made = scenario(
        "    domains:
      - {name: dA, static: [bank1 8M], direct_map: true, devices: [gpio], script: [read32 ram, read32 ram.end-4, read32 gpio.id, read32 uart.FR]}
      - {name: rtc, static: [bank3 8M]}
      - {name: dB, static: [bank2 8M], devices: [{device: rtc, at: window}], script: [read32 ram, read32 dA.ram, read32 rtc.id, read32 uart.FR]}
    outside: [{at: end, do: [read32 dA.ram+2M, read32 dB.ram.end-4, read32 rtc.ram, post rtc 1]}]
",
    );
    let ops = |name: &str| -> Vec<String> {
        let lines = made.domain(name).unwrap().lines.iter();
        let own = lines.filter(|line| line.from == From::Case);
        own.map(|line| line.op.to_string()).collect()
    };
    let direct = [
        "r32 0x58000000",
        "r32 0x587ffffc",
        "r32 0x9030fe0",
        "r32 0x9000018",
    ];
    assert_eq!(ops("dA"), direct);
    let uart = format!("r32 {:#x}", profile().guest.uart.base + 0x18);
    let plain = ["r32 0x40000000", "r32 0x58000000", "r32 0xa000fe0", &uart];
    assert_eq!(ops("dB"), plain);
    let acts = made.outside[0].acts.iter();
    let seen: Vec<&ActionKind> = acts.map(|act| &act.what).collect();
    // A domain may be called like a device.
    let wanted = [
        &ActionKind::Read(0x5820_0000, 4),
        &ActionKind::Read(0x5a7f_fffc, 4),
        &ActionKind::Read(0x5c00_0000, 4),
        &ActionKind::Write(0x5c10_0000, 4, 1),
    ];
    assert_eq!(seen, wanted);
}

/// What nothing defines is reported with the nearest name, of whatever kind.
#[test]
fn unknown_names_are_reported_with_the_nearest() {
    let inside = moved();
    let scope = within(&inside);
    for (text, wanted) in [
        ("gpoi.IE", "nothing defines `gpoi.IE`; did you mean `gpio`?"),
        (
            "ram+windw",
            "nothing defines `windw`; did you mean `window`?",
        ),
        (
            "host.bnak1",
            "nothing defines `bnak1`; did you mean `bank1`?",
        ),
        (
            "patern",
            "nothing defines `patern`; did you mean `pattern`?",
        ),
        (
            "gpio.AFSL",
            "`AFSL` is no register of `pl061`; did you mean `AFSEL`?",
        ),
        ("gpio.IE[1]", "`IE[1]` is no register"),
        ("gpio.irq[1]", "nothing defines `gpio.irq[1]`"),
        ("gpio.stream", "nothing defines `gpio.stream`"),
        ("flash.id", "`id` is no register of `cfi-flash`"),
        ("config:nic", "`nic` is neither a function's name nor"),
        ("gpio.path+1", "`/pl061@9030000` is no number"),
        ("dA.ram", "nothing defines `dA.ram`"),
    ] {
        let found = told(&scope, text);
        assert!(found.contains(wanted), "{text}: {found}");
    }
    let found = scope.fill("a ${gpio").unwrap_err();
    assert!(found.contains("`${` without `}`"), "{found}");
    let found = scope.number("gpio.path").unwrap_err();
    assert!(found.contains("which is no number"), "{found}");
    let found = scope.path("gpoi").unwrap_err();
    assert!(found.contains("did you mean `gpio`?"), "{found}");
}

/// The end of a device whose last page is mapped apart is where the domain finds that page.
#[test]
fn a_device_may_be_mapped_in_parts() {
    let mut inside = moved();
    let device = outside().device("flash").unwrap();
    inside.ranges.push(Range {
        host: device.base + device.size - 0x1000,
        size: 0x1000,
        guest: 0x0b00_0000,
    });
    let table = [("flash", 0), ("flash.end", 0x0b00_1000)];
    check(&within(&inside), &table);
}

/// A function has a number in texts, and the registers of its configuration space have the names of the header.
#[test]
fn functions_have_a_configuration_space() {
    let made = scenario(
        "    machine: {pci: [edu nic 3.1, pcie-root-port port 5 > edu behind]}
    domains:
      - {name: dA, pci: [behind, nic], script: [write16 nic.config.COMMAND 6, read32 behind.config.BAR0]}
      - {name: hw, script: ['read16 behind.config.COMMAND', 'write32 host.nic.config.BAR0 0']}
    outside: [end: 'read8 nic.config.HEADER_TYPE; qmp x at=${nic.slot} below=${behind.slot} bdf=${behind.bdf}']
",
    );
    let ops = |name: &str| -> Vec<String> {
        let lines = made.domain(name).unwrap().lines.iter();
        let own = lines.filter(|line| line.from == From::Case);
        own.map(|line| line.op.to_string()).collect()
    };
    let guest = profile().guest.pci.unwrap().ecam.base;
    let own = [
        format!("w16 {:#x} 0x6", guest + 0x8004),
        format!("r32 {:#x}", guest + 0x10),
    ];
    assert_eq!(ops("dA"), own);
    let hosts = ["r16 0x4010100004", "w32 0x4010019010 0x0"];
    assert_eq!(ops("hw"), hosts);
    let acts = &made.outside[0].acts;
    let kind = ActionKind::Read(0x40_1001_900e, 1);
    assert_eq!(acts[0].what, kind);
    let asked = "qmp x at=00:03.1 below=01:00.0 bdf=0x100";
    assert_eq!(acts[1].text, asked);
}

/// A device that a machine has only on request is no device of a case that does not ask for it; numbers that belong to
/// no register, and places where something like it is, are known nevertheless.
#[test]
fn devices_on_request_are_asked_for() {
    let names = Names {
        asked: &[],
        ..outside().names.clone()
    };
    let scope = Scope::outside(&names);
    check(
        &scope,
        &[
            ("edu.irq", 38),
            ("edu.stream", 0x18),
            ("edu.size", 0x10_0000),
            ("edu.identity", 0x0100_00ed),
            ("edu.BUFFER", 0x4_0000),
            ("edu@window.STATUS", 0x0a00_0020),
            ("edu@window", 0x0a00_0000),
        ],
    );
    for text in [
        "edu",
        "edu.base",
        "edu.end",
        "edu.STATUS",
        "edu.id",
        "edu.assigned",
        "edu.config",
        "edu.path",
        "edu.node",
        "host.edu.STATUS",
        "page:edu",
        "ram+edu.end",
    ] {
        let told = told(&scope, text);
        assert_eq!(
            told, "the machine has `edu` only on request: `machine: {devices: [edu]}`",
            "{text}"
        );
    }
    for path in ["edu", "edu/below"] {
        let told = scope.path(path).unwrap_err();
        assert!(told.contains("`machine: {devices: [edu]}`"), "{told}");
    }
    assert_eq!(scope.path("/edu@10000000"), Ok("/edu@10000000".to_owned()));
    let told = scope.register("edu", "STATUS").unwrap_err();
    assert!(told.contains("only on request"), "{told}");
    assert!(scope.register("edu@window", "STATUS").is_ok());
}

fn rows(parameters: &str, script: &str) -> Loaded {
    loaded(&format!(
        "  - id: XenValTestCase~demo.one~1
    title: One
    class: positive
    parameters: [{parameters}]
    domains: [{{name: dA, devices: [{{device: gpio, at: '${{at}}'}}], script: ['{script}']}}]
"
    ))
}

/// A parameter may hold an expression, which means what it means where the parameter stands, but no other parameter.
#[test]
fn parameters_hold_expressions() {
    let rows =
        |parameters: &str, script: &str| generate::scenarios(&rows(parameters, script), &profile());
    let row = "{name: a, at: '${window+4K}', what: gpio.IE}";
    let made = rows(row, "read32 ${what}").unwrap();
    let own = made[0].domains[0]
        .lines
        .iter()
        .find(|line| line.from == From::Case);
    assert_eq!(own.unwrap().op.to_string(), "r32 0xa001410");
    let errors = rows("{name: a, at: window, what: '${at}'}", "read32 ${what}").unwrap_err();
    assert!(
        errors[0].to_string().contains("nothing defines `at`"),
        "{}",
        errors[0]
    );
    // Whatever the form of the text: a value of a row is no name in another one.
    for what in ["${hex:at}", "${dec:at+1}", "gpio.${at}"] {
        let row = format!("{{name: a, at: window, what: '{what}'}}");
        let errors = rows(&row, "read32 ${what}").unwrap_err();
        let told = errors[0].to_string();
        assert!(told.contains("nothing defines `at`"), "{what}: {told}");
    }
    // A place goes by its name there, even if a value of the row has the same name.
    let row = "{name: a, at: '${window}', window: '${window+4K}', what: ''}";
    let made = rows(row, "read32 ${window}").unwrap();
    let partial = made[0].domains[0].partial.as_ref().unwrap();
    assert_eq!(partial.devices[0].node, "gpio@a000000");
    let errors = rows("{name: a, at: window, what: gpio}", "read32 ${waht}").unwrap_err();
    assert!(
        errors[0].to_string().contains("did you mean `what`?"),
        "{}",
        errors[0]
    );
}

/// A part of a device is no device, a fact has no index and no place, and outside nothing is expected that cannot come.
#[test]
fn what_would_be_ignored_is_refused() {
    for (rest, told) in [
        ("script: [raise gpio.irq]", "`gpio.irq` is a part of `gpio`"),
        ("script: [identify rtc.DR]", "`rtc.DR` is a part of `rtc`"),
        ("script: ['read32 gpio.base[7]']", "there is only one"),
        (
            "script: [read32 gpio@window2.irq]",
            "it depends on no place",
        ),
        (
            "devices: [{device: gpio, at: window2, reg: [gpio 4K window]}]",
            "`at` says where",
        ),
    ] {
        let found = crate::sample::problems(&format!("    domains: [{{name: dA, {rest}}}]\n"));
        assert!(
            found.iter().any(|one| one.contains(told)),
            "{rest}: {found:?}"
        );
    }
    for act in [
        "read32 gpio => nothing",
        "raise-line gpio.irq => 5",
        "write32 gpio 1 => refused",
    ] {
        let rest =
            format!("    domains: [{{name: dA}}]\n    outside: [{{at: end, do: ['{act}']}}]\n");
        let found = crate::sample::problems(&rest);
        assert!(
            found.iter().any(|one| one.contains("never answers with")),
            "{act}: {found:?}"
        );
    }
}
