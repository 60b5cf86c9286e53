//! What a guest sees of its interrupts, and what the machine sees of the guest.

mod delivery;
mod pressure;
mod private;
mod property;
mod registers;
mod rig;

use super::*;

/// Numbers that no GIC has are refused, each by name.
#[test]
fn impossible_gics_are_refused() {
    let line = |intid| IrqLine::new(intid).unwrap();
    let good = Config {
        vcpus: 1,
        spis: 32,
        lines: &[],
        list_registers: 4,
        priority_bits: 5,
    };
    let private = [(line(27), Trigger::Level)];
    let beyond = [(line(64), Trigger::Level)];
    let table = [
        (good, None),
        (Config { vcpus: 0, ..good }, Some(ConfigError::Vcpus(0))),
        (Config { vcpus: 9, ..good }, Some(ConfigError::Vcpus(9))),
        (Config { vcpus: 8, ..good }, None),
        (Config { spis: 989, ..good }, Some(ConfigError::Spis(989))),
        (Config { spis: 988, ..good }, None),
        (Config { spis: 0, ..good }, None),
        (
            Config {
                lines: &private,
                ..good
            },
            Some(ConfigError::Line(line(27))),
        ),
        (
            Config {
                lines: &beyond,
                ..good
            },
            Some(ConfigError::Line(line(64))),
        ),
        (
            Config {
                lines: &beyond,
                spis: 33,
                ..good
            },
            None,
        ),
        (
            Config {
                list_registers: 0,
                ..good
            },
            Some(ConfigError::ListRegisters(0)),
        ),
        (
            Config {
                list_registers: 17,
                ..good
            },
            Some(ConfigError::ListRegisters(17)),
        ),
        (
            Config {
                priority_bits: 3,
                ..good
            },
            Some(ConfigError::PriorityBits(3)),
        ),
    ];
    for (config, refusal) in table {
        assert_eq!(Vgic::new(&config).err(), refusal, "{config:?}");
    }
}
