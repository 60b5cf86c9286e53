//! What a guest did to leave EL1, in full: register values included, so that [`super::policy`] needs nothing else to
//! decide.

use crate::access::Access;
use crate::addr::Ipa;

/// Why stage 2 or the memory system refused an access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Nothing is mapped there.
    Translation,
    /// The mapping's access flag is clear.
    AccessFlag,
    /// The address is wider than the translation regime.
    AddressSize,
    /// The mapping does not allow this kind of access.
    Permission,
    /// The memory system itself answered with an error.
    External,
    /// The access is not aligned as its memory type asks.
    Alignment,
    /// Another fault status code (DFSC or IFSC).
    Other(u8),
}

/// An access that did not reach memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryFault {
    /// Guest-physical address, where the processor reports one. For a [walk](Self::walk) it is that of
    /// the table entry, and only its page is known.
    pub ipa: Option<Ipa>,
    /// Guest-virtual address the instruction used.
    pub va: u64,
    /// What was wrong.
    pub cause: Cause,
    /// Whether the guest's own table walk faulted rather than the access itself.
    pub walk: bool,
}

/// The instruction that makes a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conduit {
    /// HVC; the return address already lies behind it.
    Hvc,
    /// SMC, trapped; the return address is its own.
    Smc,
}

/// What the guest waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitKind {
    /// An interrupt (WFI).
    Interrupt,
    /// An event (WFE).
    Event,
    /// An interrupt or a point in time (WFIT).
    InterruptUntil,
    /// An event or a point in time (WFET).
    EventUntil,
}

/// Name of a system register, by its encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SysReg {
    /// Op0, 0 to 3.
    pub op0: u8,
    /// Op1, 0 to 7.
    pub op1: u8,
    /// CRn, 0 to 15.
    pub crn: u8,
    /// CRm, 0 to 15.
    pub crm: u8,
    /// Op2, 0 to 7.
    pub op2: u8,
}

impl SysReg {
    /// Names a register in the order the manual writes it: `S<op0>_<op1>_C<crn>_C<crm>_<op2>`.
    pub const fn new(op0: u8, op1: u8, crn: u8, crm: u8, op2: u8) -> Self {
        Self {
            op0,
            op1,
            crn,
            crm,
            op2,
        }
    }
}

impl core::fmt::Display for SysReg {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            f,
            "s{}_{}_c{}_c{}_{}",
            self.op0, self.op1, self.crn, self.crm, self.op2
        )
    }
}

/// One exit of a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// A load, a store or a cache operation by address.
    Data {
        /// Where and why.
        fault: MemoryFault,
        /// Whether it would have written.
        write: bool,
        /// How to carry it out; `None` where the processor does not say.
        access: Option<Access>,
        /// Whether it was a cache maintenance or address translation instruction.
        cache: bool,
    },
    /// An instruction fetch.
    Fetch {
        /// Where and why.
        fault: MemoryFault,
    },
    /// A call to the hypervisor or to the firmware.
    Call {
        /// The instruction used.
        conduit: Conduit,
        /// Its immediate.
        immediate: u16,
        /// X0 to X4.
        args: [u64; 5],
        /// X16, which numbers Xen's hypercalls.
        number: u64,
    },
    /// A trapped access to a system register.
    Register {
        /// Which one.
        reg: SysReg,
        /// The value written; `None` for a read.
        write: Option<u64>,
        /// General register a read fills; 31 discards.
        rt: u8,
    },
    /// A wait instruction.
    Wait {
        /// For what.
        kind: WaitKind,
    },
    /// An instruction of a feature that domains are not offered (SVE, SME, pointer authentication,
    /// AArch32 coprocessors...).
    Undefined {
        /// Exception class.
        class: u8,
    },
    /// Something that the hypervisor's own set-up should never let happen.
    Unexpected {
        /// Exception class.
        class: u8,
        /// Syndrome.
        iss: u32,
    },
}
