//! A CPU whose guests do what a list says: what the fake machine has of this architecture, and what tests of all that
//! stands above it need to know.

use core::fmt;

use super::exit::{Cause, Conduit, MemoryFault, WaitKind};
use super::sysreg::IdRegister;
use super::vgic::{Features, Lists};
use crate::access::{Access, Width};
use crate::addr::{Ipa, PAGE_SIZE, Pa};
use crate::hal::fake::Fake;
use crate::hal::{Cpu, Event, Interrupt};
use crate::ids::{VcpuId, Vmid};

pub use super::bindings::BINDINGS;
pub use super::exit::Exit;
pub use super::guest_layout::GUEST;
pub use super::inject::Exception;
pub use super::linux_image::room as kernel_room;
pub use super::stage2::Stage2 as Format;
pub use super::{Aarch64 as Tested, VcpuContext};

/// What the fake machine's entries look like.
pub const FORMAT: Format = Format { forced: false };

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

impl Deed {
    /// Asks the firmware, PSCI, for a power state.
    pub fn power(function: u64, [a, b, c]: [u64; 3]) -> Self {
        Self::Exit(Exit::Call {
            conduit: Conduit::Hvc,
            immediate: 0,
            args: [function, a, b, c, 0],
            number: 0,
        })
    }

    /// Makes a hypercall.
    pub fn hypercall(number: u64, args: [u64; 5]) -> Self {
        Self::Exit(Exit::Call {
            conduit: Conduit::Hvc,
            immediate: 0xea1,
            args,
            number,
        })
    }

    /// Waits for an interrupt.
    pub fn wait() -> Self {
        Self::Exit(Exit::Wait {
            kind: WaitKind::Interrupt,
        })
    }

    /// Writes to where there is no memory.
    pub fn store(at: u64, width: Width, value: u64) -> Self {
        Self::Exit(Exit::Data {
            fault: MemoryFault {
                ipa: Some(Ipa::new(at)),
                va: at,
                cause: Cause::Translation,
                walk: false,
            },
            write: true,
            access: Some(Access {
                width,
                write: Some(value),
                rt: 1,
                sign_extend: false,
                wide: false,
            }),
            cache: false,
        })
    }

    /// Enables the virtual timer's interrupt, in group 1, of the first virtual CPU.
    pub fn enable_timer() -> [Self; 2] {
        [0x0303_0080, 0x0303_0100].map(|at| Self::store(at, Width::Word, 1 << 27))
    }
}

/// A kernel that takes a MiB, of so many bytes in all; `None` where its header has no room.
pub fn kernel(size: u64) -> Option<std::vec::Vec<u8>> {
    let mut image = std::vec![0; usize::try_from(size).ok()?];
    image
        .get_mut(16..24)?
        .copy_from_slice(&0x10_0000_u64.to_le_bytes());
    image.get_mut(56..60)?.copy_from_slice(b"ARM\x64");
    Some(image)
}

/// The registers of a virtual CPU that is switched off.
pub fn switched_off(cpsr: u64) -> VcpuContext {
    VcpuContext {
        cpsr,
        ..VcpuContext::decode(&[])
    }
}

/// The registers of one that starts here.
pub fn context(pc: u64, cpsr: u64) -> VcpuContext {
    VcpuContext {
        flags: 1,
        pc,
        ..switched_off(cpsr)
    }
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
    type Arch = Tested;
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
