//! A virtual CPU's registers: kept in memory while it does not run, in the CPU while it does.

use aarch64_cpu::asm::barrier::{SY, dsb, isb};
use aarch64_cpu::registers::*;
use arm_sysregs::el1::accessors::read_isr_el1;
use arm_sysregs::el1::registers::IsrEl1;

use super::gicv3::Features;
use super::{el2, timer};
use crate::addr::Pa;
use crate::arch::aarch64::VcpuContext;
use crate::arch::aarch64::esr::Syndrome;
use crate::arch::aarch64::{stage1, stage2};
use crate::ids::Vmid;

/// What every exit saves and every entry restores; vectors.S knows the offsets.
#[repr(C, align(16))]
#[derive(Debug)]
struct Context {
    x: [u64; 31],
    pc: u64,
    pstate: u64,
    fpcr: u64,
    fpsr: u64,
    v: [u128; 32],
}

const _: () = assert!(core::mem::offset_of!(Context, pc) == 248);
const _: () = assert!(core::mem::offset_of!(Context, pstate) == 256);
const _: () = assert!(core::mem::offset_of!(Context, fpcr) == 264);
const _: () = assert!(core::mem::offset_of!(Context, fpsr) == 272);
const _: () = assert!(core::mem::offset_of!(Context, v) == 288);

// SAFETY: vectors.S defines it with this signature, and keeps the registers that AAPCS64 has callees
// keep.
// SAFETY: vectors.S defines it with this signature.
unsafe extern "C" {
    fn refhv_enter(context: *mut Context) -> u64;
}

/// Defines the EL1 and EL0 registers that are switched with a virtual CPU.
macro_rules! bank {
    ($($register:ident),+ $(,)?) => {
        /// Registers of EL1 and EL0.
        #[expect(non_snake_case, reason = "the Arm ARM and `aarch64-cpu` write them so")]
        #[derive(Clone, Debug, Default)]
        struct Bank {
            $($register: u64,)+
        }

        impl Bank {
            fn save() -> Self {
                Self { $($register: $register.get(),)+ }
            }

            /// Writes them all. They rule EL1 and EL0 only, none of which runs now; stage 2 confines what
            /// translation they set up.
            fn restore(&self) {
                $($register.set(self.$register);)+
            }
        }
    };
}

bank!(
    SCTLR_EL1,
    CPACR_EL1,
    TTBR0_EL1,
    TTBR1_EL1,
    TCR_EL1,
    ESR_EL1,
    AFSR0_EL1,
    AFSR1_EL1,
    FAR_EL1,
    MAIR_EL1,
    AMAIR_EL1,
    VBAR_EL1,
    CONTEXTIDR_EL1,
    TPIDR_EL0,
    TPIDRRO_EL0,
    TPIDR_EL1,
    CNTKCTL_EL1,
    PAR_EL1,
    SP_EL0,
    SP_EL1,
    ELR_EL1,
    SPSR_EL1,
    CSSELR_EL1,
);

/// SCTLR_EL1 as a CPU has it after reset: MMU and caches off, RES1 bits set.
const SCTLR_RESET: u64 = 0x30d0_0800;
/// PSTATE after reset: EL1h, everything masked.
const PSTATE_RESET: u64 = 0x3c5;
/// ICH_VMCR_EL2 after reset: nothing enabled, no priority passes.
const VMCR_RESET: u64 = 0;

/// Active priorities and control of the virtual CPU interface.
#[derive(Clone, Debug, Default)]
struct Interface {
    control: u64,
    group0: [u64; 4],
    group1: [u64; 4],
}

/// The virtual timer.
#[derive(Clone, Debug, Default)]
struct VirtualTimer {
    control: u64,
    compare: u64,
}

/// A virtual CPU's registers.
#[derive(Debug)]
pub struct Vcpu {
    context: Context,
    bank: Bank,
    interface: Interface,
    timer: VirtualTimer,
    /// VMPIDR_EL2.
    affinity: u64,
    /// Where the second-stage tables begin.
    root: Pa,
    /// What their translations are tagged with.
    tag: Vmid,
    /// CNTVOFF_EL2.
    offset: u64,
    /// Whether the CPU holds the registers rather than this structure.
    loaded: bool,
    /// What the last synchronous exit was.
    syndrome: Syndrome,
}

/// How a guest was left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Left {
    /// By an exception of its own.
    Exception,
    /// By an interrupt.
    Interrupt,
    /// By a system error.
    Error,
}

impl Vcpu {
    /// Makes a virtual CPU that is not running anywhere.
    pub fn new(affinity: u64, root: Pa, tag: Vmid, offset: u64) -> Self {
        let context = Context {
            x: [0; 31],
            pc: 0,
            pstate: PSTATE_RESET,
            fpcr: 0,
            fpsr: 0,
            v: [0; 32],
        };
        Self {
            context,
            bank: Bank {
                SCTLR_EL1: SCTLR_RESET,
                ..Bank::default()
            },
            interface: Interface {
                control: VMCR_RESET,
                ..Interface::default()
            },
            timer: VirtualTimer::default(),
            affinity,
            root,
            tag,
            offset,
            loaded: false,
            syndrome: Syndrome {
                esr: 0,
                far: 0,
                hpfar: 0,
                spsr: 0,
            },
        }
    }

    /// Puts everything back to reset, to start at `entry` with `context` in X0. It must not be loaded.
    pub fn reset(&mut self, entry: u64, context: u64) {
        *self = Self::new(self.affinity, self.root, self.tag, self.offset);
        self.context.pc = entry;
        self.context.x[0] = context;
    }

    /// Puts everything back to reset and then to what `context` says. It must not be loaded.
    pub fn set_context(&mut self, context: &VcpuContext) {
        self.reset(context.pc, 0);
        self.context.x = context.x;
        self.context.pstate = context.cpsr;
        self.bank.SP_EL0 = context.sp_el0;
        self.bank.SP_EL1 = context.sp_el1;
        self.bank.ELR_EL1 = context.elr_el1;
        self.bank.SPSR_EL1 = context.spsr_el1;
        self.bank.SCTLR_EL1 = context.sctlr | SCTLR_RESET;
        self.bank.TCR_EL1 = context.ttbcr;
        self.bank.TTBR0_EL1 = context.ttbr0;
        self.bank.TTBR1_EL1 = context.ttbr1;
    }

    /// Returns what its translations are tagged with.
    pub fn tag(&self) -> Vmid {
        self.tag
    }

    /// Makes the registers the CPU's. `fresh` says that another virtual CPU of the domain was here
    /// last.
    pub fn load(&mut self, features: &Features, fresh: bool) {
        self.bank.restore();
        // These registers rule the guest's view only: its number, its stage 2 (tables built for its domain,
        // tagged with its VMID), its clock and its interrupt interface.
        VMPIDR_EL2.set(self.affinity);
        VTTBR_EL2.set(stage2::base(self.root, self.tag));
        CNTVOFF_EL2.set(self.offset);
        CNTV_CVAL_EL0.set(self.timer.compare);
        CNTV_CTL_EL0.set(self.timer.control);
        ICH_VMCR_EL2.set(self.interface.control);
        self.interface
            .restore_priorities(features.active_priorities);
        if fresh {
            el2::invalidate_other_vcpu();
        }
        self.loaded = true;
    }

    /// Takes the registers back from the CPU. Returns whether an error of the guest's is still pending.
    pub fn save(&mut self, features: &Features) -> bool {
        // What the guest has written to devices is done, errors included, before another runs.
        dsb(SY);
        isb(SY);
        self.bank = Bank::save();
        self.timer.control = CNTV_CTL_EL0.get();
        self.timer.compare = CNTV_CVAL_EL0.get();
        self.interface.control = ICH_VMCR_EL2.get();
        self.interface.save_priorities(features.active_priorities);
        // The virtual timer must not fire for another guest.
        CNTV_CTL_EL0.set(0);
        self.loaded = false;
        read_isr_el1().contains(IsrEl1::A)
    }

    /// Runs the guest until something takes it out.
    pub fn enter(&mut self) -> Left {
        debug_assert!(self.loaded);
        // SAFETY: The context is as vectors.S expects (offsets asserted above) and mutably borrowed; the
        // guest runs at EL1 behind stage 2, and the CPU comes back to EL2 through VBAR_EL2 only.
        let left = unsafe { refhv_enter(&raw mut self.context) };
        match left {
            0 => {
                self.syndrome = Syndrome {
                    esr: ESR_EL2.get(),
                    far: FAR_EL2.get(),
                    hpfar: HPFAR_EL2.get(),
                    spsr: self.context.pstate,
                };
                Left::Exception
            }
            3 => Left::Error,
            _ => Left::Interrupt,
        }
    }

    /// Returns X0 to X30.
    pub fn registers(&self) -> &[u64; 31] {
        &self.context.x
    }

    /// Sets a general register; 31 is none.
    pub fn set_register(&mut self, n: u8, value: u64) {
        if let Some(x) = self.context.x.get_mut(usize::from(n)) {
            *x = value;
        }
    }

    /// Returns what the last synchronous exit was.
    pub fn syndrome(&self) -> &Syndrome {
        &self.syndrome
    }

    /// Returns where the guest goes on, and with what state.
    pub fn position(&self) -> (u64, u64) {
        (self.context.pc, self.context.pstate)
    }

    /// Has the guest go on elsewhere.
    pub fn set_position(&mut self, pc: u64, pstate: u64) {
        self.context.pc = pc;
        self.context.pstate = pstate;
    }

    /// Tells whether the virtual timer's line is high, and the count at which it becomes high when it is
    /// armed.
    pub fn timer(&self) -> (bool, Option<u64>) {
        let (control, compare) = if self.loaded {
            (CNTV_CTL_EL0.get(), CNTV_CVAL_EL0.get())
        } else {
            (self.timer.control, self.timer.compare)
        };
        if !CNTV_CTL_EL0::ENABLE.is_set(control) || CNTV_CTL_EL0::IMASK.is_set(control) {
            return (false, None);
        }
        // A sum beyond the counter's width is never reached.
        let due = compare.checked_add(self.offset);
        (due.is_some_and(|due| due <= timer::now()), due)
    }
}

impl Interface {
    fn restore_priorities(&self, registers: usize) {
        // Registers beyond the first exist as ICH_VTR_EL2.PREbits says, which `registers` comes from.
        ICH_AP0R0_EL2.set(self.group0[0]);
        ICH_AP1R0_EL2.set(self.group1[0]);
        if registers > 1 {
            ICH_AP0R1_EL2.set(self.group0[1]);
            ICH_AP1R1_EL2.set(self.group1[1]);
        }
        if registers > 2 {
            ICH_AP0R2_EL2.set(self.group0[2]);
            ICH_AP0R3_EL2.set(self.group0[3]);
            ICH_AP1R2_EL2.set(self.group1[2]);
            ICH_AP1R3_EL2.set(self.group1[3]);
        }
    }

    fn save_priorities(&mut self, registers: usize) {
        self.group0[0] = ICH_AP0R0_EL2.get();
        self.group1[0] = ICH_AP1R0_EL2.get();
        if registers > 1 {
            self.group0[1] = ICH_AP0R1_EL2.get();
            self.group1[1] = ICH_AP1R1_EL2.get();
        }
        if registers > 2 {
            self.group0[2] = ICH_AP0R2_EL2.get();
            self.group0[3] = ICH_AP0R3_EL2.get();
            self.group1[2] = ICH_AP1R2_EL2.get();
            self.group1[3] = ICH_AP1R3_EL2.get();
        }
    }
}

/// The state of EL1 that taking an exception to it changes; the virtual CPU must be loaded.
pub mod el1 {
    use core::arch::asm;

    use aarch64_cpu::asm::barrier::{SY, isb};
    use aarch64_cpu::registers::*;

    use super::stage1;

    /// Returns VBAR_EL1.
    pub fn vectors() -> u64 {
        VBAR_EL1.get()
    }

    /// Returns SCTLR_EL1.
    pub fn control() -> u64 {
        SCTLR_EL1.get()
    }

    /// Translates an address through the guest's own tables, as a load or store of its kernel would be;
    /// `None` where that would fault, in either stage.
    pub fn translate(va: u64, write: bool) -> Option<u64> {
        let before = PAR_EL1.get();
        // SAFETY: The instructions change PAR_EL1 alone, which is put back; HCR_EL2.VM and VTTBR_EL2 are
        // those of the guest, and a fault on the way is reported in PAR_EL1.
        unsafe {
            if write {
                asm!("at s1e1w, {}", in(reg) va, options(nostack, preserves_flags));
            } else {
                asm!("at s1e1r, {}", in(reg) va, options(nostack, preserves_flags));
            }
        }
        isb(SY);
        let found = PAR_EL1.get();
        PAR_EL1.set(before);
        stage1::translated(found, va)
    }

    /// Sets what the guest's handler reads about an exception.
    pub fn take(elr: u64, spsr: u64, esr: u64, far: Option<u64>) {
        ELR_EL1.set(elr);
        SPSR_EL1.set(spsr);
        ESR_EL1.set(esr);
        if let Some(far) = far {
            FAR_EL1.set(far);
        }
    }
}
