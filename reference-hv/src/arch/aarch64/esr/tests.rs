//! Syndromes as the processor writes them.

use super::*;

const CLEAN: Syndrome = Syndrome {
    esr: 0,
    far: 0,
    hpfar: 0,
    spsr: 0,
};

/// X0 to X30 hold numbers that tell them apart.
fn registers() -> [u64; 31] {
    core::array::from_fn(|number| 0x8182_8384_8586_8700 | u64::try_from(number).unwrap())
}

fn decoded(esr: u64) -> Exit {
    decode(&Syndrome { esr, ..CLEAN }, &registers())
}

fn of(class: u8, iss: u64) -> u64 {
    u64::from(class) << 26 | 1 << 25 | iss
}

/// A store names its size and value, cut to the size; number 31 stores zero.
#[test]
fn stores_carry_their_value() {
    let table = [
        (0, 5, Width::Byte, 0x05),
        (1, 5, Width::Half, 0x8705),
        (2, 5, Width::Word, 0x8586_8705),
        (3, 5, Width::Double, 0x8182_8384_8586_8705),
        (3, 0, Width::Double, 0x8182_8384_8586_8700),
        (3, 30, Width::Double, 0x8182_8384_8586_871e),
        (3, 31, Width::Double, 0),
    ];
    for (size, rt, width, value) in table {
        let iss = 1 << 24 | size << 22 | rt << 16 | 1 << 15 | 1 << 6 | 0x07;
        let Exit::Data {
            write,
            access,
            cache,
            fault,
        } = decoded(of(0x24, iss))
        else {
            panic!("no data abort");
        };
        assert!(write && !cache && !fault.walk);
        let access = access.unwrap();
        assert_eq!(
            (access.width, access.write),
            (width, Some(value)),
            "size {size} rt {rt}"
        );
    }
}

/// A load names its register, and how what is found becomes what the register holds.
#[test]
fn loads_extend_as_asked() {
    // (size, sign, 64 bits, found, loaded)
    let table = [
        (0, 0, 0, 0xffff_ff80, 0x80),
        (0, 1, 0, 0x80, 0xffff_ff80),
        (0, 1, 1, 0x80, 0xffff_ffff_ffff_ff80),
        (0, 1, 1, 0x7f, 0x7f),
        (1, 1, 0, 0x8000, 0xffff_8000),
        (2, 0, 1, 0xdead_beef_8000_0000, 0x8000_0000),
        (2, 1, 1, 0x8000_0000, 0xffff_ffff_8000_0000),
        (3, 0, 1, 0xdead_beef_8000_0000, 0xdead_beef_8000_0000),
    ];
    for (size, sign, wide, found, loaded) in table {
        let iss = 1 << 24 | size << 22 | sign << 21 | 7 << 16 | wide << 15 | 0x07;
        let Exit::Data {
            write: false,
            access: Some(access),
            ..
        } = decoded(of(0x24, iss))
        else {
            panic!("no load");
        };
        assert_eq!((access.rt, access.write), (7, None));
        assert_eq!(
            access.loaded(found),
            loaded,
            "size {size} sign {sign} wide {wide}"
        );
    }
}

/// Without a valid syndrome the access is not described.
#[test]
fn an_access_without_syndrome_is_not_described() {
    let Exit::Data {
        write: true,
        access: None,
        ..
    } = decoded(of(0x24, 3 << 22 | 1 << 6 | 0x07))
    else {
        panic!("no store without syndrome");
    };
}

/// A cache operation is told from a store.
#[test]
fn cache_operations_are_told_apart() {
    assert!(matches!(
        decoded(of(0x24, 1 << 8 | 1 << 6 | 0x07)),
        Exit::Data {
            write: true,
            cache: true,
            access: None,
            ..
        }
    ));
}

/// The address is put together from the page and the offset of the virtual one, over all 52 bits.
#[test]
fn the_address_is_page_and_offset() {
    let table = [
        (0x0000_0000_0000_0000, 0, 0),
        (0x0000_0000_0009_0300, 0xffff_0000_1234_5fe0, 0x0903_0fe0),
        (0x0000_0fff_ffff_fff0, 0xfff, 0x000f_ffff_ffff_ffff),
        (0xf000_0000_0000_000f, 0x123, 0x123),
    ];
    for (hpfar, far, ipa) in table {
        let syndrome = Syndrome {
            esr: of(0x24, 0x07),
            far,
            hpfar,
            spsr: 0,
        };
        let Exit::Data { fault, .. } = decode(&syndrome, &registers()) else {
            panic!("no abort")
        };
        assert_eq!(fault.ipa.map(Ipa::raw), Some(ipa), "{hpfar:#x}");
        assert_eq!(fault.va, far);
    }
}

/// The address is believed only where the processor writes it.
#[test]
fn the_address_is_known_for_some_faults_only() {
    let walk = 1 << 7;
    let table = [
        (0x00, Cause::AddressSize, true),
        (0x29, Cause::AddressSize, true),
        (0x04, Cause::Translation, true),
        (0x07, Cause::Translation, true),
        (0x2b, Cause::Translation, true),
        (0x0b, Cause::AccessFlag, true),
        (0x0f, Cause::Permission, false),
        (walk | 0x0f, Cause::Permission, true),
        (0x10, Cause::External, false),
        (0x17, Cause::External, false),
        (0x21, Cause::Alignment, false),
        (0x35, Cause::Other(0x35), false),
        (0x3f, Cause::Other(0x3f), false),
    ];
    for (iss, cause, known) in table {
        for class in [0x20, 0x24] {
            let (Exit::Data { fault, .. } | Exit::Fetch { fault }) = decoded(of(class, iss)) else {
                panic!("no abort");
            };
            assert_eq!(
                (fault.cause, fault.ipa.is_some()),
                (cause, known),
                "{iss:#x}"
            );
        }
    }
}

/// Of a table walk only the page is known: the offset is that of another address.
#[test]
fn a_walk_has_no_offset() {
    let syndrome = Syndrome {
        esr: of(0x20, 1 << 7 | 0x06),
        far: 0x8123,
        hpfar: 0x4000,
        spsr: 0,
    };
    let Exit::Fetch { fault } = decode(&syndrome, &registers()) else {
        panic!("no fetch")
    };
    assert_eq!(fault.ipa, Some(Ipa::new(0x40_0000)));
    assert!(fault.walk);
}

/// Calls carry their immediate and arguments.
#[test]
fn calls_carry_immediate_and_arguments() {
    let x = registers();
    let args = [x[0], x[1], x[2], x[3], x[4]];
    for (class, conduit) in [(0x16, Conduit::Hvc), (0x17, Conduit::Smc)] {
        for immediate in [0, 0xea1, 0xffff] {
            assert_eq!(
                decoded(of(class, u64::from(immediate))),
                Exit::Call {
                    conduit,
                    immediate,
                    args,
                    number: x[16],
                }
            );
        }
    }
}

/// A system register access names the register by its encoding.
#[test]
fn register_accesses_are_named() {
    // ICC_SGI1R_EL1 is S3_0_C12_C11_5, CNTP_CTL_EL0 is S3_3_C14_C2_1.
    let write = of(0x18, 3 << 20 | 5 << 17 | 12 << 10 | 9 << 5 | 11 << 1);
    assert_eq!(
        decoded(write),
        Exit::Register {
            reg: SysReg::new(3, 0, 12, 11, 5),
            write: Some(registers()[9]),
            rt: 9
        }
    );
    let read = of(
        0x18,
        3 << 20 | 1 << 17 | 3 << 14 | 14 << 10 | 31 << 5 | 2 << 1 | 1,
    );
    assert_eq!(
        decoded(read),
        Exit::Register {
            reg: SysReg::new(3, 3, 14, 2, 1),
            write: None,
            rt: 31
        }
    );
    let zero = of(0x18, 3 << 20 | 31 << 5);
    assert!(matches!(
        decoded(zero),
        Exit::Register {
            write: Some(0),
            rt: 31,
            ..
        }
    ));
}

/// The four wait instructions are told apart.
#[test]
fn waits_are_told_apart() {
    let kinds = [
        WaitKind::Interrupt,
        WaitKind::Event,
        WaitKind::InterruptUntil,
        WaitKind::EventUntil,
    ];
    for (iss, kind) in (0..).zip(kinds) {
        assert_eq!(decoded(of(0x01, iss)), Exit::Wait { kind });
    }
}

/// Every class is decoded to something: what is trapped on purpose is withheld, the rest unexpected.
#[test]
fn every_class_is_decoded() {
    for class in 0..64_u8 {
        let exit = decoded(of(class, 0x123_4567));
        match class {
            0x01 => assert!(matches!(exit, Exit::Wait { .. })),
            0x16 | 0x17 => assert!(matches!(exit, Exit::Call { .. })),
            0x18 => assert!(matches!(exit, Exit::Register { .. })),
            0x20 => assert!(matches!(exit, Exit::Fetch { .. })),
            0x24 => assert!(matches!(exit, Exit::Data { .. })),
            0x00 | 0x03..=0x0a | 0x0c | 0x14 | 0x19..=0x1b | 0x1d => {
                assert_eq!(exit, Exit::Undefined { class });
            }
            _ => assert_eq!(
                exit,
                Exit::Unexpected {
                    class,
                    iss: 0x123_4567
                }
            ),
        }
    }
}
