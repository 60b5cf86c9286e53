//! How functions stop, and how they are reset.

use super::*;
use crate::pci::reset::{End, Progress, ResetRun, quiesce};

const PLACE: Sbdf = bdf(1, 0, 0);
const PORT: Sbdf = bdf(0, 1, 0);

/// A function in use: it masters memory, answers, and interrupts by message.
fn busy(device: Device) -> Device {
    let mut device = device
        .bar(0, BarKind::Memory64, 0x4000, 0x80_0000_4000)
        .bar(2, BarKind::Io, 0x20, 0x1020)
        .pin(1)
        .msi()
        .msix(4, 0);
    for (offset, value) in [(at::CACHE_LINE, 16), (at::LATENCY, 64), (at::LINE, 11)] {
        device.set(offset, 1, value);
    }
    device
}

fn plain() -> Device {
    busy(Device::endpoint(0x1234, 0x11e8))
}

fn machine(device: Device) -> Functions {
    Functions::default()
        .with(PORT, root_port(1, 1))
        .with(PLACE, device)
}

/// What its owner may have left in a function: whatever can be written.
fn spoil(device: &mut Device) {
    device.set(at::COMMAND, 2, 0x0147);
    for offset in [at::CACHE_LINE, at::LATENCY, at::LINE] {
        device.set(offset, 1, 0x5a);
    }
    device.set(at::BAR0, 4, 0xdead_0004);
    device.set(at::BAR0 + 8, 4, 0xbee1);
}

/// Carries out a reset, and returns what comes of it and for how long in all it is waited.
fn carry_out(fake: &mut Functions, found: &Inventory, how: Reset) -> (End, u32) {
    let mut run = ResetRun::begin(fake, found.get(PLACE).unwrap(), how);
    let mut waited = 0;
    for _ in 0..40 {
        match run.advance(fake, found) {
            Progress::Wait(more) => waited += more,
            Progress::Done(end) => {
                assert_eq!(
                    run.advance(fake, found),
                    Progress::Done(end),
                    "over is over"
                );
                return (end, waited);
            }
        }
    }
    panic!("no end of it");
}

/// A function stops: nothing but a quiet command register is left on, and no message is sent.
#[test]
fn functions_stop() {
    let mut fake = machine(plain());
    let (found, _) = scan(&mut fake);
    let function = found.get(PLACE).unwrap();
    let control = |id| u16::from(function.capability(id).unwrap()) + at::MSI_CONTROL;
    let (msi, msix) = (control(at::CAP_MSI), control(at::CAP_MSIX));
    let device = fake.device(PLACE);
    spoil(device);
    device.set(msi, 2, 0x00f1);
    device.set(msix, 2, 0xc003);
    device.allow(at::ROM, 4, 0xffff_0001);
    device.set(at::ROM, 4, 0x1000_0001);
    quiesce(&mut fake, function);
    let device = fake.device(PLACE);
    assert_eq!(device.get(at::COMMAND, 2), 0x0400);
    assert_eq!(device.get(msi, 2), 0x00f0, "but for the enable bit");
    assert_eq!(device.get(msix, 2), 0x4003, "but for the enable bit");
    assert_eq!(device.get(at::ROM, 4), 0x1000_0000);
    assert_eq!(
        fake.writes.first().map(|write| write.offset),
        Some(at::BAR0)
    );
    let first = fake
        .writes
        .iter()
        .find(|write| write.at == PLACE && write.value == 0x0400);
    assert_eq!(first.map(|write| write.offset), Some(at::COMMAND));
}

/// The best way to reset a function is chosen: its own before that of its bus, and that only where no bridge would lose
/// its buses.
#[test]
fn the_way_is_chosen() {
    let express = |reset| plain().express(Port::Endpoint, reset);
    for (case, device, wanted) in [
        (
            "express",
            express(true).advanced().power(false),
            "Function(92)",
        ),
        (
            "advanced",
            express(false).advanced().power(false),
            "Advanced(152)",
        ),
        ("power", express(false).power(false), "Power(152)"),
        ("power that keeps all", express(false).power(true), "Bus"),
        ("none of its own", plain(), "Bus"),
    ] {
        let (found, _) = scan(&mut machine(device));
        let reset = found.get(PLACE).unwrap().reset;
        assert!(
            format!("{reset:?}").starts_with(wanted),
            "{case}: {reset:?}"
        );
        assert_eq!(found.get(PORT).unwrap().reset, Reset::None);
    }
    let short = plain().capability(at::CAP_ADVANCED, &[6, 1, 0, 0]);
    let (found, _) = scan(&mut machine(short));
    let reset = found.get(PLACE).unwrap().reset;
    assert_eq!(
        reset,
        Reset::Bus(PORT),
        "half of the advanced features is none"
    );
    let (found, _) = scan(
        &mut Functions::default()
            .with(PLACE, plain())
            .with(PORT, plain()),
    );
    assert_eq!(
        found.get(PORT).unwrap().reset,
        Reset::None,
        "no bridge above"
    );
    let mut fake = Functions::default()
        .with(PORT, Device::bridge(0, 1, 2))
        .with(PLACE, plain())
        .with(bdf(1, 3, 0), Device::bridge(1, 2, 2));
    let (found, _) = scan(&mut fake);
    assert_eq!(
        found.get(PLACE).unwrap().reset,
        Reset::None,
        "next to a bridge"
    );
}

/// However a function is reset, it is as the firmware left it but quiet, and as long as the standard asks is waited.
#[test]
fn functions_are_reset() {
    let express = || plain().express(Port::Endpoint, true).acs(at::Acs::REDIRECT);
    for (case, device, resets, waited) in [
        ("express", express().multifunction(), 1, 100_000),
        ("advanced", plain().advanced(), 1, 100_000),
        ("power", plain().power(false), 1, 20_000),
        ("bus", plain(), 1, 102_000),
        ("slow", plain().advanced().slow(3), 1, 400_000),
    ] {
        let mut fake = machine(device);
        let (mut found, _) = scan(&mut fake);
        found.isolate(&mut fake, &mut |warning| panic!("{warning}"));
        let mut before = fake.device(PLACE).clone();
        spoil(fake.device(PLACE));
        let how = found.get(PLACE).unwrap().reset;
        let seen = carry_out(&mut fake, &found, how);
        assert_eq!(seen, (End::Reset, waited), "{case}");
        assert_eq!(fake.device(PLACE).resets, resets, "{case}");
        before.set(at::COMMAND, 2, 0x0400);
        assert!(fake.device(PLACE).bytes() == before.bytes(), "{case}");
        let port = fake.device(PORT).get(at::BRIDGE_CONTROL, 2);
        assert_eq!(port, 0, "{case}: the bus is let go");
    }
}

/// What cannot be reset, or must not, has stopped all the same, and is where the firmware put it.
#[test]
fn what_is_not_reset_has_stopped() {
    let mut fake = machine(plain().power(false));
    let (found, _) = scan(&mut fake);
    let mut before = fake.device(PLACE).clone();
    spoil(fake.device(PLACE));
    assert_eq!(carry_out(&mut fake, &found, Reset::None), (End::Stopped, 0));
    before.set(at::COMMAND, 2, 0x0400);
    assert!(*fake.device(PLACE) == before);
}

/// A function that its owner has left asleep is woken first, since it cannot be told to reset itself otherwise.
#[test]
fn sleepers_are_woken() {
    let mut fake = machine(plain().advanced().power(true));
    let (found, _) = scan(&mut fake);
    let power = u16::from(found.get(PLACE).unwrap().capability(at::CAP_POWER).unwrap());
    fake.device(PLACE).set(power + at::POWER_CONTROL, 2, 0x0b);
    let how = found.get(PLACE).unwrap().reset;
    assert_eq!(carry_out(&mut fake, &found, how), (End::Reset, 110_000));
    assert_eq!(fake.device(PLACE).get(power + at::POWER_CONTROL, 2), 0x08);
}

/// Transactions on their way are waited for, but not for ever; and also where nothing resets the function.
#[test]
fn transactions_are_waited_for() {
    for (device, status, how, after) in [
        (
            plain().express(Port::Endpoint, true),
            Some(at::DEVICE_STATUS),
            None,
            100_000,
        ),
        (plain().advanced(), None, None, 100_000),
        (
            plain().express(Port::Endpoint, false),
            Some(at::DEVICE_STATUS),
            Some(Reset::None),
            0,
        ),
    ] {
        let mut fake = machine(device);
        let (found, _) = scan(&mut fake);
        let function = found.get(PLACE).unwrap();
        match status {
            Some(status) => {
                let express = u16::from(function.capability(at::CAP_EXPRESS).unwrap());
                fake.device(PLACE)
                    .set(express + status, 2, at::DEVICE_PENDING.into());
            }
            None => {
                let advanced = u16::from(function.capability(at::CAP_ADVANCED).unwrap());
                fake.device(PLACE).set(advanced + at::ADVANCED_STATUS, 1, 1);
            }
        }
        let how = how.unwrap_or(function.reset);
        let (end, waited) = carry_out(&mut fake, &found, how);
        assert_ne!(end, End::Gone);
        assert_eq!(waited, 100_000 + after);
    }
}

/// A reset of a bus is one of everything there, and everything gets back what the firmware set.
#[test]
fn a_bus_is_restored_as_a_whole() {
    let other = bdf(1, 3, 0);
    let mut fake = Functions::default()
        .with(PORT, Device::bridge(0, 1, 1))
        .with(PLACE, plain())
        .with(other, plain());
    let (found, _) = scan(&mut fake);
    let behind: Vec<_> = found.behind(PORT).map(|one| one.at).collect();
    assert_eq!(behind, [PLACE, other]);
    let mut before = fake.device(other).clone();
    let (end, _) = carry_out(&mut fake, &found, Reset::Bus(PORT));
    assert_eq!((end, fake.device(other).resets), (End::Reset, 1));
    before.set(at::COMMAND, 2, 0x0400);
    assert!(fake.device(other).bytes() == before.bytes());
    // One that does not come back does not keep the other.
    let mut fake = fake.with(other, plain().lives(0));
    let (end, waited) = carry_out(&mut fake, &found, Reset::Bus(PORT));
    assert_eq!((end, waited), (End::Reset, 1_102_000));
}

/// A function that is pulled out at any moment ends its reset, as does one that another has taken the place of.
#[test]
fn what_is_pulled_out_ends_it() {
    let device = || {
        plain()
            .express(Port::Endpoint, true)
            .power(false)
            .advanced()
    };
    let mut ends = Vec::new();
    for how in 0..4 {
        for accesses in 0..60 {
            let mut fake = machine(device());
            let (found, _) = scan(&mut fake);
            let capability = |id| found.get(PLACE).unwrap().capability(id).unwrap();
            let how = [
                Reset::Function(capability(at::CAP_EXPRESS)),
                Reset::Advanced(capability(at::CAP_ADVANCED)),
                Reset::Power(capability(at::CAP_POWER)),
                Reset::Bus(PORT),
            ][how];
            let mut fake = fake.with(PLACE, device().lives(accesses));
            let (end, waited) = carry_out(&mut fake, &found, how);
            assert!(waited <= 2_000_000, "{how:?} waits {waited}");
            ends.push((accesses, end));
        }
    }
    assert!(
        ends.iter()
            .all(|(accesses, end)| *accesses > 0 || *end == End::Gone)
    );
    assert!(
        ends.iter()
            .all(|(accesses, end)| *accesses < 59 || *end == End::Reset)
    );

    let mut fake = machine(plain());
    let (mut found, _) = scan(&mut fake);
    let mut run = ResetRun::begin(&mut fake, found.get(PLACE).unwrap(), Reset::Bus(PORT));
    assert_eq!(run.advance(&mut fake, &found), Progress::Wait(2_000));
    let mut fake = fake.with(PLACE, Device::endpoint(0x8086, 0x10d3));
    let before = fake.device(PLACE).clone();
    assert_eq!(run.advance(&mut fake, &found), Progress::Wait(100_000));
    assert_eq!(run.advance(&mut fake, &found), Progress::Done(End::Gone));
    assert!(*fake.device(PLACE) == before, "a stranger is left alone");

    let mut run = ResetRun::begin(&mut fake, found.get(PLACE).unwrap(), Reset::Bus(PORT));
    fake.pull(PORT);
    assert_eq!(run.advance(&mut fake, &found), Progress::Done(End::Gone));
    let mut run = ResetRun::begin(&mut fake, found.get(PLACE).unwrap(), Reset::None);
    found.remove(PLACE).unwrap();
    assert_eq!(run.advance(&mut fake, &found), Progress::Done(End::Gone));
}
