//! A virtual GICv3 for one domain: distributor, redistributors and the filling of list registers.
//!
//! The guest sees a GIC with one security state (GICD_CTLR.DS), affinity routing always on and no
//! LPIs. The state here is whole whenever a guest does not run: after each exit [`Vgic::fold`] takes
//! the list registers back, before each entry [`Vgic::load`] fills them anew. That costs a few
//! register reads an exit, and in return no emulation ever finds half of an interrupt in hardware.
//!
//! Behind an interrupt stands one of three things:
//! - **a physical shared line** that the domain owns, under the same number. It is enabled physically
//!   while the guest has it enabled and not otherwise, so what comes earlier waits in the physical
//!   GIC. Once acknowledged it stays active physically, *tied* to the virtual interrupt, until the
//!   guest deactivates that; a level that is still high then comes again by itself.
//! - **the virtual timer's line**, tied likewise while the vCPU runs;
//! - **nothing**: a software generated interrupt, the line of an emulated device, or a number that
//!   the guest plays with. It never reaches the physical GIC.

use alloc::vec::Vec;
use core::fmt;

use crate::arch::aarch64::gic::{self, Sgi, SgiTarget};
use crate::hal::irqchip::IrqChip;
use crate::ids::{IrqLine, MAX_VCPUS, Trigger};

mod bank;
mod lists;
mod registers;

pub use lists::Lists;

use bank::{Bank, ones};

/// What a guest's GIC is made of.
#[derive(Clone, Copy, Debug)]
pub struct Config<'a> {
    /// Number of vCPUs, 1 to [`MAX_VCPUS`].
    pub vcpus: u32,
    /// Number of shared interrupts: INTIDs 32 to 31 + `spis` exist.
    pub spis: u32,
    /// The physical lines that the domain owns.
    pub lines: &'a [(IrqLine, Trigger)],
    /// Number of list registers of the CPU (ICH_VTR_EL2.ListRegs + 1).
    pub list_registers: u8,
    /// Number of priority bits of the virtual CPU interface (ICH_VTR_EL2.PRIbits + 1).
    pub priority_bits: u8,
}

/// Why a guest's GIC cannot be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfigError {
    /// No vCPU, or too many.
    Vcpus(u32),
    /// More shared interrupts than a GIC has.
    Spis(u32),
    /// A line that is not shared, or beyond the guest's last.
    Line(IrqLine),
    /// No list register, or more than the architecture has.
    ListRegisters(u8),
    /// Fewer than 4 or more than 8 bits.
    PriorityBits(u8),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vcpus(count) => write!(f, "{count} vCPUs, not 1 to {MAX_VCPUS}"),
            Self::Spis(count) => write!(
                f,
                "{count} shared interrupts, not at most {}",
                IrqLine::MAX_SPIS
            ),
            Self::Line(line) => write!(f, "{line} is no shared interrupt of this domain's GIC"),
            Self::ListRegisters(count) => write!(f, "{count} list registers, not 1 to 16"),
            Self::PriorityBits(count) => write!(f, "{count} priority bits, not 4 to 8"),
        }
    }
}

impl core::error::Error for ConfigError {}

/// Which registers an access goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// The distributor's 64 KiB.
    Distributor,
    /// The redistributors, 128 KiB a vCPU.
    Redistributor,
}

/// Which register sends a software generated interrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SgiKind {
    /// ICC_SGI1R_EL1: reaches both groups, as there is one security state.
    Group1,
    /// ICC_SGI0R_EL1 and ICC_ASGI1R_EL1: reach group 0 only.
    Group0,
}

/// A physical line arrived that this domain does not own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotOwned(pub IrqLine);

impl fmt::Display for NotOwned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} does not belong to this domain", self.0)
    }
}

/// Returns the affinity of a vCPU, in the places of MPIDR_EL1.
pub const fn affinity(vcpu: u32) -> u64 {
    let [a, b, c, d] = vcpu.to_le_bytes();
    u64::from_le_bytes([a, b, c, d, 0, 0, 0, 0])
}

/// Returns the MPIDR_EL1 of a vCPU: bit 31 is one.
pub const fn mpidr(vcpu: u32) -> u64 {
    1 << 31 | affinity(vcpu)
}

/// The interrupt controller of one domain.
#[derive(Clone, Debug)]
pub struct Vgic {
    ctlr: u64,
    private: Vec<Bank>,
    shared: Vec<Bank>,
    list_registers: usize,
    priority_mask: u8,
}

impl Vgic {
    /// Makes the interrupt controller as it is after reset, before the guest has touched it.
    ///
    /// # Errors
    /// Refuses numbers that no GIC has, and lines that the guest's GIC does not reach.
    pub fn new(config: &Config<'_>) -> Result<Self, ConfigError> {
        let Config {
            vcpus,
            spis,
            lines,
            list_registers,
            priority_bits,
        } = *config;
        if vcpus == 0 || vcpus > MAX_VCPUS {
            return Err(ConfigError::Vcpus(vcpus));
        }
        if spis > IrqLine::MAX_SPIS {
            return Err(ConfigError::Spis(spis));
        }
        if !(1..=16).contains(&list_registers) {
            return Err(ConfigError::ListRegisters(list_registers));
        }
        if !(4..=8).contains(&priority_bits) {
            return Err(ConfigError::PriorityBits(priority_bits));
        }
        let mut private = Bank::new(0, u32::MAX);
        private.edge = 0xffff;
        private.own(1 << gic::VIRTUAL_TIMER, false);
        let mut shared: Vec<Bank> = (0..spis.div_ceil(32))
            .map(|index| {
                let left = spis - 32 * index;
                let exists = if left < 32 { (1 << left) - 1 } else { u32::MAX };
                Bank::new(32 * (index + 1), exists)
            })
            .collect();
        for (line, trigger) in lines {
            let place = 1 << (line.intid() % 32);
            let bank = (line.intid() / 32)
                .checked_sub(1)
                .and_then(|index| shared.get_mut(usize::try_from(index).ok()?))
                .filter(|bank| bank.exists() & place != 0)
                .ok_or(ConfigError::Line(*line))?;
            bank.own(place, *trigger == Trigger::Edge);
        }
        Ok(Self {
            ctlr: 0,
            private: (0..vcpus).map(|_| private.clone()).collect(),
            shared,
            list_registers: usize::from(list_registers),
            priority_mask: 0xff << (8 - priority_bits),
        })
    }

    /// Puts the domain's physical lines into the state that its guest finds: off.
    pub fn attach(&self, chip: &mut impl IrqChip) {
        for bank in &self.shared {
            bank.attach(chip);
        }
    }

    /// Leaves the domain's physical lines quiet, for the next owner.
    pub fn release(&mut self, chip: &mut impl IrqChip) {
        for bank in &mut self.shared {
            bank.release(chip);
        }
    }

    /// Puts a physical line behind the interrupt of its number, which the guest may have set up already.
    ///
    /// # Errors
    /// Refuses a number that the guest's GIC lacks, and an interrupt that is pending or active: it is
    /// none of the line's.
    pub fn connect(
        &mut self,
        chip: &mut impl IrqChip,
        line: IrqLine,
        trigger: Trigger,
    ) -> Result<(), NotOwned> {
        let bit = 1 << (line.intid() % 32);
        let bank = self.bank_of(line).ok_or(NotOwned(line))?;
        if bank.exists() & bit == 0 || (bank.pending() | bank.active) & bit != 0 {
            return Err(NotOwned(line));
        }
        bank.own(bit, trigger == Trigger::Edge);
        chip.set_enabled(line, bank.enabled & bit != 0);
        Ok(())
    }

    /// Takes the physical line away from an interrupt, which has never been then.
    pub fn disconnect(&mut self, line: IrqLine) {
        let bit = 1 << (line.intid() % 32);
        if let Some(bank) = self.bank_of(line) {
            bank.disconnect(bit);
        }
    }

    fn bank_of(&mut self, line: IrqLine) -> Option<&mut Bank> {
        let spi = line.intid().checked_sub(IrqLine::FIRST_SPI)?;
        self.shared.get_mut(index(spi / 32))
    }

    /// Puts the private interrupts of a vCPU into the state after reset.
    pub fn reset_vcpu(&mut self, vcpu: u32) {
        if let Some(bank) = self.private_mut(vcpu) {
            let mut fresh = Bank::new(0, u32::MAX);
            fresh.edge = bank.edge;
            fresh.own(bank.owned(), false);
            *bank = fresh;
        }
    }

    /// Takes note that a physical line was acknowledged. Its priority must have been dropped and
    /// the line left active.
    ///
    /// # Errors
    /// A line that the domain does not own is none of its business.
    pub fn physical(&mut self, chip: &mut impl IrqChip, line: IrqLine) -> Result<(), NotOwned> {
        let bit = 1 << (line.intid() % 32);
        let bank = line
            .intid()
            .checked_sub(IrqLine::FIRST_SPI)
            .and_then(|spi| self.shared.get_mut(usize::try_from(spi / 32).ok()?))
            .filter(|bank| bank.owned() & bit != 0)
            .ok_or(NotOwned(line))?;
        bank.arrive(chip, bit);
        Ok(())
    }

    /// Sets the line of an emulated device. A number that the guest's GIC lacks, or that has a
    /// physical line, stays as it is.
    pub fn set_line(&mut self, intid: u32, high: bool) {
        let bit = 1 << (intid % 32);
        let bank = intid
            .checked_sub(IrqLine::FIRST_SPI)
            .and_then(|spi| self.shared.get_mut(usize::try_from(spi / 32).ok()?));
        if let Some(bank) = bank.filter(|bank| bank.exists() & !bank.owned() & bit != 0) {
            if high && bank.high & bank.edge & bit == 0 {
                bank.latched |= bit & bank.edge;
            }
            bank.high = if high {
                bank.high | bit
            } else {
                bank.high & !bit
            };
        }
    }

    /// Sets the line of a vCPU's virtual timer, as sampled from the timer itself.
    pub fn set_timer(&mut self, vcpu: u32, high: bool) {
        let bit = 1 << gic::VIRTUAL_TIMER;
        if let Some(bank) = self.private_mut(vcpu) {
            if high {
                bank.high |= bit;
                bank.tied |= bit;
            } else {
                bank.high &= !bit;
                bank.tied &= !bit | bank.active;
            }
        }
    }

    /// Sends a software generated interrupt, from what a vCPU wrote to one of the SGI registers.
    pub fn sgi(&mut self, from: u32, kind: SgiKind, value: u64) {
        let sgi = Sgi::decode(value);
        let bit = 1 << sgi.intid;
        for (vcpu, bank) in (0u32..).zip(&mut self.private) {
            let named = match sgi.target {
                SgiTarget::Others => vcpu != from,
                SgiTarget::List {
                    cluster,
                    first,
                    list,
                } => (0..16)
                    .filter(|place| list & 1 << place != 0)
                    .any(|place| affinity(vcpu) == cluster | (first + place)),
            };
            let reached = kind == SgiKind::Group1 || bank.group1 & bit == 0;
            if named && reached {
                bank.latched |= bit;
            }
        }
    }

    /// Ends an interrupt that a vCPU deactivates through a trapped ICC_DIR_EL1. An interrupt that is
    /// not its, or not active, stays as it is.
    pub fn deactivate(&mut self, chip: &mut impl IrqChip, vcpu: u32, intid: u32) {
        if let Some((bank, place)) = self.find(vcpu, intid) {
            let bit = 1 << place;
            let held = bank.holder.get(index(place)) == Some(&vcpu) || intid < IrqLine::FIRST_SPI;
            if bank.active & bit != 0 && held {
                bank.active &= !bit;
                bank.untie(chip, bit);
            }
        }
    }

    /// Tells whether an interrupt waits for a vCPU, however it is masked there: enough to wake it.
    pub fn pending(&self, vcpu: u32) -> bool {
        let groups = self.groups();
        let waiting = |bank: &Bank| bank.forwarded(groups) & !bank.active;
        self.private(vcpu).is_some_and(|bank| waiting(bank) != 0)
            || self.shared.iter().any(|bank| {
                ones(waiting(bank)).any(|place| target(bank, place, self.vcpus()) == Some(vcpu))
            })
    }

    /// Returns the number of vCPUs.
    pub fn vcpus(&self) -> u32 {
        u32::try_from(self.private.len()).unwrap_or(MAX_VCPUS)
    }

    fn shared_banks(&self) -> u32 {
        u32::try_from(self.shared.len()).unwrap_or(0)
    }

    /// Tells whether groups 0 and 1 are forwarded.
    fn groups(&self) -> (bool, bool) {
        (
            self.ctlr & gic::CTLR_ENABLE_GROUP0 != 0,
            self.ctlr & gic::CTLR_ENABLE_GROUP1 != 0,
        )
    }

    fn private(&self, vcpu: u32) -> Option<&Bank> {
        self.private.get(index(vcpu))
    }

    fn private_mut(&mut self, vcpu: u32) -> Option<&mut Bank> {
        self.private.get_mut(index(vcpu))
    }

    /// Returns a bank of shared interrupts by its number among all banks, of which 0 is private.
    fn shared(&self, bank: u64) -> Option<&Bank> {
        self.shared.get(usize::try_from(bank).ok()?.checked_sub(1)?)
    }

    fn shared_mut(&mut self, bank: u64) -> Option<&mut Bank> {
        self.shared
            .get_mut(usize::try_from(bank).ok()?.checked_sub(1)?)
    }

    /// Finds an interrupt as a vCPU sees it.
    fn find(&mut self, vcpu: u32, intid: u32) -> Option<(&mut Bank, u32)> {
        let bank = match intid.checked_sub(IrqLine::FIRST_SPI) {
            None => self.private_mut(vcpu),
            Some(spi) => self.shared.get_mut(index(spi / 32)),
        };
        bank.map(|bank| (bank, intid % 32))
    }
}

/// Returns the vCPU that a shared interrupt is routed to; none where no vCPU has that affinity.
fn target(bank: &Bank, place: u32, vcpus: u32) -> Option<u32> {
    let route = bank.route.get(index(place))?;
    (0..vcpus).find(|vcpu| affinity(*vcpu) == *route)
}

/// Makes the vCPU that a shared interrupt is routed to the one that deals with it.
fn hold(bank: &mut Bank, place: u32, vcpus: u32) {
    let vcpu = target(bank, place, vcpus).unwrap_or_default();
    if let Some(holder) = bank.holder.get_mut(index(place)) {
        *holder = vcpu;
    }
}

/// Makes a small number an index. What does not fit lies past every table.
fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
