//! The state of 32 interrupts, one bit each, and what the set and clear registers do to it.

use crate::arch::aarch64::gic;
use crate::arch::aarch64::guest_layout::LINES;
use crate::fault::{self, Fault};
use crate::hal::IrqChip;
use crate::ids::IrqLine;

/// A register of one bit an interrupt; the set and the clear form of each state differ only when
/// written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bits {
    Group,
    SetEnable,
    ClearEnable,
    SetPending,
    ClearPending,
    SetActive,
    ClearActive,
}

impl Bits {
    /// Finds the register at `offset` of the distributor, or of a redistributor's SGI frame, which
    /// has them at the same places; with it the number of the bank.
    pub(super) fn at(offset: u64) -> Option<(Self, u64)> {
        let block = match offset & !0x7f {
            gic::GICD_IGROUPR => Self::Group,
            gic::GICD_ISENABLER => Self::SetEnable,
            gic::GICD_ICENABLER => Self::ClearEnable,
            gic::GICD_ISPENDR => Self::SetPending,
            gic::GICD_ICPENDR => Self::ClearPending,
            gic::GICD_ISACTIVER => Self::SetActive,
            gic::GICD_ICACTIVER => Self::ClearActive,
            _ => return None,
        };
        Some((block, (offset & 0x7f) / 4))
    }
}

/// 32 interrupts whose numbers begin at a multiple of 32. Bit n of each word is that of INTID
/// `first` + n.
#[derive(Clone, Debug)]
pub(super) struct Bank {
    first: u32,
    /// Interrupts that the guest's GIC has.
    exists: u32,
    /// Interrupts that a physical line of the same number stands behind.
    owned: u32,
    pub(super) enabled: u32,
    pub(super) group1: u32,
    pub(super) edge: u32,
    /// Pending until taken: an edge, or set by the guest.
    pub(super) latched: u32,
    /// The line is high. Of an owned shared line that is what its last arrival said.
    pub(super) high: u32,
    pub(super) active: u32,
    /// The physical line was taken for this interrupt and waits for the guest to deactivate it.
    pub(super) tied: u32,
    pub(super) priority: [u8; 32],
    /// `GICD_IROUTER<n>`; of no meaning in a private bank.
    pub(super) route: [u64; 32],
    /// The vCPU that took the interrupt, where active.
    pub(super) holder: [u32; 32],
}

/// Returns the places of the bits set, lowest first.
pub(super) fn ones(mut bits: u32) -> impl Iterator<Item = u32> {
    core::iter::from_fn(move || {
        let place = bits.trailing_zeros();
        bits &= bits.wrapping_sub(1);
        (place < 32).then_some(place)
    })
}

impl Bank {
    /// Makes the bank of the INTIDs from `first` on, of which the guest has those of `exists`.
    /// Everything is in group 1: guests that never heard of groups expect no FIQ.
    pub(super) fn new(first: u32, exists: u32) -> Self {
        Self {
            first,
            exists,
            owned: 0,
            enabled: 0,
            group1: exists,
            edge: 0,
            latched: 0,
            high: 0,
            active: 0,
            tied: 0,
            priority: [0; 32],
            route: [0; 32],
            holder: [0; 32],
        }
    }

    /// Tells which interrupts the guest has.
    pub(super) fn exists(&self) -> u32 {
        self.exists
    }

    /// Tells which interrupts have a physical line.
    pub(super) fn owned(&self) -> u32 {
        self.owned
    }

    /// Puts the physical line of the same number behind an interrupt.
    pub(super) fn own(&mut self, bit: u32, edge: bool) {
        self.owned |= bit;
        self.edge = if edge {
            self.edge | bit
        } else {
            self.edge & !bit
        };
    }

    /// Takes the physical line away from an interrupt, with all that came of it.
    pub(super) fn disconnect(&mut self, bit: u32) {
        self.owned &= !bit;
        for state in [
            &mut self.latched,
            &mut self.high,
            &mut self.active,
            &mut self.tied,
        ] {
            *state &= !bit;
        }
    }

    /// Returns the INTID at a place.
    pub(super) fn intid(&self, place: u32) -> u32 {
        self.first + place
    }

    /// Returns the shared physical lines behind `bits`.
    fn lines(&self, bits: u32) -> impl Iterator<Item = IrqLine> + use<> {
        let first = self.first;
        ones(bits & self.owned)
            .map(move |place| IrqLine::new(first + place))
            .filter(|line| LINES.index(*line).is_some())
    }

    /// Returns what is pending as the guest sees it, without asking the physical lines.
    pub(super) fn pending(&self) -> u32 {
        self.latched | (self.high & !self.edge)
    }

    /// Returns what is pending and lets itself be forwarded. What is active besides has to wait.
    pub(super) fn forwarded(&self, groups: (bool, bool)) -> u32 {
        let forwarded =
            if groups.0 { !self.group1 } else { 0 } | if groups.1 { self.group1 } else { 0 };
        let shared = self.first >= LINES.first;
        let enabled = if fault::on(Fault::InterruptDisabledDelivered) && shared {
            self.enabled | self.owned
        } else {
            self.enabled
        };
        self.pending() & enabled & forwarded
    }

    /// Gives the physical lines of `bits` back to the physical GIC: whatever they still want makes
    /// them come again.
    pub(super) fn untie(&mut self, chip: &mut impl IrqChip, bits: u32) {
        let bits = bits & self.tied;
        if fault::on(Fault::LevelLatched) {
            self.latched |= bits & self.high & !self.edge & self.owned;
        }
        self.tied &= !bits;
        self.high &= !(bits & self.owned);
        for line in self.lines(bits) {
            chip.deactivate(line);
        }
    }

    /// Takes note that the physical line of an interrupt was acknowledged.
    pub(super) fn arrive(&mut self, chip: &mut impl IrqChip, bit: u32) {
        if self.edge & bit != 0 {
            self.latched |= bit;
        } else {
            self.high |= bit;
        }
        self.tied |= bit;
        // The guest disabled the line while its interrupt was on the way.
        self.untie(chip, bit & !self.enabled & !self.active);
    }

    /// Drops what a level line no longer wants (IHI 0069, "interrupt handling state machine":
    /// pending goes back to inactive when the level does).
    pub(super) fn resample(&mut self, chip: &mut impl IrqChip, bits: u32) {
        let waiting = bits & self.tied & self.high & !self.edge & !self.latched & !self.active;
        for place in ones(waiting) {
            let bit = 1 << place;
            let low = self.lines(bit).any(|line| !chip.is_pending(line));
            if low {
                self.untie(chip, bit);
            }
        }
    }

    /// Reads a register of one bit an interrupt.
    pub(super) fn read(&self, chip: &mut impl IrqChip, bits: Bits) -> u32 {
        match bits {
            Bits::Group => self.group1,
            Bits::SetEnable | Bits::ClearEnable => self.enabled,
            Bits::SetPending | Bits::ClearPending => {
                let mut pending = self.pending();
                for line in self.lines(self.owned & !pending) {
                    if chip.is_pending(line) {
                        pending |= 1 << (line.number() % 32);
                    }
                }
                pending
            }
            Bits::SetActive | Bits::ClearActive => self.active,
        }
    }

    /// Writes a register of one bit an interrupt.
    pub(super) fn write(&mut self, chip: &mut impl IrqChip, bits: Bits, value: u32) {
        let value = value & self.exists;
        match bits {
            Bits::Group => self.group1 = value,
            Bits::SetEnable => self.enable(chip, value),
            Bits::ClearEnable => {
                self.enabled &= !value;
                if !fault::on(Fault::InterruptDisabledDelivered) {
                    for line in self.lines(value) {
                        chip.set_enabled(line, false);
                    }
                    self.untie(chip, value & !self.active);
                }
                self.switch_foreign(chip, value, false);
            }
            Bits::SetPending => self.latched |= value,
            Bits::ClearPending => {
                self.latched &= !value;
                for line in self.lines(value) {
                    chip.clear_pending(line);
                }
                self.untie(chip, value & !self.active);
            }
            Bits::SetActive => self.active |= value,
            Bits::ClearActive => {
                let ended = value & self.active;
                self.active &= !ended;
                self.untie(chip, ended);
            }
        }
    }

    /// Enables interrupts, and the physical lines behind them. What a line wanted before comes now.
    fn enable(&mut self, chip: &mut impl IrqChip, value: u32) {
        let fresh = value & !self.enabled;
        self.enabled |= value;
        if fault::on(Fault::InterruptEnableNotMirrored) {
            return;
        }
        for line in self.lines(fresh) {
            if fault::on(Fault::EarlyLineLost) && chip.is_pending(line) {
                continue;
            }
            chip.set_enabled(line, true);
        }
        self.switch_foreign(chip, fresh, true);
    }

    /// With the seeded fault, switches the physical lines of others as well.
    fn switch_foreign(&self, chip: &mut impl IrqChip, value: u32, on: bool) {
        if !fault::on(Fault::ForeignLineSwitched) {
            return;
        }
        let foreign = ones(value & !self.owned);
        for line in foreign.map(|place| IrqLine::new(self.first + place)) {
            if LINES.index(line).is_some() {
                chip.set_enabled(line, on);
            }
        }
    }

    /// Leaves the physical lines quiet: off, without a latched edge and not active.
    pub(super) fn release(&mut self, chip: &mut impl IrqChip) {
        for line in self.lines(self.owned) {
            chip.set_enabled(line, false);
            chip.clear_pending(line);
            chip.deactivate(line);
        }
        self.tied = 0;
    }
}
