//! Which functions are found, and which are not.

use super::*;

fn finds(case: &str, mut fake: Functions, wanted: &[Sbdf], said: &[Warning]) {
    let before = fake.devices().clone();
    let (found, warnings) = scan(&mut fake);
    assert_eq!(places(&found), wanted, "{case}");
    assert_eq!(warnings, said, "{case}");
    assert!(
        *fake.devices() == before,
        "{case}: something was left changed"
    );
}

fn numbers(bridge: Sbdf, secondary: u8, subordinate: u8, last: u8) -> Warning {
    Warning::Numbers {
        bridge,
        secondary,
        subordinate,
        last,
    }
}

/// Functions are found where PCI 3.2.2.3.4 lets them be, to the last.
#[test]
fn functions_are_found_where_they_may_be() {
    let many = || edu(0).multifunction();
    let all = [bdf(0, 0, 0), bdf(0, 31, 7)];
    finds("an empty bus", Functions::default(), &[], &[]);
    let fake = Functions::default()
        .with(bdf(0, 0, 0), many())
        .with(bdf(0, 0, 7), many())
        .with(bdf(0, 31, 0), many())
        .with(bdf(0, 31, 7), many());
    let wanted = [all[0], bdf(0, 0, 7), bdf(0, 31, 0), all[1]];
    finds("holes", fake, &wanted, &[]);
    let fake = Functions::default()
        .with(bdf(0, 1, 1), edu(0))
        .with(bdf(0, 2, 0), edu(0));
    finds("no function 0", fake, &[bdf(0, 2, 0)], &[]);
    let fake = Functions::default()
        .with(bdf(0, 1, 0), edu(0))
        .with(bdf(0, 1, 1), edu(0));
    finds("one function, it says", fake, &[bdf(0, 1, 0)], &[]);
    for vendor in [0xffff, 0, 1] {
        let fake = Functions::default().with(bdf(0, 1, 0), Device::endpoint(vendor, 0xffff));
        finds("nobody", fake, &[], &[]);
    }
}

/// What is behind bridges is found, at any depth, to the last function of the last bus.
#[test]
fn bridges_are_followed() {
    let fake = Functions::default()
        .with(bdf(0, 1, 0), root_port(1, 1))
        .with(bdf(0, 2, 0), root_port(2, 5))
        .with(bdf(0, 3, 0), Device::bridge(0, 0xf0, 0xff))
        .with(bdf(1, 0, 0), edu(0).multifunction())
        .with(bdf(1, 0, 7), edu(0))
        .with(bdf(2, 0, 0), Device::port(Port::Upstream, 2, 3, 5))
        .with(bdf(3, 4, 0), Device::port(Port::Downstream, 3, 4, 4))
        .with(bdf(3, 31, 0), Device::port(Port::Downstream, 3, 5, 5))
        .with(bdf(5, 0, 0), edu(0))
        .with(bdf(0xf0, 0, 0), Device::bridge(0xf0, 0xff, 0xff))
        .with(bdf(0xff, 31, 0), edu(0).multifunction())
        .with(bdf(0xff, 31, 7), edu(0));
    let wanted: Vec<_> = fake.devices().keys().copied().collect();
    finds("a full tree", fake.clone(), &wanted, &[]);

    // At the end of a link there is one device, whatever answers for others.
    let fake = fake.with(bdf(1, 1, 0), edu(0)).with(bdf(4, 31, 0), edu(0));
    finds("ghosts", fake, &wanted, &[]);
}

/// A host bridge may have more buses of its own than the first: each that no bridge names, with all that is behind it.
#[test]
fn further_buses_of_a_host_bridge_are_found() {
    let fake = Functions::default()
        .with(bdf(0, 1, 0), root_port(1, 4))
        .with(bdf(0, 2, 0), root_port(0, 0))
        .with(bdf(1, 0, 0), edu(0))
        .with(bdf(0x40, 31, 0), Device::bridge(0x40, 0x41, 0x50))
        .with(bdf(0x41, 0, 0), edu(0).pin(1))
        .with(bdf(0xff, 0, 0), edu(0).multifunction().pin(1))
        .with(bdf(0xff, 0, 7), edu(0));
    let wanted: Vec<_> = fake.devices().keys().copied().collect();
    let said = [numbers(bdf(0, 2, 0), 0, 0, 0xff)];
    finds("two more", fake.clone(), &wanted, &said);
    let (found, _) = scan(&mut fake.clone());
    for at in [bdf(0x41, 0, 0), bdf(0xff, 0, 0)] {
        assert_eq!(found.get(at).unwrap().intx_route, None, "{at}");
    }

    // Behind one of them is only what nobody else has.
    let fake = fake
        .with(bdf(3, 0, 0), edu(0))
        .with(bdf(0x50, 0, 0), edu(0))
        .with(bdf(0x60, 1, 1), edu(0));
    finds("named by a bridge", fake.clone(), &wanted, &said);
    let mut fake = fake
        .with(bdf(0, 3, 0), root_port(0x80, 0x80))
        .with(bdf(0x80, 0, 0), edu(0))
        .with(bdf(0x40, 1, 0), Device::bridge(0x40, 0x78, 0x90));
    let (found, said) = scan(&mut fake);
    assert!(found.get(bdf(0x80, 0, 0)).is_some());
    assert_eq!(said[1], numbers(bdf(0x40, 1, 0), 0x78, 0x90, 0x7f));

    let fake = Functions::default().with(bdf(0x20, 0, 0), edu(0));
    for (buses, count) in [(0..=0x1f, 0), (0x10..=0x20, 1), (0x21..=0xff, 0)] {
        let (found, _) = scan_buses(&mut fake.clone(), buses);
        assert_eq!(found.functions().len(), count);
    }
}

/// What a bridge cannot have behind it is not looked at.
#[test]
fn impossible_buses_are_not_looked_at() {
    let bridge = bdf(0, 1, 0);
    let behind = bdf(1, 0, 0);
    for (case, secondary, subordinate) in [("its own bus", 0, 0xff), ("backwards", 2, 1)] {
        let fake = Functions::default()
            .with(bridge, root_port(secondary, subordinate))
            .with(behind, edu(0));
        let said = numbers(bridge, secondary, subordinate, 0xff);
        finds(case, fake, &[bridge], &[said]);
    }
    let inner = bdf(1, 0, 0);
    for (case, secondary, subordinate) in [
        ("back to the first bus", 0, 1),
        ("back to the bus itself", 1, 1),
        ("beyond its bridge's", 2, 4),
        ("outside its bridge's", 4, 4),
    ] {
        let fake = Functions::default()
            .with(bridge, Device::bridge(0, 1, 3))
            .with(inner, Device::bridge(1, secondary, subordinate))
            .with(bdf(2, 0, 0), edu(0));
        let fake = if subordinate == 4 {
            fake.with(bdf(4, 0, 0), edu(0))
        } else {
            fake
        };
        let said = numbers(inner, secondary, subordinate, 3);
        finds(case, fake, &[bridge, inner], &[said]);
    }
    let mut fake = Functions::default()
        .with(bdf(0x10, 1, 0), Device::bridge(0x10, 0x11, 0x20))
        .with(bdf(0x10, 2, 0), Device::bridge(0x10, 0x11, 0x11))
        .with(bdf(0x11, 2, 0), edu(0));
    let (found, said) = scan_buses(&mut fake, 0x10..=0x1f);
    let wanted = [bdf(0x10, 1, 0), bdf(0x10, 2, 0), bdf(0x11, 2, 0)];
    assert_eq!(places(&found), wanted);
    assert_eq!(said, [numbers(bdf(0x10, 1, 0), 0x11, 0x20, 0x1f)]);
}

/// Where two bridges name one bus, nobody can say which passes it on, so neither is believed.
#[test]
fn buses_named_twice_are_not_looked_at() {
    let bridges = [bdf(0, 1, 0), bdf(0, 2, 0), bdf(0, 3, 0)];
    let fake = Functions::default()
        .with(bridges[0], root_port(1, 2))
        .with(bridges[1], root_port(2, 3))
        .with(bridges[2], root_port(4, 4))
        .with(bdf(1, 0, 0), edu(0))
        .with(bdf(2, 0, 0), edu(0))
        .with(bdf(4, 0, 0), edu(0));
    let said = [(bridges[0], 1, 2), (bridges[1], 2, 3)].map(|(bridge, secondary, subordinate)| {
        Warning::Overlap {
            bridge,
            secondary,
            subordinate,
        }
    });
    let wanted = [&bridges[..], &[bdf(4, 0, 0)]].concat();
    finds("overlap", fake, &wanted, &said);
}

/// Headers of kinds that nobody knows are listed and left alone.
#[test]
fn other_headers_are_left_alone() {
    let place = bdf(0, 1, 0);
    for kind in [2, 3, 0x7e] {
        let mut fake = Functions::default().with(place, Device::other(kind));
        let (found, said) = scan(&mut fake);
        assert_eq!(found.functions()[0].kind, Kind::Other(kind));
        assert_eq!(said, [Warning::Header { at: place, kind }]);
        assert_eq!(fake.writes, []);
    }
}

/// What a function says of itself is taken down.
#[test]
fn functions_are_described() {
    let mut device = Device::endpoint(0x8086, 0x10d3)
        .class(0x02_0000)
        .pin(2)
        .power(false)
        .msi()
        .express(Port::Endpoint, false)
        .msix(5, 3);
    for (offset, value) in [(at::CACHE_LINE, 16), (at::LATENCY, 64), (at::LINE, 11)] {
        device.set(offset, 1, value);
    }
    let place = bdf(0, 3, 0);
    let (found, said) = scan(&mut Functions::default().with(place, device));
    let function = found.get(place).unwrap();
    let names = (function.vendor, function.device, function.class);
    assert_eq!(names, (0x8086, 0x10d3, 0x02_0000));
    assert_eq!(
        (function.kind, function.multifunction),
        (Kind::Endpoint, false)
    );
    assert_eq!(
        (function.pin, function.intx_route),
        (Some(2), Some((0x18, 2)))
    );
    let ids: Vec<_> = function.capabilities.iter().map(|one| one.id).collect();
    assert_eq!(
        ids,
        [at::CAP_POWER, at::CAP_MSI, at::CAP_EXPRESS, at::CAP_MSIX]
    );
    assert_eq!(function.capability(at::CAP_MSIX), Some(0x94));
    assert_eq!(function.port, Some(Port::Endpoint));
    let settings = function.settings;
    let header = (settings.cache_line, settings.latency, settings.line);
    assert_eq!(header, (16, 64, 11));
    assert_eq!(said, []);
}

/// A list of capabilities that is none ends where it stops being one.
#[test]
fn odd_lists_are_cut() {
    let place = bdf(0, 1, 0);
    for (case, next, cut) in [
        ("ends", 0, None),
        ("ends, reserved bits aside", 3, None),
        ("reserved bits aside", 0x6e, None),
        ("in the header", 0x3c, Some(0x3c)),
        ("to itself", 0x50, Some(0x50)),
        ("to the first", 0x40, Some(0x40)),
    ] {
        let mut device = edu(0).power(true);
        device.set(0x51, 1, next);
        device.set(0x6c, 2, 0x0009);
        let (found, said) = scan(&mut Functions::default().with(place, device));
        let count = if next == 0x6e { 3 } else { 2 };
        assert_eq!(found.functions()[0].capabilities.len(), count, "{case}");
        let wanted = cut.map(|next| Warning::List { at: place, next });
        assert_eq!(said, wanted.into_iter().collect::<Vec<_>>(), "{case}");
    }
    let mut device = edu(0);
    device.set(at::STATUS, 2, 0);
    let (found, _) = scan(&mut Functions::default().with(place, device));
    assert_eq!(found.functions()[0].capabilities, [], "no list at all");
}

/// One look at a function takes so many accesses, and one where there is none takes one.
#[test]
fn a_look_is_short() {
    let rich = || {
        let function = edu(0x1000_0000).power(false).msix(4, 2);
        function.express(Port::Endpoint, true)
    };
    for (case, device, reads, writes) in [
        ("nothing", None, 0, 0),
        ("an edu", Some(edu(0)), 18, 7),
        ("one with more capabilities", Some(rich()), 23, 7),
        ("a bridge", Some(root_port(0, 0)), 15, 2),
    ] {
        let mut fake = Functions::default();
        if let Some(device) = device {
            fake = fake.with(bdf(0, 9, 0), device);
        }
        let _ = scan_buses(&mut fake, 0..=0);
        assert_eq!(
            (fake.reads - 32, fake.writes.len()),
            (reads, writes),
            "{case}"
        );
    }
}
