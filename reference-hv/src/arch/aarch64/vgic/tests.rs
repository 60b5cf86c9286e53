//! What a guest sees of its interrupts, and what the machine sees of the guest.

mod delivery;
mod pressure;
mod private;
mod property;
mod registers;
mod rig;

use super::*;
use crate::hal::fake;

/// Makes a GIC on a CPU with so many list registers.
fn gic(
    vcpus: u32,
    shared: u32,
    lines: &[(IrqLine, Trigger)],
    (list_registers, priority_bits): (u8, u8),
) -> Option<Vgic> {
    let features = Features {
        list_registers,
        priority_bits,
    };
    let mut made = Vgic::new(vcpus, shared, &features)?;
    for (line, trigger) in lines {
        let mut chip = fake::lines::Lines::default();
        chip.lines
            .insert(line.number(), fake::lines::Line::default());
        made.connect(&mut chip, *line, *trigger).ok()?;
    }
    Some(made)
}

/// Numbers that no GIC has are refused.
#[test]
fn impossible_gics_are_refused() {
    let private = [(IrqLine::new(27), Trigger::Level)];
    let beyond = [(IrqLine::new(64), Trigger::Level)];
    let none = &[][..];
    let table = [
        (1, 32, none, (4, 5), true),
        (0, 32, none, (4, 5), false),
        (9, 32, none, (4, 5), false),
        (8, 32, none, (4, 5), true),
        (1, 989, none, (4, 5), false),
        (1, 988, none, (4, 5), true),
        (1, 0, none, (4, 5), true),
        (1, 32, &private, (4, 5), false),
        (1, 32, &beyond, (4, 5), false),
        (1, 33, &beyond, (4, 5), true),
        (1, 32, none, (0, 5), false),
        (1, 32, none, (17, 5), false),
        (1, 32, none, (16, 8), true),
        (1, 32, none, (4, 3), false),
        (1, 32, none, (4, 9), false),
    ];
    for (vcpus, shared, lines, features, possible) in table {
        let made = gic(vcpus, shared, lines, features);
        assert_eq!(
            made.is_some(),
            possible,
            "{vcpus} {shared} {lines:?} {features:?}"
        );
    }
}
