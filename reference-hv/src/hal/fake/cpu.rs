//! A CPU whose guests do what a list says.

use super::*;
use crate::arch::aarch64::exit::Exit;
use crate::arch::aarch64::sysreg::IdRegister;
use crate::arch::aarch64::vgic::{Features, Lists};
use crate::arch::aarch64::{Aarch64, VcpuContext};

/// One thing that a guest does.
#[derive(Clone, Copy, Debug)]
pub enum Deed {
    /// Something that takes it out.
    Exit(Exit),
    /// Arms its virtual timer for this time, and goes on.
    Arm(u64),
    /// Computes for so long.
    Compute(u64),
    /// Has the memory system report an error.
    Error,
    /// Leaves an error behind that shows when it is switched away from.
    LateError,
}

/// A virtual CPU's registers.
#[derive(Debug)]
pub struct Registers {
    /// Whose they are.
    pub id: VcpuId,
    /// What its translations are tagged with.
    pub tag: Vmid,
    /// General registers.
    pub x: [u64; 31],
    /// Program counter.
    pub pc: u64,
    due: Option<u64>,
    late_error: bool,
    loaded: bool,
}

impl Cpu for Fake {
    type Arch = Aarch64;
    type Vcpu = Registers;

    fn create(&mut self, id: VcpuId, _: Pa, tag: Vmid, _: u64) -> Registers {
        Registers {
            id,
            tag,
            x: [0; 31],
            pc: 0,
            due: None,
            late_error: false,
            loaded: false,
        }
    }
    fn reset(&mut self, vcpu: &mut Registers, entry: Ipa, context: u64) {
        assert!(!vcpu.loaded, "reset while loaded");
        *vcpu = self.create(vcpu.id, Pa::new(0), vcpu.tag, 0);
        vcpu.pc = entry.raw();
        vcpu.x[0] = context;
    }
    fn set_context(&mut self, vcpu: &mut Registers, context: &VcpuContext) {
        self.reset(vcpu, Ipa::new(context.pc), 0);
        vcpu.x = context.x;
    }
    fn load(&mut self, id: VcpuId, vcpu: &mut Registers) {
        assert_eq!(id, vcpu.id);
        assert!(!vcpu.loaded, "loaded twice");
        vcpu.loaded = true;
    }
    fn save(&mut self, vcpu: &mut Registers) -> bool {
        assert!(vcpu.loaded, "saved without being loaded");
        vcpu.loaded = false;
        core::mem::take(&mut vcpu.late_error)
    }
    fn enter(
        &mut self,
        vcpu: &mut Registers,
        lists: &mut Lists,
        until: Option<u64>,
    ) -> Event<Exit> {
        assert!(vcpu.loaded, "entered without being loaded");
        self.entered.push(vcpu.id);
        self.shown = lists.lr[..lists.used].to_vec();
        loop {
            let key = (vcpu.id.domain.number(), vcpu.id.index);
            // Who has nothing left to do computes for ever.
            let deed = self.deeds.get_mut(&key).and_then(|deeds| deeds.pop_front());
            match deed.unwrap_or(Deed::Compute(u64::MAX)) {
                Deed::Exit(exit) => {
                    self.pass_time(1);
                    return Event::Exit(exit);
                }
                Deed::Error => return Event::Error,
                Deed::Arm(at) => vcpu.due = Some(at),
                Deed::LateError => vcpu.late_error = true,
                Deed::Compute(ticks) => {
                    let next = self.later.iter().map(|(at, _)| *at).min();
                    let stop = [until, next].into_iter().flatten().min();
                    assert!(
                        stop.is_some() || ticks < u64::MAX,
                        "computes for ever, and nothing would stop it"
                    );
                    let left = stop.unwrap_or(u64::MAX).saturating_sub(self.time);
                    self.pass_time(left.min(ticks));
                    if ticks >= left {
                        self.arriving.push_back(Interrupt::Own);
                        return Event::Interrupt;
                    }
                }
            }
        }
    }
    fn interrupt_features(&self) -> Features {
        Features {
            list_registers: 4,
            priority_bits: 5,
        }
    }
    fn timer(&self, vcpu: &Registers) -> (bool, Option<u64>) {
        (vcpu.due.is_some_and(|due| due <= self.time), vcpu.due)
    }
    fn register(&self, vcpu: &Registers, n: u8) -> u64 {
        vcpu.x.get(usize::from(n)).copied().unwrap_or(0)
    }
    fn stage1(&mut self, va: u64, write: bool) -> Option<Ipa> {
        match self.stage1.get(&(va / PAGE_SIZE)) {
            None => Some(Ipa::new(va)),
            Some(&(to, writable)) => (writable || !write).then(|| Ipa::new(to + va % PAGE_SIZE)),
        }
    }
    fn set_register(&mut self, vcpu: &mut Registers, n: u8, value: u64) {
        if let Some(x) = vcpu.x.get_mut(usize::from(n)) {
            *x = value;
        }
    }
    fn skip(&mut self, vcpu: &mut Registers, bytes: u64) {
        vcpu.pc = vcpu.pc.wrapping_add(bytes);
    }
    fn inject(&mut self, vcpu: &mut Registers, exception: &Exception) {
        assert!(vcpu.loaded, "injected without being loaded");
        self.injected.push(*exception);
    }
    fn identify(&self, _: IdRegister) -> u64 {
        u64::MAX
    }
    fn describe(&self, vcpu: &Registers, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pc {:#x}", vcpu.pc)
    }
}
