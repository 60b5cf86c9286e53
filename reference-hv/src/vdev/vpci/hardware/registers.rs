//! What the hardware's registers say at this moment, and where they are.

use crate::access::Width;
use crate::hal::ConfigSpace;
use crate::ids::Sbdf;
use crate::pci::registers::{
    BAR0, CAP_MSI, CAP_MSIX, COMMAND, Command, MSI_CONTROL, MSI_ENABLE, MSIX_ENABLE,
};
use crate::pci::{Bar, BarKind, Function};
use crate::vdev::vpci::function::commanded;

/// Bits of a memory register that are no address (PCI 6.2.5.1).
const FLAGS: u64 = 0xf;
/// Capability: enhanced allocation (PCIe 7.8.5).
const CAP_ALLOCATION: u8 = 0x14;
/// All ones of 16 bits, which nobody answers.
const NOBODY: u32 = 0xffff;

/// Returns where a memory register points.
pub fn address(port: &mut impl ConfigSpace, at: Sbdf, bar: &Bar) -> u64 {
    let register = register(bar);
    let low = u64::from(port.config_read(at, register, Width::Word));
    let high = match bar.kind {
        BarKind::Memory64 => u64::from(port.config_read(at, register + 4, Width::Word)),
        BarKind::Memory32 | BarKind::Io => 0,
    };
    (high << 32 | low) & !FLAGS
}

/// Returns where a base address register is.
fn register(bar: &Bar) -> u16 {
    BAR0 + 4 * u16::from(bar.index)
}

/// Tells what a register decodes, where it is one of this base address.
pub fn holds(bar: &Bar, place: u16) -> Option<BarKind> {
    let first = register(bar);
    let second = bar.kind == BarKind::Memory64 && place == first + 4;
    (place == first || second).then_some(bar.kind)
}

/// Tells whether a register is of the capability that is a second way to say what a function decodes, or may be.
pub fn is_allocation(function: &Function, register: u16) -> bool {
    let before = |offset| u16::from(offset) <= register;
    function
        .capabilities
        .iter()
        .filter(|capability| before(capability.offset))
        .max_by_key(|capability| capability.offset)
        .is_some_and(|capability| capability.id == CAP_ALLOCATION)
}

/// Returns the control registers of message signalled interrupts, with the bit that enables them.
pub fn msi(function: &Function) -> impl Iterator<Item = (u16, u16)> {
    function.capabilities.iter().filter_map(|capability| {
        let bit = match capability.id {
            CAP_MSI => MSI_ENABLE,
            CAP_MSIX => MSIX_ENABLE,
            _ => return None,
        };
        Some((u16::from(capability.offset) + MSI_CONTROL, bit))
    })
}

/// Returns what is switched on in a function: nothing, where none answers, and while it is being reset.
pub fn command(port: &mut impl ConfigSpace, at: Sbdf) -> Command {
    let bits = port.config_read(at, COMMAND, Width::Half);
    if bits == NOBODY {
        Command::empty()
    } else {
        commanded(Command::empty(), NOBODY, bits)
    }
}

/// Tells whether a function decodes what registers of a kind say.
pub fn decodes(port: &mut impl ConfigSpace, at: Sbdf, kind: BarKind) -> bool {
    command(port, at).contains(match kind {
        BarKind::Io => Command::IO,
        BarKind::Memory32 | BarKind::Memory64 => Command::MEMORY,
    })
}
