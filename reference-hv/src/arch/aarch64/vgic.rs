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

use super::gic::{self, Sgi, SgiTarget};
use super::guest_layout::LINES;
use crate::fault::{self, Fault};
use crate::hal::{IrqChip, NotOwned, VirtualInterrupts};
use crate::ids::{IrqLine, MAX_VCPUS, Trigger};

mod bank;
mod lists;
mod registers;

pub use lists::Lists;

use bank::{Bank, ones};

/// What the CPU has for the GICs of guests.
#[derive(Clone, Copy, Debug)]
pub struct Features {
    /// Number of list registers (ICH_VTR_EL2.ListRegs + 1).
    pub list_registers: u8,
    /// Number of priority bits of the virtual CPU interface (ICH_VTR_EL2.PRIbits + 1).
    pub priority_bits: u8,
}

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

impl VirtualInterrupts for Vgic {
    type Features = Features;
    type State = Lists;

    fn new(vcpus: u32, shared: u32, features: &Features) -> Option<Self> {
        let Features {
            list_registers,
            priority_bits,
        } = *features;
        let possible = (1..=MAX_VCPUS).contains(&vcpus)
            && shared <= LINES.most
            && (1..=16).contains(&list_registers)
            && (4..=8).contains(&priority_bits);
        if !possible {
            return None;
        }
        let mut private = Bank::new(0, u32::MAX);
        private.edge = 0xffff;
        private.own(1 << gic::VIRTUAL_TIMER, false);
        let banks = (0..shared.div_ceil(32)).map(|index| {
            let left = shared - 32 * index;
            let exists = if left < 32 { (1 << left) - 1 } else { u32::MAX };
            Bank::new(32 * (index + 1), exists)
        });
        Some(Self {
            ctlr: 0,
            private: (0..vcpus).map(|_| private.clone()).collect(),
            shared: banks.collect(),
            list_registers: usize::from(list_registers),
            priority_mask: 0xff << (8 - priority_bits),
        })
    }

    fn release(&mut self, chip: &mut impl IrqChip) {
        for bank in &mut self.shared {
            bank.release(chip);
        }
    }

    fn connect(
        &mut self,
        chip: &mut impl IrqChip,
        line: IrqLine,
        trigger: Trigger,
    ) -> Result<(), NotOwned> {
        let (bank, bit) = self.shared_line(line).ok_or(NotOwned(line))?;
        if (bank.pending() | bank.active) & bit != 0 {
            return Err(NotOwned(line));
        }
        bank.own(bit, trigger == Trigger::Edge);
        let enabled = bank.enabled & bit != 0 || fault::on(Fault::InterruptDisabledDelivered);
        chip.set_enabled(line, enabled);
        Ok(())
    }

    fn disconnect(&mut self, line: IrqLine) {
        if let Some((bank, bit)) = self.shared_line(line) {
            bank.disconnect(bit);
        }
    }

    fn reset_vcpu(&mut self, vcpu: u32) {
        if let Some(bank) = self.private_mut(vcpu) {
            let mut fresh = Bank::new(0, u32::MAX);
            fresh.edge = bank.edge;
            fresh.own(bank.owned(), false);
            *bank = fresh;
        }
    }

    /// The priority of the line must have been dropped, and the line left active.
    fn raise(&mut self, chip: &mut impl IrqChip, line: IrqLine) -> Result<(), NotOwned> {
        let found = self.shared_line(line);
        let (bank, bit) = found
            .filter(|(bank, bit)| bank.owned() & bit != 0)
            .ok_or(NotOwned(line))?;
        bank.arrive(chip, bit);
        Ok(())
    }

    fn set_line(&mut self, line: IrqLine, high: bool) {
        let found = self.shared_line(line);
        if let Some((bank, bit)) = found.filter(|(bank, bit)| bank.owned() & bit == 0) {
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

    fn set_timer(&mut self, vcpu: u32, high: bool) {
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

    fn pending(&self, vcpu: u32) -> bool {
        let groups = self.groups();
        let waiting = |bank: &Bank| bank.forwarded(groups) & !bank.active;
        self.private(vcpu).is_some_and(|bank| waiting(bank) != 0)
            || self.shared.iter().any(|bank| {
                ones(waiting(bank)).any(|place| target(bank, place, self.vcpus()) == Some(vcpu))
            })
    }

    fn load(&mut self, chip: &mut impl IrqChip, vcpu: u32) -> Lists {
        self.fill_lists(chip, vcpu)
    }

    fn fold(&mut self, chip: &mut impl IrqChip, vcpu: u32, lists: &Lists) {
        self.fold_lists(chip, vcpu, lists);
    }
}

impl Vgic {
    /// Finds a shared interrupt: its bank and its bit there; `None` for one that there is not.
    fn shared_line(&mut self, line: IrqLine) -> Option<(&mut Bank, u32)> {
        let place = line.number().checked_sub(LINES.first)?;
        let bit = 1 << (place % 32);
        let bank = self.shared.get_mut(index(place / 32))?;
        (bank.exists() & bit != 0).then_some((bank, bit))
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
            let held = bank.holder.get(index(place)) == Some(&vcpu) || intid < LINES.first;
            if bank.active & bit != 0 && held {
                bank.active &= !bit;
                bank.untie(chip, bit);
            }
        }
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
        let bank = match intid.checked_sub(LINES.first) {
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
