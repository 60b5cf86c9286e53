//! List registers: which interrupts a vCPU gets to see, and what it did with them.

use super::bank::{Bank, ones};
use super::{Vgic, index, target};
use crate::arch::aarch64::gic::{self, ListRegister};
use crate::arch::aarch64::guest_layout::LINES;
use crate::fault::{self, Fault};
use crate::hal::IrqChip;

/// Most list registers of a CPU.
const MOST: usize = 16;

/// What the virtual CPU interface of a vCPU is given for one stay in the guest.
#[derive(Clone, Debug)]
pub struct Lists {
    /// `ICH_LR<n>_EL2`. The first [`used`](Self::used) are to be written before the guest runs and read
    /// back into here afterwards; the others are to be zero.
    pub lr: [u64; MOST],
    /// How many list registers hold an interrupt.
    pub used: usize,
    /// ICH_HCR_EL2.
    pub hcr: u64,
    /// Whether the virtual timer's physical line has to be active while the guest runs.
    pub timer_active: bool,
    /// How many interrupts the guest has ended that no list register held: the count of ICH_HCR_EL2, or zero where
    /// ICH_VMCR_EL2.VEOIM is set, because then a guest deactivates by ICC_DIR_EL1 only, which is trapped when it matters.
    pub unlisted: u64,
    /// What each register was filled with.
    loaded: [u64; MOST],
}

/// An interrupt that wants a list register. The order of the fields is that of urgency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    priority: u8,
    /// False for what the guest already deals with: that comes first among equals.
    fresh: bool,
    intid: u32,
}

/// The most urgent candidates seen so far, and how many had to be left out.
struct Ranking {
    best: [Option<Candidate>; MOST],
    room: usize,
    first_fresh: Option<Candidate>,
    fresh: usize,
    active: usize,
}

impl Ranking {
    const fn new(room: usize) -> Self {
        Self {
            best: [None; MOST],
            room,
            first_fresh: None,
            fresh: 0,
            active: 0,
        }
    }

    fn add(&mut self, candidate: Candidate) {
        if candidate.fresh {
            self.fresh += 1;
            if self.first_fresh.is_none_or(|first| candidate < first) {
                self.first_fresh = Some(candidate);
            }
        } else {
            self.active += 1;
        }
        let mut carried = Some(candidate);
        for slot in self.best.iter_mut().take(self.room) {
            if slot.is_none_or(|held| carried.is_some_and(|carried| carried < held)) {
                core::mem::swap(slot, &mut carried);
            }
        }
    }

    /// Makes sure that the most urgent waiting interrupt has a place: a guest that leaves interrupts
    /// active (EOImode 1) may still take it.
    fn settle(&mut self) {
        let kept_fresh = self.best.iter().flatten().any(|candidate| candidate.fresh);
        let last = self.best.get_mut(self.room.saturating_sub(1));
        if let (false, Some(first), Some(last)) = (kept_fresh, self.first_fresh, last) {
            *last = Some(first);
        }
    }

    /// Counts what found no place: waiting and active interrupts.
    fn left_out(&self) -> (usize, usize) {
        let kept = self
            .best
            .iter()
            .flatten()
            .filter(|candidate| candidate.fresh)
            .count();
        let kept_active = self
            .best
            .iter()
            .flatten()
            .filter(|candidate| !candidate.fresh)
            .count();
        (self.fresh - kept, self.active - kept_active)
    }
}

impl Vgic {
    /// Fills the list registers for a vCPU. To be called before each entry into the guest.
    pub(super) fn fill_lists(&mut self, chip: &mut impl IrqChip, vcpu: u32) -> Lists {
        let mut lists = Lists {
            lr: [0; MOST],
            used: 0,
            hcr: gic::ICH_HCR_EN,
            timer_active: self
                .private(vcpu)
                .is_some_and(|bank| bank.tied & 1 << gic::VIRTUAL_TIMER != 0),
            unlisted: 0,
            loaded: [0; MOST],
        };
        // Most exits find nothing to show; they are worth a short way.
        if self.is_quiet(vcpu) {
            return lists;
        }

        let mut ranking = Ranking::new(self.list_registers);
        self.rank(chip, vcpu, &mut ranking);
        ranking.settle();
        let groups = self.groups();
        let slots = lists.lr.iter_mut().zip(&mut lists.loaded);
        for (candidate, (raw, loaded)) in ranking.best.iter().flatten().zip(slots) {
            let Some((bank, place)) = self.find(vcpu, candidate.intid) else {
                continue;
            };
            *raw = describe(bank, place, groups).encode();
            *loaded = *raw;
            lists.used += 1;
        }
        let (waiting, active) = ranking.left_out();
        if waiting > 0 {
            lists.hcr |= gic::ICH_HCR_NPIE;
        }
        if active > 0 {
            lists.hcr |= gic::ICH_HCR_LRENPIE | gic::ICH_HCR_TDIR;
        }
        lists
    }

    /// Tells whether a vCPU has nothing to see: nothing of its own and nothing shared, whoever's.
    fn is_quiet(&self, vcpu: u32) -> bool {
        let groups = self.groups();
        let quiet = |bank: &Bank| (bank.forwarded(groups) | bank.active) == 0;
        self.private(vcpu).is_none_or(quiet) && self.shared.iter().all(quiet)
    }

    /// Ranks everything that a vCPU waits for or deals with.
    fn rank(&mut self, chip: &mut impl IrqChip, vcpu: u32, ranking: &mut Ranking) {
        let groups = self.groups();
        let vcpus = self.vcpus();
        let private = self.private.get_mut(index(vcpu));
        for bank in private.into_iter().chain(&mut self.shared) {
            if bank.forwarded(groups) | bank.active == 0 {
                continue;
            }
            let is_shared = bank.intid(0) >= LINES.first;
            let mine = |bank: &Bank, place: u32| {
                if !is_shared {
                    true
                } else if bank.active & 1 << place != 0 {
                    bank.holder.get(index(place)) == Some(&vcpu)
                } else {
                    target(bank, place, vcpus) == Some(vcpu)
                }
            };
            bank.resample(chip, bank.forwarded(groups));
            for place in ones(bank.forwarded(groups) | bank.active) {
                if mine(bank, place) {
                    ranking.add(Candidate {
                        priority: bank.priority.get(index(place)).copied().unwrap_or_default(),
                        fresh: bank.active & 1 << place == 0,
                        intid: bank.intid(place),
                    });
                }
            }
        }
    }

    /// Takes the list registers back after a stay in the guest. To be called first thing after each
    /// exit, with [`Lists::lr`] and [`Lists::unlisted`] read back.
    pub(super) fn fold_lists(&mut self, chip: &mut impl IrqChip, vcpu: u32, lists: &Lists) {
        for (raw, before) in lists.lr.iter().zip(&lists.loaded).take(lists.used) {
            let before = ListRegister::decode(*before);
            if let Some((bank, place)) = self.find(vcpu, before.intid) {
                take_back(bank, place, vcpu, chip, &before, ListRegister::decode(*raw));
            }
        }
        for _ in 0..lists.unlisted {
            let Some(intid) = self.most_urgent_unlisted(vcpu, lists) else {
                break;
            };
            self.deactivate(chip, vcpu, intid);
        }
    }

    /// Finds the active interrupt that an EOI without a list register ended: priorities nest, so it is
    /// the most urgent of those that were left out.
    fn most_urgent_unlisted(&self, vcpu: u32, lists: &Lists) -> Option<u32> {
        let listed = |intid| {
            lists
                .loaded
                .iter()
                .take(lists.used)
                .any(|held| ListRegister::decode(*held).intid == intid)
        };
        let banks = self.private(vcpu).into_iter().chain(&self.shared);
        banks
            .flat_map(|bank| ones(bank.active).map(move |place| (bank, place)))
            .filter(|(bank, place)| {
                bank.intid(0) == 0 || bank.holder.get(index(*place)) == Some(&vcpu)
            })
            .map(|(bank, place)| (bank.priority.get(index(place)).copied(), bank.intid(place)))
            .filter(|(_, intid)| !listed(*intid))
            .min()
            .map(|(_, intid)| intid)
    }
}

/// Describes one interrupt to the virtual CPU interface.
fn describe(bank: &Bank, place: u32, groups: (bool, bool)) -> ListRegister {
    let bit = 1 << place;
    let intid = bank.intid(place);
    let shared = intid >= LINES.first;
    let active = bank.active & bit != 0;
    let tied = bank.tied & bit != 0;
    // While a tied line is active, whatever more it wants waits in the physical GIC.
    let source = if active && tied {
        bank.latched
    } else {
        u32::MAX
    };
    let pending = bank.forwarded(groups) & source & bit != 0;
    // A tied register must not be active and pending at once (ICH_LR<n>_EL2.State), so the rare
    // second request makes software end the first one's tie.
    let by_hardware = tied && !(active && pending);
    let forgotten = fault::on(Fault::LevelNotRearmed) && shared && bank.edge & bit == 0;
    let shift =
        u32::from(fault::on(Fault::InterruptNumberShifted) && shared && bank.owned() & bit != 0);
    ListRegister {
        intid: intid + shift,
        physical: (by_hardware && !forgotten).then_some(intid),
        tell: tied && !by_hardware,
        priority: bank.priority.get(index(place)).copied().unwrap_or_default(),
        group1: bank.group1 & bit != 0,
        pending,
        active,
    }
}

/// Learns from a list register what the guest did with one interrupt.
fn take_back(
    bank: &mut Bank,
    place: u32,
    vcpu: u32,
    chip: &mut impl IrqChip,
    before: &ListRegister,
    after: ListRegister,
) {
    let bit = 1 << place;
    let tied = bank.tied & bit != 0;
    if before.pending && !after.pending {
        bank.latched &= !bit;
        // The line of an owned interrupt asks anew once it is deactivated; that of an emulated
        // device is known at all times.
        bank.high &= !(bit & bank.owned());
        if fault::on(Fault::InterruptDeliveredTwice) && tied {
            bank.latched |= bit;
        }
    }
    if after.active {
        bank.active |= bit;
        if let Some(holder) = bank.holder.get_mut(index(place)) {
            *holder = vcpu;
        }
    } else {
        bank.active &= !bit;
    }
    if before.physical.is_some() {
        if !after.active && !after.pending {
            // The guest's deactivation has deactivated the physical line.
            bank.tied &= !bit;
        }
    } else if before.tell && before.active && !after.active {
        bank.untie(chip, bit);
    }
}
