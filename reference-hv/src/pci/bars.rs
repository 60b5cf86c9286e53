//! How much the base address registers decode (PCI 6.2.5.1).

use alloc::vec::Vec;

use super::registers::{BAR0, COMMAND, Command};
use super::{Bar, BarKind, FunctionDefect, Registers};
use crate::fault::{self, Fault};
use crate::hal::ConfigSpace;

/// Bits of a register for I/O that are no address.
const IO_FLAGS: u32 = 0b11;
/// Bits of a register for memory that are no address.
const MEMORY_FLAGS: u32 = 0b1111;
/// It decodes I/O.
const IO: u32 = 1;
/// Reads of the memory have no side effects.
const PREFETCHABLE: u32 = 1 << 3;
/// The address space above what a register of 32 bits can say.
const UPPER: u64 = !0xffff_ffff;

/// What a register held, and what it kept of all ones.
#[derive(Clone, Copy)]
struct Sized {
    original: u32,
    kept: u32,
}

/// Finds what the first `count` base address registers decode, and whether something is wrong with one. Whatever they
/// hold then is what they held before, and so is the command register, which held `command`.
pub(super) fn size<S: ConfigSpace>(
    registers: &mut Registers<'_, S>,
    command: Command,
    count: u8,
) -> (Vec<Bar>, Option<FunctionDefect>) {
    // What is decoded meanwhile is nonsense, so that nothing must be.
    let quiet = command.difference(Command::IO | Command::MEMORY);
    if quiet != command {
        registers.set_half(COMMAND, quiet.bits());
    }
    let mut bars = Vec::new();
    let mut flaw = None;
    let mut index = 0;
    while index < count {
        let low = probe(registers, index);
        let wide = low.original & IO == 0 && low.original >> 1 & 3 == 2;
        let high = (wide && index + 1 < count).then(|| probe(registers, index + 1));
        match judge(index, low, high) {
            Ok(bar) => bars.extend(bar),
            Err(found) => flaw = flaw.or(Some(found)),
        }
        index += if high.is_some() { 2 } else { 1 };
    }
    if quiet != command && !fault::on(Fault::PciDecodeLeftOff) {
        registers.set_half(COMMAND, command.bits());
    }
    (bars, flaw)
}

/// Finds which bits of a register can be written.
fn probe<S: ConfigSpace>(registers: &mut Registers<'_, S>, index: u8) -> Sized {
    let offset = BAR0 + 4 * u16::from(index);
    let original = registers.word(offset);
    registers.set_word(offset, u32::MAX);
    let kept = registers.word(offset);
    if kept != original && !fault::on(Fault::PciBarNotRestored) {
        registers.set_word(offset, original);
    }
    Sized { original, kept }
}

/// Decides what a register, or two that belong together, decode; nothing where they decode nothing.
fn judge(index: u8, low: Sized, high: Option<Sized>) -> Result<Option<Bar>, FunctionDefect> {
    if low.kept == 0 && low.original == 0 {
        return Ok(None);
    }
    let io = low.original & IO != 0;
    let flags = if io { IO_FLAGS } else { MEMORY_FLAGS };
    // What the register says of itself cannot be written. The second bit for I/O is none of that (PCI 6.2.5.1).
    let said = if io { IO } else { MEMORY_FLAGS };
    if (low.original ^ low.kept) & said != 0 {
        return Err(FunctionDefect::Kind(index));
    }
    let kind = match (io, low.original >> 1 & 3) {
        (true, _) => BarKind::Io,
        // Memory below 1 MiB, in the words of an older standard, is memory with an address of 32 bits.
        (false, 0 | 1) => BarKind::Memory32,
        (false, 2) => BarKind::Memory64,
        (false, _) => return Err(FunctionDefect::Kind(index)),
    };
    let (mut mask, mut address) = (
        u64::from(low.kept & !flags),
        u64::from(low.original & !flags),
    );
    if kind == BarKind::Memory64 {
        let high = high.ok_or(FunctionDefect::Kind(index))?;
        mask |= u64::from(high.kept) << 32;
        address |= u64::from(high.original) << 32;
    }
    if mask == 0 {
        // It says what it decodes, but decodes nothing.
        return if address == 0 {
            Ok(None)
        } else {
            Err(FunctionDefect::Address(index))
        };
    }
    if address & !mask != 0 {
        return Err(FunctionDefect::Address(index));
    }
    if kind != BarKind::Memory64 {
        mask |= UPPER;
    }
    if io && mask & 0xffff_0000 == 0 {
        // I/O space may end at 64 KiB, and the bits above it with it.
        mask |= 0xffff_0000;
    }
    let size = (!mask).wrapping_add(1);
    if !size.is_power_of_two() {
        return Err(FunctionDefect::Size(index));
    }
    Ok(Some(Bar {
        index,
        kind,
        prefetchable: !io && low.original & PREFETCHABLE != 0,
        address,
        size,
    }))
}
