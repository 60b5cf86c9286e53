//! Functions that come and go.

use super::*;

fn physical() -> Device {
    let mut device = edu(0).express(Port::Endpoint, true).acs(at::Acs::empty());
    let mut body = [0_u8; 60];
    body[0x16..0x18].copy_from_slice(&[0xca, 0x10]);
    let _ = device.extended_at(at::EXT_VIRTUAL, &body);
    device
}

/// A virtual function: nobody's vendor and device, and no registers.
fn virtual_one() -> Device {
    let mut device = Device::endpoint(0xffff, 0xffff).class(0x02_0000);
    device.set(at::HEADER_TYPE, 1, 0);
    device
}

fn quiet(warning: Warning) {
    panic!("{warning}");
}

/// A function that comes is known as if it had been there, and a second time changes nothing.
#[test]
fn what_comes_is_as_if_it_had_been_there() {
    let mut fake = Functions::default()
        .with(bdf(0, 1, 0), root_port(1, 4))
        .with(bdf(0, 2, 0), edu(0x1000_0000).multifunction())
        .with(bdf(0, 2, 1), edu(0x1010_0000))
        .with(bdf(1, 0, 0), Device::port(Port::Upstream, 1, 2, 4))
        .with(bdf(2, 0, 0), Device::port(Port::Downstream, 2, 3, 3))
        .with(bdf(2, 3, 0), Device::port(Port::Downstream, 2, 4, 4))
        .with(bdf(3, 0, 0), edu(0x1020_0000))
        .with(bdf(4, 0, 0), edu(0x1030_0000));
    let (mut wanted, _) = scan(&mut fake);
    wanted.isolate(&mut fake, &mut quiet);
    let all = places(&wanted);
    let mut found = wanted.clone();
    for place in all.iter().rev() {
        let gone = found.remove(*place).unwrap();
        assert_eq!(gone.at, *place);
        assert_eq!(found.get(*place), None);
        assert_eq!(found.remove(*place), Err(RemoveError::Unknown));
    }
    assert_eq!(found.functions(), []);
    for place in &all {
        assert_eq!(
            found.add(&mut fake, *place, None, &mut quiet).unwrap().at,
            *place
        );
    }
    assert!(found == wanted);
    let accesses = fake.accesses();
    for place in all {
        assert_eq!(
            found.add(&mut fake, place, None, &mut quiet).unwrap().at,
            place
        );
    }
    assert!(found == wanted);
    assert!(fake.accesses() - accesses <= 8, "one look is enough");
}

/// What cannot have come is refused, each for its own reason, and nothing changes.
#[test]
fn what_cannot_have_come_is_refused() {
    let mut fake = Functions::default()
        .with(bdf(0, 1, 0), root_port(1, 1))
        .with(bdf(0, 2, 0), Device::bridge(0, 2, 4))
        .with(bdf(0, 3, 0), edu(0))
        .with(bdf(0, 3, 1), edu(0))
        .with(bdf(0, 4, 1), edu(0))
        .with(bdf(0, 5, 0), physical())
        .with(bdf(1, 1, 0), edu(0))
        .with(bdf(3, 0, 0), edu(0));
    let (mut found, _) = scan_buses(&mut fake, 0..=0x1f);
    let before = found.clone();
    let far = Sbdf {
        segment: u16::MAX,
        ..bdf(0xff, 31, 7)
    };
    for (at, physical, wanted) in [
        (far, None, AddError::Bus),
        (bdf(0x20, 0, 0), None, AddError::Bus),
        (bdf(0x1f, 31, 7), None, AddError::Unreachable),
        (bdf(3, 0, 0), None, AddError::Unreachable),
        (bdf(0, 31, 7), None, AddError::Absent),
        (bdf(0, 3, 1), None, AddError::Absent),
        (bdf(0, 4, 1), None, AddError::Absent),
        (bdf(1, 1, 0), None, AddError::Absent),
        (
            bdf(0, 6, 0),
            Some(bdf(0, 7, 0)),
            AddError::Physical(bdf(0, 7, 0)),
        ),
        (
            bdf(0, 6, 0),
            Some(bdf(0, 2, 0)),
            AddError::Physical(bdf(0, 2, 0)),
        ),
        (bdf(0, 6, 0), Some(bdf(0, 5, 0)), AddError::Absent),
        (bdf(0, 3, 1), Some(bdf(0, 3, 0)), AddError::Absent),
        (bdf(0, 4, 1), Some(bdf(0, 5, 0)), AddError::Unreachable),
        (bdf(2, 0, 0), Some(bdf(0, 5, 0)), AddError::Unreachable),
        (bdf(0, 3, 0), Some(bdf(0, 5, 0)), AddError::Changed),
    ] {
        let added = found.add(&mut fake, at, physical, &mut quiet);
        assert_eq!(added.map(|one| one.at), Err(wanted), "{at}");
        assert!(found == before, "{at}");
    }
    let pulled = fake.pull(bdf(0, 3, 0)).unwrap();
    let again = |found: &mut Inventory, fake: &mut Functions| {
        let added = found.add(fake, bdf(0, 3, 0), None, &mut quiet);
        added.map(|one| one.device)
    };
    assert_eq!(again(&mut found, &mut fake), Err(AddError::Absent));
    let mut fake = fake.with(bdf(0, 3, 0), Device::endpoint(0x8086, 0x10d3));
    assert_eq!(again(&mut found, &mut fake), Err(AddError::Changed));
    found.remove(bdf(0, 3, 0)).unwrap();
    assert_eq!(again(&mut found, &mut fake), Ok(0x10d3));
    assert!(pulled != *fake.device(bdf(0, 3, 0)));
}

/// A bridge that had no buses when it was looked at can get some, but only ones that nothing else has.
#[test]
fn bridges_can_be_numbered_late() {
    let bridge = bdf(0, 1, 0);
    let new = bdf(9, 0, 0);
    for (secondary, subordinate, fits) in [
        (9, 9, true),
        (9, 0xff, true),
        (5, 9, false),
        (0, 9, false),
        (9, 8, false),
    ] {
        let mut fake = Functions::default()
            .with(bridge, root_port(0, 0))
            .with(bdf(0, 2, 0), root_port(3, 5));
        let (mut found, said) = scan(&mut fake);
        assert_eq!(said.len(), 1);
        let mut fake = fake.with(new, edu(0));
        let mut add = |fake: &mut Functions| {
            let added = found.add(fake, new, None, &mut quiet);
            added.map(|one| one.above)
        };
        assert_eq!(add(&mut fake), Err(AddError::Unreachable));
        fake.device(bridge).set(at::BUSES + 1, 1, secondary);
        fake.device(bridge).set(at::BUSES + 2, 1, subordinate);
        let wanted = if fits {
            Ok(Some(bridge))
        } else {
            Err(AddError::Unreachable)
        };
        assert_eq!(add(&mut fake), wanted, "{secondary:#x} to {subordinate:#x}");
    }
}

/// A bridge that comes with buses that others have is known, but nothing is looked for behind it.
#[test]
fn bridges_do_not_take_the_buses_of_others() {
    let mut fake = Functions::default()
        .with(bdf(0, 2, 0), root_port(3, 5))
        .with(bdf(3, 0, 0), edu(0));
    let (mut found, _) = scan(&mut fake);
    let bridge = bdf(0, 1, 0);
    let mut fake = fake.with(bridge, root_port(3, 3));
    let mut said = Vec::new();
    let added = found.add(&mut fake, bridge, None, &mut |warning| said.push(warning));
    let kind = Kind::Bridge {
        secondary: None,
        subordinate: 3,
    };
    assert_eq!(added.unwrap().kind, kind);
    let wanted = Warning::Numbers {
        bridge,
        secondary: 3,
        subordinate: 3,
        last: 0xff,
    };
    assert_eq!(said, [wanted]);
    assert_eq!(found.get(bdf(3, 0, 0)).unwrap().above, Some(bdf(0, 2, 0)));
}

/// A virtual function comes after its physical one and goes before it. It is called as that says, and is nobody's.
#[test]
fn virtual_functions_hang_on_their_physical_one() {
    let (owner, one) = (bdf(1, 0, 0), bdf(1, 2, 1));
    let mut fake = Functions::default()
        .with(bdf(0, 1, 0), root_port(1, 2))
        .with(owner, physical())
        .with(one, virtual_one())
        .with(bdf(2, 0, 0), virtual_one());
    let (mut found, _) = scan(&mut fake);
    assert_eq!(places(&found), [bdf(0, 1, 0), owner]);
    for at in [one, bdf(2, 0, 0)] {
        let added = found.add(&mut fake, at, Some(owner), &mut quiet).unwrap();
        let names = (added.vendor, added.device, added.class);
        assert_eq!(names, (0x1234, 0x10ca, 0x02_0000));
        assert_eq!(added.flaw, Some(FunctionDefect::Virtual(owner)));
        assert_eq!((added.bars.len(), added.intx_route), (0, None));
        assert_eq!(added.requester, at);
        assert_eq!(added.above, Some(bdf(0, 1, 0)));
        let group = Group {
            first: owner,
            why: Some(IsolationReason::Device),
        };
        assert_eq!(added.group, group);
        assert_eq!(added.reset, Reset::None);
    }
    assert_eq!(found.remove(owner), Err(RemoveError::Needed(one)));
    let again = found.add(&mut fake, one, Some(owner), &mut quiet);
    assert_eq!(again.map(|one| one.at), Ok(one));
    let changed = found.add(&mut fake, one, None, &mut quiet);
    assert_eq!(changed.map(|one| one.at), Err(AddError::Changed));
    found.remove(one).unwrap();
    found.remove(bdf(2, 0, 0)).unwrap();
    found.remove(owner).unwrap();
}

/// A bridge stays known as long as something behind it is.
#[test]
fn bridges_stay_while_something_is_behind() {
    let mut fake = Functions::default()
        .with(bdf(0, 1, 0), root_port(1, 1))
        .with(bdf(1, 0, 0), edu(0));
    let (mut found, _) = scan(&mut fake);
    let needed = Err(RemoveError::Needed(bdf(1, 0, 0)));
    assert_eq!(found.remove(bdf(0, 1, 0)), needed);
    found.remove(bdf(1, 0, 0)).unwrap();
    found.remove(bdf(0, 1, 0)).unwrap();
}

/// A port that comes is told to keep devices apart before anybody counts on it, and groups change with who is there.
#[test]
fn groups_follow() {
    let members = [bdf(0, 5, 0), bdf(0, 5, 1)];
    let mut fake = Functions::default()
        .with(members[0], edu(0).multifunction())
        .with(members[1], edu(0))
        .with(bdf(0, 6, 0), root_port(1, 1));
    let (mut found, _) = scan(&mut fake);
    let why = |found: &Inventory| found.get(members[0]).unwrap().group.why;
    assert_eq!(why(&found), Some(IsolationReason::Device));
    found.remove(members[1]).unwrap();
    assert_eq!(why(&found), None);
    found.add(&mut fake, members[1], None, &mut quiet).unwrap();
    assert_eq!(why(&found), Some(IsolationReason::Device));

    let port = bdf(0, 6, 0);
    found.remove(port).unwrap();
    let control = at::EXTENDED + at::ACS_CONTROL;
    fake.device(port).allow(control, 2, 1);
    let mut said = Vec::new();
    let added = found.add(&mut fake, port, None, &mut |warning| said.push(warning));
    assert!(!added.unwrap().acs.unwrap().holds);
    assert_eq!(said, [Warning::Leaky(port)]);
}

/// So many functions are known and no more.
#[test]
fn there_is_an_end_to_functions() {
    let mut fake = Functions::default();
    for bus in 0..=4 {
        if bus > 0 {
            fake = fake.with(bdf(0, 0, bus), root_port(0, 0));
        }
        for device in 0..32 {
            for function in 0..8 {
                let new = Device::endpoint(0x1234, 1).multifunction();
                fake = fake.with(bdf(bus, device, function), new);
            }
        }
    }
    for bus in 1..=4 {
        let bridge = Device::bridge(0, bus, bus).multifunction();
        fake = fake.with(bdf(0, 0, bus), bridge);
    }
    let (mut found, said) = scan(&mut fake);
    assert_eq!(found.functions().len(), MAX_FUNCTIONS);
    assert!(matches!(said[..], [Warning::Full(_)]), "{said:?}");
    let one = (fake.devices().keys()).find(|at| found.get(**at).is_none());
    let one = *one.unwrap();
    let added = found.add(&mut fake, one, None, &mut quiet);
    assert_eq!(added.map(|one| one.at), Err(AddError::Full));
}
