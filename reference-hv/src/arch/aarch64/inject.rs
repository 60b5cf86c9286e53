//! Exceptions given to a guest: where it goes on, and what its registers say about it.
//!
//! Clauses are those of the Arm architecture reference manual, DDI 0487, D1.3 "Exception entry".

/// What became of a memory access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Abort {
    /// Nothing answered.
    External,
    /// Nothing answered the table walk for it.
    Walk,
    /// The address is not aligned as device memory asks.
    Alignment,
}

/// A synchronous exception for EL1 of the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exception {
    /// A load or store that failed.
    Data {
        /// The virtual address used.
        far: u64,
        /// Whether it would have written.
        write: bool,
        /// Whether it was a cache maintenance or address translation instruction.
        cache: bool,
        /// How it failed.
        abort: Abort,
    },
    /// An instruction fetch that failed.
    Fetch {
        /// The virtual address used.
        far: u64,
        /// How it failed.
        abort: Abort,
    },
    /// An instruction that the guest's processor does not have.
    Undefined {
        /// Whether the program counter already stands behind it, as after HVC.
        passed: bool,
    },
}

/// A guest as the exception finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interrupted {
    /// Program counter (ELR_EL2).
    pub pc: u64,
    /// Processor state (SPSR_EL2).
    pub pstate: u64,
    /// VBAR_EL1.
    pub vbar: u64,
    /// SCTLR_EL1.
    pub sctlr: u64,
}

/// A guest at the first instruction of its exception handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entered {
    /// Program counter, for ELR_EL2.
    pub pc: u64,
    /// Processor state, for SPSR_EL2.
    pub pstate: u64,
    /// Return address, for ELR_EL1.
    pub elr: u64,
    /// Processor state before, for SPSR_EL1.
    pub spsr: u64,
    /// Syndrome, for ESR_EL1.
    pub esr: u64,
    /// Fault address, for FAR_EL1; `None` leaves it.
    pub far: Option<u64>,
}

const PSTATE_MODE: u64 = 0b1111;
const PSTATE_AARCH32: u64 = 1 << 4;
const PSTATE_EL1H: u64 = 0b0101;
const PSTATE_EL1T: u64 = 0b0100;
const PSTATE_DAIF: u64 = 0b1111 << 6;
const PSTATE_SSBS: u64 = 1 << 12;
const PSTATE_PAN: u64 = 1 << 22;
const PSTATE_DIT: u64 = 1 << 24;
const PSTATE_TCO: u64 = 1 << 25;
const PSTATE_NZCV: u64 = 0b1111 << 28;
const SCTLR_SPAN: u64 = 1 << 23;
const SCTLR_DSSBS: u64 = 1 << 44;

/// A 32-bit instruction caused it; also what the manual asks for where that has no meaning.
const ESR_IL: u64 = 1 << 25;
const ESR_CLASS_SHIFT: u32 = 26;
const EC_FETCH_LOWER: u64 = 0x20;
const EC_DATA_LOWER: u64 = 0x24;
/// Added to the class of an abort that comes from EL1 itself.
const EC_SAME_LEVEL: u64 = 1;
const ISS_WRITE: u64 = 1 << 6;
const ISS_CACHE: u64 = 1 << 8;

/// Returns the fault status code.
const fn status(abort: Abort) -> u64 {
    match abort {
        Abort::External => 0b01_0000,
        // Which level of the walk failed is not known at EL2 without walking again; the code of
        // level 0 is the one that claims least.
        Abort::Walk => 0b01_0100,
        Abort::Alignment => 0b10_0001,
    }
}

/// Returns the distance from VBAR_EL1 to the handler of a synchronous exception (D1.3.1, table of
/// vector offsets).
const fn vector(pstate: u64) -> u64 {
    if pstate & PSTATE_AARCH32 != 0 {
        0x600
    } else {
        match pstate & PSTATE_MODE {
            PSTATE_EL1T => 0x000,
            PSTATE_EL1H => 0x200,
            _ => 0x400,
        }
    }
}

/// Tells whether the exception comes from EL1 itself rather than from EL0.
const fn from_el1(pstate: u64) -> bool {
    pstate & PSTATE_AARCH32 == 0 && matches!(pstate & PSTATE_MODE, PSTATE_EL1T | PSTATE_EL1H)
}

/// Makes the guest take an exception to its EL1, as the processor would.
pub const fn enter(exception: &Exception, at: &Interrupted) -> Entered {
    let level = if from_el1(at.pstate) {
        EC_SAME_LEVEL
    } else {
        0
    };
    let (syndrome, far, elr) = match *exception {
        Exception::Data {
            far,
            write,
            cache,
            abort,
        } => {
            let write = if write { ISS_WRITE } else { 0 };
            let cache = if cache { ISS_CACHE } else { 0 };
            let class = (EC_DATA_LOWER + level) << ESR_CLASS_SHIFT;
            (class | write | cache | status(abort), Some(far), at.pc)
        }
        Exception::Fetch { far, abort } => (
            (EC_FETCH_LOWER + level) << ESR_CLASS_SHIFT | status(abort),
            Some(far),
            at.pc,
        ),
        Exception::Undefined { passed } => {
            (0, None, if passed { at.pc.wrapping_sub(4) } else { at.pc })
        }
    };
    // NZCV and DIT stay, PAN unless SCTLR_EL1.SPAN is clear, which sets it; SSBS becomes
    // SCTLR_EL1.DSSBS; tag checks are off until the handler wants them. All else becomes zero.
    let pan = if at.sctlr & SCTLR_SPAN == 0 {
        PSTATE_PAN
    } else {
        at.pstate & PSTATE_PAN
    };
    let ssbs = if at.sctlr & SCTLR_DSSBS != 0 {
        PSTATE_SSBS
    } else {
        0
    };
    let kept = at.pstate & (PSTATE_NZCV | PSTATE_DIT);
    Entered {
        // VBAR_EL1[10:0] is reserved.
        pc: (at.vbar & !0x7ff).wrapping_add(vector(at.pstate)),
        pstate: kept | pan | ssbs | PSTATE_TCO | PSTATE_DAIF | PSTATE_EL1H,
        elr,
        spsr: at.pstate,
        esr: syndrome | ESR_IL,
        far,
    }
}

#[cfg(test)]
mod tests;
