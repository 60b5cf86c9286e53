//! Devices that the hypervisor emulates for its guests: registers, state and nothing of the machine
//! but the seam, [`crate::hal::IrqChip`] and [`crate::hal::ConfigSpace`].

pub mod text_line;
pub mod vpci;
pub mod vpl011;

/// Says that an access has a size or an alignment that the device does not have; the guest gets an
/// external abort for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rejected;
