//! Which functions are bound, and why; as what they master memory, and where they interrupt.

use super::*;

/// Everything that is bound, but what is alone.
fn groups(fake: &mut Functions) -> Vec<(Sbdf, Sbdf, IsolationReason)> {
    let (mut found, _) = scan(fake);
    let before = found.clone();
    found.isolate(fake, &mut |warning| panic!("{warning}"));
    assert!(found == before, "what holds goes on holding");
    let endpoints = found.functions().iter().filter(|one| !one.is_bridge());
    endpoints
        .filter_map(|one| Some((one.at, one.group.first, one.group.why?)))
        .collect()
}

fn bound(case: &str, mut fake: Functions, members: &[Sbdf], bond: IsolationReason) {
    let wanted: Vec<_> = members.iter().map(|at| (*at, members[0], bond)).collect();
    assert_eq!(groups(&mut fake), wanted, "{case}");
}

fn apart(case: &str, mut fake: Functions) {
    assert_eq!(groups(&mut fake), [], "{case}");
}

/// A port of a kind that has no access control.
fn leaky(kind: Port, primary: u8, secondary: u8, subordinate: u8) -> Device {
    Device::bridge(primary, secondary, subordinate).express(kind, false)
}

fn capable(device: Device, can: at::Acs) -> Device {
    device.express(Port::Endpoint, true).acs(can)
}

/// Devices of the first bus, and at the ends of links that keep them apart, are alone.
#[test]
fn what_is_kept_apart_is_alone() {
    let fake = Functions::default()
        .with(bdf(0, 0, 0), Device::endpoint(0x1b36, 8))
        .with(bdf(0, 1, 0), edu(0x1000_0000))
        .with(bdf(0, 2, 0), edu(0x1010_0000))
        .with(bdf(0, 3, 0), root_port(1, 1).multifunction())
        .with(bdf(0, 3, 1), root_port(2, 5))
        .with(bdf(1, 0, 0), edu(0x1020_0000))
        .with(bdf(2, 0, 0), Device::port(Port::Upstream, 2, 3, 5))
        .with(bdf(3, 0, 0), Device::port(Port::Downstream, 3, 4, 4))
        .with(bdf(3, 1, 0), Device::port(Port::Downstream, 3, 5, 5))
        .with(bdf(4, 0, 0), edu(0x1030_0000))
        .with(bdf(5, 0, 0), edu(0x1040_0000));
    apart("a tree with access control", fake);
}

/// What a bridge speaks for is bound, and only that.
#[test]
fn what_has_one_voice_is_bound() {
    let members = [bdf(4, 1, 0), bdf(4, 2, 0)];
    for (case, bridge) in [
        (
            "to a conventional bus",
            leaky(Port::ToConventional, 0, 4, 4),
        ),
        ("of a conventional bus", Device::bridge(0, 4, 4)),
        (
            "from a conventional bus",
            leaky(Port::FromConventional, 0, 4, 4),
        ),
    ] {
        let fake = Functions::default()
            .with(bdf(0, 1, 0), edu(0))
            .with(bdf(0, 7, 0), bridge)
            .with(members[0], edu(0))
            .with(members[1], edu(0));
        bound(
            case,
            fake,
            &members,
            IsolationReason::Requester(bdf(0, 7, 0)),
        );
    }
    let fake = Functions::default()
        .with(bdf(0, 7, 0), Device::bridge(0, 4, 4))
        .with(members[0], edu(0));
    apart("nobody else behind the bridge", fake);
}

/// Behind a port where accesses turn round, everything is bound, however far behind.
#[test]
fn what_is_behind_a_leaky_port_is_bound() {
    let switch = |upper: Device, ports: [Device; 2]| {
        let [one, other] = ports;
        Functions::default()
            .with(bdf(0, 1, 0), edu(0))
            .with(bdf(0, 3, 0), upper)
            .with(bdf(1, 0, 0), Device::port(Port::Upstream, 1, 2, 4))
            .with(bdf(2, 0, 0), one)
            .with(bdf(2, 1, 0), other)
            .with(bdf(3, 0, 0), edu(0))
            .with(bdf(4, 0, 0), edu(0))
    };
    let port = |secondary| Device::port(Port::Downstream, 2, secondary, secondary);
    let open = |secondary| leaky(Port::Downstream, 2, secondary, secondary);
    let members = [bdf(3, 0, 0), bdf(4, 0, 0)];
    let root = leaky(Port::Downstream, 0, 1, 4);
    let fake = switch(root.clone(), [port(3), port(4)]);
    bound(
        "a root port",
        fake,
        &members,
        IsolationReason::Port(bdf(0, 3, 0)),
    );
    // What one port lets out of its link reaches the other's, although that one keeps its own.
    let fake = switch(root_port(1, 4), [open(3), port(4)]);
    bound(
        "the first port",
        fake,
        &members,
        IsolationReason::Port(bdf(2, 0, 0)),
    );
    let fake = switch(root_port(1, 4), [port(3), open(4)]);
    bound(
        "the second port",
        fake,
        &members,
        IsolationReason::Port(bdf(2, 1, 0)),
    );
    for missing in at::Acs::ISOLATING.iter() {
        let some = open(3).acs(at::Acs::ISOLATING - missing);
        let fake = switch(root_port(1, 4), [some, port(4)]);
        bound(
            "a port of some use",
            fake,
            &members,
            IsolationReason::Port(bdf(2, 0, 0)),
        );
    }
    // Something in the switch that is no port is next to all ports.
    let fake = switch(root_port(1, 4), [port(3), port(4)]).with(bdf(2, 2, 0), edu(0));
    let all = [bdf(2, 2, 0), members[0], members[1]];
    bound(
        "no port at all",
        fake,
        &all,
        IsolationReason::Port(bdf(2, 2, 0)),
    );
    // One that says that it is an endpoint promises nothing.
    let fake = Functions::default()
        .with(bdf(0, 3, 0), leaky(Port::Endpoint, 0, 1, 1))
        .with(bdf(1, 0, 0), edu(0))
        .with(bdf(1, 1, 0), edu(0));
    let members = [bdf(1, 0, 0), bdf(1, 1, 0)];
    bound(
        "no kind of port",
        fake,
        &members,
        IsolationReason::Port(bdf(0, 3, 0)),
    );
    let fake = Functions::default()
        .with(bdf(0, 3, 0), leaky(Port::Downstream, 0, 1, 1))
        .with(bdf(1, 0, 0), edu(0));
    apart("one device behind a port", fake);
}

/// Functions of one device are bound unless each keeps its accesses from the others.
#[test]
fn functions_of_one_device_are_bound() {
    let members = [bdf(0, 5, 0), bdf(0, 5, 2)];
    let pair = |one: Device, other: Device| {
        Functions::default()
            .with(bdf(0, 4, 0), edu(0))
            .with(members[0], one.multifunction())
            .with(members[1], other.multifunction())
    };
    bound(
        "conventional",
        pair(edu(0), edu(0)),
        &members,
        IsolationReason::Device,
    );
    let good = || capable(edu(0), at::Acs::REDIRECT | at::Acs::COMPLETIONS);
    let none_needed = || capable(edu(0), at::Acs::empty());
    let bad = || edu(0).express(Port::Endpoint, true);
    apart("with access control", pair(good(), none_needed()));
    bound(
        "the first cannot",
        pair(bad(), good()),
        &members,
        IsolationReason::Device,
    );
    bound(
        "the second cannot",
        pair(good(), bad()),
        &members,
        IsolationReason::Device,
    );
    // At the end of a link all functions are of one device.
    let port = |secondary| leaky(Port::Downstream, 0, secondary, secondary);
    let fake = Functions::default()
        .with(bdf(0, 5, 0), port(1).multifunction())
        .with(bdf(0, 5, 1), port(2))
        .with(bdf(1, 0, 0), edu(0))
        .with(bdf(2, 0, 0), edu(0));
    let mut fake = fake;
    let behind = [bdf(1, 0, 0), bdf(2, 0, 0)];
    let seen = groups(&mut fake);
    let wanted = behind.map(|at| (at, behind[0], IsolationReason::Device));
    assert_eq!(seen, wanted, "ports of one device");
}

/// Registers in one page bind, those that are nowhere or in I/O space do not, and segments have pages of their own.
#[test]
fn registers_in_one_page_bind() {
    let small = |address| Device::endpoint(0x1234, 1).bar(0, BarKind::Memory32, 0x100, address);
    let members = [bdf(0, 1, 0), bdf(0, 3, 0)];
    let pair = |one, other| {
        Functions::default()
            .with(members[0], one)
            .with(bdf(0, 2, 0), small(0x1000_2000))
            .with(members[1], other)
    };
    let fake = pair(small(0x1000_0000), small(0x1000_0f00));
    bound(
        "one page",
        fake,
        &members,
        IsolationReason::Page(0x1000_0000),
    );
    apart("two pages", pair(small(0x1000_0f00), small(0x1000_1000)));
    apart("nowhere", pair(small(0), small(0)));
    let wide = || Device::endpoint(0x1234, 1).bar(2, BarKind::Memory64, 1 << 32, 1 << 32);
    let inner = Device::endpoint(0x1234, 1).bar(0, BarKind::Memory64, 0x10, 0x1_8000_0000);
    bound(
        "one in another",
        pair(inner, wide()),
        &members,
        IsolationReason::Page(1 << 32),
    );
    let port = || Device::endpoint(0x1234, 1).bar(0, BarKind::Io, 8, 0x1000);
    apart("I/O", pair(port(), port()));

    let mut fake = pair(small(0x1000_0000), small(0x1000_1000));
    let elsewhere = Sbdf {
        segment: 1,
        ..members[0]
    };
    fake = fake.with(elsewhere, small(0x1000_0000));
    let segments = [0, 1].map(|number| Segment {
        number,
        buses: 0..=0,
    });
    let found = Inventory::scan(&mut fake, &segments, &mut |warning| panic!("{warning}"));
    assert_eq!(found.functions().len(), 4);
    assert!(found.functions().iter().all(|one| one.group.why.is_none()));
}

/// Chains bind from end to end, each member for its own reason, and the first is the first that somebody can own.
#[test]
fn bonds_go_on() {
    let small = |address| Device::endpoint(0x1234, 1).bar(0, BarKind::Memory32, 0x100, address);
    let mut fake = Functions::default()
        .with(bdf(0, 1, 0), Device::bridge(0, 4, 4))
        .with(bdf(0, 6, 0), small(0x1000_0000).multifunction())
        .with(bdf(0, 6, 1), small(0x1000_8000))
        .with(bdf(4, 0, 0), small(0x1000_0100))
        .with(bdf(4, 1, 0), small(0x1000_4000));
    let first = bdf(0, 6, 0);
    let wanted = [
        (first, first, IsolationReason::Device),
        (bdf(0, 6, 1), first, IsolationReason::Device),
        (
            bdf(4, 0, 0),
            first,
            IsolationReason::Requester(bdf(0, 1, 0)),
        ),
        (
            bdf(4, 1, 0),
            first,
            IsolationReason::Requester(bdf(0, 1, 0)),
        ),
    ];
    assert_eq!(groups(&mut fake), wanted);
    let (found, _) = scan(&mut fake);
    let group = found.get(bdf(4, 1, 0)).unwrap().group;
    let members: Vec<_> = found.members(group).map(|one| one.at).collect();
    assert_eq!(members, wanted.map(|(at, ..)| at));
    let alone = found.get(bdf(0, 1, 0)).unwrap();
    assert_eq!(alone.group.first, first, "bridges know whom they bind");
}

/// Whoever had a page with registers of a bridge would have the bridge, so nobody gets it.
#[test]
fn pages_of_bridges_are_nobodys() {
    let place = bdf(0, 2, 0);
    let port = root_port(1, 1).bar(0, BarKind::Memory32, 0x100, 0x1000_0000);
    let device = Device::endpoint(0x1234, 1).bar(0, BarKind::Memory32, 0x100, 0x1000_0800);
    let mut fake = Functions::default()
        .with(bdf(0, 1, 0), port)
        .with(place, device);
    let (mut found, said) = scan(&mut fake);
    let flaw = FunctionDefect::Bridge(bdf(0, 1, 0));
    assert_eq!(said, [Warning::FunctionDefect { at: place, flaw }]);
    assert_eq!(found.get(place).unwrap().flaw, Some(flaw));
    assert_eq!(found.get(place).unwrap().group.why, None);
    found.remove(bdf(0, 1, 0)).unwrap();
    assert_eq!(found.get(place).unwrap().flaw, None);
}

/// A port is told to keep devices apart, what lets some accesses pass is switched off, and a port that does not take
/// it is not counted on.
#[test]
fn ports_are_told_to_keep_devices_apart() {
    let port = bdf(0, 3, 0);
    let mut fake = Functions::default()
        .with(port, root_port(1, 1))
        .with(bdf(1, 0, 0), edu(0).multifunction())
        .with(bdf(1, 0, 1), capable(edu(0), at::Acs::all()));
    let control = at::EXTENDED + at::ACS_CONTROL;
    let loose = at::Acs::DIRECT | at::Acs::EGRESS | at::Acs::BLOCKING;
    fake.device(port).set(control, 2, loose.bits().into());
    let (mut found, _) = scan(&mut fake);
    found.isolate(&mut fake, &mut |warning| panic!("{warning}"));
    let wanted = at::Acs::ISOLATING | at::Acs::BLOCKING;
    assert_eq!(fake.device(port).get(control, 2), wanted.bits().into());

    fake.device(port).set(control, 2, 0);
    fake.device(port).allow(control, 2, 0x0f);
    let mut said = Vec::new();
    found.isolate(&mut fake, &mut |warning| said.push(warning));
    assert_eq!(said, [Warning::Leaky(port)]);
    assert!(!found.get(port).unwrap().acs.unwrap().holds);
    said.clear();
    found.isolate(&mut fake, &mut |warning| said.push(warning));
    assert_eq!(said, [], "once is enough");
}

/// What masters memory is the function, or the topmost bridge that speaks for it.
#[test]
fn requesters_are_found() {
    let voice = |device: Device| {
        let mut fake = Functions::default()
            .with(bdf(0, 1, 0), root_port(3, 5))
            .with(bdf(3, 0, 0), device)
            .with(bdf(4, 2, 0), Device::bridge(4, 5, 5))
            .with(bdf(4, 7, 0), edu(0))
            .with(bdf(5, 3, 0), edu(0));
        let (found, _) = scan(&mut fake);
        [bdf(4, 7, 0), bdf(5, 3, 0)].map(|at| found.get(at).unwrap().requester)
    };
    // What QEMU's pcie-pci-bridge was measured to say.
    let bridge = leaky(Port::ToConventional, 3, 4, 5);
    assert_eq!(voice(bridge), [bdf(4, 0, 0); 2]);
    assert_eq!(voice(Device::bridge(3, 4, 5)), [bdf(3, 0, 0); 2]);
    let bridge = leaky(Port::FromConventional, 3, 4, 5);
    assert_eq!(voice(bridge), [bdf(3, 0, 0); 2]);
    let port = leaky(Port::Upstream, 3, 4, 5);
    assert_eq!(voice(port), [bdf(4, 7, 0), bdf(4, 2, 0)]);
}

/// Pins cross in bridges as Bridge 9.1 has it; at the end of a link the device is number 0.
#[test]
fn pins_cross_in_bridges() {
    for (pin, on_bus, behind_link, deep) in [
        (1, (0x20, 1), (0x08, 1), (0x10, 3)),
        (2, (0x20, 2), (0x08, 2), (0x10, 4)),
        (4, (0x20, 4), (0x08, 4), (0x10, 2)),
    ] {
        let device = || edu(0).pin(pin);
        let mut fake = Functions::default()
            .with(bdf(0, 1, 0), root_port(1, 1).pin(2))
            .with(bdf(0, 2, 0), Device::bridge(0, 2, 3))
            .with(bdf(0, 4, 0), device())
            .with(bdf(1, 0, 0), device())
            .with(bdf(2, 7, 0), Device::bridge(2, 3, 3))
            .with(bdf(3, 3, 0), device());
        let (found, _) = scan(&mut fake);
        for (at, wanted) in [
            (bdf(0, 4, 0), on_bus),
            (bdf(1, 0, 0), behind_link),
            // (pin - 1 + 3 + 7) modulo 4, past the first bridge and the second.
            (bdf(3, 3, 0), deep),
        ] {
            assert_eq!(
                found.get(at).unwrap().intx_route,
                Some(wanted),
                "{at}, pin {pin}"
            );
        }
        assert_eq!(found.get(bdf(0, 1, 0)).unwrap().intx_route, Some((0x08, 2)));
        assert_eq!(found.get(bdf(0, 2, 0)).unwrap().intx_route, None);
    }
    for pin in [5, 0xff] {
        let (found, _) = scan(&mut Functions::default().with(bdf(0, 1, 0), edu(0).pin(pin)));
        assert_eq!(
            found.functions()[0].intx_route,
            None,
            "there is no pin {pin}"
        );
    }
}
