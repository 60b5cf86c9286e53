//! The memory-mapped registers: one distributor, and a redistributor of two frames for each vCPU.
//!
//! A reserved register reads as zero and ignores writes. A size or an alignment that no register at
//! that place has is rejected, as IHI 0069 leaves to the implementation: a guest that guesses wrong
//! learns it at once.

use super::bank::{Bits, ones};
use super::{Frame, Vgic};
use crate::access::Width;
use crate::arch::aarch64::gic;
use crate::hal::IrqChip;
use crate::vdev::Rejected;

/// GICD_IIDR and GICR_IIDR: made by Arm's code, with a product of our own, so that no driver takes
/// the errata of a known part for ours.
const IIDR: u32 = 0x5200_043b;
/// GICD_TYPER.No1N: an SPI goes to one CPU.
const TYPER_NO_1_OF_N: u32 = 1 << 25;
/// GICD_TYPER.IDbits: INTIDs have ten bits.
const TYPER_ID_BITS: u32 = 9 << 19;
/// GICR_ICFGR0: software generated interrupts are edges.
const SGIS_ARE_EDGES: u32 = 0xaaaa_aaaa;
/// Bytes of GICD_IPRIORITYR, and of GICD_ITARGETSR behind it.
const BYTE_PER_INTID: u64 = 0x400;
/// GICD_ITARGETSR, which affinity routing leaves without meaning.
const GICD_ITARGETSR: u64 = 0x0800;
/// GICD_CPENDSGIR and GICD_SPENDSGIR, likewise; 32 bytes together.
const GICD_PENDSGIR: u64 = 0x0f10;

/// Tells whether `offset` lies in the `size` bytes from `base` on.
fn within(offset: u64, base: u64, size: u64) -> bool {
    offset
        .checked_sub(base)
        .is_some_and(|distance| distance < size)
}

/// A place in the registers, found to exist.
#[derive(Clone, Copy)]
enum Place {
    Distributor(u64),
    /// RD_base of a vCPU.
    Control(u32, u64),
    /// SGI_base of a vCPU.
    Private(u32, u64),
}

impl Place {
    /// Tells whether the register here may be accessed with this width.
    fn allows(self, width: Width) -> bool {
        match (width, self) {
            (Width::Word, _) => true,
            (Width::Half, _) => false,
            (Width::Byte, Self::Distributor(at)) => {
                within(at, gic::GICD_IPRIORITYR, BYTE_PER_INTID)
                    || within(at, GICD_ITARGETSR, BYTE_PER_INTID)
                    || within(at, GICD_PENDSGIR, 32)
            }
            (Width::Byte, Self::Private(_, at)) => within(at, gic::GICD_IPRIORITYR, 32),
            (Width::Byte, Self::Control(..)) => false,
            (Width::Double, Self::Distributor(at)) => {
                within(at, gic::GICD_IROUTER + 8 * 32, 8 * 988)
            }
            // GICR_TYPER, and the registers of LPIs, which are reserved here.
            (Width::Double, Self::Control(_, at)) => {
                at == gic::GICR_TYPER || within(at, 0x40, 0x40) || at == 0xa0 || at == 0xb0
            }
            (Width::Double, Self::Private(..)) => false,
        }
    }

    /// Moves on by four bytes.
    fn next_word(self) -> Self {
        match self {
            Self::Distributor(at) => Self::Distributor(at + 4),
            Self::Control(vcpu, at) => Self::Control(vcpu, at + 4),
            Self::Private(vcpu, at) => Self::Private(vcpu, at + 4),
        }
    }
}

impl Vgic {
    /// Reads a register.
    ///
    /// # Errors
    /// Rejects a place outside the frames, and a size or an alignment that the register there does not have.
    pub fn read(
        &self,
        chip: &mut impl IrqChip,
        frame: Frame,
        offset: u64,
        width: Width,
    ) -> Result<u64, Rejected> {
        let place = self.place(frame, offset, width)?;
        Ok(match width {
            Width::Byte => u64::from(self.read_byte(place)),
            Width::Half | Width::Word => u64::from(self.read_word(chip, place)),
            Width::Double => {
                let low = self.read_word(chip, place);
                u64::from(self.read_word(chip, place.next_word())) << 32 | u64::from(low)
            }
        })
    }

    /// Writes a register.
    ///
    /// # Errors
    /// Rejects a place outside the frames, and a size or an alignment that the register there does not have.
    pub fn write(
        &mut self,
        chip: &mut impl IrqChip,
        frame: Frame,
        offset: u64,
        width: Width,
        value: u64,
    ) -> Result<(), Rejected> {
        let place = self.place(frame, offset, width)?;
        match width {
            Width::Byte => self.write_byte(place, value.to_le_bytes()[0]),
            Width::Half | Width::Word => self.write_word(chip, place, crate::access::low32(value)),
            Width::Double => {
                self.write_word(chip, place, crate::access::low32(value));
                self.write_word(chip, place.next_word(), crate::access::low32(value >> 32));
            }
        }
        Ok(())
    }

    fn place(&self, frame: Frame, offset: u64, width: Width) -> Result<Place, Rejected> {
        let place = match frame {
            Frame::Distributor if offset < gic::FRAME_SIZE => Place::Distributor(offset),
            Frame::Distributor => return Err(Rejected),
            Frame::Redistributor => {
                let vcpu = crate::access::low32(offset / gic::REDISTRIBUTOR_STRIDE);
                if offset >= u64::from(self.vcpus()) * gic::REDISTRIBUTOR_STRIDE {
                    return Err(Rejected);
                }
                let inside = offset % gic::REDISTRIBUTOR_STRIDE;
                match inside.checked_sub(gic::FRAME_SIZE) {
                    Some(at) => Place::Private(vcpu, at),
                    None => Place::Control(vcpu, inside),
                }
            }
        };
        if offset.is_multiple_of(width.bytes()) && place.allows(width) {
            Ok(place)
        } else {
            Err(Rejected)
        }
    }

    fn read_word(&self, chip: &mut impl IrqChip, place: Place) -> u32 {
        match place {
            Place::Distributor(at) => self.read_distributor(chip, at),
            Place::Control(vcpu, at) => self.read_control(vcpu, at),
            Place::Private(vcpu, at) => self.read_private(chip, vcpu, at),
        }
    }

    fn write_word(&mut self, chip: &mut impl IrqChip, place: Place, value: u32) {
        match place {
            Place::Distributor(at) => self.write_distributor(chip, at, value),
            // Of RD_base nothing can be written: there are no LPIs, and the redistributor does not
            // sleep, which GICR_WAKER says by staying zero.
            Place::Control(..) => {}
            Place::Private(vcpu, at) => self.write_private(chip, vcpu, at, value),
        }
    }

    fn read_distributor(&self, chip: &mut impl IrqChip, at: u64) -> u32 {
        match at {
            gic::GICD_CTLR => crate::access::low32(self.ctlr | gic::CTLR_ARE | gic::CTLR_DS),
            gic::GICD_TYPER => TYPER_NO_1_OF_N | TYPER_ID_BITS | self.shared_banks(),
            gic::GICD_IIDR => IIDR,
            gic::PIDR2 => crate::access::low32(gic::PIDR2_GICV3),
            _ => {
                if let Some((bits, bank)) = Bits::at(at) {
                    self.shared(bank).map_or(0, |bank| bank.read(chip, bits))
                } else if within(at, gic::GICD_IPRIORITYR, BYTE_PER_INTID) {
                    self.priorities(at - gic::GICD_IPRIORITYR)
                } else if within(at, gic::GICD_ICFGR, 0x100) {
                    let index = (at - gic::GICD_ICFGR) / 4;
                    self.shared(index / 2)
                        .map_or(0, |bank| spread(bank.edge, upper(index)))
                } else if within(at, gic::GICD_IROUTER, 8 * 1020) {
                    let (bank, place) = split((at - gic::GICD_IROUTER) / 8);
                    let route = self
                        .shared(bank)
                        .and_then(|bank| bank.route.get(place).copied())
                        .unwrap_or_default();
                    crate::access::low32(if at & 4 == 0 { route } else { route >> 32 })
                } else {
                    0
                }
            }
        }
    }

    fn write_distributor(&mut self, chip: &mut impl IrqChip, at: u64, value: u32) {
        if at == gic::GICD_CTLR {
            self.ctlr = u64::from(value) & (gic::CTLR_ENABLE_GROUP0 | gic::CTLR_ENABLE_GROUP1);
        } else if let Some((bits, index)) = Bits::at(at) {
            let vcpus = self.vcpus();
            if let Some(bank) = self.shared_mut(index) {
                let before = bank.active;
                bank.write(chip, bits, value);
                for place in ones(bank.active & !before) {
                    super::hold(bank, place, vcpus);
                }
            }
        } else if within(at, gic::GICD_IPRIORITYR, BYTE_PER_INTID) {
            for (byte, offset) in value.to_le_bytes().into_iter().zip(at..) {
                self.write_byte(Place::Distributor(offset), byte);
            }
        } else if within(at, gic::GICD_ICFGR, 0x100) {
            let index = (at - gic::GICD_ICFGR) / 4;
            if let Some(bank) = self.shared_mut(index / 2) {
                // How a physical line triggers is a fact of the machine.
                let half = if upper(index) {
                    0xffff_0000
                } else {
                    0x0000_ffff
                };
                let free = half & bank.exists() & !bank.owned();
                bank.edge = bank.edge & !free | gather(value, upper(index)) & free;
            }
        } else if within(at, gic::GICD_IROUTER, 8 * 1020) {
            let (bank, place) = split((at - gic::GICD_IROUTER) / 8);
            let Some(bank) = self.shared_mut(bank) else {
                return;
            };
            let exists = bank.exists() & (1 << (place % 32)) != 0;
            if let Some(route) = bank.route.get_mut(place).filter(|_| exists) {
                let whole = if at & 4 == 0 {
                    *route & !0xffff_ffff | u64::from(value)
                } else {
                    *route & 0xffff_ffff | u64::from(value) << 32
                };
                *route = whole & gic::AFFINITY;
            }
        }
    }

    fn read_control(&self, vcpu: u32, at: u64) -> u32 {
        let last = if vcpu + 1 == self.vcpus() {
            gic::GICR_TYPER_LAST
        } else {
            0
        };
        match at {
            gic::GICR_IIDR => IIDR,
            gic::GICR_TYPER => vcpu << 8 | crate::access::low32(last),
            0x000c => crate::access::low32(super::affinity(vcpu)),
            gic::PIDR2 => crate::access::low32(gic::PIDR2_GICV3),
            _ => 0,
        }
    }

    fn read_private(&self, chip: &mut impl IrqChip, vcpu: u32, at: u64) -> u32 {
        let Some(bank) = self.private(vcpu) else {
            return 0;
        };
        match (Bits::at(at), at) {
            (Some((bits, 0)), _) => bank.read(chip, bits),
            (None, 0x0c00) => SGIS_ARE_EDGES,
            (None, 0x0c04) => spread(bank.edge, true),
            (None, _) if within(at, gic::GICD_IPRIORITYR, 32) => {
                word_of(&bank.priority, at - gic::GICD_IPRIORITYR)
            }
            _ => 0,
        }
    }

    fn write_private(&mut self, chip: &mut impl IrqChip, vcpu: u32, at: u64, value: u32) {
        if let Some((bits, 0)) = Bits::at(at) {
            if let Some(bank) = self.private_mut(vcpu) {
                bank.write(chip, bits, value);
            }
        } else if within(at, gic::GICD_IPRIORITYR, 32) {
            for (byte, offset) in value.to_le_bytes().into_iter().zip(at..) {
                self.write_byte(Place::Private(vcpu, offset), byte);
            }
        }
    }

    fn priorities(&self, first: u64) -> u32 {
        let (bank, place) = split(first);
        self.shared(bank).map_or(0, |bank| {
            word_of(&bank.priority, u64::try_from(place).unwrap_or_default())
        })
    }

    fn read_byte(&self, place: Place) -> u8 {
        let (bank, place) = match place {
            Place::Distributor(at) if within(at, gic::GICD_IPRIORITYR, BYTE_PER_INTID) => {
                let (bank, place) = split(at - gic::GICD_IPRIORITYR);
                (self.shared(bank), place)
            }
            Place::Private(vcpu, at) => (self.private(vcpu), split(at - gic::GICD_IPRIORITYR).1),
            Place::Distributor(_) | Place::Control(..) => return 0,
        };
        bank.and_then(|bank| bank.priority.get(place).copied())
            .unwrap_or_default()
    }

    fn write_byte(&mut self, place: Place, value: u8) {
        let implemented = self.priority_mask;
        let (bank, place) = match place {
            Place::Distributor(at) if within(at, gic::GICD_IPRIORITYR, BYTE_PER_INTID) => {
                let (bank, place) = split(at - gic::GICD_IPRIORITYR);
                (self.shared_mut(bank), place)
            }
            Place::Private(vcpu, at) => {
                (self.private_mut(vcpu), split(at - gic::GICD_IPRIORITYR).1)
            }
            Place::Distributor(_) | Place::Control(..) => return,
        };
        let Some(bank) = bank else { return };
        let exists = bank.exists() & (1 << (place % 32)) != 0;
        if let Some(priority) = bank.priority.get_mut(place).filter(|_| exists) {
            *priority = value & implemented;
        }
    }
}

/// Returns the bank of an INTID and its place there.
fn split(intid: u64) -> (u64, usize) {
    (intid / 32, usize::try_from(intid % 32).unwrap_or_default())
}

/// Tells whether a configuration register is that of the upper 16 interrupts of a bank.
fn upper(register: u64) -> bool {
    !register.is_multiple_of(2)
}

/// Returns four priorities as one register has them.
fn word_of(priority: &[u8; 32], first: u64) -> u32 {
    let start = usize::try_from(first).unwrap_or(32);
    priority
        .get(start..)
        .and_then(<[u8]>::first_chunk::<4>)
        .map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

/// Returns the configuration register of 16 interrupts: bit 2n+1 says that interrupt n is an edge.
fn spread(edge: u32, upper: bool) -> u32 {
    let edge = if upper { edge >> 16 } else { edge & 0xffff };
    ones(edge).fold(0, |word, place| word | 2 << (2 * place))
}

/// Reads a configuration register back into one bit an interrupt.
fn gather(word: u32, upper: bool) -> u32 {
    let edge = ones(word & 0xaaaa_aaaa).fold(0, |edge, place| edge | 1 << (place / 2));
    if upper { edge << 16 } else { edge }
}
